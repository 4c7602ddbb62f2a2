//! Lists the public API generated from a spec as plain text: operations, types, fields and values, one per line, so that changes to the
//! spec or the generator show up as a diff in review.

use quote::ToTokens;
use syn::{Fields, Item};

use crate::{
    error::Error,
    names,
    normalize::Normalized,
    operations::{self, Operation},
    options::{FixupMode, Options},
    protocol::Protocol,
    public_api,
    stages::{self, Rest},
    syntax::{self, last_ident},
    yaml,
};

/// Returns the public API of the code that [`generate`](crate::generate) returns for `spec`.
///
/// # Errors
///
/// Returns an error if [`generate`](crate::generate) does.
pub fn surface(spec: &str, options: &Options) -> Result<String, Error> {
    let document = stages::checked(yaml::parse(spec)?)?;
    match Protocol::from_document(&document) {
        Protocol::Rest => {
            let Rest {
                refined,
                normalized,
                ..
            } = stages::rest(document, options)?;
            rest_surface(&refined, &normalized)
        }
        Protocol::Streams => {
            let mut out = String::new();
            let refined = stages::streams(document, options)?.refined;
            write_types(&refined.items, &mut out);
            write_methods(&refined.items, &mut out);
            Ok(out)
        }
    }
}

/// Returns the fields of generated types that have a default if the exchange omits them, as `Type.field: type`. `Option` fields are
/// excluded, because `None` shows that the field was omitted.
///
/// # Errors
///
/// Returns an error if [`generate`](crate::generate) does.
pub fn defaulted_fields(spec: &str, fixups: FixupMode) -> Result<Vec<String>, Error> {
    let document = stages::checked(yaml::parse(spec)?)?;
    let refined = match Protocol::from_document(&document) {
        Protocol::Rest => stages::rest(document, &Options::new().fixups(fixups))?.refined,
        Protocol::Streams => stages::streams(document, &Options::new().fixups(fixups))?.refined,
    };
    let mut out = Vec::new();
    collect_defaulted(&refined.items, &mut out);
    Ok(out)
}

fn collect_defaulted(items: &[Item], out: &mut Vec<String>) {
    let is_defaulted = |attributes: &[syn::Attribute]| syntax::has_serde(attributes, "default");
    for item in items {
        match item {
            Item::Mod(module) => {
                let items = module.content.iter().flat_map(|(_, items)| items);
                collect_defaulted(&items.cloned().collect::<Vec<_>>(), out);
            }
            Item::Struct(item) => {
                let is_struct_defaulted = is_defaulted(&item.attrs);
                for (index, field) in item.fields.iter().enumerate() {
                    let ty = short_type(&field.ty);
                    if (is_struct_defaulted || is_defaulted(&field.attrs))
                        && !ty.starts_with("Option<")
                    {
                        let name = field.ident.as_ref().map(ToString::to_string);
                        let name = name.unwrap_or_else(|| index.to_string());
                        out.push(format!("{}.{name}: {ty}", item.ident));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns the public API of refined code.
pub fn rest_surface(refined: &syn::File, normalized: &Normalized) -> Result<String, Error> {
    let mut out = String::new();
    for operation in operations::list(&normalized.tree)? {
        let access = if operation.auth { "signed" } else { "public" };
        out.push_str(&format!(
            "operation {} {} {} {access} {} {}",
            operation.id, operation.method, operation.path, operation.bucket, operation.token_cost
        ));
        if let Some(cost) = operation.token_cost_per_item {
            out.push_str(&format!(" {cost}/item"));
        }
        if let Some((parameter, cost)) = &operation.token_cost_with {
            out.push_str(&format!(" ({cost} with {parameter})"));
        }
        if let Some(paging) = &operation.paging {
            let items = paging.lists.join(", ");
            out.push_str(&format!(" pages {items} by {}", paging.cursor_field));
        }
        if operation.deprecated {
            out.push_str(" deprecated");
        }
        if operation.returns_secret {
            out.push_str(" returns a secret");
        }
        out.push('\n');
        let setters = setters(refined, &operation);
        let type_of = |name: &str| {
            let setter = setters
                .iter()
                .find(|setter| names::is_ident(name, &setter.parameter));
            setter.map_or_else(String::new, |setter| {
                let by = match &setter.name {
                    other if *other != setter.parameter => format!(" by {other}"),
                    _ => String::new(),
                };
                format!(
                    ": {}{by}",
                    setter.argument_type.replace("kalshi_core::", "")
                )
            })
        };
        for parameter in &operation.parameters {
            let optional = if parameter.required { "" } else { "?" };
            let deprecated = if parameter.deprecated {
                " deprecated"
            } else {
                ""
            };
            out.push_str(&format!(
                "  {}{optional}{}{deprecated}\n",
                parameter.name,
                type_of(&parameter.name)
            ));
        }
        if operation.has_body {
            out.push_str(&format!("  body{}\n", type_of("body")));
        }
        if let Some(response) = &operation.response {
            out.push_str(&format!("  -> {response}\n"));
        }
    }
    let types = refined.items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_ref(),
        _ => None,
    });
    if let Some((_, items)) = types {
        write_types(items, &mut out);
        write_methods(items, &mut out);
    }
    Ok(out)
}

/// Returns the structs and enums with their fields and values.
fn write_types(items: &[Item], out: &mut String) {
    for item in items {
        match item {
            Item::Struct(item) => {
                out.push_str(&format!("struct {}", item.ident));
                match &item.fields {
                    Fields::Named(fields) => {
                        out.push('\n');
                        for field in &fields.named {
                            let name = field
                                .ident
                                .as_ref()
                                .map(ToString::to_string)
                                .unwrap_or_default();
                            let deprecated = match is_deprecated(&field.attrs) {
                                true => " deprecated",
                                false => "",
                            };
                            out.push_str(&format!(
                                "  {name}: {}{deprecated}\n",
                                short_type(&field.ty)
                            ));
                        }
                    }
                    fields => out.push_str(&format!(
                        "({})\n",
                        fields
                            .iter()
                            .map(|f| short_type(&f.ty))
                            .collect::<Vec<_>>()
                            .join(", ")
                    )),
                }
            }
            Item::Enum(item) => {
                out.push_str(&format!("enum {}\n", item.ident));
                for variant in &item.variants {
                    out.push_str(&format!(
                        "  {}\n",
                        variant
                            .to_token_stream()
                            .to_string()
                            .rsplit(']')
                            .next()
                            .unwrap_or_default()
                            .trim()
                    ));
                }
            }
            _ => {}
        }
    }
}

/// Returns the methods of the types and of their builders.
fn write_methods(items: &[Item], out: &mut String) {
    for item in items {
        let has_methods = match item {
            Item::Impl(block) => block.trait_.is_none(),
            Item::Mod(module) => module.ident == "builder",
            _ => false,
        };
        let mut lines = Vec::new();
        if has_methods {
            public_api::collect_item(item, &mut lines);
        }
        for line in lines
            .iter()
            .filter(|line| line.contains(": fn ") || line.contains(": const "))
        {
            out.push_str(&without_paths(
                &line.replace(":::", ": ::").replace(" <", "<"),
            ));
            out.push('\n');
        }
    }
}

fn is_deprecated(attributes: &[syn::Attribute]) -> bool {
    let mut attributes = attributes.iter();
    attributes.any(|attribute| attribute.path().is_ident("deprecated"))
}

/// Formats a type without well-known paths.
fn short_type(ty: &syn::Type) -> String {
    let text = ty.to_token_stream().to_string();
    let text = text.replace("impl ", "impl\0").replace(' ', "");
    without_paths(&text.replace('\0', " "))
}

fn without_paths(text: &str) -> String {
    let mut text = text.to_owned();
    for path in [
        "::std::convert::",
        "::std::iter::",
        "::std::borrow::",
        "::std::fmt::",
        "::std::option::",
        "::std::string::",
        "::std::vec::",
        "::std::collections::",
        "::chrono::offset::",
        "::chrono::",
        "::serde_json::",
        "::kalshi_core::",
    ] {
        text = text.replace(path, "");
    }
    text
}

/// A setter of a request builder.
pub(crate) struct Setter {
    /// The Rust name of the parameter, or `body`.
    pub(crate) parameter: String,
    /// The name of the setter that accepts all values of the parameter.
    pub(crate) name: String,
    /// The type of the value. Paths of `kalshi_core` have no leading colons.
    pub(crate) value: String,
    /// The argument type of the setter.
    argument_type: String,
}

/// Returns the setters of an operation's builder.
pub(crate) fn setters(refined: &syn::File, operation: &Operation) -> Vec<Setter> {
    let builder = names::builder(&operation.id);
    let module = refined.items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "builder" => module.content.as_ref(),
        _ => None,
    });
    let items = || module.into_iter().flat_map(|(_, items)| items);
    let fields = items().find_map(|item| match item {
        Item::Struct(item) if item.ident == builder => Some(&item.fields),
        _ => None,
    });
    let functions: Vec<_> = items()
        .filter_map(|item| match item {
            Item::Impl(block) if last_ident(&block.self_ty)? == builder => Some(&block.items),
            _ => None,
        })
        .flatten()
        .filter_map(|item| match item {
            syn::ImplItem::Fn(function) => Some(&function.sig),
            _ => None,
        })
        .collect();
    // The first field is the client.
    let fields = fields.into_iter().flatten().skip(1);
    fields
        .filter_map(|field| {
            let parameter = field.ident.as_ref()?.to_string();
            let plural = operation
                .parameters
                .iter()
                .find(|other| names::is_ident(&other.name, &parameter))
                .and_then(|parameter| parameter.plural.clone());
            let name = plural.unwrap_or_else(|| parameter.clone());
            let value = value_type(&field.ty)?;
            let signature = functions.iter().find(|signature| signature.ident == name)?;
            let argument_type = match signature.inputs.last()? {
                syn::FnArg::Typed(argument) => match &*argument.ty {
                    syn::Type::ImplTrait(_) => short_type(&argument.ty),
                    _ => value.clone(),
                },
                syn::FnArg::Receiver(_) => return None,
            };
            Some(Setter {
                parameter,
                name,
                value,
                argument_type,
            })
        })
        .collect()
}

/// Returns the `T` of a builder's `Result<T, _>` or `Result<Option<T>, _>`, or the type that the builder of a body builds.
fn value_type(field_type: &syn::Type) -> Option<String> {
    let (value, _) = syntax::builder_value(field_type)?;
    let text = value.to_token_stream().to_string().replace(' ', "");
    let text = text
        .replace("types::builder::", "types::")
        .replace("::kalshi_core::", "kalshi_core::")
        .replace("::std::vec::Vec", "Vec");
    Some(text.replace("::std::string::String", "String"))
}
