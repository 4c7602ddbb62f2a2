//! Snapshots of the public API and defaulted fields. The shared `snapshots.rs` has the others.
//!
//! `UPDATE=1 cargo test -p kalshi-klear --test it snapshots` updates all of them.

use crate::{
    shared_snapshots::{defaulted_fields_are_current, public_items_are_current},
    target,
};

#[test]
fn committed_public_items_match_the_source() {
    public_items_are_current(&["src"], &[]);
}

#[test]
fn committed_defaulted_fields_match_the_specs() {
    defaulted_fields_are_current(&[target::SPEC]);
}
