//! Sending an order, and evaluating the response.

use chrono::{DateTime, Utc};
use reqwest::Request;
use serde::de::DeserializeOwned;

use super::{OrderRow, check_counts, is_conflict};
use crate::{
    api_error::ApiError,
    client::Core,
    error::Error,
    id::ClientOrderId,
    money::Contracts,
    operation::Operation,
    outcome::{Moment, Outcome},
};

/// An order as it was sent.
#[derive(Clone)]
pub struct SentOrder<R> {
    /// The request, with its client order id.
    pub request: R,
    pub client_order_id: ClientOrderId,
    /// The id was generated here, so no other order has it.
    pub is_id_generated: bool,
    /// The time just before the first attempt.
    pub began: Moment,
}

impl<R> SentOrder<R> {
    /// Prepares an order for sending: records the time, and generates a random UUID as its client order id if `given` is empty.
    pub fn new(
        core: &Core,
        given: Option<ClientOrderId>,
        with_id: impl FnOnce(ClientOrderId) -> R,
    ) -> Self {
        let given = given.filter(|id| !id.is_empty());
        let is_id_generated = given.is_none();
        let id = given.unwrap_or_else(ClientOrderId::random);
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !id.bytes().all(is_safe) {
            tracing::warn!(
                "the client order id contains characters other than letters, digits, `-` and `_`; the exchange may reject it"
            );
        }
        Self {
            request: with_id(id.clone()),
            client_order_id: id,
            is_id_generated,
            began: Moment::now(core),
        }
    }
}

/// Subtracted from the earliest start of a request when its order is searched for, because the exchange's filter may be inexact.
pub const SEARCH_MARGIN_MS: u64 = 3_600_000;

/// Maximum time by which the order of a request may appear older than the request while the clocks nearly agree.
const CREATION_MARGIN_MS: u64 = 5_000;

/// The time at which an order was created, compared with the first attempt to send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The order was created after the request was sent, or the client generated its id, which no older order can have.
    Newer,
    /// The order was created before the request was sent, or does not show when it was created.
    Older,
    /// The exchange's time is not known yet, or the clocks differ too much to tell. Further responses may show it.
    Unclear,
}

impl<R> SentOrder<R> {
    /// Compares the creation time of an order that has the client order id with the first attempt to send this one.
    ///
    /// An order that counts as newer must have been created after the latest possible start of the request: the client order id may belong
    /// to an older order, and a local clock that is slow, or a single wrong `Date`, must not make that order appear newer.
    pub fn age(&self, core: &Core, created: Option<DateTime<Utc>>) -> Age {
        if self.is_id_generated {
            return Age::Newer;
        }
        let Some(created) = created else {
            return Age::Older;
        };
        let created = u64::try_from(created.timestamp_millis()).unwrap_or_default();
        let is_before = |start: u64| created < start.saturating_sub(CREATION_MARGIN_MS);
        if !is_before(self.began.agreed_or_latest_ms(core)) {
            Age::Newer
        } else if is_before(self.began.earliest_ms(core)) {
            Age::Older
        } else {
            Age::Unclear
        }
    }
}

impl<R> SentOrder<R>
where
    for<'a> PlaceTerms<'a>: From<&'a R>,
{
    /// Returns `true` if a read shows this order as it was before it was executed: resting, although it never rests. Its fills are still
    /// missing.
    pub fn predates_execution(&self, order: &impl OrderRow) -> bool {
        PlaceTerms::from(&self.request).is_immediate() && !order.fields().remaining_count.is_zero()
    }
}

/// Terms of an order that its response must fit.
pub struct PlaceTerms<'a> {
    pub count: Contracts,
    pub time_in_force: &'a str,
}

impl PlaceTerms<'_> {
    /// Returns `true` if the order never rests: what is not filled immediately is cancelled.
    fn is_immediate(&self) -> bool {
        matches!(self.time_in_force, "immediate_or_cancel" | "fill_or_kill")
    }
}

/// The part of a response that identifies its order.
pub struct Identity<'a> {
    pub order_id: &'a str,
    pub client_order_id: Option<&'a str>,
    pub fill_count: Contracts,
    pub remaining_count: Contracts,
}

impl Identity<'_> {
    /// Returns an error message if the response cannot be about this order. A response without the client order id may be about any order.
    pub fn check<R>(&self, order: &SentOrder<R>) -> Result<(), String>
    where
        for<'a> PlaceTerms<'a>: From<&'a R>,
    {
        if self.order_id.is_empty() {
            return Err("the order has no id".to_owned());
        }
        match self.client_order_id {
            Some(id) if id == order.client_order_id.as_str() => {}
            None | Some("") => return Err("the response has no client order id".to_owned()),
            Some(_) => {
                return Err(
                    "the response is about an order with another client order id".to_owned(),
                );
            }
        }
        let terms = PlaceTerms::from(&order.request);
        let (filled, remaining) = (self.fill_count, self.remaining_count);
        check_counts(filled, remaining, terms.count)?;
        // What is not filled immediately either rests completely or is cancelled.
        let is_whole = filled.checked_add(remaining) == Some(terms.count);
        // Self-trade prevention may stop a fill-or-kill order that is partly filled, and a reduce-only order may be for more contracts than
        // the position.
        if remaining.is_zero() || is_whole && !terms.is_immediate() {
            return Ok(());
        }
        Err(format!(
            "{filled} filled and {remaining} remaining contracts do not fit an order for {} that is `{}`",
            terms.count, terms.time_in_force
        ))
    }
}

/// Outcome of an order according to its response.
pub enum PlaceVerdict<T> {
    /// The exchange accepted the order.
    Placed(T),
    /// The exchange rejected the order.
    Rejected(ApiError),
    /// The client order id is taken, and a lookup must find out by which order. `may_be_ours` means that an earlier attempt
    /// may have placed it.
    Conflict { error: Error, may_be_ours: bool },
    /// The order may have been placed.
    Unknown(Error),
}

/// Sends an order, and returns the outcome and the time of the response. `earlier` is `true` if the order has been sent before and may
/// have been placed. Returns an error only if the order was certainly not processed.
pub async fn send_order<R, T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
    earlier: bool,
    order: &SentOrder<R>,
) -> Result<(PlaceVerdict<T>, Moment), Error>
where
    for<'a> PlaceTerms<'a>: From<&'a R>,
    for<'a> Identity<'a>: From<&'a T>,
{
    let write = core.write(operation, request, earlier).await;
    let evidence = write.evidence();
    let about = |_, response: &T| Identity::from(response).check(order);
    let verdict = match write.judge(about) {
        Outcome::Done(response) => PlaceVerdict::Placed(response.into_inner()),
        Outcome::NotProcessed(error) => return Err(error),
        Outcome::Rejected(_, error) if is_conflict(&error) => PlaceVerdict::Conflict {
            error,
            may_be_ours: evidence.has_earlier(),
        },
        Outcome::Unknown(error) if is_conflict(&error) => PlaceVerdict::Conflict {
            error,
            may_be_ours: true,
        },
        Outcome::Rejected(error, _) => PlaceVerdict::Rejected(error),
        Outcome::Unknown(error) => PlaceVerdict::Unknown(error),
    };
    Ok((verdict, evidence.ended()))
}
