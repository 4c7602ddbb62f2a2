//! Error codes of the margin exchange.

use kalshi_core::rt::matches_code;

use crate::ApiError;

/// Predicates for rejections that only this API has. Implemented for [`ApiError`] only.
///
/// ```no_run
/// # async fn example(client: kalshi_perps::Client) -> Result<(), kalshi_perps::Error> {
/// use kalshi_perps::MarginRejection;
///
/// if let Err(error) = client.get_margin_balance().send().await {
///     match error.api() {
///         Some(error) if error.is_margin_disabled() => println!("enable margin trading first"),
///         _ => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub trait MarginRejection: sealed::Sealed {
    /// Returns `true` if the order's market version is not the current one: `market_version_mismatch`.
    fn is_market_version_mismatch(&self) -> bool;

    /// Returns `true` if the order would exceed the account's limit on notional value: `NOTIONAL_RISK_LIMIT_EXCEEDED`. The exchange checks
    /// this limit before it checks the margin.
    fn is_notional_limit_exceeded(&self) -> bool;

    /// Returns `true` if the account is not enabled for margin trading: `user_not_found`, whose code may end with the id of the user, or
    /// `invalid_parameters` with details that say so. In the Trade API `user_not_found` means insufficient funds, so
    /// [`ApiError::is_insufficient_funds`] may be `true` as well; check this predicate first.
    fn is_margin_disabled(&self) -> bool;
}

impl MarginRejection for ApiError {
    fn is_market_version_mismatch(&self) -> bool {
        matches_code(self, "market_version_mismatch")
    }

    fn is_notional_limit_exceeded(&self) -> bool {
        matches_code(self, "notional_risk_limit_exceeded")
    }

    fn is_margin_disabled(&self) -> bool {
        let says_so = |details: &str| details.contains("not enabled for margin trading");
        matches_code(self, "user_not_found")
            || matches_code(self, "invalid_parameters") && self.details().is_some_and(says_so)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::ApiError {}
}
