//! Order support shared by the API crates: checks of responses, lookups, and their conclusions.

mod change;
mod conflict;
mod inquiry;
mod place;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;

pub use self::{
    change::{AmendTerms, ChangeVerdict, PreparedChange},
    conflict::{Conflict, Explanation, OrderMatch},
    inquiry::{
        Finding, Freshness, LastError, MAX_SKIPPED, MAX_TIMEOUT, Reader, Reading, Walk,
        check_connections, draining_looks, inquire, retry_transient, until_fresh, walk, walk_into,
        walk_up_to,
    },
    place::{Age, Identity, PlaceTerms, PlaceVerdict, SEARCH_MARGIN_MS, SentOrder, send_order},
};
use crate::{
    api_error::ApiError,
    error::Error,
    id::{ClientOrderId, OrderId},
    money::{Contracts, Dollars},
};

/// An order as an API lists it.
pub trait OrderRow {
    /// Returns the fields that the orders of every API have.
    fn fields(&self) -> OrderFields<'_>;
}

/// The fields of an order that are used to identify it and to verify a change.
#[derive(Clone, Copy, Debug)]
pub struct OrderFields<'a> {
    pub order_id: &'a OrderId,
    pub client_order_id: &'a ClientOrderId,
    pub ticker: &'a str,
    pub price: Dollars,
    pub fill_count: Contracts,
    pub remaining_count: Contracts,
    pub expiration_time: Option<DateTime<Utc>>,
}

/// Expected state of an order after a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    Cancelled,
    Amended {
        price: Dollars,
        /// Number of contracts, filled and resting.
        count: Contracts,
        /// Unix time in seconds, 0 for no expiry, or `None` if the change does not set it.
        expiry: Option<i64>,
        /// The new client order id, or `None` if the change does not set it.
        client_order_id: Option<ClientOrderId>,
    },
    /// At most this many contracts rest. Fills can also bring an order there.
    Remaining(Contracts),
    /// Fewer contracts rest than before the change.
    Fewer,
}

impl Wanted {
    /// Returns `true` if a resting order is in the state that an amendment or a decrease to a count requested.
    pub fn is_met_by(&self, order: &impl OrderRow) -> bool {
        let order = order.fields();
        match self {
            Self::Cancelled | Self::Fewer => false,
            Self::Amended {
                price,
                count,
                expiry,
                client_order_id,
            } => {
                let total = order.fill_count.checked_add(order.remaining_count);
                let expires = order.expiration_time.map_or(0, |time| time.timestamp());
                let id = client_order_id.as_ref();
                order.price == *price
                    && total == Some(*count)
                    && expiry.is_none_or(|expiry| expiry == expires)
                    && id.is_none_or(|id| id == order.client_order_id)
            }
            Self::Remaining(count) => order.remaining_count <= *count,
        }
    }
}

/// Checks the counts of a response against the requested count.
fn check_counts(
    filled: Contracts,
    remaining: Contracts,
    requested: Contracts,
) -> Result<(), String> {
    let total = filled.checked_add(remaining);
    if filled < Contracts::ZERO
        || remaining < Contracts::ZERO
        || total.is_none_or(|total| total > requested)
    {
        return Err(format!(
            "{filled} filled and {remaining} remaining contracts do not match an order for {requested}"
        ));
    }
    Ok(())
}

/// Checks that a response is about the requested order.
pub fn check_order_id(requested: &str, found: &str) -> Result<(), String> {
    if requested == found {
        Ok(())
    } else {
        Err("the response is about another order".to_owned())
    }
}

/// Fields of the response to an amendment that are checked.
pub struct Amended<'a> {
    pub order_id: &'a OrderId,
    pub client_order_id: Option<&'a ClientOrderId>,
    pub fill_count: Option<Contracts>,
    pub remaining_count: Option<Contracts>,
}

impl Amended<'_> {
    /// Returns an error message if the response cannot be about an amendment of this order to this count. `client_order_ids` are the ids
    /// that the request named. The response to an earlier change of the same order can pass, because all fields except the id are optional.
    fn check(
        &self,
        order_id: &str,
        client_order_ids: &[Option<ClientOrderId>],
        count: Contracts,
    ) -> Result<(), String> {
        check_order_id(order_id, self.order_id)?;
        let mut known = client_order_ids.iter().flatten();
        let is_known = known.any(|id| !id.is_empty());
        let named = self.client_order_id.filter(|id| !id.is_empty());
        if named.is_some() && is_known && !client_order_ids.iter().any(|id| id.as_ref() == named) {
            return Err("the response is about an order with another client order id".to_owned());
        }
        check_counts(
            self.fill_count.unwrap_or_default(),
            self.remaining_count.unwrap_or_default(),
            count,
        )
    }
}

/// Checks the response to a cancel request. A batch reports zero for an order that was not cancelled.
fn check_cancelled(requested: &str, found: &str, reduced_by: Contracts) -> Result<(), String> {
    check_order_id(requested, found)?;
    if reduced_by > Contracts::ZERO {
        Ok(())
    } else {
        Err(format!("the order was reduced by {reduced_by} contracts"))
    }
}

/// Checks the response to a decrease request.
fn check_decreased(
    requested: &str,
    found: &str,
    reduce_to: Option<Contracts>,
    remaining: Contracts,
) -> Result<(), String> {
    check_order_id(requested, found)?;
    match reduce_to {
        Some(wanted) => check_counts(Contracts::ZERO, remaining, wanted),
        None => check_not_negative(remaining),
    }
}

/// Checks that a count is not negative.
fn check_not_negative(count: Contracts) -> Result<(), String> {
    if count < Contracts::ZERO {
        Err(format!("the count {count} is negative"))
    } else {
        Ok(())
    }
}

/// Returns `true` if the error may mean that the client order id is taken, perhaps by this very order.
pub fn is_conflict(error: &Error) -> bool {
    error.api().is_some_and(|error| {
        is_duplicate(error) || error.status() == StatusCode::CONFLICT && error.code().is_none()
    })
}

/// Returns `true` if the error code says that the client order id is taken.
pub fn is_duplicate(error: &ApiError) -> bool {
    error.matches_code("order_already_exists")
}

/// Returns `true` if the rejection of a change may mean that the exchange did not find the order, which proves no outcome: a 404, or a
/// code that ends with `not_found` whatever the status. An error about the user or the balance is an ordinary rejection, and so is one
/// about the market with a 4xx status other than 404. A 404 and a success status, which the items of a batch have, do not show whether
/// the market is wrong or has settled.
pub fn is_not_found(error: &ApiError) -> bool {
    let code = error.bare_code().to_ascii_lowercase();
    let is_404 = error.status() == StatusCode::NOT_FOUND;
    let is_ordinary = code.starts_with("insufficient_")
        || code.contains("user_not_found")
        || error.status().is_client_error() && !is_404 && code.contains("market_not_found");
    !is_ordinary && (is_404 || code.ends_with("not_found"))
}

/// Returns `true` if the rejection of a read of an order means that the exchange does not have it.
pub fn is_absent(error: &ApiError) -> bool {
    error.status() == StatusCode::NOT_FOUND || is_not_found(error)
}

/// Returns `true` unless the order shows a different value from the one requested.
pub fn agree<T: PartialEq + ?Sized>(requested: &T, shown: Option<&T>) -> bool {
    shown.is_none_or(|shown| shown == requested)
}
