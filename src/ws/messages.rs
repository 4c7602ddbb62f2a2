//! The messages of the streams, as `asyncapi.yaml` has them.

#![allow(
    dead_code,
    reason = "which of these the generated code needs is up to the contract"
)]

include!(concat!(env!("OUT_DIR"), "/streams.rs"));
