//! Generates the client from `perps_openapi.yaml` and, with the feature `ws`, the WebSocket messages from `perps_asyncapi.yaml`.

use std::env;

use kalshi_gen::{FixupMode, Options, build_script};

/// Values of the enums that `BookSide` stands for.
const BOOK_SIDES: [&str; 2] = ["bid", "ask"];

fn main() {
    let rest = strict().marker("PerpsApi");
    build_script("perps_openapi.yaml", "perps.rs", &rest);
    if env::var_os("CARGO_FEATURE_WS").is_some() {
        build_script("perps_asyncapi.yaml", "websocket.rs", &strict());
    }
}

fn strict() -> Options {
    Options::new().fixups(FixupMode::Strict).enum_type(
        "BookSide",
        &BOOK_SIDES,
        "::kalshi_core::BookSide",
    )
}
