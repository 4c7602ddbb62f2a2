//! Orders that end in knowledge: placed, rejected, or known not to be known, and then found out.
//!
//! A request for an order that times out may have been executed. [`Client::place_order`](crate::Client::place_order) never says that
//! it was rejected then, and never sends it again: the outcome is [`Unknown`](OrderOutcome::Unknown), and
//! [`UnknownOutcome::reconcile`] finds out by the order's own id.
//!
//! ```no_run
//! # async fn example(client: kalshi_sdk::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use kalshi_sdk::{
//!     orders::{OrderOutcome, Reconciled},
//!     types::{BookSide, CreateOrderV2Request, SelfTradePreventionType, TimeInForce},
//! };
//!
//! let order = CreateOrderV2Request::builder()
//!     .ticker("KXHIGHNY-26DEC01-T45")
//!     .side(BookSide::Bid)
//!     .price("0.5600")
//!     .count("10")
//!     .time_in_force(TimeInForce::GoodTillCanceled)
//!     .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
//!     .try_into()?;
//! match client.place_order(order).await? {
//!     OrderOutcome::Placed(placed) => println!("{} rests {}", placed.order_id, placed.remaining_count),
//!     OrderOutcome::Rejected(refusal) => println!("no: {refusal}"),
//!     OrderOutcome::Unknown(unknown) => match unknown.reconcile(Duration::from_secs(60)).await {
//!         Reconciled::Placed(placed) => println!("{} is there after all", placed.order_id),
//!         Reconciled::NotFound => println!("it never was"),
//!         other => println!("not known yet: {other:?}"),
//!     },
//!     _ => {}
//! }
//! # Ok(())
//! # }
//! ```

mod change;
mod find;
mod grid;
mod key;
mod place;
mod rules;

pub use self::{
    change::{ChangeOutcome, ChangeReconciled, UnknownChange},
    grid::{OffGrid, PriceGrid},
    key::OrderKey,
    place::{OrderOutcome, PlacedOrder, Reconciled, UnknownOutcome},
    rules::{InvalidOrder, OrderGroupKey, OrderRules},
};
