//! What `build.rs` generated from `klear_openapi.yaml`: client, types, request builders, operation table.

include!(concat!(env!("OUT_DIR"), "/klear.rs"));
