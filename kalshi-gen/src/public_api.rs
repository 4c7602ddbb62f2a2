//! The public items of hand-written source, as plain text, a line each, so that a change is read in review as a diff.

use quote::{ToTokens, quote};
use syn::{Fields, ImplItem, Item, TraitItem, Visibility};

use crate::error::Error;

/// The public items of a file of Rust with their signatures, in the order of the source. An item that is public in a private module is
/// among them; what macros make is not.
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

fn collect_item(item: &Item, out: &mut Vec<String>) {
    match item {
        Item::Const(item) if is_public(&item.vis) => {
            let (ident, ty) = (&item.ident, &item.ty);
            out.push(tidy(quote!(const #ident: #ty)));
        }
        Item::Static(item) if is_public(&item.vis) => {
            let (ident, ty) = (&item.ident, &item.ty);
            out.push(tidy(quote!(static #ident: #ty)));
        }
        Item::Type(item) if is_public(&item.vis) => {
            let (ident, generics, ty) = (&item.ident, &item.generics, &item.ty);
            out.push(tidy(quote!(type #ident #generics = #ty)));
        }
        Item::Use(item) if is_public(&item.vis) => {
            let tree = &item.tree;
            out.push(tidy(quote!(use #tree)));
        }
        Item::Fn(item) if is_public(&item.vis) => out.push(tidy(item.sig.to_token_stream())),
        Item::Struct(item) if is_public(&item.vis) => {
            let (ident, generics) = (&item.ident, &item.generics);
            out.push(tidy(quote!(struct #ident #generics)) + &derives(&item.attrs));
            for (index, field) in item.fields.iter().enumerate() {
                if is_public(&field.vis) {
                    let ty = &field.ty;
                    let name = field.ident.as_ref().map(ToString::to_string);
                    let name = name.unwrap_or_else(|| index.to_string());
                    out.push(format!("{ident}.{name}: {}", tidy(quote!(#ty))));
                }
            }
        }
        Item::Enum(item) if is_public(&item.vis) => {
            let (ident, generics) = (&item.ident, &item.generics);
            out.push(tidy(quote!(enum #ident #generics)) + &derives(&item.attrs));
            for variant in &item.variants {
                let name = &variant.ident;
                let fields = fields(&variant.fields);
                out.push(tidy(quote!(#ident::#name #fields)));
            }
        }
        Item::Trait(item) if is_public(&item.vis) => {
            let (ident, generics, bounds) = (&item.ident, &item.generics, &item.supertraits);
            out.push(tidy(quote!(trait #ident #generics: #bounds)));
            for item in &item.items {
                let text = match item {
                    TraitItem::Fn(item) => tidy(item.sig.to_token_stream()),
                    TraitItem::Const(item) => {
                        let (ident, ty) = (&item.ident, &item.ty);
                        tidy(quote!(const #ident: #ty))
                    }
                    TraitItem::Type(item) => {
                        let (ident, bounds) = (&item.ident, &item.bounds);
                        tidy(quote!(type #ident: #bounds))
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
                out.push(tidy(quote!(impl #generics #path for #ty #clause)));
                return;
            }
            let ty = tidy(ty.to_token_stream());
            for item in &block.items {
                match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => {
                        out.push(format!("{ty}: {}", tidy(item.sig.to_token_stream())));
                    }
                    ImplItem::Const(item) if is_public(&item.vis) => {
                        let (ident, kind) = (&item.ident, &item.ty);
                        out.push(format!("{ty}: {}", tidy(quote!(const #ident: #kind))));
                    }
                    _ => {}
                }
            }
        }
        Item::Mod(item) if !is_test(&item.attrs) => {
            let mut inner = Vec::new();
            let items = item.content.iter().flat_map(|(_, items)| items);
            items.for_each(|item| collect_item(item, &mut inner));
            out.extend(inner.iter().map(|line| format!("{}::{line}", item.ident)));
        }
        _ => {}
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let mut attributes = attributes.iter();
    attributes.any(|attribute| attribute.to_token_stream().to_string().contains("(test"))
}

/// The fields of a variant, without their documentation.
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

/// The derived traits, and `non_exhaustive`.
fn derives(attributes: &[syn::Attribute]) -> String {
    let mut out = String::new();
    for attribute in attributes {
        if attribute.path().is_ident("non_exhaustive") {
            out.push_str(" non_exhaustive");
        } else if attribute.path().is_ident("derive") {
            let text = tidy(attribute.meta.to_token_stream());
            out.push_str(&format!(" {text}"));
        }
    }
    out
}

/// Tokens with the spaces of a person.
fn tidy(tokens: proc_macro2::TokenStream) -> String {
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
    fn public_items_are_lines_with_their_signatures() {
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
            ]
        );
        assert!(public_items("pub fn (").is_err());
    }
}
