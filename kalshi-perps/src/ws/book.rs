//! An order book that is kept by snapshots and deltas, exactly.

use chrono::{DateTime, Utc};
use kalshi_core::{
    ladder::{Ladder, Sweep},
    ws::{
        books::{self, ApiBook, BookBody, BookError, BookMessage, Ladders},
        sequence::ReplicatedBook,
    },
};

use super::messages::{MarginCorporateAction, Message, OrderbookDelta, OrderbookSnapshot};
use crate::{BookSide, Contracts, Dollars, PriceLevel, types};

/// The bids and asks of one market. Prices are dollars for one contract, above zero and often above one dollar.
///
/// The exchange lists levels worst first, contrary to its spec. A book sorts them: all its methods return the best one first.
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

/// Contracts cost more than nothing.
fn check_price(price: Dollars) -> Result<(), BookError> {
    match Dollars::ZERO < price {
        true => Ok(()),
        false => Err(BookError::Price { price }),
    }
}

/// A level at which two books differ.
pub type LevelDifference = books::LevelDifference<BookSide>;

impl OrderBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The book of these levels, in any order. Levels without contracts are left out.
    #[must_use]
    pub fn from_levels(bids: &[PriceLevel], asks: &[PriceLevel]) -> Self {
        Self {
            ladders: Self::default().ladders.with_levels(bids, asks),
        }
    }

    /// The book of a message `orderbook_snapshot`.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has fewer than no contracts or is listed twice, or if a price is not above zero.
    pub fn from_snapshot(snapshot: &OrderbookSnapshot) -> Result<Self, BookError> {
        let (bids, asks) = (snapshot.bid.iter().copied(), snapshot.ask.iter().copied());
        let ladders = Self::default()
            .ladders
            .with_snapshot(bids, asks, check_price)?;
        Ok(Self { ladders })
    }

    /// Applies a message `orderbook_delta`.
    ///
    /// # Errors
    ///
    /// Returns an error as [`add`](Self::add) does.
    pub fn apply(&mut self, delta: &OrderbookDelta) -> Result<(), BookError> {
        self.ladders.apply(&read_change(delta)?)
    }

    /// Adds contracts to the level at a price, or removes them if `change` is negative. A level without contracts disappears.
    ///
    /// # Errors
    ///
    /// Returns an error if the level has fewer contracts than are removed, if the price is not above zero, or if the side is unknown.
    /// The book is unchanged then.
    pub fn add(
        &mut self,
        side: BookSide,
        price: Dollars,
        change: Contracts,
    ) -> Result<(), BookError> {
        check_price(price)?;
        self.ladders.add(side, price, change)
    }

    /// The levels of a side, best first. Empty for an unknown side.
    pub fn levels(&self, side: BookSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.ladders.levels(side)
    }

    /// The bids, highest price first.
    pub fn bids(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels(BookSide::Bid)
    }

    /// The asks, lowest price first.
    pub fn asks(&self) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.levels(BookSide::Ask)
    }

    /// The highest bid, or `None` if there is none.
    #[must_use]
    pub fn best_bid(&self) -> Option<PriceLevel> {
        self.bids().next()
    }

    /// The lowest ask, or `None` if there is none.
    #[must_use]
    pub fn best_ask(&self) -> Option<PriceLevel> {
        self.asks().next()
    }

    /// Contracts resting at a price; zero if the book has no such level.
    #[must_use]
    pub fn count_at(&self, side: BookSide, price: Dollars) -> Contracts {
        self.ladders.count_at(side, price)
    }

    /// The best ask minus the best bid, negative in a crossed book. `None` if a side is empty.
    #[must_use]
    pub fn spread(&self) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        ask.price.checked_sub(bid.price)
    }

    /// The middle of the best bid and the best ask. `None` if a side is empty.
    ///
    /// It is exact for prices of up to five decimals, and the exchange's have four. A sixth decimal may be rounded by half a millionth
    /// of a dollar.
    #[must_use]
    pub fn mid(&self) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid()?, self.best_ask()?);
        let mid = bid.price.micros().midpoint(ask.price.micros());
        Some(Dollars::from_micros(mid))
    }

    /// Returns `true` if the best bid reaches the best ask. The exchange would have traded them, so changes are missing.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.spread().is_some_and(|spread| spread <= Dollars::ZERO)
    }

    /// Returns `true` if the book has no levels.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ladders.is_empty()
    }

    /// Number of levels of a side.
    #[must_use]
    pub fn depth(&self, side: BookSide) -> usize {
        self.ladders.depth(side)
    }

    /// What buying `count` contracts takes from the asks, lowest price first. Fewer are filled if the book has fewer, or if the total
    /// overflows [`Dollars`].
    #[must_use]
    pub fn sweep_buy(&self, count: Contracts) -> Sweep {
        Sweep::from_levels(self.asks(), count)
    }

    /// What selling `count` contracts takes from the bids, highest price first. `cost` is what the bids pay in total.
    #[must_use]
    pub fn sweep_sell(&self, count: Contracts) -> Sweep {
        Sweep::from_levels(self.bids(), count)
    }

    /// The levels at which two books differ: bids, then asks, each from the highest price. Empty if the books are equal.
    ///
    /// Do not check a live book against the REST interface with it: that book was seen to stand still for hours.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<LevelDifference> {
        self.ladders.differences(&other.ladders)
    }

    /// Time of the latest change by the exchange's clock: `ts_ms` of the message `orderbook_delta`, or the time at which the exchange
    /// sent the message if it has none. `None` if the exchange sent no time. To compare it with the present, use
    /// [`BookStream::age`](super::BookStream::age).
    #[must_use]
    pub fn last_update(&self) -> Option<DateTime<Utc>> {
        self.ladders.last_update()
    }
}

/// The book as the REST interface has it. It may be old: it was seen to stand still for hours.
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

/// What a corporate action does to a book. One of an unknown type may have changed the levels, as a split does.
fn read_action(action: &MarginCorporateAction) -> BookMessage<'_, OrderBook> {
    match (&action.final_settlement, &action.ticker_change) {
        (Some(_), _) => BookMessage::Settled(&action.market_ticker),
        (None, Some(change)) => BookMessage::Restated(&change.old_ticker),
        (None, None) => BookMessage::Restated(&action.market_ticker),
    }
}
