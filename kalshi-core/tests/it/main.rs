//! Tests of kalshi-core that need no generated client.
#![allow(missing_docs, clippy::panic, clippy::unwrap_used)]

mod request_path;
