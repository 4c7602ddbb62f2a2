//! Finding orders again, with patience: for some seconds after a write, reads may not know of it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_core::Stream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Client, Error,
    pages::{ItemPage, Items},
    retry, types,
};

/// How long reads may lag behind writes; up to ten seconds were seen.
pub(super) const READ_LAG: Duration = Duration::from_secs(10);

/// Orders are looked for from this long before they were sent, as clocks differ.
const MARGIN: Duration = Duration::from_secs(600);

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pause after the tries of one page have failed.
const FAULT_PAUSE: Duration = Duration::from_millis(100);

/// What a look shows.
pub(super) enum Look<T> {
    /// That is how it is.
    Settled(T),
    /// It may still come.
    NotYet(T),
}

/// How a search ended.
pub(super) enum Found<T> {
    /// It is so, for good.
    Known(T),
    /// It was so at the end of the time in which it could still have come.
    Stayed(T),
    /// The time was over before; the last fault, if that was why.
    Unknown(Option<Error>),
}

/// The last fault of a search that goes on all the same.
#[derive(Default)]
pub(super) struct Fault(Mutex<Option<Error>>);

impl Fault {
    fn set(&self, error: Option<Error>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Looks until it is settled, or has stayed as it is until `settles`, or the deadline is there.
pub(super) async fn look<T, F>(
    deadline: Duration,
    settles: Instant,
    fault: &Fault,
    look: impl Fn() -> F,
) -> Found<T>
where
    F: Future<Output = Result<Look<T>, Error>>,
{
    let deadline = Instant::now() + deadline;
    let mut pause = Duration::from_millis(100);
    loop {
        let begun = Instant::now();
        match timeout_at(deadline, look()).await {
            Ok(Ok(Look::Settled(found))) => return Found::Known(found),
            // Only what was asked after that time counts.
            Ok(Ok(Look::NotYet(found))) if begun >= settles => return Found::Stayed(found),
            Ok(Ok(Look::NotYet(_))) => fault.set(None),
            Ok(Err(error)) => fault.set(Some(error)),
            Err(_) => return Found::Unknown(fault.take()),
        }
        // At the time it settles, or somewhat later if that is far.
        let until_settled = settles.saturating_duration_since(Instant::now());
        let next = if until_settled.is_zero() {
            pause
        } else {
            pause.min(until_settled)
        };
        if Instant::now() + next > deadline {
            return Found::Unknown(fault.take());
        }
        sleep(next).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Client {
    /// Looks for the order of that client order id in a market: among the account's orders of any status, then in the archive.
    pub(super) async fn order_by_client_id(
        &self,
        client_order_id: &str,
        ticker: &str,
        since: SystemTime,
        fault: &Fault,
    ) -> Result<Option<types::Order>, Error> {
        let since = since
            .checked_sub(MARGIN)
            .and_then(|since| since.duration_since(SystemTime::UNIX_EPOCH).ok());
        let since = i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or_default();
        let is_it = |order: &types::Order| order.client_order_id == client_order_id;
        let current = self
            .get_orders()
            .ticker(ticker)
            .min_ts(since)
            .limit(1000)
            .by_item();
        if let Some(order) = first(current, is_it, fault).await? {
            return Ok(Some(order));
        }
        let archived = self
            .get_historical_orders()
            .ticker(ticker)
            .limit(1000)
            .by_item();
        first(archived, is_it, fault).await
    }

    /// The order of that id; none when the exchange does not know it, yet or any more.
    pub(super) async fn order_by_id(&self, order_id: &str) -> Result<Option<types::Order>, Error> {
        match self.get_order().order_id(order_id).send().await {
            Ok(answer) => Ok(Some(answer.into_inner().order)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The first item that is the one. A list may be long and the exchange be failing, so a fault that may pass does not send it back to
/// the beginning.
async fn first<T: ItemPage>(
    mut items: Items<T>,
    is_it: impl Fn(&T::Item) -> bool,
    fault: &Fault,
) -> Result<Option<T::Item>, Error> {
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut items).poll_next(context)).await;
        match next {
            Some(Ok(item)) if is_it(&item) => return Ok(Some(item)),
            Some(Ok(_)) => {}
            Some(Err(error)) if retry::may_retry(error.operation(), &error) => {
                fault.set(Some(error));
                sleep(FAULT_PAUSE).await;
                items.resume();
            }
            Some(Err(error)) => return Err(error),
            None => return Ok(None),
        }
    }
}
