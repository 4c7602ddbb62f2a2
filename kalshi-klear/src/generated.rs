//! Code that `build.rs` generates from `klear_openapi.yaml`: client, types, request builders and operation table.

include!(concat!(env!("OUT_DIR"), "/klear.rs"));
