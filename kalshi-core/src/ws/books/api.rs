//! Traits by which an API crate describes its order books to the runtime.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};

use super::{Books, error::BookError};
use crate::{
    ClientOrderId,
    ws::{
        ConnectionBuilder, ConnectionError, MalformedMessage, Message, WebSocketApi,
        sequence::ReplicatedBook,
    },
};

/// An order book of one of the exchange's APIs, and the messages that update it.
///
/// API crates implement this trait. Programs see it only as the type parameter of [`Books`].
pub trait ApiBook: ReplicatedBook<Error = BookError> + Default + fmt::Debug {
    /// Messages of the API's WebSocket.
    type Message: Message;
    /// Body of a change of one level.
    type Delta;
    /// Body of a snapshot.
    type Snapshot;
    /// The way a subscription quotes prices, if its frames do not show it. `()` if the API has only one.
    type PriceMode: Copy + PartialEq + fmt::Debug;

    /// Price mode of subscriptions for which none was stated. `None` if it must be stated.
    const DEFAULT_MODE: Option<Self::PriceMode>;
    /// `type` of a message that contains a change.
    const DELTA: &'static str;
    /// `type` of a message that contains a snapshot.
    const SNAPSHOT: &'static str;
    /// `true` if messages of another channel change the levels of books. A loss on any channel then makes all books stale: a gap, dropped
    /// messages, an error that ends a subscription, or a subscription that was made again. [`Books::apply_event`] notices all of them.
    /// [`Books::apply`] sees only frames, so it does not notice gaps in other subscriptions.
    const HAS_NOTICES: bool = false;

    /// Classifies a message by its meaning for order books.
    fn read(message: &Self::Message) -> BookMessage<'_, Self>;

    /// Reads the change in a message that was sent at `sent_ms`, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the change is invalid for every book.
    fn read_change(
        delta: &Self::Delta,
        mode: Self::PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<Self::Change, BookError>;

    /// Reads the book in a message that was sent at `sent_ms`, in Unix milliseconds. The order of its levels does not matter.
    ///
    /// # Errors
    ///
    /// Returns an error if the levels do not form a valid book.
    fn read_snapshot(
        snapshot: &Self::Snapshot,
        mode: Self::PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<Self, BookError>;

    /// Returns the time of the latest change on the exchange's clock, or `None` if the exchange sent none.
    fn last_update(&self) -> Option<DateTime<Utc>>;
}

/// The meaning of a message for order books, as returned by [`ApiBook::read`].
#[derive(Debug)]
#[non_exhaustive]
pub enum BookMessage<'a, B: ApiBook> {
    /// A change of one level.
    Delta(BookBody<'a, B::Delta>),
    /// All levels of a market.
    Snapshot(BookBody<'a, B::Snapshot>),
    /// An acknowledgement, with the current markets of the subscription. Empty if it does not list them.
    Acknowledged(&'a [String]),
    /// An error, with the exchange's error code.
    Error(i64),
    /// The subscription has ended.
    Unsubscribed,
    /// A market has settled. Contains its ticker.
    Settled(Cow<'a, str>),
    /// A corporate action changed the levels or the ticker of the market. Contains the ticker before the change, or `None` if it cannot be
    /// read.
    Restated(Option<Cow<'a, str>>),
    /// A message that could not be decoded.
    Malformed(&'a MalformedMessage),
    /// A message of a type that is not in the spec.
    Unknown,
    /// A message unrelated to order books.
    Other,
}

/// A change or a snapshot of one market.
#[derive(Debug)]
pub struct BookBody<'a, T> {
    /// Ticker of the market.
    pub market_ticker: &'a str,
    /// The exchange's clock of the market, or `None` on APIs without one.
    pub clock: Option<i64>,
    /// Client order id of the user's own order that caused the change. `None` for orders of others.
    pub client_order_id: Option<&'a ClientOrderId>,
    /// Decoded body of the message.
    pub body: &'a T,
}

/// A WebSocket API with an order book channel.
///
/// API crates implement this trait. Programs see it only as a bound of [`BookStream`](super::BookStream).
pub trait OrderBookApi: WebSocketApi {
    /// The API's order book.
    type Book: ApiBook<Message = Self::Message>;

    /// The channel that delivers order books.
    const BOOK_CHANNEL: Self::Channel;

    /// Sets the parameters that a subscription to order books needs.
    ///
    /// # Errors
    ///
    /// Returns an error if order books cannot be maintained with a parameter of the builder.
    fn prepare_books(
        builder: ConnectionBuilder<Self>,
    ) -> Result<ConnectionBuilder<Self>, ConnectionError>;

    /// Returns an empty set of books for subscriptions with those parameters.
    fn new_books() -> Books<Self::Book>;
}
