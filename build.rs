//! Generates the types, the request builders and the operation table from `openapi.yaml`, and, with the feature `ws`, the
//! messages of the WebSocket from `asyncapi.yaml`.

use std::{env, fs, path::PathBuf, process::ExitCode};

use kalshi_gen::{FixupMode, Generated, Options};

const SPEC: &str = "openapi.yaml";
const WEBSOCKET_SPEC: &str = "asyncapi.yaml";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={SPEC}");
    println!("cargo::rerun-if-changed={WEBSOCKET_SPEC}");
    let websocket = || match env::var_os("CARGO_FEATURE_WS") {
        Some(_) => generate_websocket(),
        None => Ok(()),
    };
    for (spec, result) in [(SPEC, generate_rest()), (WEBSOCKET_SPEC, websocket())] {
        if let Err(message) = result {
            println!("cargo::error={spec}: {}", message.replace('\n', " "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn generate_websocket() -> Result<(), String> {
    let generated = generate(WEBSOCKET_SPEC)?;
    // The order books exist where the spec has the messages they are made of.
    println!("cargo::rustc-check-cfg=cfg(event_books)");
    let has = |name: &str, fields: &[&str]| {
        let found = generated.types.iter().find(|found| found.name == name);
        found.is_some_and(|found| {
            fields
                .iter()
                .all(|field| found.fields.iter().any(|other| other == field))
        })
    };
    if has("OrderbookSnapshot", &["yes_dollars_fp", "no_dollars_fp"])
        && has("OrderbookDelta", &["price_dollars", "delta_fp", "side"])
    {
        println!("cargo::rustc-cfg=event_books");
    }
    write("streams.rs", &generated.rust)
}

fn generate_rest() -> Result<(), String> {
    let generated = generate(SPEC)?;
    // Order placement exists where the spec has the operations it calls.
    println!("cargo::rustc-check-cfg=cfg(event_orders)");
    let has = |id: &str| generated.operations.iter().any(|other| other.id == id);
    let orders = [
        "CreateOrderV2",
        "BatchCreateOrdersV2",
        "BatchCancelOrdersV2",
        "AmendOrderV2",
        "DecreaseOrderV2",
        "CancelOrderV2",
    ];
    // Specs up to 3.21 also have the older operations, whose methods have the names.
    if orders.into_iter().all(has)
        && !["AmendOrder", "DecreaseOrder", "CancelOrder"]
            .into_iter()
            .any(has)
    {
        println!("cargo::rustc-cfg=event_orders");
    }
    write("kalshi.rs", &generated.rust)
}

fn generate(path: &str) -> Result<Generated, String> {
    let spec = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let options = Options::new().fixups(FixupMode::Strict);
    kalshi_gen::generate(&spec, &options).map_err(|error| error.to_string())
}

fn write(name: &str, rust: &str) -> Result<(), String> {
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
    let path = PathBuf::from(directory).join(name);
    fs::write(&path, rust).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
