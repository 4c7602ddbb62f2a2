//! What `build.rs` made of `openapi.yaml`: types, request builders, the client's methods, the operation table.

include!(concat!(env!("OUT_DIR"), "/kalshi.rs"));
