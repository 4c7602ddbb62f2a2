//! Pagination: the traits of page responses, and the builder methods that return streams of pages and items.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Fields, Item, ItemMod, Type};

use crate::{
    names,
    operations::{Operation, Paging, Parameter},
    reserved::BUILDER_METHODS,
    runtime,
    syntax::{arguments, foreign_ident},
};

/// Returns the response type of an operation from the module of types.
fn response_type<'a>(types: &'a ItemMod, operation: &Operation) -> Option<&'a syn::ItemStruct> {
    let name = names::pascal(operation.response.as_deref()?);
    let (_, items) = types.content.as_ref()?;
    items.iter().find_map(|item| match item {
        Item::Struct(item) if item.ident == name => Some(item),
        _ => None,
    })
}

/// Returns the name and type of a struct's field.
fn find_field<'a>(item: &'a syn::ItemStruct, name: &str) -> Option<(&'a syn::Ident, &'a Type)> {
    let Fields::Named(fields) = &item.fields else {
        return None;
    };
    fields.named.iter().find_map(|field| {
        let ident = field.ident.as_ref()?;
        names::is_ident(name, &ident.to_string()).then_some((ident, &field.ty))
    })
}

/// A list in a page.
struct List<'a> {
    /// The field's name on the wire.
    field: &'a str,
    ident: &'a syn::Ident,
    item: &'a Type,
}

/// Returns the lists of a page that the spec names.
fn named_lists<'a>(item: &'a syn::ItemStruct, paging: &'a Paging) -> Vec<List<'a>> {
    let lists = paging.lists.iter().filter_map(|field| {
        let (ident, ty) = find_field(item, field)?;
        foreign_ident(ty).filter(|ident| ident == "Vec")?;
        let item = arguments(ty).first().copied()?;
        Some(List { field, ident, item })
    });
    lists.collect()
}

/// Returns the fields of a page that are lists.
fn lists(item: &syn::ItemStruct) -> Vec<&syn::Ident> {
    let is_list = |ty: &Type| foreign_ident(ty).is_some_and(|ident| ident == "Vec");
    item.fields
        .iter()
        .filter(|field| is_list(&field.ty))
        .filter_map(|field| field.ident.as_ref())
        .collect()
}

/// Emits the page traits of all paginated responses, inside the module of types.
pub(crate) fn traits(types: &ItemMod, operations: &[Operation]) -> Vec<Item> {
    let sdk = runtime::root();
    let mut out = Vec::new();
    let mut implemented = BTreeSet::new();
    for operation in operations {
        let (Some(paging), Some(response)) = (&operation.paging, response_type(types, operation))
        else {
            continue;
        };
        let name = &response.ident;
        let Some((cursor, _)) = find_field(response, &paging.cursor_field) else {
            continue;
        };
        // Several operations may share a response.
        if !implemented.insert(name.to_string()) {
            continue;
        }
        let lists = lists(response);
        // Without a list, a page never counts as empty.
        let is_empty = match lists[..] {
            [] => quote!(false),
            _ => quote!(#(self.#lists.is_empty())&&*),
        };
        let fields = named_lists(response, paging)
            .into_iter()
            .map(|list| list.field);
        out.push(syn::parse_quote! {
            impl #sdk::pages::Page for #name {
                const LISTS: &'static [&'static str] = &[#(#fields),*];
                fn next_cursor(&self) -> &str {
                    &self.#cursor
                }
                fn is_empty(&self) -> bool {
                    #is_empty
                }
            }
        });
    }
    out
}

/// Emits the methods of a paginated request beside `send`. `client` is the field of the builder that holds the client.
pub(crate) fn methods(types: &ItemMod, operation: &Operation, client: &syn::Ident) -> TokenStream {
    let (Some(paging), Some(response)) = (&operation.paging, response_type(types, operation))
    else {
        return TokenStream::new();
    };
    let (constant, name) = (operation.constant(), &response.ident);
    if find_field(response, &paging.cursor_field).is_none() {
        return TokenStream::new();
    }
    let sdk = runtime::root();
    let by_page = quote! {
        /// Returns a stream of pages, starting at `cursor` if it is set.
        pub fn by_page(self) -> #sdk::pages::Pages<types::#name> {
            #sdk::rt::pages(&self.#client.core, operations::#constant, self.into_request())
        }
    };
    let lists = named_lists(response, paging);
    let is_single = paging.items_field.is_some();
    let is_parameter_name = |method: &str| {
        let is_parameter = |parameter: &Parameter| names::is_ident(&parameter.name, method);
        operation.parameters.iter().any(is_parameter)
    };
    let streams = lists.iter().filter_map(|List { field, ident, item }| {
        let item = qualified(types, item);
        let method = match is_single {
            true => "by_item".to_owned(),
            false => format!("by_{}", names::singular(&names::snake(field))),
        };
        if !is_single && (is_parameter_name(&method) || BUILDER_METHODS.contains(&method.as_str())) {
            return None;
        }
        let method = format_ident!("{method}");
        let doc = format!(
            "Returns a stream of the `{ident}` of all pages. An item that does not decode is yielded as an error, and the stream continues."
        );
        Some(quote! {
            #[doc = #doc]
            pub fn #method(self) -> #sdk::pages::Items<types::#name, #item> {
                #sdk::rt::items(self.by_page(), #field, |page: types::#name| page.#ident)
            }
        })
    });
    let collect_all = lists
        .first()
        .filter(|_| is_single)
        .map(|List { item, .. }| {
            let item = qualified(types, item);
            quote! {
                /// Collects up to `limit` items from all pages and requests no more pages than needed.
                /// [`Collected::is_complete`](::kalshi_core::pages::Collected::is_complete) returns
                /// whether the list ended.
                ///
                /// # Errors
                ///
                /// Returns the first error, including that of a single item that does not decode, and drops
                /// the items before it.
                pub async fn collect_all(
                    self,
                    limit: usize,
                ) -> ::std::result::Result<#sdk::pages::Collected<#item>, #sdk::Error> {
                    self.by_item().collect_all(limit).await
                }
            }
        });
    quote!(#by_page #(#streams)* #collect_all)
}

/// Returns the path of a type from outside the module of types.
fn qualified(types: &ItemMod, ty: &Type) -> Type {
    let mut ty = ty.clone();
    qualify(types, &mut ty);
    ty
}

/// Prefixes the names of the module of types with `types::`, including in generic arguments.
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
