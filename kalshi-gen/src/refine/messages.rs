//! Replaces the error messages in functions that progenitor emitted, so that they say what to do.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ItemImpl;

use crate::{error::Error, syntax::functions};

/// Replaces progenitor's messages in the bodies of an impl's functions. Apply it to code from progenitor only: a string
/// of the spec may match too.
pub(super) fn rewrite_messages(block: &mut ItemImpl) -> Result<(), Error> {
    for function in functions(block) {
        let body = rewrite(function.block.to_token_stream());
        function.block = syn::parse2(body).map_err(|error| {
            Error::document(format!(
                "a function from progenitor does not parse: {error}"
            ))
        })?;
    }
    Ok(())
}

fn rewrite(tokens: TokenStream) -> TokenStream {
    let rewrite_token = |token| match token {
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), rewrite(group.stream()));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        TokenTree::Literal(literal) => match message(&literal.to_string()) {
            Some(text) => TokenTree::Literal(Literal::string(&text)),
            None => TokenTree::Literal(literal),
        },
        token => token,
    };
    tokens.into_iter().map(rewrite_token).collect()
}

fn message(literal: &str) -> Option<String> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    let unset = text
        .strip_suffix(" was not initialized")
        .or(text.strip_prefix("no value supplied for "));
    if let Some(name) = unset {
        return Some(format!(
            "`{name}` is required but not set: set it with `.{name}(..)`"
        ));
    }
    if let Some(name) = text.strip_prefix("error converting supplied value for ") {
        return Some(invalid_value(name.strip_suffix(": {e}")?, ": {e}"));
    }
    let (_, rest) = text.strip_prefix("conversion to `")?.split_once("` for ")?;
    let (name, cause) = rest.split_once(" failed")?;
    Some(invalid_value(name, cause))
}

/// Returns the message for a value that does not convert to the type of the field or parameter `name`.
pub(super) fn invalid_value(name: &str, cause: &str) -> String {
    format!("`{name}` was set to a value that does not convert to its type{cause}")
}
