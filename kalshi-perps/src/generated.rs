//! What `build.rs` generated from `perps_openapi.yaml`: client, types, request builders, operation table.

include!(concat!(env!("OUT_DIR"), "/perps.rs"));
