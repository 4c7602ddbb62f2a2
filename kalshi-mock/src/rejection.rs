//! How the exchange says no: a status, and a code with details in its nested envelope.

use http::StatusCode;
use serde_json::{Value, json};

/// A rejection, before it is an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) details: String,
    /// What there is to say beyond the code.
    pub(crate) message: Option<String>,
}

impl Rejection {
    pub(crate) fn new(status: StatusCode, code: &'static str, details: impl Into<String>) -> Self {
        Self {
            status,
            code,
            details: details.into(),
            message: None,
        }
    }

    /// 400 for what the contract does not allow.
    pub(crate) fn invalid(details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameters", details)
    }

    /// 400 for what the rules of trading do not allow.
    pub(crate) fn bad(code: &'static str, details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, details)
    }

    /// 401 with a code and details as they were seen, and what is wrong in words.
    pub(crate) fn unauthorized(code: &'static str, details: &str, message: String) -> Self {
        Self {
            message: Some(message),
            ..Self::new(StatusCode::UNAUTHORIZED, code, details)
        }
    }

    pub(crate) fn forbidden(details: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "permission_denied", details)
    }

    /// 404 for a market that is not there, or not on the shard named.
    pub(crate) fn no_market(details: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "market_not_found", details)
    }

    pub(crate) fn not_found(details: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", details)
    }

    pub(crate) fn conflict(code: &'static str, details: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, details)
    }

    /// What one item of a batch says: the inside of the envelope.
    pub(crate) fn inner(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message.clone().unwrap_or_else(|| self.code.replace('_', " ")),
            "details": self.details,
            "service": "kalshi-mock",
        })
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.inner() })
    }
}
