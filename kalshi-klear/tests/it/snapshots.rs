//! What is made from the source and committed is current; the rest is in the shared `snapshots.rs`.
//!
//! `UPDATE=1 cargo test -p kalshi-klear --test it snapshots` brings all up to date.

use crate::{
    shared_snapshots::{defaulted_fields_are_current, public_items_are_current},
    target,
};

#[test]
fn committed_public_items_are_those_of_the_source() {
    public_items_are_current(&["src"], &[]);
}

#[test]
fn defaulted_fields_decide_nothing_and_are_committed() {
    defaulted_fields_are_current(&[target::SPEC]);
}
