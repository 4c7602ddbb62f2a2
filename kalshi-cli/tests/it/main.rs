//! Tests of the program `kalshi`, run as a process against a local exchange.

mod amending;
mod cancelling;
mod harness;
mod markets;
mod ordering;
mod portfolio;
mod profiles;
