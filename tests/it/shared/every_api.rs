//! Tests that every API crate includes, together with `kalshi-gen/tests/compiled/harness.rs`. Beyond what the harness needs,
//! `target` has:
//!
//! - `options`: the build script's options that change types of the REST spec;
//! - `RECORDED`: the folder of the API's recorded responses, relative to the one that `KALSHI_RECORDED` names.
#![allow(dead_code, reason = "not every crate uses every snapshot")]

mod absent_fields;
pub mod recorded;
pub mod snapshots;
mod table;
