//! Tests of the program `kalshi`, run as a process against a local exchange.

mod harness;
mod markets;
mod profiles;
mod reads;
mod recording;
mod terminal;
mod watch;
