//! Helpers for the syntax trees that progenitor returns.

use syn::{Attribute, Expr, ImplItem, ImplItemFn, ItemImpl, Token, Type, parse_quote};

use crate::docs;

/// Returns the functions of an impl.
pub(crate) fn functions(block: &mut ItemImpl) -> impl Iterator<Item = &mut ImplItemFn> {
    block.items.iter_mut().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    })
}

/// Replaces the documentation with `text`, which may come from a spec.
pub(crate) fn set_doc(attributes: &mut Vec<Attribute>, text: &str) {
    attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    let text = docs::markdown(text.trim());
    attributes.insert(0, parse_quote!(#[doc = #text]));
}

/// Returns the `A` and `B` of a type such as `Map<A, B>`.
pub(crate) fn arguments(ty: &Type) -> Vec<&Type> {
    let Type::Path(path) = ty else {
        return Vec::new();
    };
    match path.path.segments.last().map(|segment| &segment.arguments) {
        Some(syn::PathArguments::AngleBracketed(arguments)) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the last segment of a path, or `None` for a type that is not a path.
pub(crate) fn last_ident(ty: &Type) -> Option<syn::Ident> {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.clone()),
        _ => None,
    }
}

/// Returns the last segment of an absolute path such as `::std::vec::Vec`, or `None` for other types, since a schema
/// may also be named `Vec`.
pub(crate) fn foreign_ident(ty: &Type) -> Option<syn::Ident> {
    match ty {
        Type::Path(path) if path.path.leading_colon.is_some() => last_ident(ty),
        _ => None,
    }
}

/// Returns `true` for an absolute path with these segments, whatever its arguments.
pub(crate) fn is_absolute(ty: &Type, segments: &[&str]) -> bool {
    matches!(ty, Type::Path(path) if path.path.leading_colon.is_some()
        && path.path.segments.iter().map(|segment| &segment.ident).eq(segments))
}

/// Returns `true` if an attribute of serde has this name, with or without a value.
pub(crate) fn has_serde(attributes: &[Attribute], name: &str) -> bool {
    let mut is_found = false;
    for attribute in attributes {
        if attribute.path().is_ident("serde") {
            // Nothing fails, because all values are expressions.
            _ = attribute.parse_nested_meta(|meta| {
                is_found |= meta.path.is_ident(name);
                if meta.input.peek(Token![=]) {
                    meta.value()?.parse::<Expr>()?;
                }
                Ok(())
            });
        }
    }
    is_found
}

/// Returns the `T` of `Result<T, _>` or `Result<Option<T>, _>`, the field types of progenitor's builders, and
/// `true` for an `Option`.
pub(crate) fn builder_value(ty: &Type) -> Option<(&Type, bool)> {
    let value = arguments(ty).first().copied()?;
    let is_own = |path: &syn::Path| path.leading_colon.is_some() || path.segments.len() == 1;
    let is_option = matches!(value, Type::Path(path) if is_own(&path.path))
        && last_ident(value).is_some_and(|ident| ident == "Option");
    match arguments(value).first() {
        Some(inner) if is_option => Some((inner, true)),
        _ => Some((value, false)),
    }
}
