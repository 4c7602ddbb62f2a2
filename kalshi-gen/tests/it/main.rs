//! Tests of the generator.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accepted;
mod compiled;
mod docs;
mod generate;
mod names;
mod nullable;
mod rejected;
mod scalars;
mod setters;
mod stray_keys;
mod streams;
