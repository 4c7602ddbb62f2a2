//! Tests of every API crate, which include this file and `kalshi-gen/tests/compiled/harness.rs`. `target` also has:
//!
//! - `options`, those options of the build script that change types of the REST spec;
//! - `RECORDED`, the folder of the API's recorded answers below the one that `KALSHI_RECORDED` names.
#![allow(dead_code, reason = "not every crate has every snapshot")]

mod absent_fields;
pub mod recorded;
pub mod snapshots;
mod table;
