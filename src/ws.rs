//! The WebSocket of the Trade API: typed messages, subscriptions and live order books.
//!
//! [`Client::websocket`](crate::Client::websocket) configures a [`Connection`]. A lost connection is established again, as a
//! [`ReconnectPolicy`] says, and everything is subscribed to again; what happens to the connection is reported as an [`Event`] between
//! the messages. [`BookStream`] keeps order books, and [`Backfill`] reads the fills and orders that a lost connection did not deliver.
//!
//! ```no_run
//! use kalshi_sdk::{Client, ws::{Channel, Event, Message}};
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = client.websocket().channel(Channel::Trade).market("KXTEST-26-A").connect().await?;
//! while let Some(event) = connection.next().await {
//!     match event? {
//!         Event::Message(received) => match received.frame.message {
//!             Message::Trade(trade) => println!("{} at {}", trade.count_fp, trade.yes_price_dollars),
//!             other => println!("{}", other.kind()),
//!         },
//!         Event::Disconnected { reason } => println!("{reason}; reconnecting"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A message comes in a [`Frame`]. [`Frame::parse`] never fails: a message of a type that the spec does not have is
//! [`Message::Unknown`], and one that could not be decoded is [`Message::Malformed`].
//!
//! ```
//! use kalshi_sdk::ws::{Frame, Message};
//!
//! let text = r#"{"type":"orderbook_delta","sid":2,"seq":3,"msg":{"market_ticker":"KXTEST-26-A","market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1","price_dollars":"0.5600","delta_fp":"-12.50","side":"yes"}}"#;
//! let frame = Frame::parse(text);
//! assert_eq!((frame.sid, frame.seq), (Some(2), Some(3)));
//! let Message::OrderbookDelta(delta) = frame.message else { panic!("{frame:?}") };
//! assert_eq!(delta.delta_fp.to_string(), "-12.50");
//! ```

mod api;
mod backfill;
mod book;
mod book_event;
mod book_events;
mod book_stream;
mod books;
pub mod messages;
mod own_order;
mod redundant;

pub use backfill::{Backfill, BackfillError, BackfillRows, Missed, Observation};
pub use book::{BookError, LevelDifference, OrderBook, PriceMode};
pub use book_event::{BookEvent, StaleReason};
pub use book_events::BookEvents;
pub use book_stream::{BookStream, BookUpdate, Changes};
pub use books::Books;
#[doc(inline)]
pub use kalshi_core::{
    ladder::Sweep,
    ws::{
        Backpressure, CommandError, ConnectionError, ListedSubscription, MalformedMessage,
        RawFrame, ReconnectPolicy, SnapshotRequest, SubscriptionId, UnknownMessage,
    },
};
pub use messages::Message;
pub use own_order::OwnOrder;
pub use redundant::RedundantBooks;

use crate::{Client, TradeApi};

/// A channel of the WebSocket.
pub type Channel = messages::SubscribeParamsChannels;
/// A WebSocket connection.
pub type Connection = kalshi_core::ws::Connection<TradeApi>;
/// Configures a [`Connection`].
pub type ConnectionBuilder = kalshi_core::ws::ConnectionBuilder<TradeApi>;
/// Sends commands to a [`Connection`].
pub type ConnectionHandle = kalshi_core::ws::ConnectionHandle<TradeApi>;
/// Something that a [`Connection`] reports.
pub type Event = kalshi_core::ws::Event<Received>;
/// One frame of a [`Connection`].
pub type Frame = kalshi_core::ws::Frame<Message>;
/// A message as received.
pub type Received = kalshi_core::ws::Received<Message>;
/// Configures a [`Subscription`].
pub type SubscribeBuilder = kalshi_core::ws::SubscribeBuilder<TradeApi>;
/// A subscription to a channel.
pub type Subscription = kalshi_core::ws::Subscription<TradeApi>;
/// The messages of one [`Subscription`].
pub type SubscriptionStream = kalshi_core::ws::SubscriptionStream<TradeApi>;

/// # WebSocket
impl Client {
    /// Configures a WebSocket connection: choose channels and markets, then [`connect`](ConnectionBuilder::connect).
    ///
    /// The handshake is signed and uses this client's TLS and proxy, or its own HTTP client, which then has to speak HTTP/1.1 to the
    /// exchange. Middleware does not see the handshake, and it takes no tokens.
    pub fn websocket(&self) -> ConnectionBuilder {
        ConnectionBuilder::new(self)
    }
}

impl From<&messages::ErrorReply> for CommandError {
    fn from(error: &messages::ErrorReply) -> Self {
        let mut command_error = Self::new(error.code);
        command_error.message.clone_from(&error.msg);
        command_error
            .market_tickers
            .clone_from(&error.market_tickers);
        if let Some(ticker) = &error.market_ticker
            && !error.market_tickers.contains(ticker)
        {
            command_error.market_tickers.push(ticker.clone());
        }
        command_error
    }
}
