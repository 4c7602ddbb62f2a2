//! Tests of the program `kalshi`, run as a process against a local exchange.

mod amend;
mod call;
mod cancel;
mod doctor;
#[cfg(unix)]
mod guard;
mod harness;
mod keys;
mod markets;
mod order;
mod portfolio;
mod profiles;
mod reads;
mod recording;
mod terminal;
mod watch;
