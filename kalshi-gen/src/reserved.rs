//! Names that emitted code uses itself and a spec must not use. A test compares them with the emitted code.

use crate::scalars::SCALARS;

/// The methods of the client that are not operations.
const CLIENT_METHODS: [&str; 8] = [
    "builder",
    "clock_skew",
    "clone",
    "environment",
    "rate_limiter",
    "request",
    "with_max_wait",
    "with_retry",
];

/// The methods of a request builder that are not parameter setters.
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

/// The items of a generated REST module and its imports, except the marker.
const ROOT_ITEMS: [&str; 6] = [
    "Client",
    "ClientBuilder",
    "Environment",
    "builder",
    "operations",
    "types",
];

/// The types that emitted request builders refer to without a path.
const BUILDER_TYPES: [&str; 5] = ["From", "Option", "Result", "Self", "String"];

/// The types, traits and variants that emitted types refer to without a path. An alias schema becomes a tuple struct
/// and would shadow a variant.
const TYPES: [&str; 7] = ["Default", "Err", "None", "Ok", "Self", "Some", "String"];

/// The variants of the message enum that are not messages, and the enum's own name.
const MESSAGES: [&str; 3] = ["Malformed", "Message", "Unknown"];

/// Returns `true` if the marker type cannot have this name.
pub(crate) fn is_root_item(name: &str) -> bool {
    ROOT_ITEMS.contains(&name)
}

/// Returns `true` if a request builder cannot have this name.
pub(crate) fn is_builder(name: &str) -> bool {
    BUILDER_TYPES.contains(&name.trim_end_matches('_'))
}

/// Returns `true` if a generated type cannot have this name, because emitted code uses it for something else or a
/// scalar type of the SDK has it.
pub(crate) fn is_type(name: &str) -> bool {
    TYPES.contains(&name) || SCALARS.iter().any(|(scalar, _)| *scalar == name)
}

/// Returns `true` if a message, or a type beside the messages, cannot have this name.
pub(crate) fn is_message(name: &str) -> bool {
    MESSAGES.contains(&name) || is_type(name)
}

/// Returns `true` if an operation cannot have this name in snake case. `all` would become the constant `ALL`
/// of the operation table.
pub(crate) fn is_operation(name: &str) -> bool {
    name == "all" || CLIENT_METHODS.contains(&name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use syn::{ImplItem, Item, ItemImpl, visit::Visit};

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
    fn reserved_names_match_the_emitted_code() {
        let document = stages::checked_rest(yaml::parse(SPEC).unwrap()).unwrap();
        let rest = stages::rest(document, &Options::new()).unwrap();
        let impls = |items: &[Item]| -> Vec<ItemImpl> {
            let blocks = items.iter().filter_map(|item| match item {
                Item::Impl(block) if block.trait_.is_none() => Some(block.clone()),
                _ => None,
            });
            blocks.collect()
        };
        let impl_blocks = impls(&rest.refined.items);
        let is_client = |block: &&ItemImpl| {
            syntax::last_ident(&block.self_ty).is_some_and(|ident| ident == "Client")
        };
        let mut client = methods(impl_blocks.iter().filter(is_client));
        for operation in &rest.operations {
            assert!(client.remove(&crate::names::snake(&operation.id)));
        }
        // Derived rather than emitted as a method.
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

    /// The names that a module refers to without a path: capitalised names, except its own items and parameters.
    #[derive(Default)]
    struct Unqualified {
        used: BTreeSet<String>,
        own: BTreeSet<String>,
    }

    impl<'ast> Visit<'ast> for Unqualified {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            if path.leading_colon.is_none() {
                let first = path.segments.first();
                self.used
                    .extend(first.map(|segment| segment.ident.to_string()));
            }
            syn::visit::visit_path(self, path);
        }

        fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

        fn visit_type_param(&mut self, parameter: &'ast syn::TypeParam) {
            self.own.insert(parameter.ident.to_string());
            syn::visit::visit_type_param(self, parameter);
        }

        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            self.own.insert(item.ident.to_string());
            syn::visit::visit_item_struct(self, item);
        }

        fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
            self.own.insert(item.ident.to_string());
            syn::visit::visit_item_enum(self, item);
        }
    }

    /// Returns the names that a module of the all-constructs output refers to without a path.
    /// Nested modules are skipped.
    fn unqualified(spec: &str, modules: &[&str]) -> BTreeSet<String> {
        let document = stages::checked_rest(yaml::parse(spec).unwrap()).unwrap();
        let file = stages::rest(document, &Options::new()).unwrap().refined;
        let mut items = file.items;
        for name in modules {
            items = items
                .into_iter()
                .find_map(|item| match item {
                    Item::Mod(module) if module.ident == *name => module.content,
                    _ => None,
                })
                .unwrap()
                .1;
        }
        let mut found = Unqualified::default();
        for item in items.iter().filter(|item| !matches!(item, Item::Mod(_))) {
            found.visit_item(item);
        }
        let used = found.used.difference(&found.own).cloned();
        used.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
            .collect()
    }

    const SPECS: [&str; 4] = [
        SPEC,
        include_str!("../tests/specs/names.yaml"),
        include_str!("../tests/specs/exchange.yaml"),
        include_str!("../../openapi.yaml"),
    ];

    #[test]
    fn names_used_without_a_path_are_reserved() {
        // The variants `Ok` and `Err` are values, and a builder is only a type.
        let values = ["Err", "None", "Ok", "Some"];
        let mut types = BTreeSet::new();
        let mut builders = BTreeSet::new();
        for spec in SPECS {
            builders.extend(unqualified(spec, &["builder"]));
            types.extend(unqualified(spec, &["types"]));
            types.extend(unqualified(spec, &["types", "builder"]));
            let root = unqualified(spec, &[]);
            let missing = root.iter().filter(|name| {
                // The imports and items derived from the marker.
                !is_root_item(name) && *name != "Self"
            });
            assert_eq!(missing.collect::<Vec<_>>(), ["Api"], "{root:?}");
        }
        let (values, builders): (BTreeSet<_>, BTreeSet<_>) = builders
            .into_iter()
            .partition(|name| values.contains(&name.as_str()));
        types.extend(values);
        assert_eq!(builders, BUILDER_TYPES.map(str::to_owned).into());
        types.retain(|name| !SCALARS.iter().any(|(scalar, _)| scalar == name));
        assert_eq!(types, TYPES.map(str::to_owned).into());
    }

    #[test]
    fn variants_that_are_no_messages_are_reserved() {
        let spec = yaml::parse(include_str!("../tests/specs/streams.yaml")).unwrap();
        let document = stages::checked(spec).unwrap();
        let emitted = stages::streams(document, &Options::new()).unwrap().refined;
        let messages = emitted.items.iter().find_map(|item| match item {
            Item::Enum(item) if item.ident == "Message" => Some(item),
            _ => None,
        });
        // Their types are the runtime's.
        let others = messages.unwrap().variants.iter().filter(|variant| {
            let mut types = variant.fields.iter().map(|field| &field.ty);
            types.any(|ty| {
                matches!(ty, syn::Type::Path(ty) if ty.path.segments.first().unwrap().ident == "kalshi_core")
            })
        });
        let mut names: BTreeSet<_> = others.map(|variant| variant.ident.to_string()).collect();
        names.insert("Message".to_owned());
        assert_eq!(names, MESSAGES.map(str::to_owned).into());
    }
}
