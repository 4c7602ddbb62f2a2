//! The parts of this API that the tests shared by every API crate depend on.

use kalshi_gen::{FixupMode, Options};
use kalshi_sdk::{BookSide, OutcomeSide};
pub use kalshi_sdk::{Client, ClientBuilder, Environment, operation, types};

pub use crate::harness::signed::{
    assert_signed as assert_authenticated, assert_unsigned as assert_anonymous, with_credentials,
};

pub const SPEC: &str = include_str!("../../openapi.yaml");

pub const RECORDED: &str = "";

pub fn environment(base: &str) -> Environment {
    let websocket = base.replace("http://", "ws://");
    Environment::custom(
        &format!("{base}/trade-api/v2"),
        &format!("{websocket}/trade-api/ws/v2"),
    )
    .unwrap()
}

pub fn options() -> Options {
    options_for("OutcomeSide")
}

/// Returns the build script's options that change types. `outcome_side` is the spec's name of that type.
pub fn options_for(outcome_side: &str) -> Options {
    Options::new()
        .fixups(FixupMode::Strict)
        .enum_type(outcome_side, OutcomeSide::VALUES, "crate::OutcomeSide")
        .enum_type("BookSide", BookSide::VALUES, "::kalshi_core::BookSide")
}
