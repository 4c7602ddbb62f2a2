//! Order placement with explicit outcomes: placed, rejected or unknown; unknown outcomes can be reconciled.
//!
//! If the request to place an order times out, the order may still have been placed. [`Orders::place`] never reports such an order as
//! rejected and never sends it again. Its outcome is [`Unknown`](OrderOutcome::Unknown), and [`UnknownOrder::reconcile`] looks it up by
//! its client order id to find out whether it was placed.
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
//! | `Placed`, `Done` | A success response whose ids and counts match the request |
//! | `Rejected` | An error in the exchange's format with status 2xx, 400, 401, 403, 404, 409, 410 or 422, or in an item of a batch, whose code does not indicate a failure of the exchange, if every other attempt was certainly not processed. If the error means that the order of a change was not found, also up-to-date reads without the order |
//! | `AlreadyExists` | An error with the code `order_already_exists`, or a 409 without a code, and the exchange has a matching order under the client order id that you set |
//! | `AlreadyGone` | An error that means that the order was not found, and the order is cancelled or executed |
//! | `NotApplied` | The same, and the order still rests: under a different market, subaccount or shard from the request's, or under the same ones according to up-to-date reads |
//! | `NotFound` | Reads that reflect everything up to the request do not contain the order, and all their rows decoded. Each list is read twice |
//! | `Unknown` | Anything else |
//!
//! An error means that the order was not found if it is a 404 or its code ends with `not_found`, except that a code about the user or the
//! balance is an ordinary rejection, and so is `market_not_found` with a 4xx status other than 404.
//!
//! An order that is found `resting` although it is immediate-or-cancel or fill-or-kill was read before its execution. Its outcome stays
//! open until a read shows its fills.
//!
//! Reads lag behind writes. They are up to date when `GET /exchange/user_data_timestamp` is later than the request, even allowing
//! for the uncertainty of the clocks. That does not cover a lag of the archive: while an order that ended weeks ago moves there, no list
//! may contain it.
//!
//! If a server or proxy sends an extra response on an HTTP/1.1 connection, every later response is matched to the wrong request. A
//! response about another order is detected, and the connections are replaced, except those of an HTTP client of your own. An error
//! does not name its order, so the client cannot detect that the error response to a write belongs to another request. The reads
//! that prove an outcome therefore use a new connection for each request. A list without the order is read twice, because an order may move
//! between its pages, and because an extra response on a connection between a proxy and the exchange delays the right one.
//!
//! An HTTP client of your own sends these reads over its pooled connections. Two more attempts are then made before a read proves that
//! something is absent or unchanged, but no number of reads excludes that each of them gets the response to another request. Build such a
//! client with `pool_max_idle_per_host(0)`, or use HTTP/2. If HTTP/2 is negotiated, which takes the feature `http2`, none of this can
//! happen, because each response carries the stream id of its request.
//!
//! # Restarts
//!
//! Choose the client order id yourself and save it before the order is sent. After a restart, [`Orders::find`] shows whether the order was
//! placed.

// Before the others, so that rustdoc lists the methods that place orders first and those that change an order second.
mod place;

mod change;

mod amendment;
mod cancel_batch;
mod conflict;
pub(crate) mod evidence;
mod grid;
mod location;
mod new_order;
mod order_ref;
mod outcome;
mod resting;
mod rules;
mod search;
mod unknown_change;
mod unknown_order;

#[cfg(feature = "ws")]
pub(crate) use self::location::has_ended;
pub use self::{
    amendment::Amendment,
    cancel_batch::CancelBatch,
    change::{ChangeOutcome, ChangeRequest},
    grid::{OffGrid, PriceGrid},
    new_order::NewOrder,
    order_ref::OrderRef,
    outcome::{OrderOutcome, PlacedOrder, Rejection},
    resting::RestingOrders,
    rules::{InvalidOrder, OrderGroupRef, OrderRules},
    search::{FindOrder, OrderLookup, Unresolved},
    unknown_change::{ChangeReconciliation, UnknownChange},
    unknown_order::{Reconciliation, UnknownOrder},
};

#[doc(inline)]
pub use kalshi_core::orders::{Decrease, InvalidExpiry};

use crate::{
    Client,
    types::{
        AmendOrderV2Request, AmendOrderV2Response, CreateOrderV2Request, CreateOrderV2Response,
    },
};

/// Places, changes and finds orders, with an explicit outcome for each. Returned by [`Client::orders`]; cheap to clone.
///
/// | Task | Method |
/// |---|---|
/// | Place orders | [`place`](Self::place), [`place_batch`](Self::place_batch) |
/// | Place orders after more checks, such as the price grid | [`place_with`](Self::place_with), [`place_batch_with`](Self::place_batch_with) |
/// | Change an order | [`amend`](Self::amend), [`amend_with`](Self::amend_with), [`decrease`](Self::decrease) |
/// | Cancel orders | [`cancel`](Self::cancel), [`cancel_batch`](Self::cancel_batch) |
/// | Find an order by its client order id | [`find`](Self::find) |
/// | List all resting orders, from up-to-date reads | [`resting`](Self::resting) |
#[derive(Clone, Debug)]
pub struct Orders {
    client: Client,
}

kalshi_core::orders_method!(Client -> Orders);
kalshi_core::order_messages!(
    CreateOrderV2Request,
    CreateOrderV2Response,
    AmendOrderV2Request,
    AmendOrderV2Response
);
