//! What `build.rs` generated from `openapi.yaml`: client, types, request builders, operation table.

include!(concat!(env!("OUT_DIR"), "/kalshi.rs"));
