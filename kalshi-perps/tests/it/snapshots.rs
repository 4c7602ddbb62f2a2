//! What is made from the specs and the source and committed is current; the rest is in the shared `snapshots.rs`.
//!
//! `UPDATE=1 cargo test -p kalshi-perps --test it snapshots` brings all up to date.

use crate::{
    every_api::snapshots::{current, defaulted_fields_are_current, public_items_are_current},
    target,
};

const WEBSOCKET: &str = include_str!("../../perps_asyncapi.yaml");

#[test]
fn committed_surface_of_messages_is_that_of_the_spec() {
    current(
        "tests/generated/websocket.txt",
        &kalshi_gen::surface(WEBSOCKET, &target::options()).unwrap(),
    );
}

#[test]
fn committed_public_items_are_those_of_the_source() {
    public_items_are_current(&["src"], &[]);
}

#[test]
fn defaulted_fields_decide_nothing_and_are_committed() {
    defaulted_fields_are_current(&[target::SPEC, WEBSOCKET]);
}
