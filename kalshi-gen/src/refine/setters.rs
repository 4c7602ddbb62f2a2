//! Setters of request and body builders: Unix times accept time types, and lists accept any iterator.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{ImplItemFn, Type, parse_quote};

use crate::{
    runtime,
    syntax::{self, arguments, foreign_ident, is_absolute, last_ident},
    unix_time::UnixTime,
};

/// The kind of builder that a setter belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    /// A request builder, where an empty list is indistinguishable from an absent one.
    Request,
    /// A builder of a body.
    Body,
}

/// Replaces the signature of a setter if the field is a Unix time or a list. `field_type` is the type of the field in the
/// builder: a `Result` of the value, or of an `Option` of it. A list whose name is singular gets a setter with the name
/// `plural`, and the returned setter sets one item.
pub(super) fn refine(
    function: &mut ImplItemFn,
    field_type: &Type,
    unit: Option<UnixTime>,
    plural: Option<&str>,
    builder: Builder,
) -> Option<ImplItemFn> {
    let (value, is_optional) = syntax::builder_value(field_type)?;
    let field = function.sig.ident.clone();
    let (argument, argument_type, result) = conversion(&field, value, unit, builder)?;
    let name = plural.map_or_else(|| field.clone(), |plural| format_ident!("{plural}"));
    let some = is_optional.then(|| quote!(.map(::std::option::Option::Some)));
    let attributes = &function.attrs;
    *function = parse_quote! {
        #(#attributes)*
        pub fn #name(mut self, #argument: #argument_type) -> Self {
            self.#field = #result #some;
            self
        }
    };
    plural.map(|plural| {
        let doc = format!("Sets [`{plural}`](Self::{plural}) to a single item.");
        parse_quote! {
            #[doc = #doc]
            pub fn #field(self, item: impl ::std::convert::AsRef<str>) -> Self {
                self.#name([item])
            }
        }
    })
}

/// Returns the name and type of the argument, and the `Result` of the conversion.
fn conversion(
    field: &syn::Ident,
    value: &Type,
    unit: Option<UnixTime>,
    builder: Builder,
) -> Option<(syn::Ident, TokenStream, TokenStream)> {
    let sdk = runtime::root();
    let name = field.to_string();
    let name = name.trim_end_matches('_');
    if let Some(unit) = unit.filter(|_| last_ident(value).is_some_and(|ident| ident == "i64")) {
        let (argument, ty, function) = match unit {
            UnixTime::Seconds => ("seconds", "UnixSeconds", "unix_seconds"),
            UnixTime::Millis => ("millis", "UnixMillis", "unix_millis"),
        };
        let [argument, ty, function] = [argument, ty, function].map(|name| format_ident!("{name}"));
        return Some((
            argument.clone(),
            quote!(impl ::std::convert::Into<#sdk::#ty>),
            quote!(#sdk::rt::#function(#name, #argument)),
        ));
    }
    foreign_ident(value).filter(|ident| ident == "Vec")?;
    let item = arguments(value).first().copied()?;
    let iterable = |item: TokenStream| quote!(impl ::std::iter::IntoIterator<Item = #item>);
    let (argument_type, items) = match item.to_token_stream().to_string().as_str() {
        _ if is_absolute(item, &["std", "string", "String"]) => (
            iterable(quote!(impl ::std::convert::AsRef<str>)),
            quote!(::std::result::Result::Ok(#sdk::rt::texts(items))),
        ),
        "i32" | "i64" | "u32" | "u64" => (
            iterable(quote!(impl ::std::borrow::Borrow<#item>)),
            quote!(::std::result::Result::Ok(#sdk::rt::numbers(items))),
        ),
        _ => (
            iterable(quote!(impl ::std::convert::TryInto<#item, Error = impl ::std::fmt::Display>)),
            quote!(#sdk::rt::values(#name, items)),
        ),
    };
    let result = match builder {
        Builder::Request => quote!(#items.and_then(|items| #sdk::rt::query_list(#name, items))),
        Builder::Body => items,
    };
    Some((format_ident!("items"), argument_type, result))
}
