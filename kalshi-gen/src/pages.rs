//! Pagination: the traits of responses that are pages, and the methods of request builders that return streams.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Fields, Item, ItemMod, Type};

use crate::{
    names,
    operations::{Operation, Paging},
    runtime,
    syntax::{arguments, foreign_ident},
};

/// The type of the response of an operation, in the module of types.
fn answer<'a>(types: &'a ItemMod, operation: &Operation) -> Option<&'a syn::ItemStruct> {
    let name = names::pascal(operation.answer.as_deref()?);
    let (_, items) = types.content.as_ref()?;
    items.iter().find_map(|item| match item {
        Item::Struct(item) if item.ident == name => Some(item),
        _ => None,
    })
}

/// A field of a struct: its name and type.
fn member<'a>(item: &'a syn::ItemStruct, name: &str) -> Option<(&'a syn::Ident, &'a Type)> {
    let Fields::Named(fields) = &item.fields else {
        return None;
    };
    fields.named.iter().find_map(|field| {
        let ident = field.ident.as_ref()?;
        names::is_ident(name, &ident.to_string()).then_some((ident, &field.ty))
    })
}

/// The list of a page: the name of the field and the type of its items.
fn list<'a>(item: &'a syn::ItemStruct, paging: &Paging) -> Option<(&'a syn::Ident, &'a Type)> {
    let (ident, ty) = member(item, paging.items_field.as_deref()?)?;
    Some((ident, arguments(ty).first().copied()?))
}

/// The fields of a page that are lists.
fn lists(item: &syn::ItemStruct) -> Vec<&syn::Ident> {
    let is_list = |ty: &Type| foreign_ident(ty).is_some_and(|ident| ident == "Vec");
    item.fields
        .iter()
        .filter(|field| is_list(&field.ty))
        .filter_map(|field| field.ident.as_ref())
        .collect()
}

/// The traits of every response that is a page, inside the module of types.
pub(crate) fn traits(types: &ItemMod, operations: &[Operation]) -> Vec<Item> {
    let sdk = runtime::root();
    let mut out = Vec::new();
    let mut done = BTreeSet::new();
    for operation in operations {
        let (Some(paging), Some(answer)) = (&operation.paging, answer(types, operation)) else {
            continue;
        };
        let name = &answer.ident;
        let Some((cursor, _)) = member(answer, &paging.cursor_field) else {
            continue;
        };
        // Several operations may have the same response.
        if !done.insert(name.to_string()) {
            continue;
        }
        let lists = lists(answer);
        // Without a list there is nothing to count.
        let is_empty = match lists[..] {
            [] => quote!(false),
            _ => quote!(#(self.#lists.is_empty())&&*),
        };
        out.push(syn::parse_quote! {
            impl #sdk::pages::Page for #name {
                fn next_cursor(&self) -> &str {
                    &self.#cursor
                }
                fn is_empty(&self) -> bool {
                    #is_empty
                }
            }
        });
        if let Some((items, ty)) = list(answer, paging) {
            out.push(syn::parse_quote! {
                impl #sdk::pages::ItemPage for #name {
                    type Item = #ty;
                    fn into_items(self) -> ::std::vec::Vec<#ty> {
                        self.#items
                    }
                }
            });
        }
    }
    out
}

/// The methods of a paginated request beside `send`. `client` is the field of the builder that holds the client.
pub(crate) fn methods(types: &ItemMod, operation: &Operation, client: &syn::Ident) -> TokenStream {
    let (Some(paging), Some(answer)) = (&operation.paging, answer(types, operation)) else {
        return TokenStream::new();
    };
    let (constant, name) = (operation.constant(), &answer.ident);
    if member(answer, &paging.cursor_field).is_none() {
        return TokenStream::new();
    }
    let sdk = runtime::root();
    let by_page = quote! {
        /// A stream of the pages of the list, from `cursor` on if that is set.
        pub fn by_page(self) -> #sdk::pages::Pages<types::#name> {
            #sdk::rt::pages(&self.#client.core, operations::#constant, self.into_request())
        }
    };
    let by_item = list(answer, paging).map(|(items, ty)| {
        let ty = inside_types(types, ty);
        let doc = format!(
            "A stream of the `{items}` of all pages. An item that does not decode is an error, and the stream continues."
        );
        quote! {
            #[doc = #doc]
            pub fn by_item(self) -> #sdk::pages::Items<types::#name> {
                #sdk::rt::items(self.by_page())
            }
            /// Collects at most `limit` items of all pages. Requests no more pages than needed.
            ///
            /// # Errors
            ///
            /// Returns the first error, that of a single item included, and drops the items before it.
            pub async fn collect_all(
                self,
                limit: usize,
            ) -> ::std::result::Result<::std::vec::Vec<#ty>, #sdk::Error> {
                self.by_item().collect_all(limit).await
            }
        }
    });
    quote!(#by_page #by_item)
}

/// The path of a type outside of the module of types.
fn inside_types(types: &ItemMod, ty: &Type) -> Type {
    let mut ty = ty.clone();
    qualify(types, &mut ty);
    ty
}

/// Puts `types::` before the names of the module of types, also where they are arguments of other types.
fn qualify(types: &ItemMod, ty: &mut Type) {
    match ty {
        Type::Path(path) => {
            let own = path.path.get_ident().filter(|ident| {
                let items = types.content.iter().flat_map(|(_, items)| items);
                items.clone().any(|item| match item {
                    Item::Struct(item) => item.ident == **ident,
                    Item::Enum(item) => item.ident == **ident,
                    Item::Type(item) => item.ident == **ident,
                    _ => false,
                })
            });
            if let Some(ident) = own {
                *ty = syn::parse_quote!(types::#ident);
                return;
            }
            for segment in &mut path.path.segments {
                if let syn::PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    for argument in &mut arguments.args {
                        if let syn::GenericArgument::Type(inner) = argument {
                            qualify(types, inner);
                        }
                    }
                }
            }
        }
        Type::Tuple(tuple) => tuple
            .elems
            .iter_mut()
            .for_each(|inner| qualify(types, inner)),
        Type::Array(array) => qualify(types, &mut array.elem),
        _ => {}
    }
}
