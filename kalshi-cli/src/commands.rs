//! The commands, one module each.

pub(crate) mod amend;
pub(crate) mod balance;
pub(crate) mod book;
pub(crate) mod call;
pub(crate) mod cancel;
pub(crate) mod candles;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod fills;
pub(crate) mod guard;
pub(crate) mod keys;
pub(crate) mod market;
pub(crate) mod markets;
pub(crate) mod operations;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod positions;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod series;
pub(crate) mod settlements;
pub(crate) mod trades;
pub(crate) mod watch;

mod estimate;
mod interrupt;
mod listing;
mod preview;
mod price;
mod tables;
mod time_args;
