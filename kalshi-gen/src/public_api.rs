//! Lists the public items of hand-written source as plain text, one per line, so that changes to the API show up as a diff in review.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Fields, ImplItem, Item, ItemMacro, TraitItem, Visibility};

use crate::error::Error;

/// Returns the public items of a Rust source file with their signatures, in source order. Public items in private modules are
/// included. The items that a macro defines are listed once, in terms of the macro's parameters, and so is each use of a macro.
///
/// # Errors
///
/// Returns an error if the source does not parse.
pub fn public_items(source: &str) -> Result<Vec<String>, Error> {
    let file = syn::parse_file(source)
        .map_err(|error| Error::document(format!("the source does not parse: {error}")))?;
    let mut out = Vec::new();
    collect(&file.items, &mut out);
    Ok(out)
}

fn collect(items: &[Item], out: &mut Vec<String>) {
    for item in items {
        collect_item(item, out);
    }
}

pub(crate) fn collect_item(item: &Item, out: &mut Vec<String>) {
    match item {
        Item::Const(item) if is_public(&item.vis) => {
            let (ident, ty) = (&item.ident, &item.ty);
            out.push(format_tokens(quote!(const #ident: #ty)));
        }
        Item::Static(item) if is_public(&item.vis) => {
            let (ident, ty) = (&item.ident, &item.ty);
            out.push(format_tokens(quote!(static #ident: #ty)));
        }
        Item::Type(item) if is_public(&item.vis) => {
            let (ident, generics, ty) = (&item.ident, &item.generics, &item.ty);
            out.push(format_tokens(quote!(type #ident #generics = #ty)));
        }
        Item::Use(item) if is_public(&item.vis) => {
            let tree = &item.tree;
            out.push(format_tokens(quote!(use #tree)));
        }
        Item::Fn(item) if is_public(&item.vis) => {
            out.push(format_tokens(item.sig.to_token_stream()))
        }
        Item::Struct(item) if is_public(&item.vis) => {
            let (ident, generics) = (&item.ident, &item.generics);
            out.push(format_tokens(quote!(struct #ident #generics)) + &derives(&item.attrs));
            for (index, field) in item.fields.iter().enumerate() {
                if is_public(&field.vis) {
                    let ty = &field.ty;
                    let name = field.ident.as_ref().map(ToString::to_string);
                    let name = name.unwrap_or_else(|| index.to_string());
                    out.push(format!("{ident}.{name}: {}", format_tokens(quote!(#ty))));
                }
            }
        }
        Item::Enum(item) if is_public(&item.vis) => {
            let (ident, generics) = (&item.ident, &item.generics);
            out.push(format_tokens(quote!(enum #ident #generics)) + &derives(&item.attrs));
            for variant in &item.variants {
                let name = &variant.ident;
                let fields = fields(&variant.fields);
                out.push(format_tokens(quote!(#ident::#name #fields)));
            }
        }
        Item::Trait(item) if is_public(&item.vis) => {
            let (ident, generics, bounds) = (&item.ident, &item.generics, &item.supertraits);
            out.push(format_tokens(quote!(trait #ident #generics: #bounds)));
            for item in &item.items {
                let text = match item {
                    TraitItem::Fn(item) => format_tokens(item.sig.to_token_stream()),
                    TraitItem::Const(item) => {
                        let (ident, ty) = (&item.ident, &item.ty);
                        format_tokens(quote!(const #ident: #ty))
                    }
                    TraitItem::Type(item) => {
                        let (ident, bounds) = (&item.ident, &item.bounds);
                        format_tokens(quote!(type #ident: #bounds))
                    }
                    _ => continue,
                };
                out.push(format!("{ident}: {text}"));
            }
        }
        Item::Impl(block) => {
            let (generics, ty) = (&block.generics, &block.self_ty);
            if let Some((path, _)) = &block.trait_ {
                let clause = &generics.where_clause;
                out.push(format_tokens(quote!(impl #generics #path for #ty #clause)));
                return;
            }
            let ty = format_tokens(ty.to_token_stream());
            for item in &block.items {
                match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => {
                        out.push(format!(
                            "{ty}: {}",
                            format_tokens(item.sig.to_token_stream())
                        ));
                    }
                    ImplItem::Const(item) if is_public(&item.vis) => {
                        let (ident, kind) = (&item.ident, &item.ty);
                        out.push(format!(
                            "{ty}: {}",
                            format_tokens(quote!(const #ident: #kind))
                        ));
                    }
                    _ => {}
                }
            }
        }
        Item::Macro(item) => collect_macro(item, out),
        Item::Mod(item) if !is_test(&item.attrs) => {
            let mut inner = Vec::new();
            let items = item.content.iter().flat_map(|(_, items)| items);
            items.for_each(|item| collect_item(item, &mut inner));
            out.extend(inner.iter().map(|line| format!("{}::{line}", item.ident)));
        }
        _ => {}
    }
}

/// Placeholder for `$` in a name while a line is formatted.
const DOLLAR_PLACEHOLDER: &str = "dollar_";

fn collect_macro(item: &ItemMacro, out: &mut Vec<String>) {
    let tokens = item.mac.tokens.clone();
    let Some(name) = &item.ident else {
        let (path, tokens) = (&item.mac.path, without_attributes(tokens));
        let line = format!(
            "{}!({})",
            format_tokens(path.to_token_stream()),
            format_tokens(tokens)
        );
        // A macro that contains functions defines tests. Generated code has its own list.
        if !line.contains("fn ") && !path.is_ident("include") {
            out.push(line);
        }
        return;
    };
    // Each rule is a matcher, `=>` and a transcriber.
    let mut is_transcriber = false;
    for token in tokens {
        if let (TokenTree::Group(group), true) = (&token, is_transcriber)
            && let Ok(file) = syn::parse2::<syn::File>(flattened(group.stream()))
        {
            let mut inner = Vec::new();
            collect(&file.items, &mut inner);
            let lines = inner
                .iter()
                .map(|line| line.replace(DOLLAR_PLACEHOLDER, "$"));
            out.extend(lines.map(|line| format!("{name}!: {line}")));
        }
        is_transcriber = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '>');
    }
}

/// Returns the tokens of a transcriber, with each repetition once and with placeholder names for the parameters.
fn flattened(tokens: TokenStream) -> TokenStream {
    let is = |token: &TokenTree, chars: &str| matches!(token, TokenTree::Punct(punct) if chars.contains(punct.as_char()));
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            token if is(&token, "$") => match tokens.next() {
                Some(TokenTree::Group(repeated)) => {
                    out.extend(flattened(repeated.stream()));
                    // A separator and the operator.
                    if tokens.next().is_some_and(|token| !is(&token, "*+?")) {
                        tokens.next();
                    }
                }
                Some(TokenTree::Ident(name)) if name != "crate" => {
                    let name =
                        Ident::new(&format!("{DOLLAR_PLACEHOLDER}{name}"), Span::call_site());
                    out.extend([TokenTree::Ident(name)]);
                }
                other => out.extend(other),
            },
            TokenTree::Group(group) => {
                let inner = Group::new(group.delimiter(), flattened(group.stream()));
                out.extend([TokenTree::Group(inner)]);
            }
            token => out.extend([token]),
        }
    }
    out
}

/// Returns the tokens without attributes, which include doc comments.
fn without_attributes(tokens: TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => _ = tokens.next(),
            TokenTree::Group(group) => {
                let inner = Group::new(group.delimiter(), without_attributes(group.stream()));
                out.extend([TokenTree::Group(inner)]);
            }
            token => out.extend([token]),
        }
    }
    out
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let mut attributes = attributes.iter();
    attributes.any(|attribute| attribute.to_token_stream().to_string().contains("(test"))
}

/// Returns the fields of a variant without their documentation.
fn fields(fields: &Fields) -> proc_macro2::TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    match fields {
        Fields::Unit => quote!(),
        Fields::Unnamed(_) => quote!((#(#types),*)),
        Fields::Named(_) => {
            let idents = fields.iter().map(|field| &field.ident);
            quote!({ #(#idents: #types),* })
        }
    }
}

/// Returns the derived traits, and `non_exhaustive` if present.
fn derives(attributes: &[syn::Attribute]) -> String {
    let mut out = String::new();
    for attribute in attributes {
        if attribute.path().is_ident("non_exhaustive") {
            out.push_str(" non_exhaustive");
        } else if attribute.path().is_ident("derive") {
            let text = format_tokens(attribute.meta.to_token_stream());
            out.push_str(&format!(" {text}"));
        }
    }
    out
}

/// Formats tokens with the usual spaces.
fn format_tokens(tokens: proc_macro2::TokenStream) -> String {
    let mut text = tokens.to_string();
    for (from, to) in [
        ("\n", " "),
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        (",)", ")"),
        (" :", ":"),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        ("->(", "-> ("),
        ("impl::", "impl ::"),
        (" ;", ";"),
    ] {
        text = text.replace(from, to);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::public_items;

    #[test]
    fn public_items_are_listed_with_their_signatures() {
        let source = r#"
            pub use crate::a::{B, C};
            /// Documented.
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct Thing<T> { pub a: Vec<T>, b: u8, /** Text. */ pub(crate) c: u8 }
            pub enum Kind { One, Two(u8, String), Three { a: u8 } }
            impl<T: Clone> Thing<T> {
                pub const MAX: u8 = 1;
                pub async fn find(&self, name: impl Into<String>) -> Result<(u8, T), String> { todo!() }
                fn hidden(&self) {}
                pub(crate) fn also_hidden(&self) {}
            }
            impl From<u8> for Kind { fn from(_: u8) -> Self { Self::One } }
            pub trait Page: Send { type Item: Clone; const N: u8; fn next(&self) -> &str; }
            pub mod inner { pub fn f() {} fn g() {} }
            #[cfg(test)]
            mod tests { pub fn t() {} }
            fn private() {}
            macro_rules! id {
                ($(#[$attribute:meta])* $name:ident: $($text:ty),*) => {
                    $(#[$attribute])*
                    pub struct $name($crate::Inline);
                    impl $name { pub fn as_str(&self) -> &str { self.0.as_str() } }
                    $(impl From<$text> for $name { fn from(text: $text) -> Self { Self(text.into()) } })*
                };
                ($one:expr) => { $one + 1 };
            }
            id! {
                /// Documented.
                OrderId: String, u8
            }
            proptest! { #[test] fn t(_ in 0..1) {} }
        "#;
        assert_eq!(
            public_items(source).unwrap(),
            [
                "use crate::a::{ B, C }",
                "struct Thing<T> derive(Clone, Debug) non_exhaustive",
                "Thing.a: Vec<T>",
                "enum Kind",
                "Kind::One",
                "Kind::Two(u8, String)",
                "Kind::Three { a: u8 }",
                "Thing<T>: const MAX: u8",
                "Thing<T>: async fn find(&self, name: impl Into<String>) -> Result<(u8, T), String>",
                "impl From<u8> for Kind",
                "trait Page: Send",
                "Page: type Item: Clone",
                "Page: const N: u8",
                "Page: fn next(&self) -> &str",
                "inner::fn f()",
                "id!: struct $name",
                "id!: $name: fn as_str(&self) -> &str",
                "id!: impl From<$text> for $name",
                "id!(OrderId: String, u8)",
            ]
        );
        assert!(public_items("pub fn (").is_err());
    }
}
