//! Check that no two items, fields or methods of the generated code have the same name, so that no spec gives code that
//! does not compile.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use serde_json::Value;
use syn::{Fields, Ident, ImplItem, Item, UseTree};

use crate::{
    error::{Error, JsonPath},
    names,
    operations::Operation,
    spec,
    syntax::last_ident,
};

/// Returns an error if the code generated from a normalised spec defines a name twice. The error names the schema or the
/// operation that the name comes from, if it is known.
pub(crate) fn check(items: &[Item], tree: &Value, operations: &[Operation]) -> Result<(), Error> {
    match duplicate(items) {
        None => Ok(()),
        Some(Duplicate { owner, message }) => {
            let schema = spec::schemas(tree)
                .into_iter()
                .flatten()
                .find(|(name, _)| names::pascal(name) == owner);
            let operation = operations
                .iter()
                .find(|operation| names::builder(&operation.id) == owner);
            Err(match (operation, schema) {
                (Some(operation), _) => {
                    let method = operation.method.to_ascii_lowercase();
                    let path = JsonPath::new(&["paths", &operation.path, &method]);
                    Error::at(&path, format!("operation `{}`: {message}", operation.id))
                }
                (None, Some((name, _))) => {
                    Error::at(&JsonPath::new(&["components", "schemas", name]), message)
                }
                (None, None) => Error::document(message),
            })
        }
    }
}

/// A name that is defined twice.
struct Duplicate {
    /// The type that the message is about.
    owner: String,
    message: String,
}

impl Duplicate {
    fn new(owner: impl ToString, message: String) -> Self {
        let owner = owner.to_string();
        Self { owner, message }
    }
}

/// Returns a name that a module, or a module in it, defines twice.
fn duplicate(items: &[Item]) -> Option<Duplicate> {
    // Types and modules share a namespace. Functions and constants have another.
    let (mut types, mut values) = (BTreeSet::new(), BTreeSet::new());
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut found = None;
    for item in items {
        let mut imported = Vec::new();
        let name = match item {
            Item::Enum(item) => Some(&item.ident),
            Item::Mod(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Use(item) => {
                imports(&item.tree, &mut imported);
                None
            }
            _ => None,
        };
        let value = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Static(item) => Some(&item.ident),
            _ => None,
        };
        let repeated = name
            .into_iter()
            .chain(imported)
            .find(|name| !types.insert(name.to_string()))
            .or_else(|| value.filter(|name| !values.insert(name.to_string())));
        found = found.or_else(|| {
            let name = repeated?;
            let message =
                format!("two items of the generated code would be named `{name}`: rename one");
            Some(Duplicate::new(name, message))
        });
        found = found.or_else(|| match item {
            Item::Mod(module) => duplicate(&module.content.as_ref()?.1),
            Item::Struct(item) => repeated_field(&item.ident, &item.fields),
            Item::Enum(item) => {
                let variants = item.variants.iter();
                repeated_name(
                    &item.ident,
                    "variants",
                    variants.clone().map(|one| &one.ident),
                )
                .or_else(|| {
                    let mut fields = variants.map(|one| repeated_field(&item.ident, &one.fields));
                    fields.find_map(|found| found)
                })
            }
            Item::Impl(block) if block.trait_.is_none() => {
                let methods = methods
                    .entry(block.self_ty.to_token_stream().to_string())
                    .or_default();
                let mut names = block.items.iter().filter_map(|item| match item {
                    ImplItem::Fn(function) => Some(&function.sig.ident),
                    ImplItem::Const(constant) => Some(&constant.ident),
                    _ => None,
                });
                let name = names.find(|name| !methods.insert(name.to_string()))?;
                let owner = last_ident(&block.self_ty)?;
                let message = format!("`{owner}` would have two methods `{name}`: rename one");
                Some(Duplicate::new(owner, message))
            }
            _ => None,
        });
    }
    found
}

fn repeated_field(owner: &Ident, fields: &Fields) -> Option<Duplicate> {
    let names = fields.iter().filter_map(|field| field.ident.as_ref());
    repeated_name(owner, "fields", names)
}

fn repeated_name<'a>(
    owner: &Ident,
    kind: &str,
    mut names: impl Iterator<Item = &'a Ident>,
) -> Option<Duplicate> {
    let mut seen = BTreeSet::new();
    let name = names.find(|name| !seen.insert(*name))?;
    let message = format!("`{owner}` would have two {kind} `{name}`: rename one");
    Some(Duplicate::new(owner, message))
}

/// Collects the names that a `use` declares.
fn imports<'a>(tree: &'a UseTree, found: &mut Vec<&'a Ident>) {
    match tree {
        UseTree::Path(path) => imports(&path.tree, found),
        UseTree::Name(name) => found.push(&name.ident),
        UseTree::Rename(rename) if rename.rename != "_" => found.push(&rename.rename),
        UseTree::Group(group) => group.items.iter().for_each(|tree| imports(tree, found)),
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use syn::{File, parse_quote};

    use crate::{error::Error, operations};

    #[test]
    fn names_that_are_defined_twice_are_found() {
        let check = |file: File| {
            super::check(&file.items, &json!({}), &[]).map_err(|error| error.to_string())
        };
        let files: [(File, &str); 7] = [
            (
                parse_quote! { mod types { pub struct A; pub enum A {} } },
                "named `A`",
            ),
            (
                parse_quote! { mod types { pub struct A; pub use x::{B, A}; } },
                "named `A`",
            ),
            (
                parse_quote! { const A: u8 = 0; fn f() {} fn f() {} },
                "named `f`",
            ),
            (
                parse_quote! { struct A { a: u8, a: u8 } },
                "`A` would have two fields `a`",
            ),
            (
                parse_quote! { enum A { B { a: u8, a: u8 } } },
                "`A` would have two fields `a`",
            ),
            (
                parse_quote! { enum A { B, B } },
                "`A` would have two variants `B`",
            ),
            (
                parse_quote! { mod builder { impl<'a> A<'a> { fn f() {} } impl<'a> A<'a> { fn f() {} } } },
                "`A` would have two methods `f`",
            ),
        ];
        for (file, expected) in files {
            let result = check(file);
            assert!(
                result.as_ref().is_err_and(|error| error.contains(expected)),
                "{result:?}"
            );
        }
        let distinct = parse_quote! {
            struct a { f: u8 }
            fn a() {}
            impl a { fn f() {} }
            impl B { fn f() {} }
            impl F for a { fn f() {} }
            mod b { struct a; use x as _; use y as _; }
        };
        assert_eq!(check(distinct), Ok(()));
    }
    #[test]
    fn error_names_the_operation_of_a_builder() -> Result<(), Error> {
        let tree = json!({ "paths": { "/a": { "get": { "operationId": "GetRFQs" } } } });
        let operations = operations::list(&tree)?;
        let file: File = parse_quote! { impl<'a> GetRfqs<'a> { fn f() {} fn f() {} } };
        let result = super::check(&file.items, &tree, &operations);
        assert_eq!(
            result.map_err(|error| error.to_string()),
            Err("$.paths[\"/a\"].get: operation `GetRFQs`: `GetRfqs` would have two methods `f`: rename one".to_owned())
        );
        Ok(())
    }
}
