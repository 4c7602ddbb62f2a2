//! The order book of a market, kept from snapshots and deltas in exact arithmetic.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use kalshi_core::{
    ladder::{Ladder, Sweep},
    ws::{
        books::{self, ApiBook, BookBody, BookError, BookMessage, Ladders},
        sequence::ReplicatedBook,
    },
};
use serde::Deserialize;

use super::messages::{MarginCorporateAction, Message, OrderbookDelta, OrderbookSnapshot};
use crate::{BookSide, Contracts, Dollars, PriceLevel, types};

/// The bids and asks of one market. Prices are in dollars per contract, above zero and often above one dollar.
///
/// The exchange lists the worst level first, contrary to its spec. All methods of the book return the best level first.
///
/// ```
/// use kalshi_perps::{BookSide, Contracts, ws::OrderBook};
///
/// let mut book = OrderBook::new();
/// book.add(BookSide::Bid, "6.3329".parse()?, "100".parse()?)?;
/// book.add(BookSide::Ask, "6.3410".parse()?, "20".parse()?)?;
/// book.add(BookSide::Ask, "6.3416".parse()?, "30".parse()?)?;
/// assert_eq!(book.best_ask().unwrap().price, "6.3410".parse()?);
/// assert_eq!(book.spread(), Some("0.0081".parse()?));
///
/// // Buying 30 takes 20 at 6.3410 and 10 at 6.3416.
/// let sweep = book.sweep_buy("30".parse()?);
/// assert_eq!((sweep.filled, sweep.cost), (Contracts::from(30), "190.2360".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Books with the same levels are equal, regardless of [`last_update`](Self::last_update).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBook {
    ladders: Ladders<BookSide>,
}

impl Default for OrderBook {
    fn default() -> Self {
        let (bids, asks) = (Ladder::bids(), Ladder::asks());
        Self {
            ladders: Ladders::new([(BookSide::Bid, bids), (BookSide::Ask, asks)]),
        }
    }
}

type LevelChange = books::LevelChange<BookSide>;

fn read_change(delta: &OrderbookDelta) -> Result<LevelChange, BookError> {
    if let BookSide::Unknown(_) = delta.side {
        return Err(BookError::UnknownSide);
    }
    check_price(delta.price)?;
    Ok(LevelChange {
        side: delta.side,
        price: delta.price,
        change: delta.delta,
        at_ms: delta.ts_ms,
    })
}

/// Checks that a price is above zero.
fn check_price(price: Dollars) -> Result<(), BookError> {
    match Dollars::ZERO < price {
        true => Ok(()),
        false => Err(BookError::Price { price }),
    }
}

/// A level at which two books differ: its side and price, and the contracts in each book.
pub type LevelDifference = books::LevelDifference<BookSide>;

impl OrderBook {
    /// Returns an empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the book of these levels, in any order. Levels without contracts are left out.
    #[must_use]
    pub fn from_levels(bids: &[PriceLevel], asks: &[PriceLevel]) -> Self {
        Self {
            ladders: Self::default().ladders.with_levels(bids, asks),
        }
    }

    /// Returns the book of an `orderbook_snapshot` message.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has a negative count or is listed twice, or if a price is not above zero.
    pub fn from_snapshot(snapshot: &OrderbookSnapshot) -> Result<Self, BookError> {
        let (bids, asks) = (snapshot.bid.iter().copied(), snapshot.ask.iter().copied());
        let ladders = Self::default()
            .ladders
            .with_snapshot(bids, asks, check_price)?;
        Ok(Self { ladders })
    }

    /// Applies an `orderbook_delta` message.
    ///
    /// # Errors
    ///
    /// Returns an error for the reasons of [`add`](Self::add).
    pub fn apply(&mut self, delta: &OrderbookDelta) -> Result<(), BookError> {
        self.ladders.apply(&read_change(delta)?)
    }

    /// Adds contracts to the level at a price, or removes them if `change` is negative. A level without contracts is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the level has fewer contracts than are removed, if the price is not above zero, or if the side is unknown. The
    /// book is then unchanged.
    pub fn add(
        &mut self,
        side: BookSide,
        price: Dollars,
        change: Contracts,
    ) -> Result<(), BookError> {
        check_price(price)?;
        self.ladders.add(side, price, change)
    }

    /// Returns the levels of a side, best first. Empty for an unknown side.
    pub fn levels(&self, side: BookSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.ladders.levels(side)
    }

    /// Returns the bids, highest price first.
    pub fn bids(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels(BookSide::Bid)
    }

    /// Returns the asks, lowest price first.
    pub fn asks(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels(BookSide::Ask)
    }

    /// Returns the highest bid, or `None` if there are no bids.
    #[must_use]
    pub fn best_bid(&self) -> Option<PriceLevel> {
        self.bids().next()
    }

    /// Returns the lowest ask, or `None` if there are no asks.
    #[must_use]
    pub fn best_ask(&self) -> Option<PriceLevel> {
        self.asks().next()
    }

    /// Returns the contracts resting at a price, or zero if the book has no such level.
    #[must_use]
    pub fn count_at(&self, side: BookSide, price: Dollars) -> Contracts {
        self.ladders.count_at(side, price)
    }

    /// Returns the best ask minus the best bid. Zero or negative in a crossed book; `None` if a side is empty.
    #[must_use]
    pub fn spread(&self) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        ask.price.checked_sub(bid.price)
    }

    /// Returns the midpoint of the best bid and the best ask, or `None` if a side is empty.
    ///
    /// The midpoint is exact for prices with up to five decimal places; those of the exchange have four. With six decimal places it may be
    /// off by half a millionth of a dollar.
    #[must_use]
    pub fn mid(&self) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        let mid = bid.price.micros().midpoint(ask.price.micros());
        Some(Dollars::from_micros(mid))
    }

    /// Returns `true` if the best bid is at or above the best ask. The exchange would have matched the two, so a message was missed.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.spread().is_some_and(|spread| spread <= Dollars::ZERO)
    }

    /// Returns `true` if the book has no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ladders.is_empty()
    }

    /// Returns the number of levels of a side. Zero for an unknown side.
    #[must_use]
    pub fn depth(&self, side: BookSide) -> usize {
        self.ladders.depth(side)
    }

    /// Returns the contracts and the cost of buying `count` contracts from the asks, lowest price first. Fewer are filled if the book has
    /// fewer, or if the total would overflow [`Dollars`].
    #[must_use]
    pub fn sweep_buy(&self, count: Contracts) -> Sweep {
        Sweep::from_levels(self.asks(), count)
    }

    /// Returns the contracts and the proceeds of selling `count` contracts to the bids, highest price first. `cost` is the total that the
    /// bids pay.
    #[must_use]
    pub fn sweep_sell(&self, count: Contracts) -> Sweep {
        Sweep::from_levels(self.bids(), count)
    }

    /// Returns the levels at which two books differ: bids first, then asks, each from the highest price down. Empty if the books are equal.
    ///
    /// Do not use it to check a live book against the REST API, whose book has been observed to be hours old.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<LevelDifference> {
        self.ladders.differences(&other.ladders)
    }

    /// Returns the time of the latest change by the exchange's clock: `ts_ms` of the `orderbook_delta` message, or else the time at which
    /// the exchange sent the message. `None` if the exchange sent no time. To compare it with the present, use
    /// [`BookStream::age`](super::BookStream::age).
    #[must_use]
    pub fn last_update(&self) -> Option<DateTime<Utc>> {
        self.ladders.last_update()
    }
}

/// Converts a book of the REST API, which has been observed to be hours old.
impl From<&types::MarginOrderbookCount> for OrderBook {
    fn from(book: &types::MarginOrderbookCount) -> Self {
        Self::from_levels(&book.bids, &book.asks)
    }
}

impl ReplicatedBook for OrderBook {
    type Change = LevelChange;
    type Error = BookError;

    fn apply_change(&mut self, change: &LevelChange) -> Result<(), BookError> {
        self.ladders.apply(change)
    }

    fn is_crossed(&self) -> bool {
        Self::is_crossed(self)
    }
}

impl ApiBook for OrderBook {
    type Message = Message;
    type Delta = OrderbookDelta;
    type Snapshot = OrderbookSnapshot;
    type PriceMode = ();

    const DEFAULT_MODE: Option<()> = Some(());
    const DELTA: &'static str = "orderbook_delta";
    const SNAPSHOT: &'static str = "orderbook_snapshot";
    const HAS_NOTICES: bool = true;

    fn read(message: &Message) -> BookMessage<'_, Self> {
        match message {
            Message::OrderbookDelta(delta) => BookMessage::Delta(BookBody {
                market_ticker: &delta.market_ticker,
                clock: None,
                client_order_id: delta.client_order_id.as_ref(),
                body: delta,
            }),
            Message::OrderbookSnapshot(snapshot) => BookMessage::Snapshot(BookBody {
                market_ticker: &snapshot.market_ticker,
                clock: None,
                client_order_id: None,
                body: snapshot,
            }),
            Message::OkReply(reply) => BookMessage::Acknowledged(&reply.market_tickers),
            Message::ErrorReply(error) => BookMessage::Error(error.code),
            Message::UnsubscribedReply => BookMessage::Unsubscribed,
            Message::CorporateActionsDelta(notice) => read_action(&notice.corporate_action),
            Message::Malformed(malformed) if malformed.kind.as_deref().is_some_and(is_action) => {
                read_malformed_action(&malformed.raw)
            }
            Message::Unknown(unknown) if is_action(&unknown.kind) => {
                read_malformed_action(&unknown.raw)
            }
            Message::Malformed(malformed) => BookMessage::Malformed(malformed),
            Message::Unknown(_) => BookMessage::Unknown,
            _ => BookMessage::Other,
        }
    }

    fn read_change(
        delta: &OrderbookDelta,
        (): (),
        sent_ms: Option<i64>,
    ) -> Result<LevelChange, BookError> {
        read_change(delta).map(|change| change.sent_at(sent_ms))
    }

    fn read_snapshot(
        snapshot: &OrderbookSnapshot,
        (): (),
        sent_ms: Option<i64>,
    ) -> Result<Self, BookError> {
        let book = Self::from_snapshot(snapshot)?;
        Ok(Self {
            ladders: book.ladders.updated_at(sent_ms),
        })
    }

    fn last_update(&self) -> Option<DateTime<Utc>> {
        self.last_update()
    }
}

/// Returns the effect of a corporate action on a book. An action of an unknown type may have changed the levels, as a split does.
fn read_action(action: &MarginCorporateAction) -> BookMessage<'_, OrderBook> {
    match (&action.final_settlement, &action.ticker_change) {
        (Some(_), _) => BookMessage::Settled((&*action.market_ticker).into()),
        (None, Some(change)) => BookMessage::Restated(Some((&*change.old_ticker).into())),
        (None, None) => BookMessage::Restated(Some((&*action.market_ticker).into())),
    }
}

/// Returns `true` if messages of this type report corporate actions. The spec has only `corporate_actions_delta`.
fn is_action(kind: &str) -> bool {
    kind.starts_with("corporate_action")
}

/// Returns the effect of a corporate action that could not be decoded: any may have changed the levels.
fn read_malformed_action(raw: &str) -> BookMessage<'static, OrderBook> {
    #[derive(Deserialize)]
    struct Outer {
        msg: Notice,
    }
    #[derive(Deserialize)]
    struct Notice {
        corporate_action: Action,
    }
    #[derive(Deserialize)]
    struct Action {
        market_ticker: String,
        ticker_change: Option<TickerChange>,
    }
    #[derive(Deserialize)]
    struct TickerChange {
        old_ticker: String,
    }
    let notice = serde_json::from_str::<Outer>(raw).ok();
    let ticker = notice.map(|Outer { msg }| {
        let Action {
            market_ticker,
            ticker_change,
        } = msg.corporate_action;
        ticker_change.map_or(market_ticker, |change| change.old_ticker)
    });
    BookMessage::Restated(ticker.map(Cow::Owned))
}
