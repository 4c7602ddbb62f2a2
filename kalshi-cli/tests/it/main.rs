//! Tests of the program `kalshi`, run as a process against a local exchange.

mod doctor;
#[cfg(unix)]
mod guard;
mod harness;
mod keys;
mod markets;
mod profiles;
