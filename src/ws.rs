//! The streams: what the exchange pushes over a WebSocket, typed.
//!
//! So far the messages, and a book to be kept by them. [`Frame::read`] makes one of the text of a frame. It never fails: what the contract does not have is
//! [`Message::Unknown`], and what cannot be read is [`Message::Malformed`].
//!
//! ```
//! use kalshi_sdk::ws::{Frame, Message};
//!
//! let text = r#"{"type":"orderbook_delta","sid":2,"seq":3,"msg":{"market_ticker":"KXTEST-26-A","market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1","price_dollars":"0.5600","delta_fp":"-12.50","side":"yes"}}"#;
//! let frame = Frame::read(text);
//! assert_eq!((frame.sid, frame.seq), (Some(2), Some(3)));
//! let Message::OrderbookDelta(delta) = frame.message else { panic!("{frame:?}") };
//! assert_eq!(delta.delta_fp.to_string(), "-12.50");
//! ```

mod book;
mod books;
mod frame;
pub mod messages;

pub use book::{BookError, OrderBook, Outcome, Sweep};
pub use books::{BookEvent, Books, SnapshotRequest, StaleReason};
pub use frame::{Frame, MalformedMessage, UnknownMessage};
pub use messages::Message;

pub(crate) use frame::is_told;
