//! Order placement with explicit outcomes: placed, rejected or unknown; unknown outcomes can be reconciled.
//!
//! A request for an order that times out may have been executed. [`Orders::place`] never reports such an order as rejected and never sends
//! it again. Its outcome is [`Unknown`](OrderOutcome::Unknown). [`UnknownOrder::reconcile`] searches for the order by its client order
//! id, and [`UnknownOrder::resend`] sends it again with the same id, which the exchange rejects if the order was placed.
//!
//! ```no_run
//! # async fn example(client: kalshi_perps::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use kalshi_perps::orders::{NewOrder, OrderOutcome};
//!
//! // Buys 2 contracts for at most 6.2590 dollars each.
//! let order = NewOrder::buy("KXBTCPERP", "6.2590".parse()?, 2);
//! let outcome = client.orders().place(order).await?;
//! match outcome.reconciled(Duration::from_secs(60)).await {
//!     OrderOutcome::Placed(placed) | OrderOutcome::AlreadyExists(placed) => {
//!         println!("{} is {:?}", placed.order_id, placed.state());
//!     }
//!     OrderOutcome::Rejected(rejection) => println!("rejected: {rejection}"),
//!     // The order may still have been placed.
//!     other => println!("still unknown: {other:?}"),
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
//! | `Rejected` | An error in the exchange's format with status 2xx, 400, 401, 403, 404, 409, 410 or 422, whose code does not indicate a failure of the exchange or mean that the order of a change was not found, and no other attempt may have been processed |
//! | `AlreadyExists` | An error with the code `order_already_exists`, or a 409 without a code, and a list has a matching order under the client order id that you set |
//! | `Unlisted` | An error with the code `order_already_exists`, and the lists have no order under the client order id yet, or only orders that may be different ones |
//! | `AlreadyGone` | An error that means that the order was not found, and a read shows the order with nothing resting |
//! | `Unknown` | Anything else |
//!
//! An error means that the order was not found if it is a 404 or its code ends with `not_found`, except that a code about the user or the
//! balance is an ordinary rejection, and so is `market_not_found` with a 4xx status other than 404.
//!
//! # What cannot be proven
//!
//! Reads of this API lag behind its writes, sometimes by more than a minute, and no endpoint reports by how much. A list without an order,
//! or a 404 when reading it, may therefore mean that the order is not visible yet, so no method here reports that an order does not exist.
//! An order that a read shows as resting may have ended since. An order that has ended cannot change, so a single read proves its end.
//!
//! An order that is found with contracts resting although it is immediate-or-cancel or fill-or-kill was read before its execution. Its
//! outcome stays open until a read shows its fills.
//!
//! A cancel gets the same 404 for a filled order as for a cancelled one. Orders have no status: see [`OrderState`] for how it is derived.
//!
//! # Subaccounts
//!
//! If a request names no subaccount, the exchange lists or cancels the orders of all subaccounts, but cancels, amends or decreases a single
//! order only in the primary account. The methods here therefore ask for the subaccount: lists and [`Orders::cancel_all`] take
//! [`Subaccounts`], and an [`OrderRef`] contains that of its order. A [`NewOrder`] is placed in the primary account unless it names another
//! one. The generated methods do not require a subaccount.
//!
//! A key that is restricted to a subaccount uses that one wherever a request names none, and may name no other. An order that was placed
//! without a subaccount is cancelled, changed and looked up without one.
//!
//! # Restarts
//!
//! Choose the client order id yourself and save it before the order is sent. After a restart, [`Orders::find`] searches for the order. It
//! is safe to place the same order again with the same id: the exchange never places two orders with one id, even after the first has
//! ended.

// First, so that rustdoc lists the methods that place orders before those that change them.
mod place;

mod amendment;
mod change;
mod evidence;
mod invalid_order;
mod new_order;
mod order_ref;
mod outcome;
mod search;
mod state;
mod unknown_change;
mod unknown_order;

#[doc(inline)]
pub use kalshi_core::orders::{Decrease, InvalidExpiry};

pub use self::{
    amendment::Amendment,
    change::{CancelAllOutcome, ChangeOutcome, ChangeRequest},
    invalid_order::InvalidOrder,
    new_order::NewOrder,
    order_ref::{OrderRef, Subaccounts},
    outcome::{OrderOutcome, PlacedOrder, Rejection},
    search::{FindOrder, OrderLookup, Unresolved},
    state::OrderState,
    unknown_change::{ChangeReconciliation, UnknownChange},
    unknown_order::{Reconciliation, UnknownOrder},
};

use crate::{
    Client, builder,
    types::{
        AmendMarginOrderRequest, AmendMarginOrderResponse, CreateMarginOrderRequest,
        CreateMarginOrderResponse,
    },
};

/// Places, changes and finds orders, with an explicit outcome for each. Returned by [`Client::orders`]; cheap to clone.
///
/// | Task | Method |
/// |---|---|
/// | Place an order | [`place`](Self::place) |
/// | Change an order | [`amend`](Self::amend), [`decrease`](Self::decrease) |
/// | Cancel orders | [`cancel`](Self::cancel), [`cancel_all`](Self::cancel_all) |
/// | Find an order by its client order id | [`find`](Self::find) |
/// | List orders | [`list`](Self::list) |
#[derive(Clone, Debug)]
pub struct Orders {
    client: Client,
}

kalshi_core::orders_method!(Client -> Orders);
kalshi_core::order_messages!(
    CreateMarginOrderRequest,
    CreateMarginOrderResponse,
    AmendMarginOrderRequest,
    AmendMarginOrderResponse
);

/// # Listing orders
impl Orders {
    /// Returns a request for the orders of one subaccount or of all, newest first. The list lags behind writes, sometimes by more than a
    /// minute.
    pub fn list(&self, subaccounts: impl Into<Subaccounts>) -> builder::GetMarginOrders<'_> {
        self.client.margin_orders_of(subaccounts.into())
    }
}

impl Client {
    fn margin_orders_of(&self, subaccounts: Subaccounts) -> builder::GetMarginOrders<'_> {
        match subaccounts {
            Subaccounts::All => self.get_margin_orders(),
            Subaccounts::One(number) => self.get_margin_orders().subaccount(number),
        }
    }
}
