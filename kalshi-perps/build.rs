//! Generates the client from `perps_openapi.yaml` and, with the feature `ws`, the WebSocket messages from `perps_asyncapi.yaml`.

use std::env;

use kalshi_gen::{FixupMode, Options, build_script};

/// Values of the enums that `BookSide` stands for.
const BOOK_SIDES: [&str; 2] = ["bid", "ask"];

/// Fields of REST responses that the hand-written module `ws` uses. A spec without one fails the build by its name.
const BOOK_FIELDS: (&str, &[&str]) = ("MarginOrderbookCount", &["asks", "bids"]);

/// Fields of WebSocket messages and commands that hand-written modules use.
const WEBSOCKET_FIELDS: [(&str, &[&str]); 8] = [
    ("CorporateActionsDelta", &["corporate_action"]),
    (
        "ErrorReply",
        &["code", "market_ticker", "market_tickers", "msg"],
    ),
    (
        "MarginCorporateAction",
        &["final_settlement", "market_ticker", "ticker_change"],
    ),
    ("MarginCorporateActionTickerChangeTerms", &["old_ticker"]),
    ("OkReply", &["market_tickers"]),
    (
        "OrderbookDelta",
        &[
            "client_order_id",
            "delta",
            "market_ticker",
            "price",
            "side",
            "ts_ms",
        ],
    ),
    ("OrderbookSnapshot", &["ask", "bid", "market_ticker"]),
    ("SubscribeParams", &["channels", "skip_ticker_ack"]),
];

fn main() {
    let (name, fields) = BOOK_FIELDS;
    let rest = strict().marker("PerpsApi").require_fields(name, fields);
    build_script("perps_openapi.yaml", "perps.rs", &rest);
    if env::var_os("CARGO_FEATURE_WS").is_some() {
        let messages = WEBSOCKET_FIELDS.iter();
        let websocket = messages.fold(strict(), |options, (name, fields)| {
            options.require_fields(*name, fields)
        });
        build_script("perps_asyncapi.yaml", "websocket.rs", &websocket);
    }
}

fn strict() -> Options {
    Options::new().fixups(FixupMode::Strict).enum_type(
        "BookSide",
        &BOOK_SIDES,
        "::kalshi_core::BookSide",
    )
}
