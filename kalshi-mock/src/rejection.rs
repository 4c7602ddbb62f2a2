//! Rejections: a status, and a code with details in the nested error envelope of the exchange.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

/// The error response to a rejected request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) details: String,
    /// Message, or `None` to derive it from the code.
    pub(crate) message: Option<String>,
    pub(crate) envelope: ErrorEnvelope,
}

/// Layout of the JSON body of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorEnvelope {
    /// `code`, `message` and `details` in an object under `error`. Nearly all rejections use this layout.
    Nested,
    /// `code`, `message` and `details` at the top level.
    Flat,
    /// Only `msg`, which holds the details.
    Message,
}

impl Rejection {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        details: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            details: details.into(),
            message: None,
            envelope: ErrorEnvelope::Nested,
        }
    }

    /// 400: the request violates the spec.
    pub(crate) fn invalid(details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameters", details)
    }

    /// 400: the request violates a trading rule.
    pub(crate) fn bad_request(
        code: impl Into<Cow<'static, str>>,
        details: impl Into<String>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, details)
    }

    /// 401: code and details as the exchange sends them; the message explains the cause.
    pub(crate) fn unauthorized(code: &'static str, details: &str, message: String) -> Self {
        Self {
            message: Some(message),
            ..Self::new(StatusCode::UNAUTHORIZED, code, details)
        }
    }

    pub(crate) fn forbidden(details: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_denied", details)
    }

    /// 404: the market does not exist, or is on another shard.
    pub(crate) fn no_market(details: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "market_not_found", details)
    }

    pub(crate) fn not_found(details: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", details)
    }

    pub(crate) fn conflict(code: &'static str, details: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, details)
    }

    /// Returns the error object without its envelope, as items of a batch contain it.
    pub(crate) fn error_object(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message.clone().unwrap_or_else(|| self.code.replace('_', " ")),
            "details": self.details,
        })
    }

    pub(crate) fn body(&self) -> Value {
        match self.envelope {
            ErrorEnvelope::Nested => json!({ "error": self.error_object() }),
            ErrorEnvelope::Flat if self.details.is_empty() => {
                json!({ "code": self.code, "message": self.code })
            }
            ErrorEnvelope::Flat => {
                json!({ "code": self.code, "message": self.code, "details": self.details })
            }
            ErrorEnvelope::Message => json!({ "msg": self.details }),
        }
    }
}
