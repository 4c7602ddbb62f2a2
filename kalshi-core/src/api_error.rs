//! Rejections by the exchange, in any of the shapes that it sends.

use std::{
    error::Error as StdError,
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::{
    body::{Body, MAX_ERROR_BODY_BYTES},
    excerpt::{EXCERPT, WITHHELD, holds_private_key, short},
};

/// A rejection by the exchange.
///
/// The exchange sends several shapes: an object with a code, the same below `error`, a string below `error` or `msg`. Proxies send
/// HTML pages, other objects, or nothing; [`is_from_exchange`](Self::is_from_exchange) tells them apart. The status is always
/// known, the other fields only if the response contains them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
    service: Option<String>,
    retry_after: Option<Duration>,
    /// The body has one of the shapes that the exchange sends.
    is_from_exchange: bool,
    /// The body has fields beyond those of an error, so it may report something done as well.
    has_more: bool,
    /// Requests of the API are signed with a timestamp, which may be the reason of a 401.
    api_signs: bool,
}

impl ApiError {
    /// Parses the body of a rejection. `now` is the exchange's time, for a response without a `Date` header.
    ///
    /// A body that is not whole, or longer than the limit, has no code: its beginning is the message.
    pub(crate) fn read(
        status: StatusCode,
        headers: &HeaderMap,
        body: &Body,
        now: SystemTime,
    ) -> Self {
        let is_whole = body.is_whole && body.bytes.len() <= MAX_ERROR_BODY_BYTES;
        let body = &*body.bytes;
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            is_from_exchange: false,
            // What was not read may report something done.
            has_more: !is_whole,
            api_signs: true,
            retry_after: retry_after(headers, now),
        };
        if holds_private_key(body) {
            error.message = Some(WITHHELD.to_owned());
            return error;
        }
        if !is_whole {
            let start = body.get(..EXCERPT * 4).unwrap_or(body);
            error.set_text(&String::from_utf8_lossy(start));
            return error;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(fields)) if fields.is_empty() => {}
            Ok(Value::Object(fields)) => {
                error.read_fields(fields);
                if error.is_empty() {
                    error.message = Some(short(&String::from_utf8_lossy(body), EXCERPT));
                }
            }
            Ok(Value::String(text)) => error.message = Some(short(&text, EXCERPT)),
            Ok(Value::Null) => {}
            _ => error.set_text(&String::from_utf8_lossy(body)),
        }
        error
    }

    /// Returns the same rejection by an API whose requests are not signed, so that this machine's clock is no reason.
    pub(crate) fn with_unsigned_api(self) -> Self {
        Self {
            api_signs: false,
            ..self
        }
    }

    /// Makes a text that is not an error object the message; of an HTML page, its title.
    fn set_text(&mut self, text: &str) {
        let html = text.trim_start().starts_with('<');
        let text = if html {
            title(text)
        } else {
            Some(text.trim().to_owned())
        };
        self.message = text
            .filter(|text| !text.is_empty())
            .map(|text| short(&text, EXCERPT));
    }

    /// The rejection of one item of a batch, inside a response with that status.
    pub(crate) fn from_item(status: StatusCode, response: ErrorResponse) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            is_from_exchange: response.code.as_ref().is_some_and(|code| !code.is_empty()),
            has_more: false,
            api_signs: true,
            retry_after: None,
        };
        error.set(response);
        error
    }

    /// Returns `true` if the body has fields beyond those of an error, and so may report something done as well.
    pub(crate) fn has_more(&self) -> bool {
        self.has_more
    }

    fn read_fields(&mut self, fields: Map<String, Value>) {
        const OWN: [&str; 7] = [
            "code", "details", "error", "message", "msg", "service", "status",
        ];
        // A rejection may carry anything else, such as the id of a trace, but not an order.
        const DONE: [&str; 3] = ["order", "order_id", "orders"];
        let success = self.status.is_success();
        self.has_more = fields.iter().any(|(name, value)| {
            let name = name.as_str();
            let counts = if success {
                !OWN.contains(&name)
            } else {
                DONE.contains(&name)
            };
            counts && !value.is_null()
        });
        let is_text =
            |name: &str| matches!(fields.get(name), Some(Value::String(text)) if !text.is_empty());
        let is_bare = (self.status == StatusCode::BAD_REQUEST && is_text("msg"))
            || (self.status == StatusCode::TOO_MANY_REQUESTS && is_text("error"));
        let response = ErrorResponse::read(fields.clone());
        self.is_from_exchange = is_bare || has_code(&Value::Object(fields));
        self.set(response);
    }

    fn set(&mut self, response: ErrorResponse) {
        self.code = response.code.map(|text| short(&text, EXCERPT));
        self.message = response.message.map(|text| short(&text, EXCERPT));
        self.details = response.details.map(|text| short(&text, EXCERPT));
        self.service = response.service.map(|text| short(&text, EXCERPT));
    }

    fn is_empty(&self) -> bool {
        [&self.code, &self.message, &self.details]
            .iter()
            .all(|field| field.is_none())
    }

    /// Returns `true` if the body has a shape that the exchange sends: a `code`, alone or below `error`, a `msg` with the status 400,
    /// or a text below `error` with the status 429. Anything else may come from a proxy and says nothing about the request.
    #[must_use]
    pub fn is_from_exchange(&self) -> bool {
        self.is_from_exchange
    }

    /// Returns `true` if trading is paused, on the whole exchange or in this market: `exchange_is_paused`, `trading_is_paused`.
    #[must_use]
    pub fn is_trading_paused(&self) -> bool {
        matches!(self.bare_code(), "exchange_is_paused" | "trading_is_paused")
    }

    /// Returns `true` if the account lacks money for the order, also where it has some on another shard: `insufficient_balance`,
    /// `insufficient_shard_balance`, and the `user_not_found` of a shard without any money of the account.
    #[must_use]
    pub fn is_insufficient_funds(&self) -> bool {
        match self.bare_code() {
            "insufficient_shard_balance" => true,
            code if code.eq_ignore_ascii_case("insufficient_balance") => true,
            "user_not_found" => self.status == StatusCode::NOT_FOUND || self.status.is_success(),
            _ => false,
        }
    }

    /// Returns `true` if a `post_only` order would have traded immediately: `invalid_order` with the details `post only cross`.
    #[must_use]
    pub fn is_post_only_cross(&self) -> bool {
        self.bare_code() == "invalid_order" && self.details() == Some("post only cross")
    }

    /// The code without what follows a colon.
    pub(crate) fn bare_code(&self) -> &str {
        let code = self.code().unwrap_or_default();
        code.split_once(':').map_or(code, |(bare, _)| bare).trim()
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The exchange's code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The exchange's message; for an HTML page, its title.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Further details; an object is returned as JSON.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// The service of the exchange that rejected the request.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Time to wait before another attempt, if the response has a `Retry-After` header.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.is_success() {
            // An item of a batch, or an error that came with a success.
            true => f.write_str("the exchange rejected it")?,
            false => write!(f, "the exchange responded with {}", self.status)?,
        }
        let parts = [&self.code, &self.message, &self.details]
            .into_iter()
            .flatten();
        for (index, part) in parts.enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            f.write_str(part)?;
        }
        if let Some(service) = &self.service {
            write!(f, " (service {service})")?;
        }
        match self.status {
            StatusCode::UNAUTHORIZED => f.write_str(self.auth_advice()),
            status if status.is_redirection() => {
                f.write_str("; redirects are not followed: check the base URL")
            }
            _ => Ok(()),
        }
    }
}

impl ApiError {
    /// What to do about a 401, by its cause.
    fn auth_advice(&self) -> &'static str {
        let reason = self.details().or(self.message()).unwrap_or_default();
        match self.bare_code() {
            _ if !self.api_signs => {
                "; the access token may be wrong, expired or of another environment"
            }
            "authentication_error" if reason.contains("INCORRECT_API_KEY_SIGNATURE") => {
                "; the exchange knows the key id, but the private key is not the one that belongs to it"
            }
            "authentication_error" if reason.contains("NOT_FOUND") => {
                "; there is no such key id in this environment: check the id, and that key and environment are both production or \
                 both demo"
            }
            "header_timestamp_expired" => "; synchronise this machine's clock",
            "signature_is_missing_from_headers" => {
                "; the signature headers did not arrive: check the middleware and proxies in between"
            }
            "token_authentication_failure" => {
                "; the operation needs an API key: build the client with credentials"
            }
            _ if self.is_from_exchange => "",
            _ => {
                "; the key may be wrong, expired or of another environment, or this machine's clock may be wrong"
            }
        }
    }

    /// Returns `true` if a 401 may be due to this machine's clock.
    pub(crate) fn may_be_clock(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && (self.is_expired_timestamp() || self.api_signs && !self.is_from_exchange)
    }

    /// Returns `true` if the exchange rejected the timestamp of the signature.
    pub(crate) fn is_expired_timestamp(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && self.api_signs
            && self.is_from_exchange
            && self.bare_code() == "header_timestamp_expired"
    }
}

impl StdError for ApiError {}

/// The error object of the spec, also used for the failed items of a batch.
///
/// It deserializes from any shape that the exchange sends: the fields at the top or below `error`, a string below `error` or
/// `msg`, or a string alone. `details` may be any JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The exchange's code, such as `insufficient_balance`. Absent if the response has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The exchange's message. Absent if the response has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Further details; an object is given as JSON. Absent if the response has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The service of the exchange that rejected the request. Absent if the response does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl ErrorResponse {
    /// Returns `true` if any field is set; Go encodes an error that is not set as an empty string or object.
    pub(crate) fn is_set(&self) -> bool {
        let fields = [&self.code, &self.message, &self.details];
        fields.into_iter().flatten().any(|text| !text.is_empty())
    }

    fn read(mut fields: Map<String, Value>) -> Self {
        let outer = match fields.remove("error") {
            Some(Value::Object(inner)) => return Self::read(inner),
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        // Codes of the exchange are strings. A number is a gateway's.
        let code = text("code").filter(|code| is_code(code));
        let message = text("message").or_else(|| text("msg"));
        // A string below `error` is the message, or the code if there is a message.
        let (code, message) = match (code, message) {
            (None, Some(message)) => (outer, Some(message)),
            (code, message) => (code, message.or(outer)),
        };
        Self {
            code,
            message,
            details: text("details"),
            service: text("service"),
        }
    }
}

impl<'de> Deserialize<'de> for ErrorResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(fields) => {
                let text = Value::Object(fields.clone()).to_string();
                let has_value = fields.values().any(is_set);
                let mut response = Self::read(fields);
                // An error of another kind is still an error.
                if has_value && !response.is_set() {
                    response.message = Some(text);
                }
                Ok(response)
            }
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self {
                message: Some(text),
                ..Self::default()
            }),
            other => Ok(Self {
                message: Some(other.to_string()),
                ..Self::default()
            }),
        }
    }
}

/// Returns `true` unless the code is a number, which a gateway's is.
fn is_code(code: &str) -> bool {
    code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `false` for what Go encodes for a value that is not set.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => fields.values().any(is_set),
        Value::Array(items) => !items.is_empty(),
        Value::Number(number) => number.as_u64() != Some(0),
    }
}

/// Returns `true` for an object with a `code` that is a string, also below `error`.
fn has_code(value: &Value) -> bool {
    match value.get("error") {
        Some(inner @ Value::Object(_)) => has_code(inner),
        _ => {
            matches!(value.get("code"), Some(Value::String(code)) if !code.is_empty() && is_code(code))
        }
    }
}

/// The wait of a `Retry-After` header: a number of seconds or a date of the exchange. The response's own `Date` tells the
/// exchange's time best, so that this machine's clock does not matter; without one, it is `now`.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let date = |text| httpdate::parse_http_date(text).ok();
    let after = text(RETRY_AFTER)?;
    let wait = match after.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(after)?
            .duration_since(text(DATE).and_then(date).unwrap_or(now))
            .unwrap_or_default(),
    };
    // More than a day is useless and could overflow a caller's clock.
    Some(wait.min(Duration::from_secs(86_400)))
}

/// The title of an HTML page.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(page.get(start..end)?.trim().to_owned())
}

#[cfg(test)]
mod tests;
