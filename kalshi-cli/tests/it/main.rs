//! Tests of the program `kalshi`, run as a process against a local exchange.

#[cfg(unix)]
mod guard;
mod harness;
mod markets;
mod profiles;
