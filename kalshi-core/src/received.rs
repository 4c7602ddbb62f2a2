//! A response with its complete body: checks that it reports no error, and decoding.

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{StatusCode, header::HeaderMap};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{
    api_error::ApiError,
    body,
    client::Shared,
    compact, decode_error,
    error::Error,
    error_field, json_path,
    operation::Operation,
    response::Response,
    server_time::{self, ServerTime},
    wire::Attempts,
};

/// A response with its complete body.
pub(crate) struct Received {
    pub(crate) operation: &'static Operation,
    pub(crate) attempts: Attempts,
    /// `true` if the response came from the network, `false` if a middleware created it.
    pub(crate) is_from_wire: bool,
    /// Local times in Unix milliseconds at which the attempt was sent and the response headers arrived.
    pub(crate) sent_and_received: Option<(u64, u64)>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `false` if only the beginning of an error response was read.
    pub(crate) is_complete: bool,
}

impl Received {
    /// Returns the skew of the exchange's clock according to this response alone, in milliseconds. `None` unless the
    /// response is an error.
    pub(crate) fn date_offset(&self) -> Option<i64> {
        let (sent, received) = self.sent_and_received?;
        match self.status.is_success() {
            true => None,
            false => ServerTime::date_offset(&self.headers, sent, received),
        }
    }

    /// Returns an error if the response reports one, even with a success status.
    pub(crate) fn check(self, shared: &Shared) -> Result<Self, Error> {
        if self.status.is_success() && !error_field::has_error(&self.body) {
            return Ok(self);
        }
        let body = body::Body {
            bytes: self.body,
            is_complete: self.is_complete,
        };
        let mut error = ApiError::read(self.status, &self.headers, &body, shared.exchange_time());
        if self.operation.returns_secret {
            error = error.without_excerpt();
        }
        if !shared.signs {
            error = error.with_unsigned_api();
        }
        if self.is_from_wire && error.is_over_limit() {
            self.attempts.record_rejection();
        }
        Err(Error::api_error(self.operation, error).after(&self.attempts))
    }

    /// Returns an error if the response is no evidence of the current state: it came from a cache, or `requires_cursor` is set and it is
    /// a page without its list or cursor, which would decode as an empty last page.
    pub(crate) fn check_evidence(self, requires_cursor: bool) -> Result<Self, Error> {
        if server_time::is_cached(&self.headers) {
            return Err(self.unexpected("response from a cache"));
        }
        let Some(paging) = self.operation.paging.filter(|_| requires_cursor) else {
            return Ok(self);
        };
        let fields: BTreeMap<String, IgnoredAny> =
            serde_json::from_slice(&self.body).unwrap_or_default();
        let has = |name: &str| fields.contains_key(name);
        if paging.items_field.is_none_or(has) && has(paging.cursor_field) {
            Ok(self)
        } else {
            Err(self.unexpected("page without its list or cursor"))
        }
    }

    /// Decodes a response that must be an object.
    pub(crate) fn into_object<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        if self.body.trim_ascii_start().starts_with(b"[") {
            // Serde would deserialize a list into a struct by position.
            return Err(self.unexpected("expected an object, got a list"));
        }
        self.into_any()
    }

    /// Decodes an object or a list.
    pub(crate) fn into_any<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        let value = decode(&self)?;
        Ok(Response::from_parts(self.status, self.headers, value))
    }

    /// Checks that the body is empty or a JSON object. Anything else, such as an HTML page, is an error.
    pub(crate) fn into_empty(self) -> Result<Response<()>, Error> {
        let body = self.body.trim_ascii();
        let is_object =
            || body.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(body).is_ok();
        if !body.is_empty() && !is_object() {
            return Err(self.unexpected("expected no body"));
        }
        Ok(Response::from_parts(self.status, self.headers, ()))
    }

    /// Returns the body as text.
    pub(crate) fn into_text(self) -> Result<Response<String>, Error> {
        let Ok(text) = std::str::from_utf8(&self.body).map(str::to_owned) else {
            return Err(self.unexpected("expected UTF-8"));
        };
        Ok(Response::from_parts(self.status, self.headers, text))
    }

    /// Returns the error for a body of an unexpected kind.
    fn unexpected(&self, message: &str) -> Error {
        let (path, body) = ("$".to_owned(), self.body.clone());
        let error = decode_error::custom(message);
        Error::decode(self.operation, self.status, path, body, &error).after(&self.attempts)
    }
}

fn decode<T: DeserializeOwned>(response: &Received) -> Result<T, Error> {
    // Validating UTF-8 once is 1.4 times as fast as validating each string.
    let decoded = match std::str::from_utf8(&response.body) {
        Ok(text) => compact::from_str(text),
        Err(error) => Err(serde::de::Error::custom(error)),
    };
    decoded.map_err(|error| undecodable(response, error))
}

/// Returns the error for a response that does not decode. Finding the JSON path takes a second pass over the body.
fn undecodable(response: &Received, error: serde_json::Error) -> Error {
    let path = json_path::of(&response.body, &error);
    let body = response.body.clone();
    Error::decode(response.operation, response.status, path, body, &error).after(&response.attempts)
}
