//! Code that `build.rs` generates from `perps_openapi.yaml`: client, types, request builders and operation table.

include!(concat!(env!("OUT_DIR"), "/perps.rs"));
