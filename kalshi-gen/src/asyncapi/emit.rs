//! Emits the enum of all messages of an AsyncAPI spec, and its decoder.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Body, Message, Timestamp};
use crate::{docs, runtime};

/// Emits the enum of all messages and the decoder of message bodies.
pub(crate) fn messages(messages: &[Message]) -> TokenStream {
    let (message_enum, decoder) = (message_enum(messages), decoder(messages));
    quote!(#message_enum #decoder)
}

/// Emits the enum of all messages.
fn message_enum(messages: &[Message]) -> TokenStream {
    let sdk = runtime::root();
    let variants = messages.iter().map(|message| {
        let (name, doc) = (format_ident!("{}", message.name), doc(message));
        match message.body {
            Body::None => quote!(#[doc = #doc] #name),
            Body::Object if message.is_large => {
                quote!(#[doc = #doc] #name(::std::boxed::Box<#name>))
            }
            Body::Object => quote!(#[doc = #doc] #name(#name)),
            Body::List => quote!(#[doc = #doc] #name(::std::vec::Vec<#name>)),
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
    let timestamps = messages.iter().filter_map(|message| {
        let name = format_ident!("{}", message.name);
        Some(match message.timestamp? {
            Timestamp::Signed => {
                quote!(Self::#name(message) => ::std::convert::Into::into(message.ts_ms))
            }
            Timestamp::Converted(ty) => {
                let ty = format_ident!("{ty}");
                quote! {
                    Self::#name(message) => {
                        let ts_ms: ::std::option::Option<#ty> = ::std::convert::Into::into(message.ts_ms);
                        ts_ms.and_then(|ts_ms| ::std::convert::TryInto::try_into(ts_ms).ok())
                    }
                }
            }
        })
    });
    quote! {
        /// A message from the exchange.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Message {
            #(#variants,)*
            /// A message whose type is not in the spec.
            Unknown(#sdk::ws::UnknownMessage),
            /// A frame that could not be decoded.
            Malformed(#sdk::ws::MalformedMessage),
        }

        impl Message {
            /// Returns the `type` of the message on the wire, or an empty string if it could not be read.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    #(#kinds,)*
                    Self::Unknown(message) => &message.kind,
                    Self::Malformed(message) => message.kind.as_deref().unwrap_or_default(),
                }
            }

            /// Returns the time of the reported event in Unix milliseconds, or `None` if the message does not contain it.
            #[must_use]
            pub fn ts_ms(&self) -> ::std::option::Option<i64> {
                match self {
                    #(#timestamps,)*
                    _ => ::std::option::Option::None,
                }
            }
        }
    }
}

fn doc(message: &Message) -> String {
    let (description, kind) = (
        docs::markdown(&message.description),
        docs::inline_code(&message.kind),
    );
    match description.trim_end_matches('.') {
        "" => format!("{kind}."),
        description => docs::markdown(&format!("{description}: {kind}.")),
    }
}

/// Emits the implementation of the runtime's message trait, which decodes a body by its `type`.
fn decoder(messages: &[Message]) -> TokenStream {
    let mut kinds: Vec<&str> = messages
        .iter()
        .map(|message| message.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let arms = kinds.iter().map(|kind| {
        let mut candidates: Vec<&Message> = messages
            .iter()
            .filter(|message| message.kind == *kind)
            .collect();
        // Messages without a body need no decoding unless they are the only ones of their type.
        if candidates.iter().any(|message| message.body != Body::None) {
            candidates.retain(|message| message.body != Body::None);
        } else {
            candidates.truncate(1);
        }
        // Most specific first.
        candidates.sort_by_key(|message| {
            (
                message.discriminator.is_none(),
                std::cmp::Reverse(message.required.len()),
            )
        });
        let decode = match candidates.as_slice() {
            [message] => decode_single(message),
            several => decode_shared(several),
        };
        quote!(#kind => { #decode })
    });
    let bodiless = messages.iter().filter(|message| message.body == Body::None);
    let mut kinds_without_body: Vec<&str> = Vec::new();
    let bodiless = bodiless
        .filter(|message| {
            let is_new = !kinds_without_body.contains(&message.kind.as_str());
            kinds_without_body.push(&message.kind);
            is_new
        })
        .map(|message| {
            let (name, kind) = (format_ident!("{}", message.name), &message.kind);
            quote!(#kind => ::std::option::Option::Some(Message::#name))
        });
    let sdk = runtime::root();
    quote! {
        impl #sdk::ws::Message for Message {
            fn kind(&self) -> &str {
                Self::kind(self)
            }

            fn ts_ms(&self) -> ::std::option::Option<i64> {
                Self::ts_ms(self)
            }

            // Decodes in a single pass, directly into the variant.
            fn decode_body<'de, D: ::serde::Deserializer<'de>>(
                kind: &str,
                deserializer: D,
                target: &mut Self,
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

            fn without_body(kind: &str) -> ::std::option::Option<Self> {
                match kind {
                    #(#bodiless,)*
                    _ => ::std::option::Option::None,
                }
            }

            fn unknown(message: #sdk::ws::UnknownMessage) -> Self {
                Self::Unknown(message)
            }

            fn malformed(message: #sdk::ws::MalformedMessage) -> Self {
                Self::Malformed(message)
            }
        }
    }
}

/// Emits the decoding of a type that has exactly one message.
fn decode_single(message: &Message) -> TokenStream {
    let name = format_ident!("{}", message.name);
    match message.body {
        Body::None => quote! {
            <::serde::de::IgnoredAny as ::serde::Deserialize>::deserialize(deserializer)?;
            *target = Message::#name;
        },
        _ => quote!(*target = Message::#name(::serde::Deserialize::deserialize(deserializer)?);),
    }
}

/// Emits the decoding of a type shared by several messages. The first message whose required fields are present and
/// whose discriminator matches is chosen, or else the last one.
fn decode_shared(messages: &[&Message]) -> TokenStream {
    let sdk = runtime::root();
    let attempts = messages.iter().map(|message| {
        let name = format_ident!("{}", message.name);
        let condition = match message.body {
            Body::List => quote!(raw.starts_with('[')),
            _ => {
                let (values, names) = (message.discriminator.iter(), &message.required);
                let values = values.map(|(field, value)| quote!((#field, #value)));
                quote!(#sdk::rt::discriminates(raw, &[#(#values),*], &[#(#names),*]))
            }
        };
        quote! {
            let is_this_one = #condition;
            if is_this_one && let ::std::result::Result::Ok(body) = ::serde_json::from_str(raw) {
                *target = Message::#name(body);
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
        #(#attempts)*
        *target = Message::#last(::serde_json::from_str(raw).map_err(<D::Error as ::serde::de::Error>::custom)?);
    }
}
