//! The WebSocket of the Trade API: typed messages, subscriptions and live order books.
//!
//! [`Client::websocket`](crate::Client::websocket) configures a [`Connection`]. A connection reconnects according to its
//! [`ReconnectPolicy`] and restores its subscriptions. It yields messages, interleaved with connection [`Event`]s. [`BookStream`] keeps
//! order books, and [`Backfill`] reads the fills and orders that were missed while the connection was lost. The
//! [guide](crate::guide::websocket) lists how each failure is handled.
//!
//! ```no_run
//! use kalshi_sdk::{Client, ws::{Channel, Event, Message}};
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let builder = client.websocket().channel(Channel::Trade).market("KXTEST-26-A");
//! let mut connection = builder.connect().await?;
//! while let Some(event) = connection.next().await {
//!     match event? {
//!         Event::Message(received) => match received.frame.message {
//!             Message::Trade(trade) => {
//!                 println!("{} at {}", trade.count_fp, trade.yes_price_dollars);
//!             }
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
//! | Task | Types |
//! |---|---|
//! | Receive messages | [`ConnectionBuilder`], [`Connection`], [`Event`], [`Received`], [`Message`] |
//! | Change what a connection is subscribed to | [`SubscribeBuilder`], [`Subscription`], [`ConnectionHandle`] |
//! | Keep order books | [`BookStream`], [`OrderBook`], [`BookEvent`], [`StaleReason`] |
//! | Keep order books from connections that the program reads itself | [`Books`], [`RedundantBooks`] |
//! | Recover missed fills and orders | [`Backfill`], [`Observation`], [`Missed`] |
//! | Set reconnection and queues | [`ReconnectPolicy`], [`Backpressure`] |
//! | Record and replay | [`RawFrame`], [`Frame`] |
//!
//! # Channels
//!
//! Every connection needs credentials, because the handshake is signed. [`market`](ConnectionBuilder::market) selects markets, and
//! [`params`](ConnectionBuilder::params) sets parameters. A channel of indices or underlyings sends nothing until some are selected.
//!
//! | [`Channel`] | Messages | Selection |
//! |---|---|---|
//! | `OrderbookDelta` | Snapshots of order books and their changes. [`BookStream`] adds this channel itself | markets, required |
//! | `Ticker` | Prices, volume and open interest of markets | markets, or all |
//! | `Trade` | Public trades | markets, or all |
//! | `Fill` | Your fills | markets, or all |
//! | `UserOrders` | Your orders, at each change | markets, or all |
//! | `MarketPositions` | Your positions, at each change | markets, or all |
//! | `OrderGroupUpdates` | Your order groups, at each change | always all |
//! | `Communications` | Requests for quotes, and quotes | parameter `user_filter` |
//! | `MarketLifecycleV2` | Markets and events: created, paused, closed, determined, settled | always all |
//! | `MultivariateMarketLifecycle` | The same for multivariate events (combos) | always all |
//! | `CfbenchmarksValue`, `CfbenchmarksValue5hz` | Values of CF Benchmarks indices | indices, by the parameter `index_ids` |
//! | `PythValue` | Prices and yields from Pyth, a paid feed | underlyings, by the parameter `underlying_tickers` |
//!
//! # Frames
//!
//! A message arrives in a [`Frame`]. [`Frame::parse`] never fails: a message of a type that the spec does not have is [`Message::Unknown`],
//! and one that could not be decoded is [`Message::Malformed`].
//!
//! ```
//! use kalshi_sdk::ws::{Frame, Message};
//!
//! let text = r#"{"type":"orderbook_delta","sid":2,"seq":3,"msg":{
//!     "market_ticker":"KXTEST-26-A","market_id":"m",
//!     "price_dollars":"0.5600","delta_fp":"-12.50","side":"yes"}}"#;
//! let frame = Frame::parse(text);
//! assert_eq!((frame.sid, frame.seq), (Some(2), Some(3)));
//! let Message::OrderbookDelta(delta) = frame.message else { panic!("{frame:?}") };
//! assert_eq!(delta.delta_fp.to_string(), "-12.50");
//! ```

mod api;
mod backfill;
mod book;
pub mod messages;
mod own_order;

pub use backfill::{Backfill, BackfillError, BackfillRows, Missed, Observation};
pub use book::{LevelDifference, OrderBook, PriceMode};
#[doc(inline)]
pub use messages::Message;
pub use own_order::OwnOrder;

use crate::{Client, TradeApi};

kalshi_core::websocket_types!(
    TradeApi,
    messages::SubscribeParamsChannels,
    messages::ErrorReply
);

/// Live order books of markets, over a connection that reconnects.
///
/// It applies the messages of the connection, requests snapshots after gaps, and returns a book only while it is live.
///
/// [`changed`](BookStream::changed) returns the markets whose books changed since the last call. Use it for quoting and for display:
///
/// ```no_run
/// use kalshi_sdk::{Client, OutcomeSide};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut books = client.websocket().market("KXTEST-26-A").books().await?;
/// while let Some(changes) = books.changed().await {
///     for market_ticker in &changes?.market_tickers {
///         match books.live(market_ticker) {
///             Some(book) => println!("{market_ticker}: {:?}", book.best_bid(OutcomeSide::Yes)),
///             None => println!("{market_ticker}: no book"),
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// [`next`](BookStream::next) returns every single change, for recorders. Do not quote on each of them: more changes arrive while an order
/// is being sent, so each decision lags further behind the book. Fills and orders of the same connection wait in the same queue.
///
/// ```no_run
/// use kalshi_sdk::{Client, OutcomeSide, ws::{BookEvent, BookUpdate}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut books = client.websocket().market("KXTEST-26-A").books().await?;
/// while let Some(update) = books.next().await {
///     match update? {
///         BookUpdate::Book(BookEvent::Stale { market_ticker, reason }) => {
///             println!("{market_ticker} is stale: {reason:?}");
///         }
///         BookUpdate::Book(event) => match books.live(event.market_ticker()) {
///             Some(book) => {
///                 let (bid, ask) = (book.best_bid(OutcomeSide::Yes), book.best_ask(OutcomeSide::Yes));
///                 println!("{bid:?} to {ask:?}");
///             }
///             None => println!("{} has no book at the moment", event.market_ticker()),
///         },
///         BookUpdate::Connection(event) => println!("{event:?}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub type BookStream = kalshi_core::ws::books::BookStream<TradeApi>;
/// The order books of one connection's subscriptions. They detect missed messages and resynchronise.
///
/// For programs that read a connection themselves, or a recording: pass each event to [`apply_event`](Books::apply_event), or each frame to
/// [`apply`](Books::apply). A [`BookStream`] does this over a connection of its own.
///
/// Subscribe with `use_yes_price(true)`: the exchange has announced that it will change the default.
///
/// ```
/// use kalshi_sdk::{OutcomeSide, ws::{Books, Frame, PriceMode}};
///
/// let mut books = Books::with_mode(PriceMode::YesPrices);
/// let snapshot = r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{
///     "market_ticker":"KXTEST-26-A","market_id":"m","no_dollars_fp":[["0.6000","5.00"]]}}"#;
/// books.apply(&Frame::parse(snapshot));
/// let book = books.live("KXTEST-26-A").unwrap();
/// assert_eq!(book.best_bid(OutcomeSide::No).unwrap().price, "0.40".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Books = kalshi_core::ws::books::Books<OrderBook>;
/// Order books of the same markets, merged from several connections. The loss of a message on one connection has no effect while the book
/// is live on another. Subscribe with `use_yes_price(true)`.
///
/// ```no_run
/// use kalshi_sdk::{Client, ws::{Channel, PriceMode, RedundantBooks}};
///
/// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let connect = || {
///     let builder = client.websocket().channel(Channel::OrderbookDelta).market("KXTEST-26-A");
///     builder.params(|params| params.use_yes_price(true)).connect()
/// };
/// let mut connections = [connect().await?, connect().await?];
/// let mut books = RedundantBooks::with_mode(connections.len(), PriceMode::YesPrices);
/// loop {
///     let [first, second] = &mut connections;
///     let (index, event) = tokio::select! {
///         event = first.next() => (0, event),
///         event = second.next() => (1, event),
///     };
///     // This example ends when either connection ends.
///     let Some(event) = event else { break };
///     for event in books.apply_event(index, &event?) {
///         println!("{event:?}");
///     }
///     // A notice on one connection may require snapshots on all of them.
///     for (index, connection) in connections.iter().enumerate() {
///         for request in books.drain_snapshot_requests(index) {
///             // If this fails, call `request_failed`. `poll_timeouts` requests overdue ones again.
///             let handle = connection.handle();
///             tokio::spawn(async move { handle.send_request(&request).await });
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub type RedundantBooks = kalshi_core::ws::books::RedundantBooks<OrderBook>;
/// A WebSocket connection to the Trade API. It reconnects and restores its subscriptions.
///
/// Made by [`ConnectionBuilder::connect`]. [`next`](Connection::next) returns its messages and events in the order of arrival; the connection
/// is also a `Stream` of the `futures` crates. Dropping it closes it.
pub type Connection = kalshi_core::ws::Connection<TradeApi>;
