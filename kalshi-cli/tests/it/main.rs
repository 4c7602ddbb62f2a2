//! Tests of the program `kalshi`, run as a process against a local exchange.

mod amend;
mod call;
mod cancel;
mod doctor;
#[cfg(unix)]
mod guard;
mod harness;
mod keys;
mod market_data;
mod order;
mod portfolio;
mod profiles;
mod recording;
mod terminal;
mod watch;
