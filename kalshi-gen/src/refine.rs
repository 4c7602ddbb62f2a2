//! Third stage: progenitor's output becomes the Rust of this SDK: open enums, tolerant answers, builders only for what
//! is sent, documentation throughout, and a `send` that leaves transport and errors to `kalshi-sdk`.

use std::collections::BTreeMap;

use proc_macro2::{Group, Literal, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use serde_json::Value;
use syn::{
    Attribute, Fields, File, ImplItem, ImplItemFn, Item, ItemImpl, ItemMod, ItemStruct,
    Type, parse_quote,
};

use crate::{
    contract, enums,
    error::Error,
    names,
    normalize::Normalized,
    operations::{self, Operation},
};

/// Refines progenitor's output for `contract`.
pub(crate) fn refine(
    file: File,
    contract: &Normalized,
    operations: &[Operation],
) -> Result<File, Error> {
    let (mut types, mut builders, mut methods) = (None, None, None);
    for item in file.items {
        match item {
            Item::Mod(module) if module.ident == "types" => types = Some(module),
            Item::Mod(module) if module.ident == "builder" => builders = Some(module),
            // The last of the impls is the one with the operations.
            Item::Impl(block) if block.trait_.is_none() => methods = Some(block),
            _ => {}
        }
    }
    let (Some(mut types), Some(mut builders), Some(mut methods)) = (types, builders, methods)
    else {
        return Err(Error::document(
            "progenitor's output has another shape than kalshi-gen refines",
        ));
    };
    refine_types(&mut types, contract);
    refine_builders(&mut builders, operations)?;
    refine_methods(&mut methods, operations);
    let table = operations::table(operations);
    let file: File = parse_quote! {
        use crate::Client;
        #types
        #builders
        #methods
        #table
    };
    Ok(file)
}

/// The text of a file, an item a line, so that errors and the source view point somewhere.
pub(crate) fn text(file: &File) -> String {
    fn write(items: &[Item], out: &mut String) {
        for item in items {
            match item {
                Item::Mod(ItemMod {
                    attrs,
                    vis,
                    ident,
                    content: Some((_, inner)),
                    ..
                }) => {
                    out.push_str(&quote!(#(#attrs)* #vis mod #ident).to_string());
                    out.push_str(" {\n");
                    write(inner, out);
                    out.push_str("}\n");
                }
                item => {
                    out.push_str(&reword(item.to_token_stream()).to_string());
                    out.push('\n');
                }
            }
        }
    }
    let mut out = String::new();
    write(&file.items, &mut out);
    out
}

/// What the contract says of a schema, looked up by its Rust name.
struct Schemas<'a> {
    by_name: BTreeMap<String, &'a Value>,
    contract: &'a Normalized,
}

impl<'a> Schemas<'a> {
    fn new(contract: &'a Normalized) -> Self {
        let schemas = contract::schemas(&contract.tree).into_iter().flatten();
        Self {
            by_name: schemas
                .map(|(name, schema)| (names::pascal(name), schema))
                .collect(),
            contract,
        }
    }

    fn is_sent(&self, ident: &syn::Ident) -> bool {
        let name = ident.to_string();
        self.contract
            .sent
            .iter()
            .any(|sent| names::pascal(sent) == name)
    }

    fn is_cursor(&self, ident: &syn::Ident, member: &syn::Ident) -> bool {
        let (ident, member) = (ident.to_string(), member.to_string());
        self.contract
            .cursors
            .iter()
            .any(|(schema, name)| names::pascal(schema) == ident && is_ident(name, &member))
    }

    fn values(&self, ident: &syn::Ident) -> Option<Vec<String>> {
        let values = self
            .by_name
            .get(&ident.to_string())?
            .get("enum")?
            .as_array()?;
        Some(
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }

    fn description(&self, ident: &syn::Ident) -> Option<&str> {
        self.by_name
            .get(&ident.to_string())?
            .get("description")?
            .as_str()
    }

    fn member_description(&self, ident: &syn::Ident, member: &syn::Ident) -> Option<&str> {
        let members = self
            .by_name
            .get(&ident.to_string())?
            .get("properties")?
            .as_object()?;
        let member = member.to_string();
        let (_, schema) = members.iter().find(|(name, _)| is_ident(name, &member))?;
        schema.get("description")?.as_str()
    }
}

/// Whether `ident` is what a name of the contract became: snake case, with `_` behind a keyword.
fn is_ident(name: &str, ident: &str) -> bool {
    let name = names::snake(name);
    let ident = ident.strip_prefix("r#").unwrap_or(ident);
    ident == name || ident.strip_suffix('_') == Some(name.as_str())
}

fn refine_types(module: &mut ItemMod, contract: &Normalized) {
    let schemas = Schemas::new(contract);
    let Some((_, items)) = &mut module.content else {
        return;
    };
    let mut kept = Vec::new();
    for item in std::mem::take(items) {
        match item {
            Item::Enum(item) => match schemas.values(&item.ident) {
                Some(values) => {
                    let doc = schemas
                        .description(&item.ident)
                        .unwrap_or("A set of values.");
                    kept.extend(enums::open_enum(&item.ident, doc, &values));
                }
                None => kept.push(Item::Enum(item)),
            },
            Item::Struct(mut item) => {
                refine_struct(&mut item, &schemas);
                kept.push(Item::Struct(item));
            }
            Item::Impl(mut item) => {
                let Some(target) = last_ident(&item.self_ty) else {
                    continue;
                };
                let makes_builder = item.trait_.is_none()
                    && item
                        .items
                        .iter()
                        .any(|item| matches!(item, ImplItem::Fn(f) if f.sig.ident == "builder"));
                if schemas.values(&target).is_some() || (makes_builder && !schemas.is_sent(&target))
                {
                    continue;
                }
                for function in functions(&mut item).filter(|f| f.sig.ident == "builder") {
                    document(&mut function.attrs, "A builder with nothing set yet.");
                }
                kept.push(Item::Impl(item));
            }
            Item::Mod(mut item) if item.ident == "builder" => {
                document(
                    &mut item.attrs,
                    "Builders for the types that requests carry.",
                );
                refine_type_builders(&mut item, &schemas);
                kept.push(Item::Mod(item));
            }
            item => kept.push(item),
        }
    }
    *items = kept;
}

fn refine_struct(item: &mut ItemStruct, schemas: &Schemas<'_>) {
    item.attrs.retain(|attribute| {
        !(attribute.path().is_ident("serde")
            && attribute
                .to_token_stream()
                .to_string()
                .contains("deny_unknown_fields"))
    });
    match &mut item.fields {
        Fields::Named(fields) => {
            item.attrs.push(parse_quote!(#[non_exhaustive]));
            for field in &mut fields.named {
                let kind = last_ident(&field.ty)
                    .map(|ident| ident.to_string())
                    .unwrap_or_default();
                // A list, a map or a cursor that is null or absent is empty.
                let cursor = field
                    .ident
                    .as_ref()
                    .is_some_and(|ident| schemas.is_cursor(&item.ident, ident));
                if cursor || ["Vec", "BTreeMap", "Map"].contains(&kind.as_str()) {
                    let defaulted = field.attrs.iter().any(|attribute| {
                        attribute.path().is_ident("serde")
                            && attribute.to_token_stream().to_string().contains("default")
                    });
                    // So is what it holds, where that is a list or a map itself.
                    let nested = arguments(&field.ty).last().and_then(|ty| last_ident(ty));
                    let nested = nested.is_some_and(|inner| {
                        ["Vec", "BTreeMap", "Map"].iter().any(|name| inner == name)
                    });
                    let reader = match (nested, kind.as_str()) {
                        (true, "Vec") => "crate::de::null_items_are_empty",
                        (true, "BTreeMap") => "crate::de::null_values_are_empty",
                        _ => "crate::de::null_is_empty",
                    };
                    field.attrs.push(if defaulted {
                        parse_quote!(#[serde(deserialize_with = #reader)])
                    } else {
                        parse_quote!(#[serde(default, deserialize_with = #reader)])
                    });
                }
                let time = field
                    .ty
                    .to_token_stream()
                    .to_string()
                    .contains("chrono :: DateTime");
                match (kind.as_str(), time) {
                    ("DateTime", true) => field
                        .attrs
                        .push(parse_quote!(#[serde(with = "crate::de::time")])),
                    ("Option", true) => {
                        field.attrs.push(
                            parse_quote!(#[serde(default, with = "crate::de::optional_time")]),
                        );
                    }
                    _ => {}
                }
                if let Some(ident) = &field.ident {
                    let doc = schemas.member_description(&item.ident, ident);
                    let name = ident.to_string();
                    document(
                        &mut field.attrs,
                        doc.unwrap_or(&format!("`{}`.", name.trim_end_matches('_'))),
                    );
                }
            }
        }
        // A whole number under a name of its own is as handy as the number.
        Fields::Unnamed(fields)
            if fields.unnamed.iter().all(|field| {
                ["i64", "i32"].contains(&&*field.ty.to_token_stream().to_string())
            }) =>
        {
            item.attrs
                .push(parse_quote!(#[derive(Copy, Eq, PartialOrd, Ord, Hash)]));
        }
        _ => {}
    }
    let doc = schemas
        .description(&item.ident)
        .map_or_else(|| format!("`{}`.", item.ident), str::to_owned);
    document(&mut item.attrs, &doc);
}

/// Builders stay for the types that requests carry.
fn refine_type_builders(module: &mut ItemMod, schemas: &Schemas<'_>) {
    let Some((_, items)) = &mut module.content else {
        return;
    };
    items.retain(|item| match item {
        Item::Struct(item) => schemas.is_sent(&item.ident),
        Item::Impl(item) => last_ident(&item.self_ty).is_some_and(|ident| schemas.is_sent(&ident)),
        _ => true,
    });
    for item in items {
        match item {
            Item::Struct(item) => {
                let doc = format!(
                    "Builder for [`{0}`](super::{0}); what is required and not set shows when the request is sent.",
                    item.ident
                );
                document(&mut item.attrs, &doc);
            }
            Item::Impl(item) if item.trait_.is_none() => {
                let Some(target) = last_ident(&item.self_ty) else {
                    continue;
                };
                for function in functions(item) {
                    let name = function.sig.ident.clone();
                    let doc = schemas
                        .member_description(&target, &name)
                        .map(str::to_owned);
                    document(
                        &mut function.attrs,
                        &doc.unwrap_or_else(|| format!("Sets `{name}`.")),
                    );
                }
            }
            _ => {}
        }
    }
}

/// The builders of calls: setters with the words of the contract, `send` in this SDK's terms.
fn refine_builders(module: &mut ItemMod, operations: &[Operation]) -> Result<(), Error> {
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
                let doc = operations.iter().find(|operation| names::snake(&operation.id) == method).map(|operation| {
                    format!(
                        "A call of `{} {}`, made by [`Client::{method}`](crate::Client::{method}).",
                        operation.method, operation.path
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
                refine_call(item, operation, fields)?;
            }
            _ => {}
        }
    }
    items.insert(
        0,
        parse_quote! { use crate::{Error, ResponseValue, transport}; },
    );
    items.insert(0, parse_quote! { use super::{operations, types}; });
    Ok(())
}

fn refine_call(
    item: &mut ItemImpl,
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
                let doc = format!(
                    "Sends the request: `{} {}`.",
                    operation.method, operation.path
                );
                let fetch = match &success {
                    Type::Tuple(_) => quote!(call_without_answer),
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
        Some(if parameter.in_header {
            let value = if parameter.required { quote!(Some(&#ident)) } else { quote!(#ident.as_ref()) };
            quote! { let request = transport::header(request, #name, #value); }
        } else if parameter.comma_joined {
            quote! { let request = request.query(&transport::Joined::new(#name, &#ident)); }
        } else {
            quote! { let request = request.query(&::progenitor_client::QueryParam::new(#name, &#ident)); }
        })
    });
    let body = operation
        .has_body
        .then(|| quote! { let request = request.json(&body); });
    quote! {
        fn into_request(self) -> Result<::reqwest::Request, Error> {
            let Self { #client, #(#idents),* } = self;
            #(#values)*
            let url = format!(#template, #client.base_url(), #(#segments),*);
            let request = #client.http().request(operations::#constant.method.clone(), url);
            #(#query)*
            #body
            transport::built(operations::#constant, request)
        }
    }
}

/// The client's methods, with the words of the contract.
fn refine_methods(block: &mut ItemImpl, operations: &[Operation]) {
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

fn functions(block: &mut ItemImpl) -> impl Iterator<Item = &mut ImplItemFn> {
    block.items.iter_mut().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    })
}

/// Replaces the documentation.
fn document(attributes: &mut Vec<Attribute>, text: &str) {
    attributes.retain(|attribute| !attribute.path().is_ident("doc"));
    let text = text.trim();
    attributes.insert(0, parse_quote!(#[doc = #text]));
}

/// The `A` and `B` of a type such as `Map<A, B>`.
fn arguments(ty: &Type) -> Vec<&Type> {
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

fn last_ident(ty: &Type) -> Option<syn::Ident> {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map(|segment| segment.ident.clone()),
        _ => None,
    }
}

/// Progenitor's messages, reworded with the remedy, wherever they stand in a stream of tokens.
fn reword(tokens: TokenStream) -> TokenStream {
    let one = |token| match token {
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), reword(group.stream()));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        TokenTree::Literal(literal) => match message(&literal.to_string()) {
            Some(text) => TokenTree::Literal(Literal::string(&text)),
            None => TokenTree::Literal(literal),
        },
        token => token,
    };
    tokens.into_iter().map(one).collect()
}

fn message(literal: &str) -> Option<String> {
    let text = literal.strip_prefix('"')?.strip_suffix('"')?;
    let unset = text
        .strip_suffix(" was not initialized")
        .or(text.strip_prefix("no value supplied for "));
    if let Some(name) = unset {
        return Some(format!("`{name}` is required and not set; set it with `.{name}(..)`"));
    }
    if let Some(name) = text.strip_prefix("error converting supplied value for ") {
        return Some(format!("`{}` was given a value that is none of its type: {{e}}", name.strip_suffix(": {e}")?));
    }
    let (_, rest) = text.strip_prefix("conversion to `")?.split_once("` for ")?;
    let (name, cause) = rest.split_once(" failed")?;
    Some(format!("`{name}` was given a value that is none of its type{cause}"))
}
