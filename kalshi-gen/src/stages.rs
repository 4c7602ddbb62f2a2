//! Runs the stages in order: parse, check, fixups, normalise, progenitor, refine.

use std::collections::BTreeMap;

use serde_json::Value;
use syn::{Item, parse_quote};

use crate::{
    asyncapi::{self, Body, Message},
    check::{self, keywords},
    client, docs, duplicates,
    error::Error,
    fixups,
    normalize::{self, Normalized},
    operations::{self, Operation},
    options::{EnumType, FixupMode, Options},
    protocol::Protocol,
    refine,
};

/// The result of all stages for an OpenAPI spec.
pub struct Rest {
    /// The generated code as a syntax tree.
    pub refined: syn::File,
    /// The normalised spec that the code was generated from.
    pub normalized: Normalized,
    /// The operations of the spec.
    pub operations: Vec<Operation>,
}

/// The result of all stages for an AsyncAPI spec.
pub(crate) struct Streams {
    pub(crate) refined: syn::File,
}

/// Repairs and checks an OpenAPI spec.
pub fn checked_rest(mut document: Value) -> Result<Value, Error> {
    keywords::remove_stray(&mut document);
    fixups::repair(&mut document);
    check::check(&document)?;
    Ok(document)
}

/// Repairs and checks a spec of either protocol. A document that is not AsyncAPI must be OpenAPI.
pub fn checked(mut document: Value) -> Result<Value, Error> {
    match Protocol::from_document(&document) {
        Protocol::Rest => checked_rest(document),
        Protocol::Streams => {
            keywords::remove_stray(&mut document);
            check::streams::check(&document)?;
            Ok(document)
        }
    }
}

/// Runs all stages for a checked OpenAPI spec.
pub fn rest(document: Value, options: &Options) -> Result<Rest, Error> {
    let (mode, enum_types) = (options.fixup_mode(), options.enum_types());
    let normalized = normalized_rest(document, mode, enum_types)?;
    let operations = operations::list(&normalized.tree)?;
    let mut refined = refine::refine(
        client::generate(&normalized, enum_types)?,
        &normalized,
        &operations,
        options,
    )?;
    for item in &mut refined.items {
        if let Item::Mod(module) = item
            && module.ident == "types"
            && let Some((_, items)) = &mut module.content
        {
            items.extend(reexports(enum_types)?);
        }
    }
    duplicates::check(&refined.items, &normalized.tree, &operations)?;
    Ok(Rest {
        refined,
        normalized,
        operations,
    })
}

/// Runs all stages for a checked AsyncAPI spec.
pub(crate) fn streams(document: Value, options: &Options) -> Result<Streams, Error> {
    let (mode, enum_types) = (options.fixup_mode(), options.enum_types());
    let (messages, normalized) = normalized_streams(document, mode, enum_types)?;
    let module = refine::refined_types(client::generate(&normalized, enum_types)?, &normalized)?;
    let mut items: Vec<Item> = module.content.map(|(_, items)| items).unwrap_or_default();
    for item in &mut items {
        if let Item::Struct(item) = item
            && let Some(message) = messages.iter().find(|message| item.ident == message.name)
        {
            let kind = docs::inline_code(&message.kind);
            let doc = format!("\n\nBody of messages of type {kind}.");
            item.attrs.push(parse_quote!(#[doc = #doc]));
        }
    }
    // A body that is a list of lists or a map, for example, has no type of its own.
    let is_type = |item: &Item, name: &str| match item {
        Item::Struct(item) => item.ident == name,
        Item::Enum(item) => item.ident == name,
        _ => false,
    };
    let missing = messages.iter().find(|message| {
        message.body != Body::None && !items.iter().any(|item| is_type(item, &message.name))
    });
    if let Some(message) = missing {
        return Err(Error::at(
            &message.location,
            "the `msg` of this message must be an object or a list of objects",
        ));
    }
    let emitted = asyncapi::emit::messages(&messages);
    let reexports = reexports(enum_types)?;
    let refined: syn::File = parse_quote! {
        #(#items)*
        #(#reexports)*
        #emitted
    };
    duplicates::check(&refined.items, &normalized.tree, &[])?;
    Ok(Streams { refined })
}

/// Emits re-exports of the hand-written types beside the generated ones, each once.
fn reexports(enum_types: &[EnumType]) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let paths: BTreeMap<&str, &EnumType> = enum_types
        .iter()
        .map(|enum_type| (enum_type.path.as_str(), enum_type))
        .collect();
    for enum_type in paths.into_values() {
        let path = enum_type.syn_path()?;
        items.push(parse_quote! { #[doc(inline)] pub use #path; });
    }
    Ok(items)
}

/// Normalises a checked spec of either protocol, without hand-written types.
pub fn normalized(document: Value, mode: FixupMode) -> Result<Normalized, Error> {
    match Protocol::from_document(&document) {
        Protocol::Rest => normalized_rest(document, mode, &[]),
        Protocol::Streams => {
            normalized_streams(document, mode, &[]).map(|(_, normalized)| normalized)
        }
    }
}

pub(crate) fn normalized_rest(
    mut document: Value,
    mode: FixupMode,
    enum_types: &[EnumType],
) -> Result<Normalized, Error> {
    fixups::apply(&mut document, mode)?;
    normalize::normalize(document, enum_types)
}

/// Returns the messages that the server of a checked AsyncAPI spec sends, and the normalised spec in
/// the form of operations.
pub(crate) fn normalized_streams(
    mut document: Value,
    mode: FixupMode,
    enum_types: &[EnumType],
) -> Result<(Vec<Message>, Normalized), Error> {
    asyncapi::fixups::apply(&mut document, mode)?;
    let (messages, mut operations) = asyncapi::as_operations(document)?;
    // Messages such as `Fill` contain rows of the OpenAPI schemas of the same name, and lack the same fields.
    fixups::apply(&mut operations, FixupMode::Lenient)?;
    Ok((messages, normalize::normalize(operations, enum_types)?))
}
