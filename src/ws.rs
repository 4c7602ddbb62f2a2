//! The streams: what the exchange pushes over a WebSocket, typed.
//!
//! [`Client::stream`](crate::Client::stream) opens one. It [lasts](Stream): what is lost is connected to and subscribed to again,
//! and every such thing is an event between the messages. `Books` keeps order books by them.
//!
//! A message is a [`Frame`]: [`Frame::read`] makes one of its text. It never fails: what the contract does not have is
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

#[cfg(event_books)]
mod book;
#[cfg(event_books)]
mod book_event;
#[cfg(event_books)]
mod book_stream;
#[cfg(event_books)]
mod books;
mod driver;
mod envelope;
mod error;
mod frame;
mod handshake;
pub mod messages;
mod outlet;
#[cfg(event_books)]
mod redundant;
mod routes;
mod stream;
mod subscription;

#[cfg(event_books)]
pub use book::{BookError, LevelDifference, OrderBook, Outcome, Sweep};
#[cfg(event_books)]
pub use book_event::{BookEvent, SnapshotRequest, StaleReason};
#[cfg(event_books)]
pub use book_stream::{BookStream, BookUpdate};
#[cfg(event_books)]
pub use books::Books;
pub use error::{CommandError, StreamError};
pub use frame::{Frame, MalformedMessage, UnknownMessage};
pub use messages::Message;
pub use outlet::Backpressure;
#[cfg(event_books)]
pub use redundant::RedundantBooks;
pub use stream::{Received, Stream, StreamBuilder, StreamEvent, SubscriptionId};
pub use subscription::{Channel, StreamHandle, Subscribe, Subscription, SubscriptionStream};

pub(crate) use frame::is_told;
