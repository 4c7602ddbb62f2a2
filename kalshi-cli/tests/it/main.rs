//! Tests of the program `kalshi`, run as a process against a local exchange.

mod call;
mod harness;
mod markets;
mod profiles;
