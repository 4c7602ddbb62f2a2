//! The streams: an AsyncAPI 3 contract becomes types for its messages, by the stages that the REST contract goes through.
//!
//! Each message that the server sends is put as the answer of an operation, and each command's parameters as a body, so that
//! open enums, exact money and tolerant lists are the same here as there.

pub(crate) mod fixups;
mod schemas;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::{Map, Value, json};
use syn::{Item, ItemMod, parse_quote};

pub(crate) use self::schemas::converted;
use self::schemas::inline_scalars;
#[cfg(feature = "cli")]
pub(crate) use self::schemas::{convert, scalars};
use crate::{
    Error, check, client, contract, names,
    normalize::{self, Normalized},
    refine,
};

/// A message that the server sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// The variant, and the type of its body: `OrderbookDelta`.
    pub(crate) name: String,
    /// Its `type` on the wire: `orderbook_delta`. Several messages may share one.
    pub(crate) kind: String,
    pub(crate) body: Body,
    /// A member of the body that has one value only, which tells it from others of its type.
    pub(crate) told_by: Option<(String, String)>,
    /// Members that its body must have: the more, the earlier it is tried among those of its type.
    pub(crate) required: Vec<String>,
    /// Whether its body has `ts_ms`: when what it tells of happened.
    pub(crate) is_stamped: bool,
    /// Whether its body is so large that it is boxed, so that a message is no larger than those that come often.
    pub(crate) is_large: bool,
    pub(crate) words: String,
}

/// How many members a body has at most that is not boxed: those of a ticker.
const LARGEST: usize = 15;

/// What stands under `msg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// An object of the message's type.
    Object,
    /// A list of them.
    List,
}

/// A contract of streams, put as one of operations.
pub(crate) struct Streams {
    pub(crate) messages: Vec<Message>,
    pub(crate) normalized: Normalized,
}

/// The Rust for a contract of streams.
pub(crate) fn generate(document: Value, strict: bool) -> Result<syn::File, Error> {
    let streams = read(document, strict)?;
    let file = client::generate(&streams.normalized)?;
    let types = refine::types_of(file, &streams.normalized)?;
    let items = module_items(types);
    let message = message_enum(&streams.messages);
    let reader = reader(&streams.messages);
    Ok(parse_quote! {
        #(#items)*
        #message
        #reader
    })
}

fn module_items(module: ItemMod) -> Vec<Item> {
    module.content.map(|(_, items)| items).unwrap_or_default()
}

/// Reads a contract of streams, mends it, and puts it as one of operations.
pub(crate) fn read(mut document: Value, strict: bool) -> Result<Streams, Error> {
    check::streams::check(&document)?;
    fixups::apply(&mut document, strict)?;
    inline_scalars(&mut document);
    let mut schemas = Map::new();
    let named = document
        .pointer("/components/schemas")
        .and_then(Value::as_object);
    for (name, schema) in named.into_iter().flatten() {
        schemas.insert(name.clone(), converted(schema, "x-const"));
    }
    let mut paths = Map::new();
    let mut messages = Vec::new();
    for (sent_by_server, name, words, payload) in payloads(&document) {
        let payload = converted(contract::follow(&document, payload), "x-const");
        let properties = &payload["properties"];
        if sent_by_server {
            let Some(kind) = properties["type"]["x-const"].as_str() else {
                // A frame that is no JSON, such as a ping.
                continue;
            };
            let message = message(&document, &name, kind, words, properties);
            if messages
                .iter()
                .any(|other: &Message| other.name == message.name)
            {
                continue;
            }
            let answer = answer(&message, properties, &mut schemas);
            paths.insert(format!("/{}", message.name), json!({ "get": {
                "operationId": message.name, "responses": { "200": { "description": "", "content": { "application/json": { "schema": answer } } } },
            } }));
            messages.push(message);
        } else if properties["params"].is_object() {
            let name = format!("{}Params", names::pascal(name.trim_end_matches("Command")));
            schemas.insert(name.clone(), properties["params"].clone());
            paths.insert(format!("/{name}"), json!({ "post": {
                "operationId": name, "responses": { "200": { "description": "" } },
                "requestBody": { "content": { "application/json": { "schema": reference(&name) } } },
            } }));
        }
    }
    if messages.is_empty() {
        return Err(Error::document(
            "no message that the server sends: `operations` has none with `action: send`",
        ));
    }
    messages.sort_by(|one, other| one.name.cmp(&other.name));
    let openapi = json!({
        "openapi": "3.0.0",
        "info": { "title": document["info"]["title"], "version": document["info"]["version"] },
        "paths": paths,
        "components": { "schemas": schemas },
    });
    let normalized = normalize::normalize(openapi, false)?;
    Ok(Streams {
        messages,
        normalized,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Every message of every operation: whether the server sends it, its name, its words, its payload.
pub(crate) fn payloads(document: &Value) -> Vec<(bool, String, String, &Value)> {
    let operations = document["operations"].as_object().into_iter().flatten();
    let mut found = Vec::new();
    for operation in operations.map(|(_, operation)| operation) {
        let sent_by_server = operation["action"] == "send";
        for message in operation["messages"].as_array().into_iter().flatten() {
            let name = contract::reference(message).and_then(|text| text.rsplit('/').next());
            let message = contract::follow(document, message);
            if let (Some(name), Some(payload)) = (name, message.get("payload")) {
                let words = message["summary"].as_str().unwrap_or_default();
                found.push((sent_by_server, name.to_owned(), words.to_owned(), payload));
            }
        }
    }
    found
}

fn message(document: &Value, name: &str, kind: &str, words: String, properties: &Value) -> Message {
    let (stem, is_reply) = match name.strip_suffix("Response") {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let body = &properties["msg"];
    let told_by = body["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(member, schema)| {
            Some((member.clone(), schema["x-const"].as_str()?.to_owned()))
        });
    Message {
        name: names::pascal(&format!("{stem}{}", if is_reply { "Reply" } else { "" })),
        kind: kind.to_owned(),
        body: match body["type"].as_str() {
            Some("array") => Body::List,
            _ if body.is_object() => Body::Object,
            _ => Body::None,
        },
        told_by,
        required: body["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|name| Some(name.as_str()?.to_owned()))
            .collect(),
        is_stamped: body["properties"]["ts_ms"]["type"] == "integer",
        is_large: body["properties"].as_object().is_some_and(|members| {
            let holds_more =
                |member: &Value| contract::follow(document, member)["type"] == "object";
            members.len() > LARGEST || members.values().any(holds_more)
        }),
        words,
    }
}

/// The schema of a message's body, entered under the message's name.
fn answer(message: &Message, properties: &Value, schemas: &mut Map<String, Value>) -> Value {
    let mut body = properties["msg"].clone();
    if message.body == Body::List {
        body = body["items"].clone();
    }
    if message.body == Body::None {
        body = json!({ "type": "object", "properties": {} });
    }
    if body["description"].as_str().unwrap_or_default().is_empty() {
        body["description"] = message.words.clone().into();
    }
    schemas.insert(message.name.clone(), body);
    reference(&message.name)
}

/// The enum of all messages.
fn message_enum(messages: &[Message]) -> TokenStream {
    let variants = messages.iter().map(|message| {
        let (name, words) = (format_ident!("{}", message.name), words(message));
        match message.body {
            Body::None => quote!(#[doc = #words] #name),
            Body::Object if message.is_large => {
                quote!(#[doc = #words] #name(::std::boxed::Box<#name>))
            }
            Body::Object => quote!(#[doc = #words] #name(#name)),
            Body::List => quote!(#[doc = #words] #name(::std::vec::Vec<#name>)),
        }
    });
    let kinds = messages.iter().map(|message| {
        let (name, kind) = (format_ident!("{}", message.name), &message.kind);
        let pattern = if message.body == Body::None {
            quote!(Self::#name)
        } else {
            quote!(Self::#name(_))
        };
        quote!(#pattern => #kind)
    });
    let stamped = messages.iter().filter(|message| message.is_stamped);
    let stamps = stamped.map(|message| {
        let name = format_ident!("{}", message.name);
        quote!(Self::#name(message) => ::std::convert::Into::into(message.ts_ms))
    });
    quote! {
        /// What the exchange says in a frame.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Message {
            #(#variants,)*
            /// A message that the contract does not have, or not yet.
            Unknown(crate::ws::UnknownMessage),
            /// A frame that cannot be read.
            Malformed(crate::ws::MalformedMessage),
        }

        impl Message {
            /// Its `type` on the wire. Empty where that could not be read.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    #(#kinds,)*
                    Self::Unknown(message) => &message.kind,
                    Self::Malformed(message) => message.kind.as_deref().unwrap_or_default(),
                }
            }

            /// When what it tells of happened, in Unix milliseconds; none where it does not say.
            #[must_use]
            pub fn ts_ms(&self) -> ::std::option::Option<i64> {
                match self {
                    #(#stamps,)*
                    _ => ::std::option::Option::None,
                }
            }
        }
    }
}

fn words(message: &Message) -> String {
    match message.words.trim_end_matches('.') {
        "" => format!("`{}`.", message.kind),
        words => format!("{words}: `{}`.", message.kind),
    }
}

/// The reader of a body by the `type` that came before it.
fn reader(messages: &[Message]) -> TokenStream {
    let mut kinds: Vec<&str> = messages
        .iter()
        .map(|message| message.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let arms = kinds.iter().map(|kind| {
        let mut sharing: Vec<&Message> = messages
            .iter()
            .filter(|message| message.kind == *kind)
            .collect();
        // The most particular first.
        sharing.sort_by_key(|message| {
            (
                message.told_by.is_none(),
                std::cmp::Reverse(message.required.len()),
            )
        });
        let read = match sharing.as_slice() {
            [message] => alone(message),
            several => among(several),
        };
        quote!(#kind => { #read })
    });
    let bodiless = messages
        .iter()
        .filter(|message| message.body == Body::None)
        .map(|message| {
            let (name, kind) = (format_ident!("{}", message.name), &message.kind);
            quote!(#kind => ::std::option::Option::Some(Message::#name))
        });
    quote! {
        /// Reads what stands under `msg`, in one pass, right to its place. False for a type that the contract does not have.
        pub(crate) fn read_body<'de, D: ::serde::Deserializer<'de>>(
            kind: &str,
            deserializer: D,
            place: &mut Message,
        ) -> ::std::result::Result<bool, D::Error> {
            match kind {
                #(#arms)*
                _ => {
                    <::serde::de::IgnoredAny as ::serde::Deserialize>::deserialize(deserializer)?;
                    return ::std::result::Result::Ok(false);
                }
            }
            ::std::result::Result::Ok(true)
        }

        /// The message of a frame without `msg`.
        pub(crate) fn without_body(kind: &str) -> ::std::option::Option<Message> {
            match kind {
                #(#bodiless,)*
                _ => ::std::option::Option::None,
            }
        }
    }
}

/// The one message of its type.
fn alone(message: &Message) -> TokenStream {
    let name = format_ident!("{}", message.name);
    match message.body {
        Body::None => quote! {
            <::serde::de::IgnoredAny as ::serde::Deserialize>::deserialize(deserializer)?;
            *place = Message::#name;
        },
        _ => quote!(*place = Message::#name(::serde::Deserialize::deserialize(deserializer)?);),
    }
}

/// One of several messages of a type: the first that has the members it must have, with the values that tell it.
fn among(messages: &[&Message]) -> TokenStream {
    let tries = messages.iter().map(|message| {
        let name = format_ident!("{}", message.name);
        let is_told = match message.body {
            Body::List => quote!(raw.starts_with('[')),
            _ => {
                let (values, names) = (message.told_by.iter(), &message.required);
                let values = values.map(|(member, value)| quote!((#member, #value)));
                quote!(crate::ws::is_told(raw, &[#(#values),*], &[#(#names),*]))
            }
        };
        quote! {
            let is_told = #is_told;
            if is_told && let ::std::result::Result::Ok(body) = ::serde_json::from_str(raw) {
                *place = Message::#name(body);
                return ::std::result::Result::Ok(true);
            }
        }
    });
    let last = messages
        .last()
        .map(|message| format_ident!("{}", message.name));
    quote! {
        let raw = <&::serde_json::value::RawValue as ::serde::Deserialize>::deserialize(deserializer)?;
        let raw = raw.get();
        #(#tries)*
        *place = Message::#last(::serde_json::from_str(raw).map_err(<D::Error as ::serde::de::Error>::custom)?);
    }
}
