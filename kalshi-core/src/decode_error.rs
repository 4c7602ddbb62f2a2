//! A response that does not decode: the JSON path of the fault, an excerpt to print, and what came.

use std::fmt;

use bytes::Bytes;
use reqwest::StatusCode;

use crate::{
    excerpt::{EXCERPT, WITHHELD, excerpt, holds_private_key, short},
    operation::Operation,
};

/// A response, or one row of a list, that does not match the spec.
pub(crate) struct DecodeError {
    pub(crate) status: StatusCode,
    /// JSON path of the fault.
    pub(crate) path: String,
    /// The part of the body that is printed.
    excerpt: String,
    /// The body or the row as received. Never printed.
    pub(crate) body: Option<Bytes>,
    /// One row of a list did not decode, and the rest of the list goes on.
    pub(crate) is_row: bool,
    /// What is wrong with it. May quote the body.
    message: String,
}

impl DecodeError {
    /// The error for `body`. Nothing of it is kept if it contains a private key.
    pub(crate) fn new(
        operation: &Operation,
        status: StatusCode,
        path: String,
        body: Bytes,
        source: &serde_json::Error,
    ) -> Self {
        let has_secret = operation.returns_secret || holds_private_key(&body);
        let (excerpt, message) = if has_secret {
            (WITHHELD.to_owned(), WITHHELD.to_owned())
        } else {
            // Both may quote the body, so they share the length limit.
            let message = short(&source.to_string(), EXCERPT / 2);
            let left = EXCERPT - message.chars().count();
            let excerpt = excerpt(&body, source.line(), source.column(), left);
            (excerpt, message)
        };
        Self {
            status,
            path,
            excerpt,
            body: (!has_secret).then_some(body),
            is_row: false,
            message,
        }
    }

    /// The error for a response that decodes and contradicts itself or the request.
    pub(crate) fn contradiction(status: StatusCode, message: String) -> Self {
        Self {
            status,
            path: "$".to_owned(),
            excerpt: String::new(),
            body: None,
            is_row: false,
            message: short(&message, EXCERPT),
        }
    }
}

/// A JSON error with this message.
pub(crate) fn custom(message: impl fmt::Display) -> serde_json::Error {
    <serde_json::Error as serde::de::Error>::custom(message)
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the response ({}) does not decode at {}: {}; body: {}",
            self.status.as_u16(),
            self.path,
            self.message,
            self.excerpt
        )
    }
}
