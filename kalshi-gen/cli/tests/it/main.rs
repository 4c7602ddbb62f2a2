//! Tests of the maintainers' program and its library.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod diff;
mod generated_types;
mod program;
mod reported;
mod streams;
mod streams_diff;
mod vendor;
