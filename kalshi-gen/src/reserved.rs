//! Names that emitted code uses itself, so that a spec must not use them. A test compares them with the emitted code.

/// The methods of the client besides the operations.
const CLIENT_METHODS: [&str; 8] = [
    "builder",
    "clock_skew",
    "clone",
    "environment",
    "from_core",
    "rate_limiter",
    "with_max_wait",
    "with_retry",
];

/// The methods of a request builder besides the setters of parameters.
pub(crate) const BUILDER_METHODS: [&str; 8] = [
    "body",
    "body_map",
    "by_item",
    "by_page",
    "collect_all",
    "into_request",
    "new",
    "send",
];

/// Returns `true` if an operation cannot have this name in snake case. `all` would be the constant `ALL` of the operation table.
pub(crate) fn is_operation(name: &str) -> bool {
    name == "all" || CLIENT_METHODS.contains(&name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use syn::{ImplItem, Item, ItemImpl};

    use super::*;
    use crate::{options::Options, stages, syntax, yaml};

    const SPEC: &str = include_str!("../tests/specs/constructs.yaml");

    fn methods<'a>(blocks: impl Iterator<Item = &'a ItemImpl>) -> BTreeSet<String> {
        let items = blocks.flat_map(|block| &block.items);
        let functions = items.filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
            _ => None,
        });
        functions.collect()
    }

    #[test]
    fn reserved_names_are_those_of_the_emitted_code() {
        let document = stages::checked_rest(yaml::parse(SPEC).unwrap()).unwrap();
        let rest = stages::rest(document, &Options::new()).unwrap();
        let impls = |items: &[Item]| -> Vec<ItemImpl> {
            let blocks = items.iter().filter_map(|item| match item {
                Item::Impl(block) if block.trait_.is_none() => Some(block.clone()),
                _ => None,
            });
            blocks.collect()
        };
        let of_client = impls(&rest.refined.items);
        let is_client = |block: &&ItemImpl| {
            syntax::last_ident(&block.self_ty).is_some_and(|ident| ident == "Client")
        };
        let mut client = methods(of_client.iter().filter(is_client));
        for operation in &rest.operations {
            assert!(client.remove(&crate::names::snake(&operation.id)));
        }
        // Derived, not emitted as a method.
        client.insert("clone".to_owned());
        assert_eq!(client, CLIENT_METHODS.map(str::to_owned).into());

        let module = rest.refined.items.iter().find_map(|item| match item {
            Item::Mod(module) if module.ident == "builder" => module.content.clone(),
            _ => None,
        });
        let mut builders = methods(impls(&module.unwrap().1).iter());
        let parameters = rest
            .operations
            .iter()
            .flat_map(|operation| &operation.parameters);
        for parameter in parameters {
            builders.retain(|name| !crate::names::is_ident(&parameter.name, name));
        }
        assert_eq!(builders, BUILDER_METHODS.map(str::to_owned).into());
    }
}
