//! Second stage: progenitor turns the normalised spec into types, a client and request builders.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};
use progenitor_impl::{
    GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle, TypeImpl,
};
use quote::quote;

use crate::{error::Error, normalize::Normalized, options::EnumType, runtime, scalars::SCALARS};

/// Runs progenitor, and returns the types, the client and the request builders that it generates.
pub(crate) fn generate(spec: &Normalized, enum_types: &[EnumType]) -> Result<syn::File, Error> {
    let openapi = spec.openapi()?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        // `refine` replaces the body of every `send`, so no default hooks are needed.
        .with_hooks(HooksMode::Expected)
        .with_map_type("::std::collections::BTreeMap")
        .with_derive("PartialEq");
    for (component, rust) in SCALARS {
        settings.with_replacement(component, rust, std::iter::empty::<TypeImpl>());
    }
    for enum_type in enum_types {
        spec.check_enum(enum_type)?;
        enum_type.syn_path()?;
        settings.with_replacement(
            &enum_type.name,
            &enum_type.path,
            std::iter::empty::<TypeImpl>(),
        );
    }
    // The checks before this stage reject what progenitor cannot express. If one is missed, progenitor's
    // panic becomes an error.
    let generated =
        std::panic::catch_unwind(move || Generator::new(&settings).generate_tokens(&openapi));
    let tokens = match generated {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(error)) => return Err(Error::document(format!("progenitor: {error}"))),
        Err(_) => {
            return Err(Error::document(
                "progenitor panicked on a construct it cannot express",
            ));
        }
    };
    syn::parse2(with_json_objects(tokens))
        .map_err(|error| Error::document(format!("progenitor's output does not parse: {error}")))
}

/// Replaces typify's type for free-form objects with the runtime's.
fn with_json_objects(tokens: TokenStream) -> TokenStream {
    let map = quote!(::serde_json::Map<::std::string::String, ::serde_json::Value>);
    let map: Vec<String> = map.into_iter().map(|token| token.to_string()).collect();
    let sdk = runtime::root();
    let is_empty = format!("{sdk}::JsonObject::is_empty").replace(' ', "");
    replace(tokens, &map, &quote!(#sdk::JsonObject), &is_empty)
}

/// Replaces the tokens `map` with `object`, and the path of the map's `is_empty` with `is_empty`.
fn replace(
    tokens: TokenStream,
    map: &[String],
    object: &TokenStream,
    is_empty: &str,
) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut out, mut rest) = (Vec::with_capacity(tokens.len()), tokens.as_slice());
    while let [token, tail @ ..] = rest {
        // The third token is `serde_json`, which is rare, so it is compared first.
        let is_map = matches!(tail, [_, TokenTree::Ident(name), ..] if *name == map[2])
            && rest.len() >= map.len()
            && rest
                .iter()
                .zip(map)
                .all(|(token, text)| token.to_string() == *text);
        if is_map {
            out.extend(object.clone());
            rest = &rest[map.len()..];
            continue;
        }
        out.push(match token {
            TokenTree::Group(group) => {
                let inner = replace(group.stream(), map, object, is_empty);
                let mut inner = Group::new(group.delimiter(), inner);
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            TokenTree::Literal(literal)
                if literal.to_string() == "\"::serde_json::Map::is_empty\"" =>
            {
                TokenTree::Literal(Literal::string(is_empty))
            }
            token => token.clone(),
        });
        rest = tail;
    }
    out.into_iter().collect()
}
