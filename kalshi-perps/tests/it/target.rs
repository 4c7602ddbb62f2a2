//! The parts of this API that the tests shared by every API crate depend on.

use kalshi_gen::{FixupMode, Options};
use kalshi_perps::BookSide;
pub use kalshi_perps::{Client, ClientBuilder, Environment, operation, types};

pub use crate::harness::signed::{
    assert_signed as assert_authenticated, assert_unsigned as assert_anonymous, with_credentials,
};

pub const SPEC: &str = include_str!("../../perps_openapi.yaml");

pub const RECORDED: &str = "perps";

pub fn environment(base: &str) -> Environment {
    let websocket = base.replace("http://", "ws://");
    Environment::custom(
        &format!("{base}/trade-api/v2"),
        &format!("{websocket}/trade-api/ws/v2/margin"),
    )
    .unwrap()
}

/// Returns the build script's options that change types.
pub fn options() -> Options {
    Options::new().fixups(FixupMode::Strict).enum_type(
        "BookSide",
        BookSide::VALUES,
        "::kalshi_core::BookSide",
    )
}
