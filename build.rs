//! Generates the client from `openapi.yaml` and, with the feature `ws`, the WebSocket messages from `asyncapi.yaml`.

use std::{env, fs, path::PathBuf, process::ExitCode};

use kalshi_gen::{FixupMode, Options};

fn main() -> ExitCode {
    // What the hand-written modules call by name: a spec without it fails the build with that name.
    let rest = Options::new()
        .fixups(FixupMode::Strict)
        .marker("TradeApi")
        .require_operations([
            "AmendOrderV2",
            "BatchCancelOrdersV2",
            "BatchCreateOrdersV2",
            "CancelOrderV2",
            "CreateOrderV2",
            "DecreaseOrderV2",
            "GetAccountApiLimits",
            "GetAccountEndpointCosts",
            "GetHistoricalOrders",
            "GetOrder",
            "GetOrders",
        ])
        .require_fields("Market", &["price_ranges"]);
    let websocket = Options::new()
        .fixups(FixupMode::Strict)
        .require_fields(
            "OrderbookSnapshot",
            &["market_ticker", "yes_dollars_fp", "no_dollars_fp", "clock"],
        )
        .require_fields(
            "OrderbookDelta",
            &[
                "market_ticker",
                "price_dollars",
                "delta_fp",
                "side",
                "clock",
            ],
        )
        .require_fields(
            "SubscribeParams",
            &["channels", "skip_ticker_ack", "use_yes_price"],
        )
        .require_fields("OkReply", &["market_tickers"]);
    let mut specs = vec![("openapi.yaml", "kalshi.rs", rest)];
    if env::var_os("CARGO_FEATURE_WS").is_some() {
        specs.push(("asyncapi.yaml", "websocket.rs", websocket));
    }
    for (spec, output, options) in specs {
        println!("cargo::rerun-if-changed={spec}");
        if let Err(message) = generate(spec, output, &options) {
            println!("cargo::error={spec}: {}", message.replace('\n', " "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn generate(spec: &str, output: &str, options: &Options) -> Result<(), String> {
    let text = fs::read_to_string(spec).map_err(|error| error.to_string())?;
    let generated = kalshi_gen::generate(&text, options).map_err(|error| error.to_string())?;
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
    let path = PathBuf::from(directory).join(output);
    fs::write(&path, generated.rust)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
