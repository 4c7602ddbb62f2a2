//! WebSocket connections, in layers. Each uses those before it:
//!
//! 1. `frame`, `error`, `hash`: frames and the codes of errors.
//! 2. `feeds`, `subscription`: channels and the subscriptions to them.
//! 3. `messages`: pure rendering of events.
//! 4. `outbox`, `faults`, `socket`: what one connection sends.
//! 5. `commands`, `tickers`: what one connection receives, and the ticker channel across connections.
//! 6. `hub`: all connections.
//! 7. `handshake`, `timer`, `control`: tasks of the server, and the handle that tests hold.

mod commands;
mod control;
mod error;
mod faults;
mod feeds;
mod frame;
mod handshake;
mod hash;
mod hub;
mod messages;
mod outbox;
mod socket;
mod subscription;
mod tickers;
mod timer;

pub use control::Streams;
#[cfg(feature = "perps")]
pub(crate) use frame::{market_id, milliseconds};
pub(crate) use handshake::handshake;
#[cfg(feature = "perps")]
pub(crate) use handshake::margin_handshake;
pub(crate) use hub::{Hub, Settings};
#[cfg(feature = "perps")]
pub(crate) use timer::send_tickers;
pub(crate) use timer::{keep_time, send_prices};
