//! Errors for responses that do not decode, with the JSON path and an excerpt that is safe to print.

use std::fmt;

use bytes::Bytes;
use reqwest::StatusCode;

use crate::{
    excerpt::{EXCERPT, WITHHELD, excerpt, holds_private_key, short},
    operation::Operation,
};

/// A response, or one row of a list, that does not match the spec or the request.
pub(crate) struct DecodeError {
    pub(crate) status: StatusCode,
    /// JSON path of the invalid value.
    pub(crate) path: String,
    /// The part of the body that is printed.
    excerpt: String,
    /// The body or row as received, or `None` if it contains a secret. Never printed.
    pub(crate) body: Option<Bytes>,
    /// `true` if only one row of a list did not decode and the list continues.
    pub(crate) is_row: bool,
    /// Description of the problem. May quote the body.
    message: String,
}

impl DecodeError {
    /// Creates the error for `body`. No part of the body is kept if the operation returns a secret or the body
    /// contains a private key.
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
            // Message and excerpt may both quote the body, so they share the length limit.
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

    /// Creates the error for a response that decodes but contradicts itself or the request.
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

/// Creates a JSON error with this message.
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
