//! The result of [`generate`](crate::generate), and the check that it has everything hand-written code requires.

use serde_json::Value;
use syn::{Fields, Item};

use crate::{
    error::Error,
    names,
    operations::Operation,
    options::Options,
    refine, spec,
    stages::{Rest, Streams},
    warning::Warning,
};

/// The Rust code generated from a spec, and an index of its contents.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Generated {
    /// The Rust source of the module.
    pub rust: String,
    /// Every operation of the spec, ordered by path for OpenAPI and by id for AsyncAPI.
    pub operations: Vec<GeneratedOperation>,
    /// Every generated struct and enum, in source order.
    pub types: Vec<GeneratedType>,
    /// Content of the spec that the generator ignores. Empty for a clean spec.
    pub warnings: Vec<Warning>,
}

/// An operation of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedOperation {
    /// The `operationId`. In AsyncAPI, the key under `operations`.
    pub id: String,
    /// The HTTP method in upper case, such as `GET`. In AsyncAPI, the action: `send` or `receive`.
    pub method: String,
    /// The path with its parameters in braces. In AsyncAPI, the address of the channel.
    pub path: String,
}

/// A generated struct or enum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedType {
    /// The Rust name of the type.
    pub name: String,
    /// The Rust names of the fields. Empty for enums, tuple structs and unit structs.
    pub fields: Vec<String>,
    /// The Rust names of the variants, in source order. Empty for structs.
    pub variants: Vec<String>,
}

impl Generated {
    pub(crate) fn from_rest(rest: &Rest, warnings: Vec<Warning>) -> Self {
        Self {
            rust: refine::to_source(&rest.refined),
            operations: rest_operations(&rest.operations),
            types: types(&rest.refined),
            warnings,
        }
    }

    pub(crate) fn from_streams(
        streams: &Streams,
        operations: Vec<GeneratedOperation>,
        warnings: Vec<Warning>,
    ) -> Self {
        Self {
            rust: refine::to_source(&streams.refined),
            operations,
            types: types(&streams.refined),
            warnings,
        }
    }

    /// Returns an error that names the first required operation, type or field that is missing.
    pub(crate) fn require(&self, options: &Options) -> Result<(), Error> {
        for id in options.required_operations() {
            if !self.operations.iter().any(|operation| operation.id == *id) {
                return Err(Error::document(format!(
                    "operation `{id}` is not in the spec, but hand-written code requires it"
                )));
            }
        }
        for (name, fields) in options.required_fields() {
            let found = self.required_type(name)?;
            // Accepts the Rust name, or the name before it was changed because of a keyword or a leading digit.
            let has = |field: &str| {
                let is_snake = names::snake(field) == field;
                let mut idents = found.fields.iter();
                idents.any(|ident| ident == field || (is_snake && names::is_ident(field, ident)))
            };
            if let Some(field) = fields.iter().find(|field| !has(field)) {
                return Err(Error::document(format!(
                    "type `{name}` has no field `{field}`, but hand-written code requires it"
                )));
            }
        }
        Ok(())
    }

    fn required_type(&self, name: &str) -> Result<&GeneratedType, Error> {
        let found = self.types.iter().find(|found| found.name == name);
        found.ok_or_else(|| {
            Error::document(format!(
                "type `{name}` is not in the spec, but hand-written code requires it"
            ))
        })
    }
}

/// Returns the operations of an OpenAPI spec.
fn rest_operations(operations: &[Operation]) -> Vec<GeneratedOperation> {
    operations
        .iter()
        .map(|operation| GeneratedOperation {
            id: operation.id.clone(),
            method: operation.method.clone(),
            path: operation.path.clone(),
        })
        .collect()
}

/// Returns the operations of a checked AsyncAPI spec.
pub(crate) fn stream_operations(document: &Value) -> Vec<GeneratedOperation> {
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut operations: Vec<_> = operations
        .filter(|(id, _)| !id.starts_with("x-"))
        .map(|(id, operation)| {
            let channel = spec::follow(document, &operation["channel"]);
            GeneratedOperation {
                id: id.clone(),
                method: operation["action"].as_str().unwrap_or_default().to_owned(),
                path: channel["address"].as_str().unwrap_or_default().to_owned(),
            }
        })
        .collect();
    operations.sort_by(|one, other| one.id.cmp(&other.id));
    operations
}

/// Returns the structs and enums of the file's module `types`, or of the file itself if it has no such module.
fn types(file: &syn::File) -> Vec<GeneratedType> {
    let module = file.items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_ref(),
        _ => None,
    });
    let items = module.map_or(&file.items, |(_, items)| items);
    items
        .iter()
        .filter_map(|item| match item {
            Item::Struct(item) => Some((&item.ident, fields(&item.fields), Vec::new())),
            Item::Enum(item) => {
                let variants = item.variants.iter();
                let variants = variants.map(|variant| variant.ident.to_string());
                Some((&item.ident, Vec::new(), variants.collect()))
            }
            _ => None,
        })
        .map(|(ident, fields, variants)| GeneratedType {
            name: ident.to_string(),
            fields,
            variants,
        })
        .collect()
}

fn fields(fields: &Fields) -> Vec<String> {
    let idents = fields.iter().filter_map(|field| field.ident.as_ref());
    idents.map(ToString::to_string).collect()
}
