//! Third stage: adapts progenitor's output to an API crate. Adds open enums, tolerant responses and full documentation,
//! keeps builders only for types that requests contain, and replaces `send` with one that uses the runtime.

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
    syntax::set_doc,
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
            // The last inherent impl is the one with the operations.
            Item::Impl(block) if block.trait_.is_none() => methods = Some(block),
            _ => {}
        }
    }
    let (Some(mut types), Some(mut builders), Some(mut methods)) = (types, builders, methods)
    else {
        return Err(Error::document(
            "progenitor's output has an unexpected structure",
        ));
    };
    types::refine(&mut types, spec)?;
    set_doc(
        &mut types.attrs,
        "Requests and responses of the operations, and the types that they contain.",
    );
    set_doc(
        &mut builders.attrs,
        "Request builders, one for each operation. The methods of `Client` return them.",
    );
    if let Some((_, items)) = &mut types.content
        && !items.iter().any(is_error_response)
    {
        let sdk = runtime::root();
        // A hand-written type, listed with the generated types unless the spec has one of that name.
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

/// Returns only the refined types of progenitor's output.
pub(crate) fn refined_types(file: File, spec: &Normalized) -> Result<ItemMod, Error> {
    let types = file.items.into_iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => Some(module),
        _ => None,
    });
    let mut types = types.ok_or_else(|| Error::document("progenitor emitted no types"))?;
    types::refine(&mut types, spec)?;
    Ok(types)
}

/// Formats a file with one item per line, so that compiler errors and the source view have useful line numbers.
pub fn to_source(file: &File) -> String {
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
