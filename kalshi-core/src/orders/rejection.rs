//! Orders that were rejected, and inquiries that proved nothing.

use std::{fmt, sync::Arc};

use crate::{
    api_error::ApiError,
    error::Error,
    rt::orders::{OrderRow, Shown},
};

/// A rejected order. `O` is an order as the API lists it.
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

    /// The exchange's error.
    #[must_use]
    pub fn error(&self) -> &ApiError {
        &self.error
    }

    /// The exchange's code, such as `insufficient_balance`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.error.code()
    }

    /// The order in another market, on the other side or of another subaccount that has the client order id already. `None` if the
    /// order was rejected for another reason.
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
                let Shown {
                    order_id, ticker, ..
                } = order.shown();
                write!(
                    f,
                    "; the order {order_id} in {ticker} has this client order id: use another one"
                )
            }
            None => Ok(()),
        }
    }
}

impl<O: OrderRow + fmt::Debug> std::error::Error for Rejection<O> {}

/// Why an inquiry proved nothing. `O` is an order as the API lists it.
#[derive(Clone, Debug)]
pub struct Unresolved<O> {
    candidates: Vec<O>,
    error: Option<Arc<Error>>,
}

impl<O> Unresolved<O> {
    #[doc(hidden)]
    #[must_use]
    pub fn among(candidates: Vec<O>) -> Self {
        Self {
            candidates,
            error: None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn after(error: Option<Arc<Error>>) -> Self {
        Self {
            candidates: Vec::new(),
            error,
        }
    }

    /// Orders of which one may be it: there are several, or it is not as it was sent. Empty if none was found.
    #[must_use]
    pub fn candidates(&self) -> &[O] {
        &self.candidates
    }

    /// The last error, or `None` if only the time was too short or there were candidates.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }
}
