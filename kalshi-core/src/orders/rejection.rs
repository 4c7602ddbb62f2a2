//! Rejected orders, and lookups that proved nothing.

use std::{fmt, sync::Arc};

use crate::{
    api_error::ApiError,
    error::Error,
    rt::orders::{OrderFields, OrderRow},
};

/// The rejection of an order: the exchange's error, and the order that has the client order id if that is taken. `O` is the API's type of
/// a listed order.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection<O> {
    error: ApiError,
    existing: Option<Box<O>>,
}

impl<O> Rejection<O> {
    #[doc(hidden)]
    #[must_use]
    pub fn new(error: ApiError, existing: Option<O>) -> Self {
        Self {
            error,
            existing: existing.map(Box::new),
        }
    }

    /// Returns the exchange's error.
    #[must_use]
    pub fn error(&self) -> &ApiError {
        &self.error
    }

    /// Returns the exchange's error code, such as `insufficient_balance`, or `None` if it sent none.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.error.code()
    }

    /// Returns the order that already has the client order id: one in another market, on the other side or of another subaccount. Returns
    /// `None` if the order was rejected for another reason.
    #[must_use]
    pub fn existing(&self) -> Option<&O> {
        self.existing.as_deref()
    }
}

impl<O: OrderRow> fmt::Display for Rejection<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match &self.existing {
            Some(order) => {
                let OrderFields {
                    order_id, ticker, ..
                } = order.fields();
                write!(
                    f,
                    "; the order {order_id} in {ticker} has this client order id; use another one"
                )
            }
            None => Ok(()),
        }
    }
}

impl<O: OrderRow + fmt::Debug> std::error::Error for Rejection<O> {}

/// The reason why a lookup of an order proved nothing: the last error or the matching orders, if any. `O` is the API's type of a listed
/// order.
#[derive(Clone, Debug)]
pub struct Unresolved<O> {
    candidates: Vec<O>,
    error: Option<Arc<Error>>,
}

impl<O> Unresolved<O> {
    #[doc(hidden)]
    #[must_use]
    pub fn new(candidates: Vec<O>, error: Option<Arc<Error>>) -> Self {
        Self { candidates, error }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn among(candidates: Vec<O>) -> Self {
        Self::new(candidates, None)
    }

    #[doc(hidden)]
    #[must_use]
    pub fn after(error: Option<Arc<Error>>) -> Self {
        Self::new(Vec::new(), error)
    }

    /// Returns the orders of which one may be the order that was looked up: several orders, or a single one that differs from what was
    /// sent. Empty if none was found. For a list of resting orders, those that were read: others may rest too.
    #[must_use]
    pub fn candidates(&self) -> &[O] {
        &self.candidates
    }

    /// Returns the last error, or `None` if no read failed before the timeout, or if the orders that were found prove nothing.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }
}
