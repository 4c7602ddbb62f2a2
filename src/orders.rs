//! Order placement with explicit outcomes: placed, rejected or unknown; unknown outcomes can be reconciled.
//!
//! A request for an order that times out may have been executed. [`Orders::place`] never reports such an order as rejected and never
//! sends it again. Its outcome is [`Unknown`](OrderOutcome::Unknown), and [`UnknownOutcome::reconcile`] finds out what became of it by
//! its client order id.
//!
//! ```no_run
//! # async fn example(client: kalshi_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use kalshi_sdk::{
//!     Dollars, OutcomeSide,
//!     orders::{NewOrder, OrderOutcome, Reconciliation},
//! };
//!
//! // Buys 10 YES for at most 56 cents each.
//! let order = NewOrder::buy("KXHIGHNY-26DEC01-T45", OutcomeSide::Yes, Dollars::from_cents(56), 10);
//! match client.orders().place(order).await? {
//!     OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => {
//!         println!("{} rests {}", placed.order_id, placed.remaining_count);
//!     }
//!     OrderOutcome::Rejected(rejection) => println!("rejected: {rejection}"),
//!     OrderOutcome::Unknown(unknown) => match unknown.reconcile(Duration::from_secs(60)).await {
//!         Reconciliation::Placed(placed) => println!("{} was placed after all", placed.order_id),
//!         Reconciliation::NotFound => println!("it was not placed"),
//!         other => println!("still unknown: {other:?}"),
//!     },
//!     other => println!("unexpected outcome: {other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What proves an outcome
//!
//! | Outcome | Proof |
//! |---|---|
//! | `Placed`, `Done` | A success that is about this order: its ids, and counts that fit what was asked |
//! | `Rejected` | An error in a shape of the exchange with the status 400, 401, 403, 404, 409, 410 or 422, whose code does not speak of a failure, and no other attempt that may have been processed |
//! | `AlreadyExists` | 409 `order_already_exists`, and an order as this one was sent under the id that you gave |
//! | `AlreadyGone` | 404, and the order is cancelled or executed |
//! | `NotApplied` | 404, and the order rests: elsewhere, or in that place by reads that are up to date |
//! | `NotFound` | Reads that are up to date with the request, in which every row was readable, do not have the order |
//! | `Unknown` | Anything else |
//!
//! Reads lag behind writes. They are up to date when `GET /exchange/user_data_timestamp` is later than the request by every
//! reading of the clocks.
//!
//! A server or proxy that sends one response too many makes every later response on that connection answer the request before. A
//! response about another order is recognised, and the connections are replaced, except those of an HTTP client of your own. An
//! error names no order, so over HTTP/1.1 the error of another request cannot be recognised as the response to a write. What proves
//! an outcome is read over a connection for each request, where it cannot come. With the feature `http2` each response
//! has the number of its request, and this cannot happen.
//!
//! # Restarts
//!
//! Choose the client order id yourself and save it before the order is sent. After a restart, [`Orders::find`] shows whether it was
//! placed.

mod amendment;
mod cancel_batch;
mod change;
mod conflict;
mod grid;
pub(crate) mod inquiry;
mod new_order;
mod order_ref;
mod outcome;
mod place;
mod rules;
mod search;
mod sighting;
mod unknown_change;
mod unknown_order;

#[cfg(feature = "ws")]
pub(crate) use self::sighting::has_ended;
pub use self::{
    amendment::{Amendment, Decrease},
    cancel_batch::CancelBatch,
    change::{ChangeOutcome, ChangeRequest},
    grid::{OffGrid, PriceGrid},
    new_order::NewOrder,
    order_ref::OrderRef,
    outcome::{OrderOutcome, PlacedOrder, Rejection},
    rules::{InvalidOrder, OrderGroupRef, OrderRules},
    search::{FindOrder, OrderLookup, Unresolved},
    unknown_change::{ChangeReconciliation, UnknownChange},
    unknown_order::{Reconciliation, UnknownOutcome},
};

use crate::Client;

/// Placing, changing and finding orders, each with its outcome. Made by [`Client::orders`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    client: Client,
}

/// # Orders
impl Client {
    /// Returns the methods that place, change and find orders safely: a request that may have taken effect is never sent again, and
    /// each outcome is proven or unknown.
    #[must_use]
    pub fn orders(&self) -> Orders {
        Orders {
            client: self.clone(),
        }
    }
}
