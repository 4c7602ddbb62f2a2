//! Error responses of the exchange, parsed from all formats that it sends.

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

/// An error response, from the exchange or from a proxy in between.
///
/// The exchange sends errors in several formats: an object with a code, such an object below `error`, or a string below `error` or
/// `msg`. Proxies send HTML pages, other objects or empty bodies; use [`is_from_exchange`](Self::is_from_exchange) to distinguish
/// them. The status is always present, the other fields only if the response contains them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
    service: Option<String>,
    retry_after: Option<Duration>,
    /// `true` if the body has one of the exchange's formats.
    is_from_exchange: bool,
    /// `true` if the body has fields other than those of an error, so that it may also report a success.
    has_other_fields: bool,
    /// `true` if the API's requests are signed with a timestamp, which may have caused a 401.
    api_signs: bool,
}

impl ApiError {
    /// Parses an error response. `now` is the exchange's time, used if the response has no `Date` header.
    ///
    /// If the body is incomplete or longer than the limit, there is no code and its beginning becomes the message.
    pub(crate) fn read(
        status: StatusCode,
        headers: &HeaderMap,
        body: &Body,
        now: SystemTime,
    ) -> Self {
        let is_complete = body.is_complete && body.bytes.len() <= MAX_ERROR_BODY_BYTES;
        let body = &*body.bytes;
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            is_from_exchange: false,
            // The part that was not read may report a success.
            has_other_fields: !is_complete,
            api_signs: true,
            retry_after: retry_after(headers, now),
        };
        if holds_private_key(body) {
            error.message = Some(WITHHELD.to_owned());
            return error;
        }
        if !is_complete {
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

    /// Marks the error as one of an API without signatures, for which the local clock cannot be the cause.
    pub(crate) fn with_unsigned_api(self) -> Self {
        Self {
            api_signs: false,
            ..self
        }
    }

    /// Withholds what may be an excerpt of a response that contains a secret.
    pub(crate) fn without_excerpt(self) -> Self {
        match self.code {
            Some(_) => self,
            None => Self {
                message: Some(WITHHELD.to_owned()),
                details: None,
                ..self
            },
        }
    }

    /// Uses a body that is not an error object as the message. Of an HTML page, only the title is used.
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

    /// Creates the error for one item of a batch in a response with this status.
    pub(crate) fn from_item(status: StatusCode, response: ErrorResponse) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            is_from_exchange: response.code.as_ref().is_some_and(|code| !code.is_empty()),
            has_other_fields: false,
            api_signs: true,
            retry_after: None,
        };
        error.set(response);
        error
    }

    /// Returns `true` if the exchange rejected the request because of its rate limit, and therefore did not process it. `false` if the
    /// body reports orders as well.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
            && self.is_from_exchange
            && !self.has_other_fields
    }

    /// Returns `true` if the body has fields other than those of an error, so that it may also report a success.
    pub(crate) fn has_other_fields(&self) -> bool {
        self.has_other_fields
    }

    fn read_fields(&mut self, fields: Map<String, Value>) {
        const ERROR_FIELDS: [&str; 7] = [
            "code", "details", "error", "message", "msg", "service", "status",
        ];
        // Error responses may have additional fields, such as a trace id, but not an order.
        const SUCCESS_FIELDS: [&str; 3] = ["order", "order_id", "orders"];
        let success = self.status.is_success();
        self.has_other_fields = fields.iter().any(|(name, value)| {
            let name = name.as_str();
            let counts = if success {
                !ERROR_FIELDS.contains(&name)
            } else {
                SUCCESS_FIELDS.contains(&name)
            };
            counts && !value.is_null()
        });
        let is_text =
            |name: &str| matches!(fields.get(name), Some(Value::String(text)) if !text.is_empty());
        // Gateways add a numeric code to such a text; the exchange does not.
        let has_no_code = matches!(fields.get("code"), None | Some(Value::Null));
        let is_bare = has_no_code
            && ((self.status == StatusCode::BAD_REQUEST && is_text("msg"))
                || (self.status == StatusCode::TOO_MANY_REQUESTS && is_text("error")));
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

    /// Returns `true` if the body has one of the exchange's formats: a `code` at the top level or below `error`, or without any code
    /// a `msg` with status 400 or a string below `error` with status 429. Any other body may come from a proxy and says nothing about the
    /// outcome of the request.
    #[must_use]
    pub fn is_from_exchange(&self) -> bool {
        self.is_from_exchange
    }

    /// Returns `true` if trading is paused on the whole exchange (`exchange_is_paused`) or in this market (`trading_is_paused`).
    #[must_use]
    pub fn is_trading_paused(&self) -> bool {
        self.matches_code("exchange_is_paused") || self.matches_code("trading_is_paused")
    }

    /// Returns `true` if the account lacks the funds for the order: `insufficient_balance`, or `insufficient_shard_balance` if the
    /// funds are on another shard, or `user_not_found` from a shard on which the account has no funds.
    #[must_use]
    pub fn is_insufficient_funds(&self) -> bool {
        self.matches_code("insufficient_balance")
            || self.matches_code("insufficient_shard_balance")
            || self.matches_code("user_not_found")
                && (self.status == StatusCode::NOT_FOUND || self.status.is_success())
    }

    /// Returns `true` if a `post_only` order would have traded immediately: the code is `invalid_order` and the details
    /// are `post only cross`.
    #[must_use]
    pub fn is_post_only_cross(&self) -> bool {
        self.matches_code("invalid_order") && self.details() == Some("post only cross")
    }

    /// Returns `true` if a fill-or-kill order could not be filled completely, so that none of it was filled:
    /// `fill_or_kill_insufficient_resting_volume`.
    #[must_use]
    pub fn is_fill_or_kill_unfilled(&self) -> bool {
        self.matches_code("fill_or_kill_insufficient_resting_volume")
    }

    /// Returns the code up to a colon, if it contains one.
    pub(crate) fn bare_code(&self) -> &str {
        let code = self.code().unwrap_or_default();
        code.split_once(':').map_or(code, |(bare, _)| bare).trim()
    }

    /// Returns `true` if the code up to a colon is this one. The margin exchange sends some codes in capitals, so case is ignored.
    pub(crate) fn matches_code(&self, code: &str) -> bool {
        self.bare_code().eq_ignore_ascii_case(code)
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the exchange's error code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the exchange's message, or the title if the body is an HTML page.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns further details. If they are an object, it is returned as JSON.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// Returns the service of the exchange that rejected the request.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Returns the time to wait before another attempt, if the response has a `Retry-After` header. At most a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// The reason why the exchange did not accept the signature of a request, as returned by [`ApiError::auth_failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthFailure {
    /// The environment has no such key id: it is wrong, was deleted, or belongs to the other environment.
    UnknownKeyId,
    /// The environment has the key id, and the signature was made with another private key.
    WrongPrivateKey,
    /// The timestamp of the signature is too far from the exchange's time: this machine's clock is wrong.
    ExpiredTimestamp,
    /// The key id arrived without a signature.
    MissingSignature,
    /// Neither key id nor signature arrived.
    NotSigned,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.is_success() {
            // A batch item, or an error in a response with a success status.
            true => f.write_str("rejected by the exchange")?,
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
    /// Returns advice for a 401, depending on its cause.
    fn auth_advice(&self) -> &'static str {
        match self.auth_failure() {
            _ if !self.api_signs => {
                "; the access token may be wrong, expired or for another environment"
            }
            Some(AuthFailure::WrongPrivateKey) => {
                "; the key id exists, but the private key does not belong to it"
            }
            Some(AuthFailure::UnknownKeyId) => {
                "; the key id does not exist in this environment: check the id, and that key and environment are both production or \
                 both demo"
            }
            Some(AuthFailure::ExpiredTimestamp) => "; synchronise this machine's clock",
            Some(AuthFailure::MissingSignature) => {
                "; the signature headers did not arrive: check the middleware and proxies in between"
            }
            Some(AuthFailure::NotSigned) => {
                "; the operation needs an API key: build the client with credentials"
            }
            None if self.is_from_exchange => "",
            None => {
                "; the key may be wrong, expired or for another environment, or this machine's clock may be wrong"
            }
        }
    }

    /// Returns why the exchange did not accept the signature of a request, or `None` if this is not a 401, if its body does not
    /// show the reason, or if the API's requests are not signed.
    #[must_use]
    pub fn auth_failure(&self) -> Option<AuthFailure> {
        if self.status != StatusCode::UNAUTHORIZED || !self.api_signs {
            return None;
        }
        let reason = self.details().or(self.message()).unwrap_or_default();
        match self.bare_code().to_ascii_lowercase().as_str() {
            "authentication_error" if reason.contains("INCORRECT_API_KEY_SIGNATURE") => {
                Some(AuthFailure::WrongPrivateKey)
            }
            "authentication_error" if reason.contains("NOT_FOUND") => {
                Some(AuthFailure::UnknownKeyId)
            }
            "header_timestamp_expired" => Some(AuthFailure::ExpiredTimestamp),
            "signature_is_missing_from_headers" => Some(AuthFailure::MissingSignature),
            "token_authentication_failure" => Some(AuthFailure::NotSigned),
            _ => None,
        }
    }

    /// Returns `true` if the local clock may have caused a 401.
    pub(crate) fn may_be_clock(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && (self.is_expired_timestamp() || self.api_signs && !self.is_from_exchange)
    }

    /// Returns `true` if the exchange rejected the timestamp of the signature, and therefore did not process the request. `false` if the
    /// body reports orders as well.
    pub(crate) fn is_expired_timestamp(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && self.api_signs
            && self.is_from_exchange
            && !self.has_other_fields
            && self.matches_code("header_timestamp_expired")
    }
}

impl StdError for ApiError {}

/// The error object of the spec, also used for failed items of a batch.
///
/// It deserializes from all formats of the exchange: fields at the top level or below `error`, a string below `error` or `msg`, or
/// just a string. `details` may be any JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The exchange's error code, such as `insufficient_balance`. `None` if the response has no code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The exchange's message. `None` if the response has no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Further details. An object is stored as JSON text. `None` if the response has no details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The service of the exchange that rejected the request. `None` if the response does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl ErrorResponse {
    /// Returns `true` if any field has a value. Go encodes an unset error as an empty string or object.
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
        // The exchange's codes are strings. Numbers come from gateways.
        let code = text("code").filter(|code| is_code(code));
        let message = text("message").or_else(|| text("msg"));
        // A string below `error` is the message. If there is a message as well, it is the code.
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
                // An object in an unknown format is still an error, with its JSON as the message.
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

/// Returns `false` if the code is a number, as gateways send.
fn is_code(code: &str) -> bool {
    code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `false` for the values that Go encodes for unset fields.
pub(crate) fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => fields.values().any(is_set),
        Value::Array(items) => !items.is_empty(),
        Value::Number(number) => number.as_u64() != Some(0),
    }
}

/// Returns `true` for an object with a string `code`, at the top level or below `error`.
fn has_code(value: &Value) -> bool {
    match value.get("error") {
        Some(inner @ Value::Object(_)) => has_code(inner),
        _ => {
            matches!(value.get("code"), Some(Value::String(code)) if !code.is_empty() && is_code(code))
        }
    }
}

/// Returns the wait that a `Retry-After` header asks for: a number of seconds or a date. A date is compared with the response's own
/// `Date`, so that the local clock does not matter, or with `now` if there is none.
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
    // Limited to a day: a longer wait is useless and could overflow a caller's arithmetic.
    Some(wait.min(Duration::from_secs(86_400)))
}

/// Returns the title of an HTML page.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(page.get(start..end)?.trim().to_owned())
}

#[cfg(test)]
mod tests;
