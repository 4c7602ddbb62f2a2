//! What [`generate`](crate::generate) returns, and whether it has what hand-written code needs.

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

/// The Rust generated from a spec, and what is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Generated {
    /// The Rust source.
    pub rust: String,
    /// Every operation of the spec, by path for OpenAPI and by id for AsyncAPI.
    pub operations: Vec<GeneratedOperation>,
    /// Every generated struct and enum, in the order of the source.
    pub types: Vec<GeneratedType>,
    /// What the spec holds that generation ignores. Empty for a clean spec.
    pub warnings: Vec<Warning>,
}

/// An operation of the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedOperation {
    /// The `operationId`; in AsyncAPI, the key under `operations`.
    pub id: String,
    /// The HTTP method in capitals, such as `GET`; in AsyncAPI, the action: `send` or `receive`.
    pub method: String,
    /// The path with its parameters in braces; in AsyncAPI, the address of the channel.
    pub path: String,
}

/// A generated struct or enum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedType {
    /// The name in Rust.
    pub name: String,
    /// The names of the fields in Rust. Empty for enums, tuple structs and unit structs.
    pub fields: Vec<String>,
    /// The names of the variants in Rust, in the order of the source. Empty for structs.
    pub variants: Vec<String>,
}

impl Generated {
    pub(crate) fn from_rest(rest: &Rest, warnings: Vec<Warning>) -> Self {
        Self {
            rust: refine::text(&rest.refined),
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
            rust: refine::text(&streams.refined),
            operations,
            types: types(&streams.refined),
            warnings,
        }
    }

    /// Returns an error that names the first required operation, type, field or variant that is missing.
    pub(crate) fn require(&self, options: &Options) -> Result<(), Error> {
        for id in options.required_operations() {
            if !self.operations.iter().any(|operation| operation.id == *id) {
                return Err(Error::document(format!(
                    "operation `{id}` is not in the spec, and hand-written code needs it"
                )));
            }
        }
        for (name, fields) in options.required_fields() {
            let found = self.required_type(name)?;
            // The name in Rust, or the one before a keyword or a digit made it another.
            let has = |field: &str| {
                let is_snake = names::snake(field) == field;
                let mut idents = found.fields.iter();
                idents.any(|ident| ident == field || (is_snake && names::is_ident(field, ident)))
            };
            if let Some(field) = fields.iter().find(|field| !has(field)) {
                return Err(Error::document(format!(
                    "type `{name}` has no field `{field}`, and hand-written code needs it"
                )));
            }
        }
        for (name, variants) in options.required_variants() {
            let found = self.required_type(name)?;
            if let Some(variant) = variants.iter().find(|name| !found.variants.contains(name)) {
                return Err(Error::document(format!(
                    "type `{name}` has no variant `{variant}`, and hand-written code needs it"
                )));
            }
        }
        Ok(())
    }

    fn required_type(&self, name: &str) -> Result<&GeneratedType, Error> {
        let found = self.types.iter().find(|found| found.name == name);
        found.ok_or_else(|| {
            Error::document(format!(
                "type `{name}` is not in the spec, and hand-written code needs it"
            ))
        })
    }
}

/// The operations of an OpenAPI spec.
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

/// The operations of a checked AsyncAPI spec.
pub(crate) fn stream_operations(document: &Value) -> Vec<GeneratedOperation> {
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut operations: Vec<_> = operations
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

/// The structs and enums of a file: those in its module `types`, or its own if it has none.
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
