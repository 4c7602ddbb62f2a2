//! Generates the types, the request builders and the operation table from `openapi.yaml`, and, with the feature `ws`, the
//! messages of the streams from `asyncapi.yaml`.

use std::{env, fs, path::PathBuf, process::ExitCode};

const CONTRACT: &str = "openapi.yaml";
const STREAMS: &str = "asyncapi.yaml";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={CONTRACT}");
    println!("cargo::rerun-if-changed={STREAMS}");
    let streams = || match env::var_os("CARGO_FEATURE_WS") {
        Some(_) => generate_streams(),
        None => Ok(()),
    };
    for (contract, result) in [(CONTRACT, generate()), (STREAMS, streams())] {
        if let Err(message) = result {
            println!("cargo::error={contract}: {}", message.replace('\n', " "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn generate_streams() -> Result<(), String> {
    let contract = fs::read_to_string(STREAMS).map_err(|error| error.to_string())?;
    let rust = kalshi_gen::generate_streams(&contract, kalshi_gen::Fixups::AllMustApply)
        .map_err(|error| error.to_string())?;
    // What keeps order books is there where the contract has those of events.
    println!("cargo::rustc-check-cfg=cfg(event_books)");
    let has = |name: &str, members: &[&str]| {
        let item = rust.split("pub struct ").find(|item| {
            item.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with('{'))
        });
        item.is_some_and(|item| {
            members
                .iter()
                .all(|member| item.contains(&format!("pub {member} :")))
        })
    };
    if has("OrderbookSnapshot", &["yes_dollars_fp", "no_dollars_fp"])
        && has("OrderbookDelta", &["price_dollars", "delta_fp", "side"])
    {
        println!("cargo::rustc-cfg=event_books");
    }
    write("streams.rs", &rust)
}

fn generate() -> Result<(), String> {
    let contract = fs::read_to_string(CONTRACT).map_err(|error| error.to_string())?;
    let rust = kalshi_gen::generate(&contract, kalshi_gen::Fixups::AllMustApply)
        .map_err(|error| error.to_string())?;
    // What stands on the orders of the Trade API is there where the contract has them.
    println!("cargo::rustc-check-cfg=cfg(event_orders)");
    let has = |name: &str| rust.contains(&format!("const {name} "));
    let orders = [
        "CREATE_ORDER_V2",
        "BATCH_CREATE_ORDERS_V2",
        "BATCH_CANCEL_ORDERS_V2",
        "AMEND_ORDER_V2",
        "DECREASE_ORDER_V2",
        "CANCEL_ORDER_V2",
    ];
    // Contracts up to 3.21 have those of before too, whose methods have the names.
    if orders.into_iter().all(has)
        && !["AMEND_ORDER", "DECREASE_ORDER", "CANCEL_ORDER"]
            .into_iter()
            .any(has)
    {
        println!("cargo::rustc-cfg=event_orders");
    }
    write("kalshi.rs", &rust)
}

fn write(name: &str, rust: &str) -> Result<(), String> {
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
    let path = PathBuf::from(directory).join(name);
    fs::write(&path, rust).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
