//! Third stage: progenitor's output becomes the Rust of an API crate: open enums, tolerant responses, builders only for what is
//! sent, documentation throughout, and a `send` that leaves transport and errors to the runtime.

mod calls;
mod client;
mod messages;
mod setters;
mod types;

use quote::{ToTokens, quote};
use syn::{File, Item, ItemMod, parse_quote};

use crate::{
    error::Error,
    normalize::Normalized,
    operations::{self, Operation},
    options::Options,
    pages, runtime,
};

/// Refines progenitor's output for `spec`.
pub(crate) fn refine(
    file: File,
    spec: &Normalized,
    operations: &[Operation],
    options: &Options,
) -> Result<File, Error> {
    let (mut types, mut builders, mut methods) = (None, None, None);
    for item in file.items {
        match item {
            Item::Mod(module) if module.ident == "types" => types = Some(module),
            Item::Mod(module) if module.ident == "builder" => builders = Some(module),
            // The last of the impls is the one with the operations.
            Item::Impl(block) if block.trait_.is_none() => methods = Some(block),
            _ => {}
        }
    }
    let (Some(mut types), Some(mut builders), Some(mut methods)) = (types, builders, methods)
    else {
        return Err(Error::document(
            "progenitor's output has another shape than kalshi-gen refines",
        ));
    };
    types::refine(&mut types, spec)?;
    if let Some((_, items)) = &mut types.content
        && !items.iter().any(is_error_response)
    {
        let sdk = runtime::root();
        // Hand-written, and listed with the other types of the spec, unless the spec has one of the name.
        items.push(parse_quote! { #[doc(inline)] pub use #sdk::ErrorResponse; });
    }
    let traits = pages::traits(&types, operations);
    if let Some((_, items)) = &mut types.content {
        items.extend(traits);
    }
    calls::refine_builders(&mut builders, &types, operations)?;
    calls::refine_methods(&mut methods, operations, options);
    let table = operations::table(operations);
    let client = client::emit(&options.marker_ident()?);
    let file: File = parse_quote! {
        #client
        #types
        #builders
        #methods
        #table
    };
    Ok(file)
}

fn is_error_response(item: &Item) -> bool {
    match item {
        Item::Struct(item) => item.ident == "ErrorResponse",
        Item::Enum(item) => item.ident == "ErrorResponse",
        Item::Type(item) => item.ident == "ErrorResponse",
        _ => false,
    }
}

/// Only the types of progenitor's output, refined.
pub(crate) fn types_of(file: File, spec: &Normalized) -> Result<ItemMod, Error> {
    let types = file.items.into_iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => Some(module),
        _ => None,
    });
    let mut types = types.ok_or_else(|| Error::document("progenitor made no types"))?;
    types::refine(&mut types, spec)?;
    Ok(types)
}

/// The text of a file, an item a line, so that errors and the source view point somewhere.
pub fn text(file: &File) -> String {
    fn write(items: &[Item], out: &mut String) {
        for item in items {
            match item {
                Item::Mod(ItemMod {
                    attrs,
                    vis,
                    ident,
                    content: Some((_, inner)),
                    ..
                }) => {
                    out.push_str(&quote!(#(#attrs)* #vis mod #ident).to_string());
                    out.push_str(" {\n");
                    write(inner, out);
                    out.push_str("}\n");
                }
                item => {
                    out.push_str(&item.to_token_stream().to_string());
                    out.push('\n');
                }
            }
        }
    }
    let mut out = String::new();
    write(&file.items, &mut out);
    out
}
