//! What is made from the specs and the source and committed is current; the rest is in `shared/snapshots.rs`.
//!
//! `UPDATE=1 cargo test --test it snapshots` brings all up to date.

use crate::{
    every_api::snapshots::{current, defaulted_fields_are_current, public_items_are_current},
    target,
};

const WEBSOCKET: &str = include_str!("../../asyncapi.yaml");

#[test]
fn committed_surface_of_messages_is_that_of_the_spec() {
    let options = target::options_for("MarketSide").enum_type(
        "UserOrderStatus",
        &["resting", "canceled", "executed", "unknown"],
        "crate::types::OrderStatus",
    );
    current(
        "tests/generated/websocket.txt",
        &kalshi_gen::surface(WEBSOCKET, &options).unwrap(),
    );
}

/// The hand-written public items of this crate and of kalshi-core, without the interface between the two.
#[test]
fn committed_public_items_are_those_of_the_source() {
    public_items_are_current(&["src", "kalshi-core/src"], &["kalshi-core/src/rt"]);
}

#[test]
fn defaulted_fields_decide_nothing_and_are_committed() {
    defaulted_fields_are_current(&[target::SPEC, WEBSOCKET]);
}
