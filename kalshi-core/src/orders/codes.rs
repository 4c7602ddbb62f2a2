//! Codes with which the exchange rejects orders.

use crate::api_error::ApiError;

/// # Rejections of margin orders
impl ApiError {
    /// Returns `true` if the order named another version of its market than the current one: `market_version_mismatch`.
    #[must_use]
    pub fn is_market_version_mismatch(&self) -> bool {
        self.bare_code() == "market_version_mismatch"
    }

    /// Returns `true` if the order would exceed the account's limit of notional value: `NOTIONAL_RISK_LIMIT_EXCEEDED`. The exchange
    /// checks this limit before it checks the margin.
    #[must_use]
    pub fn is_notional_limit_exceeded(&self) -> bool {
        self.bare_code()
            .eq_ignore_ascii_case("notional_risk_limit_exceeded")
    }

    /// Returns `true` if the account is not enabled for margin trading: `user_not_found` with status 400, whose code goes on with the id of
    /// the user, or `invalid_parameters` with details that say so.
    #[must_use]
    pub fn is_margin_disabled(&self) -> bool {
        match self.bare_code() {
            "user_not_found" => self.status() == reqwest::StatusCode::BAD_REQUEST,
            "invalid_parameters" => self
                .details()
                .is_some_and(|details| details.contains("not enabled for margin trading")),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{StatusCode, header::HeaderMap};

    use crate::{ApiError, rt::parse_rejection};

    fn error(status: StatusCode, body: &str) -> ApiError {
        parse_rejection(status, &HeaderMap::new(), body.into(), true)
    }

    #[test]
    fn codes_of_margin_orders_are_understood() {
        let bad = StatusCode::BAD_REQUEST;
        let stale = error(
            StatusCode::CONFLICT,
            r#"{"error":{"code":"market_version_mismatch"}}"#,
        );
        assert!(stale.is_market_version_mismatch() && !stale.is_notional_limit_exceeded());
        let limit = error(
            bad,
            r#"{"error":{"code":"NOTIONAL_RISK_LIMIT_EXCEEDED","message":"NOTIONAL_RISK_LIMIT_EXCEEDED"}}"#,
        );
        assert!(limit.is_notional_limit_exceeded() && !limit.is_margin_disabled());
        let user = "user_not_found:_764c7a5c-ef10-4e18-bcc4-ef413a01483a";
        let user = format!(r#"{{"error":{{"code":"{user}","message":"{user}"}}}}"#);
        assert!(error(bad, &user).is_margin_disabled());
        // That of a shard of the Trade API without money.
        assert!(!error(StatusCode::NOT_FOUND, &user).is_margin_disabled());
        let details = r#"{"error":{"code":"invalid_parameters","details":"user is not enabled for margin trading"}}"#;
        assert!(error(StatusCode::FORBIDDEN, details).is_margin_disabled());
        assert!(!error(bad, r#"{"error":{"code":"invalid_parameters"}}"#).is_margin_disabled());
    }
}
