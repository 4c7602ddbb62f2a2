//! Snapshots of the WebSocket surface, the public API and defaulted fields. The shared `snapshots.rs` has the others.
//!
//! `UPDATE=1 cargo test -p kalshi-perps --test it snapshots` updates all of them.

use crate::{
    every_api::snapshots::{current, defaulted_fields_are_current, public_items_are_current},
    target,
};

const WEBSOCKET: &str = include_str!("../../perps_asyncapi.yaml");

#[test]
fn committed_message_surface_matches_the_spec() {
    current(
        "tests/generated/websocket.txt",
        &kalshi_gen::surface(WEBSOCKET, &target::options()).unwrap(),
    );
}

#[test]
fn committed_public_items_match_the_source() {
    public_items_are_current(&["src"], &[]);
}

#[test]
fn committed_defaulted_fields_match_the_specs() {
    defaulted_fields_are_current(&[target::SPEC, WEBSOCKET]);
}
