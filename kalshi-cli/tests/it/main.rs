//! Tests of the program `kalshi`, run as a process against a local exchange.

mod amending;
mod call;
mod cancelling;
mod doctor;
#[cfg(unix)]
mod guard;
mod harness;
mod keys;
mod markets;
mod ordering;
mod portfolio;
mod profiles;
mod reads;
mod recording;
mod terminal;
mod watch;
