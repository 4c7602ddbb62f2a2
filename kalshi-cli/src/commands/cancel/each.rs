//! Cancels orders one by one: sends every cancel, and then resolves the outcomes that are unknown.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use kalshi_sdk::{
    Client,
    orders::{ChangeOutcome, ChangeReconciliation, OrderRef, UnknownChange},
    types::{Order, OrderStatus},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{failure::Exit, output::Cell};

/// Maximum wait for a response before the next cancel is sent.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// The same, once a response was late.
const MAX_WAIT_AFTER_LATE: Duration = Duration::from_millis(100);

/// Maximum number of outcomes that are resolved at the same time.
const MAX_LOOKUPS: usize = 8;

/// Cancels of orders, and what is known about each.
pub(super) struct Cancels(Vec<(OrderRef, State)>);

enum State {
    NotSent,
    Sent,
    Ended(CancelResult),
}

/// A cancel that was sent, and whose outcome is not known yet.
enum Pending {
    /// The response has not arrived.
    Response(JoinHandle<Response>),
    /// The response was lost, or the exchange did not find the order.
    Unknown(Box<UnknownChange>),
}

enum Response {
    Ended(CancelResult),
    Unknown(Box<UnknownChange>),
}

impl Cancels {
    pub(super) fn new(orders: Vec<OrderRef>) -> Self {
        let cancels = orders.into_iter().map(|order| (order, State::NotSent));
        Self(cancels.collect())
    }

    /// Sends all cancels, and then resolves unknown outcomes within `limit`, so that a slow one does not delay other cancels. Calls
    /// `on_end` for each cancel whose outcome is known or was not resolved.
    pub(super) async fn run(&mut self, client: &Client, limit: Duration, on_end: impl Fn()) {
        let (mut pending, mut wait) = (Vec::new(), MAX_WAIT);
        for (order, state) in &mut self.0 {
            *state = State::Sent;
            let mut response = tokio::spawn(send(client.clone(), order.clone()));
            let unresolved = match timeout(wait, &mut response).await {
                Ok(response) => match response.unwrap_or_else(Response::failed) {
                    Response::Ended(result) => {
                        *state = State::Ended(result);
                        on_end();
                        continue;
                    }
                    Response::Unknown(unknown) => Pending::Unknown(unknown),
                },
                Err(_) => {
                    wait = MAX_WAIT_AFTER_LATE;
                    Pending::Response(response)
                }
            };
            pending.push((state, unresolved));
        }
        let begun = Instant::now();
        let remaining = || limit.saturating_sub(begun.elapsed());
        let lookups = pending
            .into_iter()
            .map(|(state, pending)| async { (state, pending.resolve(remaining).await) });
        let mut results = stream::iter(lookups).buffer_unordered(MAX_LOOKUPS);
        while let Some((state, result)) = results.next().await {
            *state = State::Ended(result);
            on_end();
        }
    }

    /// Returns the result of each cancel. Those without one were interrupted.
    pub(super) fn into_results(self) -> impl Iterator<Item = (OrderRef, CancelResult)> {
        self.0.into_iter().map(|(order, state)| {
            let result = match state {
                State::Ended(result) => result,
                State::Sent => CancelResult::failed(
                    "unknown",
                    Exit::Unknown,
                    "interrupted before the outcome was known",
                ),
                State::NotSent => {
                    CancelResult::failed("not_sent", Exit::Interrupted, "interrupted")
                }
            };
            (order, result)
        })
    }
}

impl Pending {
    async fn resolve(self, remaining: impl Fn() -> Duration) -> CancelResult {
        let unknown = match self {
            Self::Unknown(unknown) => unknown,
            Self::Response(response) => match response.await.unwrap_or_else(Response::failed) {
                Response::Ended(result) => return result,
                Response::Unknown(unknown) => unknown,
            },
        };
        // Otherwise the response was lost.
        let is_not_found = unknown.error().is_not_found();
        let rejected = |error| CancelResult::failed("rejected", Exit::Rejected, error);
        match unknown.reconcile(remaining()).await {
            ChangeReconciliation::Done(order) => match is_not_found {
                true => CancelResult::succeeded("already_gone", &order),
                false => CancelResult::succeeded("cancelled", &order),
            },
            ChangeReconciliation::NotDone(order) if order.status == OrderStatus::Executed => {
                CancelResult::succeeded("already_gone", &order)
            }
            ChangeReconciliation::NotDone(_) => rejected(match is_not_found {
                true => "the exchange did not find the order, although it rests: cancel it again",
                false => "the response was lost, and the order rests: cancel it again",
            }),
            ChangeReconciliation::NotFound => rejected("there is no such order"),
            _ => CancelResult::failed("unknown", Exit::Unknown, unknown.error()),
        }
    }
}

impl Response {
    /// Returns the response of a task that failed.
    fn failed(error: impl ToString) -> Self {
        Self::Ended(CancelResult::failed("unknown", Exit::Unknown, error))
    }
}

/// Sends a cancel once. The outcome is unknown if the exchange did not find the order, because reads must show whether it has ended.
async fn send(client: Client, order: OrderRef) -> Response {
    let cancel = client.orders().cancel(order);
    Response::Ended(match cancel.confirm_timeout(Duration::ZERO).await {
        Ok(ChangeOutcome::Done(response)) => CancelResult {
            outcome: "cancelled",
            exit: Exit::Success,
            cancelled: response.reduced_by.into(),
            filled: Cell::Absent,
            error: None,
        },
        Ok(ChangeOutcome::Rejected(error)) => {
            CancelResult::failed("rejected", Exit::Rejected, error)
        }
        Ok(ChangeOutcome::Unknown(unknown)) => return Response::Unknown(unknown),
        Ok(other) => CancelResult::failed("unknown", Exit::Unknown, format!("{other:?}")),
        Err(error) => CancelResult::failed("not_sent", Exit::Failure, error),
    })
}

/// The outcome of one cancel.
pub(super) struct CancelResult {
    pub(super) outcome: &'static str,
    pub(super) exit: Exit,
    pub(super) cancelled: Cell,
    pub(super) filled: Cell,
    pub(super) error: Option<String>,
}

impl CancelResult {
    fn failed(outcome: &'static str, exit: Exit, error: impl ToString) -> Self {
        Self {
            outcome,
            exit,
            cancelled: Cell::Absent,
            filled: Cell::Absent,
            error: Some(error.to_string()),
        }
    }

    fn succeeded(outcome: &'static str, order: &Order) -> Self {
        Self {
            outcome,
            exit: Exit::Success,
            cancelled: Cell::Absent,
            filled: order.fill_count_fp.into(),
            error: None,
        }
    }
}
