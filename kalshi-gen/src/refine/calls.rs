//! Refining the calls: documented setters, and a `send` that leaves transport and errors to `kalshi-sdk`.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{ImplItem, ImplItemFn, Item, ItemImpl, ItemMod, Type, parse_quote};

use crate::{
    error::Error,
    names::{self, is_ident},
    operations::Operation,
    pages, runtime,
    syntax::{arguments, document, functions, last_ident},
};

/// The builders of calls: setters with the words of the spec, `send` in this SDK's terms.
pub(super) fn refine_builders(
    module: &mut ItemMod,
    types: &ItemMod,
    operations: &[Operation],
) -> Result<(), Error> {
    let Some((_, items)) = &mut module.content else {
        return Ok(());
    };
    items.retain(|item| !matches!(item, Item::Use(_)));
    let mut fields: BTreeMap<String, Vec<(syn::Ident, Type)>> = BTreeMap::new();
    for item in items.iter_mut() {
        match item {
            Item::Struct(item) => {
                let named = item
                    .fields
                    .iter()
                    .filter_map(|field| Some((field.ident.clone()?, field.ty.clone())));
                fields.insert(item.ident.to_string(), named.collect());
                let method = names::snake(&item.ident.to_string());
                let doc = operations
                    .iter()
                    .find(|operation| names::snake(&operation.id) == method)
                    .map(|operation| {
                        format!(
                            "A call of {}, made by [`Client::{method}`](crate::Client::{method}).",
                            operation.route()
                        )
                    });
                document(&mut item.attrs, doc.as_deref().unwrap_or("A call."));
            }
            Item::Impl(item) => {
                let Some(name) = last_ident(&item.self_ty) else {
                    continue;
                };
                let method = names::snake(&name.to_string());
                let found = operations
                    .iter()
                    .find(|operation| names::snake(&operation.id) == method);
                let (Some(operation), Some(fields)) = (found, fields.get(&name.to_string())) else {
                    return Err(Error::document(format!(
                        "no operation belongs to the builder `{name}`"
                    )));
                };
                refine_call(item, types, operation, fields)?;
            }
            _ => {}
        }
    }
    let (sdk, parent) = (runtime::root(), runtime::parent());
    items.insert(
        0,
        parse_quote! { use #sdk::{Error, ResponseValue, transport}; },
    );
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
        return Err(Error::document("a builder of progenitor holds no client"));
    };
    let constant = operation.constant();
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
                let fetch = match &success {
                    Type::Tuple(_) => quote!(call_without_answer),
                    list if last_ident(list).is_some_and(|ident| ident == "Vec") => {
                        quote!(call_list)
                    }
                    _ => quote!(call),
                };
                *function = parse_quote! {
                    #[doc = #doc]
                    ///
                    /// # Errors
                    ///
                    /// An [`Error`], which tells whether the exchange may have acted.
                    pub async fn send(self) -> Result<ResponseValue<#success>, Error> {
                        let client = self.#client;
                        let request = self.into_request();
                        client.#fetch(operations::#constant, request).await
                    }
                };
                continue;
            }
            "body" => {
                document(
                    &mut function.attrs,
                    "Sets the whole body, or a builder of it.",
                );
                continue;
            }
            "body_map" => {
                document(&mut function.attrs, "Changes the builder of the body.");
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
        document(&mut function.attrs, &doc);
    }
    let request = request_function(operation, client, fields);
    item.items.push(ImplItem::Fn(parse_quote!(#request)));
    let paged = pages::methods(types, operation, client);
    let paged: ItemImpl = parse_quote!(impl X { #paged });
    item.items.extend(paged.items);
    Ok(())
}

/// The type `T` in `Result<ResponseValue<T>, Error<E>>`.
fn success_type(function: &ImplItemFn) -> Result<Type, Error> {
    match &function.sig.output {
        syn::ReturnType::Type(_, ty) => arguments(ty)
            .first()
            .and_then(|ty| arguments(ty).first().copied())
            .cloned(),
        syn::ReturnType::Default => None,
    }
    .ok_or_else(|| {
        Error::document("a `send` of progenitor has another shape than kalshi-gen refines")
    })
}

/// The function that turns what was set into a request.
fn request_function(
    operation: &Operation,
    client: &syn::Ident,
    fields: &[(syn::Ident, Type)],
) -> TokenStream {
    let constant = operation.constant();
    let idents: Vec<_> = fields.iter().map(|(ident, _)| ident).collect();
    let values = fields.iter().map(|(ident, ty)| {
        let ty = ty.to_token_stream().to_string();
        let finish = ty.contains("types :: builder ::").then(|| {
            let body = ty.split("types :: builder ::").nth(1).unwrap_or_default();
            let body = format_ident!("{}", body.trim_start().split([' ', ',']).next().unwrap_or_default());
            quote!(.and_then(|value| types::#body::try_from(value).map_err(|error| error.to_string())))
        });
        quote! { let #ident = transport::given(operations::#constant, #ident #finish)?; }
    });
    let ident_of = |name: &str| {
        fields
            .iter()
            .map(|(ident, _)| ident)
            .find(|ident| is_ident(name, &ident.to_string()))
    };
    // The path, with its parameters percent-encoded in place.
    let mut template = String::from("{}");
    let mut segments = Vec::new();
    let mut rest = operation.path.as_str();
    while let Some((head, tail)) = rest.split_once('{') {
        let (name, tail) = tail.split_once('}').unwrap_or((tail, ""));
        template.push_str(head);
        template.push_str("{}");
        segments.extend(ident_of(name).map(|ident| {
            quote! { transport::segment(operations::#constant, #name, &#ident)? }
        }));
        rest = tail;
    }
    template.push_str(rest);
    let in_path = |name: &str| operation.path.contains(&format!("{{{name}}}"));
    let query = operation.parameters.iter().filter(|parameter| !in_path(&parameter.name)).filter_map(|parameter| {
        let (name, ident) = (&parameter.name, ident_of(&parameter.name)?);
        let value = if parameter.required { quote!(Some(&#ident)) } else { quote!(#ident.as_ref()) };
        Some(if parameter.in_header {
            quote! { let __request = transport::header(__request, #name, #value); }
        } else if parameter.comma_joined {
            quote! { let __request = transport::joined(__request, #name, #value); }
        } else {
            quote! { let __request = __request.query(&::progenitor_client::QueryParam::new(#name, &#ident)); }
        })
    });
    let body = operation
        .has_body
        .then(|| quote! { let __request = __request.json(&body); });
    quote! {
        fn into_request(self) -> Result<::reqwest::Request, Error> {
            let Self { #client, #(#idents),* } = self;
            #(#values)*
            let __url = format!(#template, #client.base_url(), #(#segments),*);
            let __request = #client.http().request(operations::#constant.method.clone(), __url);
            #(#query)*
            #body
            transport::built(operations::#constant, __request)
        }
    }
}

/// The client's methods, with the words of the spec.
pub(super) fn refine_methods(block: &mut ItemImpl, operations: &[Operation]) {
    document(
        &mut block.attrs,
        "The operations of the contract, each a builder that `send` completes.",
    );
    for function in functions(block) {
        let name = function.sig.ident.to_string();
        let Some(operation) = operations
            .iter()
            .find(|operation| is_ident(&operation.id, &name))
        else {
            continue;
        };
        document(&mut function.attrs, &operation.doc());
        if operation.deprecated {
            function.attrs.push(parse_quote!(#[deprecated = "the exchange has deprecated this operation; its description names the successor"]));
        }
    }
}
