//! Finding orders again, with patience: for some seconds after a write, reads may not know of it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_core::Stream;
use kalshi_core::rt;
use tokio::time::{Instant, sleep, timeout_at};

use super::OrderKey;
use crate::{
    Client, Error,
    pages::{ItemPage, Items},
    types,
};

/// How long reads may lag behind writes; up to ten seconds were seen.
pub(super) const READ_LAG: Duration = Duration::from_secs(10);

/// Orders are looked for from this long before they were sent by the exchange's clock.
const MARGIN: Duration = Duration::from_secs(3_600);

/// The same where the exchange's clock is not known.
const WIDE_MARGIN: Duration = Duration::from_secs(7 * 86_400);

/// As good as for ever; more could not be added to a time.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A time that is so much later.
pub(super) fn later(time: Instant, by: Duration) -> Instant {
    time + by.min(FOR_EVER)
}

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
    let deadline = later(Instant::now(), deadline);
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

/// What an order is looked for by.
pub(super) struct Search<'a> {
    pub(super) client_order_id: &'a str,
    pub(super) ticker: &'a str,
    pub(super) subaccount: Option<i64>,
    /// When it was sent, by our clock, in Unix milliseconds.
    pub(super) sent_ms: u64,
    /// Whether the archive is looked through too; nothing is there that is not days old.
    pub(super) archive: bool,
}

impl Client {
    /// Looks for an order in a market by its client order id: among the account's orders of any status, then in the archive.
    pub(super) async fn order_by_client_id(
        &self,
        search: &Search<'_>,
        fault: &Fault,
    ) -> Result<Option<types::Order>, Error> {
        let is_it = |order: &types::Order| order.client_order_id == search.client_order_id;
        let mut call = self
            .get_orders()
            .ticker(search.ticker)
            .min_ts(self.long_before(search.sent_ms))
            .limit(1000);
        if let Some(subaccount) = search.subaccount {
            call = call.subaccount(subaccount);
        }
        let found = first(call.by_item(), is_it, fault).await?;
        if found.is_some() || !search.archive {
            return Ok(found);
        }
        let archived = self
            .get_historical_orders()
            .ticker(search.ticker)
            .limit(1000)
            .by_item();
        first(archived, is_it, fault).await
    }

    /// The time by the clock that stamps signatures, by which the exchange's is measured too. One that does not tell is at the
    /// beginning of time, from where everything is found and nothing has expired.
    pub(super) fn now_ms(&self) -> u64 {
        rt::now_ms(&self.core)
    }

    /// A time surely before our `time_ms` by the exchange's clock, in Unix seconds.
    fn long_before(&self, time_ms: u64) -> i64 {
        let ours = i64::try_from(time_ms / 1_000).unwrap_or_default();
        let margin = |margin: Duration| i64::try_from(margin.as_secs()).unwrap_or_default();
        let theirs = match rt::clock_behind_ms(&self.core) {
            Some(behind) => ours
                .saturating_add(behind / 1_000)
                .saturating_sub(margin(MARGIN)),
            None => ours.saturating_sub(margin(WIDE_MARGIN)),
        };
        theirs.max(0)
    }

    /// The order of that key; none when the exchange does not know it, yet or any more. An id alone may not be found on every shard, so
    /// where its market is known, it is looked for there too.
    pub(super) async fn order_by_key(
        &self,
        key: &OrderKey,
        fault: &Fault,
    ) -> Result<Option<types::Order>, Error> {
        match self.get_order().order_id(&key.order_id).send().await {
            Ok(answer) => return Ok(Some(answer.into_inner().order)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let Some(ticker) = &key.market_ticker else {
            return Ok(None);
        };
        let mut call = self.get_orders().ticker(ticker).limit(1000);
        if let Some(subaccount) = key.subaccount {
            call = call.subaccount(subaccount);
        }
        first(
            call.by_item(),
            |order| order.order_id == key.order_id,
            fault,
        )
        .await
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
            // The rate limit is no fault either.
            Some(Err(error)) if is_local_wait(&error) || rt::may_retry(&error) => {
                fault.set(Some(error));
                sleep(FAULT_PAUSE).await;
                items.resume();
            }
            Some(Err(error)) => return Err(error),
            None => return Ok(None),
        }
    }
}

/// Returns `true` if the request was rate limited locally and may be sent after a wait.
fn is_local_wait(error: &Error) -> bool {
    error
        .local_rate_limit()
        .is_some_and(|limit| limit.wait().is_some())
}
