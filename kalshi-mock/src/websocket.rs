//! WebSocket connections, in layers. Each layer uses only those above it:
//!
//! 1. `frame`, `error`, `hash`: frames and error codes.
//! 2. `feeds`, `subscription`: channels and the subscriptions to them.
//! 3. `messages`: rendering of events, without side effects.
//! 4. `outbox`, `faults`, `socket`: output of one connection.
//! 5. `commands`, `tickers`: commands of one connection, and the ticker channel of all connections.
//! 6. `hub`: all connections.
//! 7. `handshake`, `timer`, `control`: server tasks, and the handle for tests.

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

pub use control::WebSockets;
#[cfg(feature = "perps")]
pub(crate) use frame::{market_id, milliseconds};
pub(crate) use handshake::handshake;
#[cfg(feature = "perps")]
pub(crate) use handshake::margin_handshake;
pub(crate) use hub::{Hub, Settings};
#[cfg(feature = "perps")]
pub(crate) use timer::send_tickers;
pub(crate) use timer::{run_timer, send_prices};
