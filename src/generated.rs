//! Code that `build.rs` generates from `openapi.yaml`: client, types, request builders and operation table.

include!(concat!(env!("OUT_DIR"), "/kalshi.rs"));
