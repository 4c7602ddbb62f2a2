//! Generates the types, the request builders and the operation table from `openapi.yaml`.

use std::{env, fs, path::PathBuf, process::ExitCode};

const CONTRACT: &str = "openapi.yaml";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={CONTRACT}");
    match generate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={CONTRACT}: {}", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn generate() -> Result<(), String> {
    let contract = fs::read_to_string(CONTRACT).map_err(|error| error.to_string())?;
    let rust = kalshi_gen::generate(&contract, kalshi_gen::Fixups::AllMustApply)
        .map_err(|error| error.to_string())?;
    let directory = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: cargo runs this script")?;
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
    let path = PathBuf::from(directory).join("kalshi.rs");
    fs::write(&path, rust).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
