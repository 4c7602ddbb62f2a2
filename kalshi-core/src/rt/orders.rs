//! What the order modules of the API crates share: checks of responses, look-ups, and what they prove.

mod change;
mod conflict;
mod inquiry;

use reqwest::StatusCode;
use uuid::Uuid;

pub use self::{
    change::{ChangeVerdict, PreparedChange},
    conflict::{Conflict, Explanation, Likeness},
    inquiry::{
        Finding, LastError, MAX_SKIPPED, MAX_TIMEOUT, Reader, Sight, Walk, inquire, persist, walk,
        walk_up_to,
    },
};
use crate::{
    api_error::ApiError,
    error::Error,
    id::{ClientOrderId, OrderId},
    money::Contracts,
};

/// An order as an API lists it.
pub trait OrderRow {
    /// The exchange's id.
    fn order_id(&self) -> &OrderId;

    /// The id that the client gave it.
    fn client_order_id(&self) -> &ClientOrderId;

    /// The market.
    fn ticker(&self) -> &str;
}

/// The client order id of an order: the one that was given, or a random UUID if that is empty. Returns `true` with one that was made.
pub fn client_order_id(given: Option<ClientOrderId>) -> (ClientOrderId, bool) {
    let Some(id) = given.filter(|id| !id.is_empty()) else {
        return (ClientOrderId::from(Uuid::new_v4().to_string()), true);
    };
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !id.bytes().all(is_safe) {
        tracing::warn!(
            "the client order id contains characters other than letters, digits, `-` and `_`: the exchange may reject it"
        );
    }
    (id, false)
}

/// The part of a response that says which order it is about.
pub struct Identity<'a> {
    pub order_id: &'a str,
    pub client_order_id: Option<&'a str>,
    pub fill_count: Contracts,
    pub remaining_count: Contracts,
}

impl Identity<'_> {
    /// Returns what is wrong if the response cannot be about the order of this client order id and count.
    pub fn check(
        &self,
        status: StatusCode,
        client_order_id: &str,
        count: Contracts,
    ) -> Result<(), String> {
        if self.order_id.is_empty() {
            return Err("the order has no id".to_owned());
        }
        match self.client_order_id.filter(|id| !id.is_empty()) {
            Some(id) if id != client_order_id => {
                return Err(
                    "the response is about an order with another client order id".to_owned(),
                );
            }
            // The response to an amendment looks the same, but for the status.
            None if status != StatusCode::CREATED => {
                return Err(format!(
                    "the response names no client order id, and has status {status} instead of 201"
                ));
            }
            _ => {}
        }
        check_counts(self.fill_count, self.remaining_count, count)
    }
}

/// Checks the counts of a response against the count that was asked for.
pub fn check_counts(
    filled: Contracts,
    remaining: Contracts,
    asked: Contracts,
) -> Result<(), String> {
    let total = filled.checked_add(remaining);
    if filled < Contracts::ZERO
        || remaining < Contracts::ZERO
        || total.is_none_or(|total| total > asked)
    {
        return Err(format!(
            "{filled} filled and {remaining} remaining contracts cannot be of an order for {asked}"
        ));
    }
    Ok(())
}

/// Checks that a response is about the order that was asked for.
pub fn check_order_id(asked: &str, found: &str) -> Result<(), String> {
    if asked == found {
        Ok(())
    } else {
        Err("the response is about another order".to_owned())
    }
}

/// Checks the client order id that the response to an amendment has against those that the request named, if both name one.
pub fn check_amended_id(
    named: Option<&ClientOrderId>,
    asked: &[Option<ClientOrderId>],
) -> Result<(), String> {
    let mut asked = asked.iter().flatten().filter(|id| !id.is_empty());
    let Some((named, first)) = named.filter(|id| !id.is_empty()).zip(asked.next()) else {
        return Ok(());
    };
    if named == first || asked.any(|id| id == named) {
        Ok(())
    } else {
        Err("the response is about an order with another client order id".to_owned())
    }
}

/// Checks that a count is not negative.
pub fn check_not_negative(count: Contracts) -> Result<(), String> {
    if count < Contracts::ZERO {
        Err(format!("the count {count} is negative"))
    } else {
        Ok(())
    }
}

/// Returns `true` if the error may say that the client order id is taken, perhaps by this very order.
pub fn is_conflict(error: &Error) -> bool {
    error.api().is_some_and(|error| {
        error.status() == StatusCode::CONFLICT && (error.code().is_none() || is_duplicate(error))
    })
}

/// Returns `true` if the exchange says that the client order id is taken.
pub fn is_duplicate(error: &ApiError) -> bool {
    error.bare_code() == "order_already_exists"
}

/// Returns `true` unless the order shows another value than the request set.
pub fn agree<T: PartialEq + ?Sized>(requested: &T, shown: Option<&T>) -> bool {
    shown.is_none_or(|shown| shown == requested)
}
