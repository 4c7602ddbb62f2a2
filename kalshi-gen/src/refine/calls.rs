//! Refines the request builders: documents the setters and replaces `send` with a call of the runtime.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{ImplItem, ImplItemFn, Item, ItemImpl, ItemMod, Type, parse_quote};

use super::{
    messages,
    setters::{self, Builder},
};
use crate::{
    deprecation,
    error::Error,
    names::{self, is_ident},
    operations::Operation,
    options::Options,
    pages, runtime,
    syntax::{arguments, foreign_ident, functions, last_ident, set_doc},
};

/// Refines the request builders: setters get the descriptions of the spec, and `send` is replaced.
pub(super) fn refine_builders(
    module: &mut ItemMod,
    types: &ItemMod,
    operations: &[Operation],
) -> Result<(), Error> {
    let Some((_, items)) = &mut module.content else {
        return Ok(());
    };
    items.retain(|item| !matches!(item, Item::Use(_)));
    let builders = operations
        .iter()
        .map(|operation| (names::builder(&operation.id), operation));
    let builders: BTreeMap<_, _> = builders.collect();
    let mut fields: BTreeMap<String, Vec<(syn::Ident, Type)>> = BTreeMap::new();
    for item in items.iter_mut() {
        match item {
            Item::Struct(item) => {
                let named = item
                    .fields
                    .iter()
                    .filter_map(|field| Some((field.ident.clone()?, field.ty.clone())));
                fields.insert(item.ident.to_string(), named.collect());
                let name = item.ident.to_string();
                let doc = builders.get(&name).map(|operation| {
                    let method = names::snake(&operation.id);
                    format!(
                        "Request builder for {}, returned by [`Client::{method}`](super::Client::{method}). [`send`](Self::send) sends the request.",
                        operation.route()
                    )
                });
                set_doc(
                    &mut item.attrs,
                    doc.as_deref().unwrap_or("Request builder."),
                );
            }
            Item::Impl(item) => {
                let Some(name) = last_ident(&item.self_ty).map(|name| name.to_string()) else {
                    continue;
                };
                let (Some(operation), Some(fields)) = (builders.get(&name), fields.get(&name))
                else {
                    return Err(Error::document(format!(
                        "no operation matches the builder `{name}`"
                    )));
                };
                refine_call(item, types, operation, fields)?;
            }
            _ => {}
        }
    }
    let parent = runtime::parent();
    items.insert(0, parse_quote! { use #parent::{operations, types}; });
    Ok(())
}

fn refine_call(
    item: &mut ItemImpl,
    types: &ItemMod,
    operation: &Operation,
    fields: &[(syn::Ident, Type)],
) -> Result<(), Error> {
    let Some(((client, _), fields)) = fields.split_first() else {
        return Err(Error::document("a builder from progenitor has no client"));
    };
    let (constant, sdk) = (operation.constant(), runtime::root());
    messages::rewrite_messages(item)?;
    let mut single_item_setters = Vec::new();
    for function in functions(item) {
        let name = function.sig.ident.to_string();
        match name.as_str() {
            "new" => {
                function.vis = parse_quote!(pub(crate));
                continue;
            }
            "send" => {
                let success = success_type(function)?;
                let doc = format!("Sends the request: {}.", operation.route());
                let send = match &success {
                    Type::Tuple(_) => quote!(send_empty),
                    list if foreign_ident(list).is_some_and(|ident| ident == "Vec") => {
                        quote!(send_list)
                    }
                    _ => quote!(send),
                };
                let output = quote!(::std::result::Result<#sdk::Response<#success>, #sdk::Error>);
                *function = parse_quote! {
                    #[doc = #doc]
                    ///
                    /// # Errors
                    ///
                    /// Returns an error if the request is invalid, could not be sent or was rejected, or if the
                    /// response does not decode. The error reports whether the request may have taken effect.
                    pub async fn send(self) -> #output {
                        let client = self.#client;
                        let request = self.into_request();
                        #sdk::rt::#send(&client.core, operations::#constant, request).await
                    }
                };
                continue;
            }
            "body" => {
                set_doc(
                    &mut function.attrs,
                    "Sets the complete body, from a value or its builder.",
                );
                continue;
            }
            "body_map" => {
                set_doc(&mut function.attrs, "Modifies the body's builder.");
                continue;
            }
            _ => {}
        }
        let parameter = operation
            .parameters
            .iter()
            .find(|parameter| is_ident(&parameter.name, &name));
        let doc = parameter.map_or_else(String::new, |parameter| parameter.description.clone());
        let doc = if doc.is_empty() {
            format!("Sets `{name}`.")
        } else {
            doc
        };
        set_doc(&mut function.attrs, &doc);
        if parameter.is_some_and(|parameter| parameter.deprecated) {
            function.attrs.push(deprecation::attribute(&doc));
        }
        let field_type = fields
            .iter()
            .find(|(ident, _)| *ident == function.sig.ident);
        if let (Some(parameter), Some((_, field_type))) = (parameter, field_type) {
            let plural = parameter.plural.as_deref();
            single_item_setters.extend(setters::refine(
                function,
                field_type,
                parameter.unix_time,
                plural,
                Builder::Request,
            ));
        }
    }
    item.items
        .extend(single_item_setters.into_iter().map(ImplItem::Fn));
    let request = request_function(operation, client, fields);
    item.items.push(ImplItem::Fn(parse_quote!(#request)));
    let paged = pages::methods(types, operation, client);
    let paged: ItemImpl = parse_quote!(impl X { #paged });
    // A page of rustdoc has functions in this order, and a request has up to twenty setters.
    let is_send = |item: &ImplItem| matches!(item, ImplItem::Fn(item) if item.sig.ident == "send");
    let (send, setters): (Vec<_>, Vec<_>) = item.items.drain(..).partition(is_send);
    item.items = send.into_iter().chain(paged.items).chain(setters).collect();
    Ok(())
}

/// Returns the type `T` in progenitor's `Result<ResponseValue<T>, Error<E>>`.
fn success_type(function: &ImplItemFn) -> Result<Type, Error> {
    match &function.sig.output {
        syn::ReturnType::Type(_, ty) => arguments(ty)
            .first()
            .and_then(|ty| arguments(ty).first().copied())
            .cloned(),
        syn::ReturnType::Default => None,
    }
    .ok_or_else(|| Error::document("a `send` from progenitor has an unexpected structure"))
}

/// Emits the function that builds the request.
fn request_function(
    operation: &Operation,
    client: &syn::Ident,
    fields: &[(syn::Ident, Type)],
) -> TokenStream {
    let (constant, sdk) = (operation.constant(), runtime::root());
    let idents: Vec<_> = fields.iter().map(|(ident, _)| ident).collect();
    let values = fields.iter().map(|(ident, ty)| {
        let finish = body_type(ty).map(|body| {
            quote!(.and_then(|value| types::#body::try_from(value).map_err(|error| error.to_string())))
        });
        quote! { let #ident = #sdk::rt::check_param(operations::#constant, #ident #finish)?; }
    });
    let find_ident = |name: &str| {
        fields
            .iter()
            .map(|(ident, _)| ident)
            .find(|ident| is_ident(name, &ident.to_string()))
    };
    // The path, with percent-encoded parameters.
    let mut template = String::new();
    let mut segments = Vec::new();
    let mut rest = operation.path.as_str();
    while let Some((head, tail)) = rest.split_once('{') {
        let (name, tail) = tail.split_once('}').unwrap_or((tail, ""));
        template.push_str(head);
        template.push_str("{}");
        segments.extend(find_ident(name).map(|ident| {
            quote! { #sdk::rt::segment(operations::#constant, #name, &#ident)? }
        }));
        rest = tail;
    }
    template.push_str(rest);
    let segment_idents: Vec<_> = (0..segments.len())
        .map(|index| format_ident!("__segment{index}"))
        .collect();
    let in_path = |name: &str| operation.path.contains(&format!("{{{name}}}"));
    let query = operation.parameters.iter().filter(|parameter| !in_path(&parameter.name)).filter_map(|parameter| {
        let (name, ident) = (&parameter.name, find_ident(&parameter.name)?);
        let value = if parameter.required { quote!(Some(&#ident)) } else { quote!(#ident.as_ref()) };
        Some(if parameter.in_header {
            quote! { let __request = #sdk::rt::header(__request, #name, #value); }
        } else if parameter.comma_separated {
            quote! { let __request = #sdk::rt::comma_separated(operations::#constant, __request, #name, #value)?; }
        } else {
            quote! { let __request = __request.query(&::progenitor_client::QueryParam::new(#name, &#ident)); }
        })
    });
    let body = operation
        .has_body
        .then(|| quote! { let __request = __request.json(&body); });
    quote! {
        pub(crate) fn into_request(self) -> ::std::result::Result<::reqwest::Request, #sdk::Error> {
            let Self { #client, #(#idents),* } = self;
            #(#values)*
            #(let #segment_idents = #segments;)*
            let __request = #sdk::rt::request(
                &#client.core,
                operations::#constant,
                format_args!(#template, #(#segment_idents),*),
            );
            #(#query)*
            #body
            #sdk::rt::finish_request(operations::#constant, __request)
        }
    }
}

/// Returns the type whose builder a field contains, in `Result<types::builder::X, String>`.
fn body_type(ty: &Type) -> Option<syn::Ident> {
    let Type::Path(path) = *arguments(ty).first()? else {
        return None;
    };
    let mut segments = path.path.segments.iter().rev();
    let (ident, module) = (segments.next()?, segments.next()?);
    (module.ident == "builder").then(|| ident.ident.clone())
}

/// Refines the client's methods and documents them with the descriptions of the spec.
pub(super) fn refine_methods(block: &mut ItemImpl, operations: &[Operation], options: &Options) {
    set_doc(
        &mut block.attrs,
        "# Operations\n\nOne method per operation of the spec. Each returns a request builder; call `send` on it to send the request.",
    );
    for function in functions(block) {
        let name = function.sig.ident.to_string();
        // Progenitor gets the ids with joined plurals.
        let Some(operation) = operations
            .iter()
            .find(|operation| is_ident(&names::join_plurals(&operation.id), &name))
        else {
            continue;
        };
        set_doc(
            &mut function.attrs,
            &operation.doc(options.preferred(&operation.id)),
        );
        if operation.deprecated {
            let attribute = deprecation::attribute(&operation.description);
            function.attrs.push(attribute);
        }
    }
}
