//! What the exchange said when it refused, in whichever of its wordings.

use std::{
    error::Error as StdError,
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::excerpt::{EXCERPT, WITHHELD, holds_private_key, short};

/// What the exchange said when it refused.
///
/// The exchange words its refusals in several ways (an object, an object below `error`, a text below `error` or `msg`, a
/// page of HTML, nothing); whichever it was, the status is always there, and the rest where it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    status: StatusCode,
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
    service: Option<String>,
    retry_after: Option<Duration>,
    /// The body had more than a refusal has, so that it may tell of something done as well.
    beside: bool,
}

impl ApiError {
    /// Reads the body of a refusal.
    pub(crate) fn read(
        status: StatusCode,
        headers: &reqwest::header::HeaderMap,
        body: &[u8],
    ) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            beside: false,
            retry_after: headers
                .get(reqwest::header::RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?.trim())),
        };
        if holds_private_key(body) {
            error.message = Some(WITHHELD.to_owned());
            return error;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(members)) if members.is_empty() => {}
            Ok(Value::Object(members)) => {
                error.read_members(members);
                if error.says_nothing() {
                    error.message = Some(short(&String::from_utf8_lossy(body), EXCERPT));
                }
            }
            Ok(Value::String(text)) => error.message = Some(short(&text, EXCERPT)),
            Ok(Value::Null) => {}
            _ => {
                let text = String::from_utf8_lossy(body);
                let html = text.trim_start().starts_with('<');
                let text = if html {
                    title(&text)
                } else {
                    Some(text.trim().to_owned())
                };
                error.message = text
                    .filter(|text| !text.is_empty())
                    .map(|text| short(&text, EXCERPT));
            }
        }
        error
    }

    /// The refusal of one item of a batch, inside an answer of that status.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn of_item(status: StatusCode, said: ErrorResponse) -> Self {
        let mut error = Self {
            status,
            code: None,
            message: None,
            details: None,
            service: None,
            beside: false,
            retry_after: None,
        };
        error.take(said);
        error
    }

    /// Whether the body had more than a refusal has.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn has_more(&self) -> bool {
        self.beside
    }

    fn read_members(&mut self, members: Map<String, Value>) {
        const OWN: [&str; 7] = [
            "code", "details", "error", "message", "msg", "service", "status",
        ];
        self.beside = members
            .iter()
            .any(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_null());
        self.take(ErrorResponse::read(members));
    }

    fn take(&mut self, said: ErrorResponse) {
        self.code = said.code.map(|text| short(&text, EXCERPT));
        self.message = said.message.map(|text| short(&text, EXCERPT));
        self.details = said.details.map(|text| short(&text, EXCERPT));
        self.service = said.service.map(|text| short(&text, EXCERPT));
    }

    fn says_nothing(&self) -> bool {
        [&self.code, &self.message, &self.details]
            .iter()
            .all(|said| said.is_none())
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

    /// The exchange's words; of a page of HTML its title.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What the exchange adds to them; an object is given as JSON.
    #[must_use]
    pub fn details(&self) -> Option<&str> {
        self.details.as_deref()
    }

    /// The part of the exchange that refused.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// How long to wait before another try, when the exchange says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the exchange answered {}", self.status)?;
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
            StatusCode::UNAUTHORIZED => f.write_str(
                "; a wrong key, a key of another environment, an expired key or a clock that is off look alike here",
            ),
            status if status.is_redirection() => f.write_str("; redirects are not followed: check the base URL"),
            _ => Ok(()),
        }
    }
}

impl StdError for ApiError {}

/// A refusal as the contract declares it, and as it stands for the failed items of a batch.
///
/// It is read from any of the exchange's wordings: the members flat or below `error`, a text below `error` or `msg`, or a
/// text alone; `details` may be any JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The exchange's code, such as `insufficient_balance`; absent when it names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The exchange's words; absent when it says none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the exchange adds to them; an object is given as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The part of the exchange that refused; absent when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl ErrorResponse {
    /// Whether it says anything; Go writes an error that is not set as an empty text or object.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn says_something(&self) -> bool {
        let said = [&self.code, &self.message, &self.details];
        said.into_iter().flatten().any(|text| !text.is_empty())
    }

    /// Whether it tells of a fault of the exchange, which says nothing of what was done.
    #[allow(dead_code, reason = "for contracts with orders")]
    pub(crate) fn is_fault(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        ["internal", "timeout", "unavailable", "gateway"]
            .iter()
            .any(|fault| code.contains(fault))
    }

    fn read(mut members: Map<String, Value>) -> Self {
        let outer = match members.remove("error") {
            Some(Value::Object(inner)) => return Self::read(inner),
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        let (code, message) = (text("code"), text("message").or_else(|| text("msg")));
        // A text below `error` is the message, or where there is a message, the code.
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
            Value::Object(members) => Ok(Self::read(members)),
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

/// The wait that a `Retry-After` asks for: a number of seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(SystemTime::now())
            .unwrap_or_default(),
    };
    // Longer than a day is no advice, and could overflow somebody's clock.
    Some(wait.min(Duration::from_secs(86_400)))
}

/// The title of a page of HTML.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower.get(start..)?.find("</title>")?;
    Some(page.get(start..end)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> ApiError {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        ApiError::read(status, &reqwest::header::HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn every_envelope_is_understood() {
        let nested = read(
            409,
            r#"{"error":{"code":"quote_timed_out","service":"midland"}}"#,
        );
        assert_eq!(
            (nested.code(), nested.service(), nested.message()),
            (Some("quote_timed_out"), Some("midland"), None)
        );
        let flat = read(
            404,
            r#"{"code":"not_found","message":"not found","details":{"id":7}}"#,
        );
        assert_eq!(
            (flat.code(), flat.details()),
            (Some("not_found"), Some(r#"{"id":7}"#))
        );
        assert_eq!(
            read(429, r#"{"error":"too many requests"}"#).message(),
            Some("too many requests")
        );
        assert_eq!(
            read(400, r#"{"msg":"Parameter x"}"#).message(),
            Some("Parameter x")
        );
        let html = read(
            504,
            "<html><head><title>504 Gateway Timeout</title></head></html>",
        );
        assert_eq!(html.message(), Some("504 Gateway Timeout"));
        let empty = read(500, "");
        assert_eq!((empty.status().as_u16(), empty.message()), (500, None));
        assert_eq!(
            read(400, r#"{"errors":[1]}"#).message(),
            Some(r#"{"errors":[1]}"#)
        );
        let both = read(400, r#"{"error":"not_found","message":"gone"}"#);
        assert_eq!(
            (both.code(), both.message()),
            (Some("not_found"), Some("gone"))
        );
        assert_eq!(read(503, "busy").message(), Some("busy"));
        assert_eq!(
            read(400, r#"{"error":{"error":{"code":"x"}}}"#).code(),
            Some("x")
        );
    }
}
