//! Description of an API's order books for the runtime.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Books, error::BookError};
use crate::{
    ClientOrderId,
    ws::{
        ConnectionBuilder, ConnectionError, MalformedMessage, Message, WebSocketApi,
        sequence::ReplicatedBook,
    },
};

/// An order book of one of the exchange's APIs, and the messages that make it.
///
/// API crates implement this for their order book; programs see it only as the parameter of [`Books`].
pub trait ApiBook: ReplicatedBook<Error = BookError> + Default + fmt::Debug {
    /// The messages of the API.
    type Message: Message;
    /// Body of a change of one level.
    type Delta;
    /// Body of a snapshot.
    type Snapshot;
    /// How a subscription quotes prices, where its frames do not say so. `()` if the API has one way.
    type PriceMode: Copy + PartialEq + fmt::Debug;

    /// The mode of subscriptions for which none was stated. `None` if one must be stated.
    const DEFAULT_MODE: Option<Self::PriceMode>;
    /// `type` of a message with a change.
    const DELTA: &'static str;
    /// `type` of a message with a snapshot.
    const SNAPSHOT: &'static str;

    /// Reads what a message says about order books.
    fn read(message: &Self::Message) -> BookMessage<'_, Self>;

    /// Reads the change in a message that was sent at `sent_ms`, in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// Returns an error if no book can have the change.
    fn read_change(
        delta: &Self::Delta,
        mode: Self::PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<Self::Change, BookError>;

    /// Reads the book in a message that was sent at `sent_ms`, in Unix milliseconds. The order of its levels does not matter.
    ///
    /// # Errors
    ///
    /// Returns an error if the levels are not those of a book.
    fn read_snapshot(
        snapshot: &Self::Snapshot,
        mode: Self::PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<Self, BookError>;

    /// Returns the time of the latest change by the exchange's clock, or `None` if the exchange sent none.
    fn last_update(&self) -> Option<DateTime<Utc>>;
}

/// The meaning of a message for order books.
#[derive(Debug)]
#[non_exhaustive]
pub enum BookMessage<'a, B: ApiBook> {
    /// A change of one level.
    Delta(BookBody<'a, B::Delta>),
    /// All levels of a market.
    Snapshot(BookBody<'a, B::Snapshot>),
    /// An acknowledgement, with the markets that the subscription has now. Empty if it does not list them.
    Acknowledged(&'a [String]),
    /// An error with this code.
    Error(i64),
    /// The subscription has ended.
    Unsubscribed,
    /// The market has settled.
    Settled(&'a str),
    /// Something other than orders changed the levels or the ticker of the market.
    Restated(&'a str),
    /// A message that could not be decoded.
    Malformed(&'a MalformedMessage),
    /// A message of a type that the spec does not have.
    Unknown,
    /// A message that is not about order books.
    Other,
}

/// A change or a snapshot of one market.
#[derive(Debug)]
pub struct BookBody<'a, T> {
    /// Ticker of the market.
    pub market_ticker: &'a str,
    /// The exchange's clock of the market, on APIs that have one.
    pub clock: Option<i64>,
    /// Client order id of the user's order behind a change.
    pub client_order_id: Option<&'a ClientOrderId>,
    /// The body of the message.
    pub body: &'a T,
}

/// A WebSocket by which order books are kept.
pub trait BookApi: WebSocketApi {
    /// An order book of the API.
    type Book: ApiBook<Message = Self::Message>;

    /// The channel of order books.
    const BOOK_CHANNEL: Self::Channel;

    /// Sets the parameters that a subscription to order books needs.
    ///
    /// # Errors
    ///
    /// Returns an error if books cannot be kept with a parameter of the builder.
    fn prepare_books(
        builder: ConnectionBuilder<Self>,
    ) -> Result<ConnectionBuilder<Self>, ConnectionError>;

    /// Returns the books of subscriptions with those parameters, without any market.
    fn new_books() -> Books<Self::Book>;
}
