//! Integration tests in one binary, which is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bearer;
mod common;
mod credentials;
mod encodings;
mod formats;
mod key_checks;
#[cfg(unix)]
mod key_files;
mod middleware;
mod properties;
mod secrets;
mod vectors;
mod verifier;
