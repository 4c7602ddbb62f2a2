//! The WebSocket of the perpetuals API: typed messages, subscriptions and live order books.
//!
//! [`Client::websocket`](crate::Client::websocket) configures a [`Connection`]. A connection reconnects according to its
//! [`ReconnectPolicy`] and restores its subscriptions. It yields messages, interleaved with connection [`Event`]s. [`BookStream`] keeps
//! order books. All channels require credentials, because the handshake is signed.
//!
//! ```no_run
//! use kalshi_perps::{Client, ws::{Channel, Event, Message}};
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let builder = client.websocket().channel(Channel::Trade).market("KXBTCPERP");
//! let mut connection = builder.connect().await?;
//! while let Some(event) = connection.next().await {
//!     match event? {
//!         Event::Message(received) => match received.frame.message {
//!             Message::Trade(trade) => println!("{} at {}", trade.count, trade.price),
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
//! # Channels
//!
//! [`market`](ConnectionBuilder::market) selects markets.
//!
//! | [`Channel`] | Messages | Selection |
//! |---|---|---|
//! | `OrderbookDelta` | Snapshots of order books and their changes. [`BookStream`] adds this channel itself | markets, required |
//! | `Ticker` | Prices, sizes, volume, open interest, mark prices and funding rate of markets | markets, or all |
//! | `Trade` | Public trades | markets, or all |
//! | `Fill` | Your fills | markets, or all |
//! | `UserOrders` | Your orders, at each change | markets, or all |
//! | `OrderGroupUpdates` | Your order groups, at each change | always all |
//! | `CorporateActions` | Splits, final settlements and ticker changes: see [below](#corporate-actions) | markets, or all |
//!
//! # Frames
//!
//! A message arrives in a [`Frame`]. [`Frame::parse`] never fails: a message of a type that the spec does not have is [`Message::Unknown`],
//! and one that could not be decoded is [`Message::Malformed`].
//!
//! ```
//! use kalshi_perps::ws::{Frame, Message};
//!
//! let text = r#"{"type":"orderbook_delta","sid":1,"seq":42,"msg":{
//!     "market_ticker":"KXBTCPERP","price":"6.3429","delta":"-12.50",
//!     "side":"bid","ts_ms":1781231146425}}"#;
//! let frame = Frame::parse(text);
//! assert_eq!((frame.sid, frame.seq), (Some(1), Some(42)));
//! let Message::OrderbookDelta(delta) = frame.message else { panic!("{frame:?}") };
//! assert_eq!(delta.delta.to_string(), "-12.50");
//! ```
//!
//! # Orders, positions and balances
//!
//! A `user_order` message has no status. The order rests while `remaining_count` is above zero. At zero it has ended: it was executed if
//! `fill_count` is the count that you last requested by placing, amending or decreasing it, and cancelled otherwise. `last_update_reason`
//! was absent from all recorded frames and does not distinguish a cancel from a decrease. An immediate-or-cancel order causes a single
//! message, which is final. Messages about an order may arrive before the response to its placement, and a `fill` after the `user_order` of
//! the same trade.
//!
//! ```
//! use kalshi_perps::{Contracts, ws::{Frame, Message}};
//!
//! let text = r#"{"type":"user_order","sid":1,"msg":{
//!     "order_id":"2e039a83-65aa-4a97-b698-91c705b1c270",
//!     "user_id":"764c7a5c-ef10-4e18-bcc4-ef413a01483a",
//!     "client_order_id":"a","ticker":"KXBTCPERP","side":"bid","price":"5.3829",
//!     "fill_count":"1.00","remaining_count":"0.00",
//!     "created_ts_ms":1781232436703,"order_source":"user"}}"#;
//! let Message::UserOrder(order) = Frame::parse(text).message else { panic!() };
//! let wanted = Contracts::from(2);
//! let has_ended = order.remaining_count == Contracts::ZERO;
//! assert!(has_ended && order.fill_count < wanted, "cancelled after one contract was filled");
//! ```
//!
//! No channel reports positions or balances. Read them again after a fill, and after a `corporate_actions_delta` message: a corporate
//! action can change them without a fill.
//!
//! # Corporate actions
//!
//! Subscribe to [`Channel::CorporateActions`] on the connection of the order books: a book whose market was split or renamed is then stale
//! until a new snapshot arrives, and the book of a market that has settled is removed. A subscription keeps the old ticker of a renamed
//! market and fails when it is restored after a reconnect, so add the new ticker and remove the old one.

mod api;
mod book;
pub mod messages;

pub use book::{LevelDifference, OrderBook};
#[doc(inline)]
pub use messages::Message;

use crate::{Client, PerpsApi};

kalshi_core::websocket_types!(
    PerpsApi,
    messages::SubscribeParamsChannels,
    messages::ErrorReply
);

/// Live order books of markets, over a connection that reconnects.
///
/// ```no_run
/// use kalshi_perps::Client;
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut books = client.websocket().market("KXBTCPERP").books().await?;
/// while let Some(changes) = books.changed().await {
///     for market_ticker in &changes?.market_tickers {
///         match books.live(market_ticker) {
///             Some(book) => {
///                 println!("{market_ticker}: {:?} to {:?}", book.best_bid(), book.best_ask());
///             }
///             None => println!("{market_ticker}: no book"),
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub type BookStream = kalshi_core::ws::books::BookStream<PerpsApi>;
/// The order books of one connection's subscriptions. They detect missed messages and resynchronise.
///
/// For programs that read a connection themselves, or a recording: pass each event to [`apply_event`](Books::apply_event), or each frame to
/// [`apply`](Books::apply). A [`BookStream`] does this over a connection of its own.
///
/// ```
/// use kalshi_perps::ws::{Books, Frame};
///
/// let mut books = Books::new();
/// let snapshot = r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{
///     "market_ticker":"KXBTCPERP","bid":[["6.3328","1.00"],["6.3329","5.00"]]}}"#;
/// books.apply(&Frame::parse(snapshot));
/// assert_eq!(books.live("KXBTCPERP").unwrap().best_bid().unwrap().price, "6.3329".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Books = kalshi_core::ws::books::Books<OrderBook>;
/// A WebSocket connection to the perpetuals API. It reconnects and restores its subscriptions.
///
/// Made by [`ConnectionBuilder::connect`]. [`next`](Connection::next) returns its messages and events in the order of arrival; the connection
/// is also a `Stream` of the `futures` crates. Dropping it closes it.
///
/// A connection counts as lost after [`idle_timeout`](ConnectionBuilder::idle_timeout) without a frame of any kind. Missing pings alone are
/// not a fault: the exchange pings quiet connections, and it sent no pings on the recorded connections to public channels.
pub type Connection = kalshi_core::ws::Connection<PerpsApi>;
/// Order books of the same markets, merged from several connections. The loss of a message on one connection has no effect while the book
/// is live on another.
///
/// Messages of this API do not show which of two live books is newer, so the book of one connection is returned for as long as it is live.
pub type RedundantBooks = kalshi_core::ws::books::RedundantBooks<OrderBook>;
