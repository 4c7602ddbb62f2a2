//! The order book of a market, kept from snapshots and deltas in exact arithmetic.

use chrono::{DateTime, Utc};
use kalshi_core::{
    ladder::{Ladder, Sweep},
    ws::{
        MalformedMessage,
        books::{self, ApiBook, BookBody, BookError, BookMessage, Ladders},
        sequence::ReplicatedBook,
    },
};
use serde::Deserialize;

use super::messages::{
    MarketLifecycleV2EventType, Message, MultivariateMarketLifecycleEventType, OrderbookDelta,
    OrderbookSnapshot,
};
use crate::{Contracts, Dollars, OutcomeSide, PriceLevel};

/// The bids of one market, for YES and for NO. The exchange has no asks: a bid for NO at 0.40 is an ask for YES at 0.60.
///
/// A [`BookStream`](super::BookStream) keeps it up to date. [`from_bids`](Self::from_bids) makes one from a response of the REST API.
///
/// ```
/// use kalshi_sdk::{Contracts, Dollars, OutcomeSide, ws::OrderBook};
///
/// let mut book = OrderBook::new();
/// book.add(OutcomeSide::Yes, "0.40".parse()?, "100".parse()?)?;
/// book.add(OutcomeSide::No, "0.55".parse()?, "20".parse()?)?;
/// book.add(OutcomeSide::No, "0.54".parse()?, "30".parse()?)?;
/// assert_eq!(book.best_ask(OutcomeSide::Yes).unwrap().price, "0.45".parse()?);
/// assert_eq!(book.spread(), Some("0.05".parse()?));
///
/// // Buying 30 YES takes 20 at 0.45 and 10 at 0.46.
/// let sweep = book.sweep(OutcomeSide::Yes, "30".parse()?);
/// assert_eq!((sweep.filled, sweep.cost), (Contracts::from(30), "13.60".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Books with the same levels are equal, regardless of [`last_update`](Self::last_update).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBook {
    /// The bids for each outcome.
    bids: Ladders<OutcomeSide>,
}

impl Default for OrderBook {
    fn default() -> Self {
        let (yes, no) = (Ladder::bids(), Ladder::bids());
        Self {
            bids: Ladders::new([(OutcomeSide::Yes, yes), (OutcomeSide::No, no)]),
        }
    }
}

/// Prices at which a subscription to `orderbook_delta` quotes NO levels: its parameter `use_yes_price`.
///
/// A frame does not show its mode, so the subscriber has to state it. The exchange has announced that `true` becomes the default and then
/// the only mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PriceMode {
    /// `use_yes_price: true`: a bid for NO at 0.40 is quoted at 0.60.
    YesPrices,
    /// `use_yes_price: false`: a bid for NO at 0.40 is quoted at 0.40.
    NoPrices,
}

impl PriceMode {
    /// Returns the NO price of a level on the NO side.
    fn no_price(self, quoted: Dollars) -> Dollars {
        match self {
            Self::YesPrices => complement(quoted),
            Self::NoPrices => quoted,
        }
    }
}

/// A change of one level, with its price in terms of its outcome.
type LevelChange = books::LevelChange<OutcomeSide>;

fn read_change(delta: &OrderbookDelta, mode: PriceMode) -> Result<LevelChange, BookError> {
    let price = match delta.side {
        OutcomeSide::Yes => delta.price_dollars,
        OutcomeSide::No => mode.no_price(delta.price_dollars),
        OutcomeSide::Unknown(_) => return Err(BookError::UnknownSide),
    };
    check_price(price)?;
    Ok(LevelChange {
        side: delta.side,
        price,
        change: delta.delta_fp,
        at_ms: delta.ts_ms,
    })
}

/// Checks that a price is above 0 and below 1 dollar.
fn check_price(price: Dollars) -> Result<(), BookError> {
    match Dollars::ZERO < price && price < Dollars::ONE {
        true => Ok(()),
        false => Err(BookError::Price { price }),
    }
}

/// A level at which two books differ. `side` is the outcome whose bids differ, and `price` is in terms of that outcome.
pub type LevelDifference = books::LevelDifference<OutcomeSide>;

/// Returns one dollar minus a price. [`OrderBook::from_bids`] does not check levels, so any price is possible.
pub(super) fn complement(price: Dollars) -> Dollars {
    let max = Dollars::from_micros(i64::MAX);
    price.checked_complement().unwrap_or(max)
}

fn complement_level(level: PriceLevel) -> PriceLevel {
    PriceLevel {
        price: complement(level.price),
        count: level.count,
    }
}

impl OrderBook {
    /// Returns an empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the book of these bids, for example those of `get_market_orderbook`. The levels are not checked.
    #[must_use]
    pub fn from_bids(yes: &[PriceLevel], no: &[PriceLevel]) -> Self {
        Self {
            bids: Self::default().bids.with_levels(yes, no),
        }
    }

    /// Adds contracts to an outcome's bids at a price, or removes them if `change` is negative. A level without contracts is removed.
    ///
    /// # Errors
    ///
    /// Returns an error if the level has fewer contracts than are removed, if the price is not above 0 and below 1 dollar, or if the
    /// outcome is unknown. The book is then unchanged.
    pub fn add(
        &mut self,
        outcome: OutcomeSide,
        price: Dollars,
        change: Contracts,
    ) -> Result<(), BookError> {
        check_price(price)?;
        self.bids.add(outcome, price, change)
    }

    /// Applies a delta of the channel `orderbook_delta`, from a subscription of this mode.
    ///
    /// # Errors
    ///
    /// Returns an error for the reasons of [`add`](Self::add).
    pub fn apply(&mut self, delta: &OrderbookDelta, mode: PriceMode) -> Result<(), BookError> {
        self.bids.apply(&read_change(delta, mode)?)
    }

    /// Returns the book of a snapshot of the channel `orderbook_delta`, from a subscription of this mode.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has a negative count or is listed twice, or if a price is not above 0 and below 1 dollar.
    pub fn from_snapshot(snapshot: &OrderbookSnapshot, mode: PriceMode) -> Result<Self, BookError> {
        let no_level = |level: &PriceLevel| PriceLevel {
            price: mode.no_price(level.price),
            count: level.count,
        };
        let yes = snapshot.yes_dollars_fp.iter().copied();
        let no = snapshot.no_dollars_fp.iter().map(no_level);
        let bids = Self::default().bids.with_snapshot(yes, no, check_price)?;
        Ok(Self { bids })
    }

    /// Returns all bids for an outcome, best first. Empty for an unknown outcome.
    pub fn bids(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.bids.levels(outcome)
    }

    /// Returns all asks for an outcome, best first: the bids for the other outcome, each at one dollar minus its price.
    pub fn asks(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.bids(outcome.opposite()).map(complement_level)
    }

    /// Returns the contracts bid for an outcome at one of its prices.
    pub(super) fn count_at(&self, outcome: OutcomeSide, price: Dollars) -> Contracts {
        self.bids.count_at(outcome, price)
    }

    /// Returns the time of the latest change by the exchange's clock: `ts_ms` of the message `orderbook_delta`, or else the time at which
    /// the exchange sent the message. `None` if the exchange sent no time. To compare it with the present, use
    /// [`BookStream::age`](super::BookStream::age).
    #[must_use]
    pub fn last_update(&self) -> Option<DateTime<Utc>> {
        self.bids.last_update()
    }

    /// Returns the highest bid for an outcome, or `None` if that side is empty or the outcome is unknown.
    #[must_use]
    pub fn best_bid(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        self.bids(outcome).next()
    }

    /// Returns the lowest ask for an outcome, or `None` if that side is empty or the outcome is unknown.
    #[must_use]
    pub fn best_ask(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        self.asks(outcome).next()
    }

    /// Returns the difference between the best ask and the best bid, which is the same for both outcomes. Negative in a crossed book;
    /// `None` if a side is empty.
    #[must_use]
    pub fn spread(&self) -> Option<Dollars> {
        let (bid, ask) = (
            self.best_bid(OutcomeSide::Yes)?,
            self.best_ask(OutcomeSide::Yes)?,
        );
        ask.price.checked_sub(bid.price)
    }

    /// Returns the midpoint of the best bid and the best ask, or `None` if a side is empty. It is exact: prices have up to four decimal
    /// places and amounts six.
    #[must_use]
    pub fn mid(&self, outcome: OutcomeSide) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid(outcome)?, self.best_ask(outcome)?);
        Some(Dollars::from_micros(
            bid.price.micros().midpoint(ask.price.micros()),
        ))
    }

    /// Returns `true` if the best bid is at or above the best ask. The exchange would have matched the two, so a message was missed.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.spread().is_some_and(|spread| spread <= Dollars::ZERO)
    }

    /// Returns `true` if the book has no bids for either outcome.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty()
    }

    /// Returns the levels at which two books differ: YES bids first, then NO bids, each from the highest price down. Empty if the books are
    /// equal. To check a live book against the REST API:
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, books: kalshi_sdk::ws::Books) -> Result<(), Box<dyn std::error::Error>> {
    /// use kalshi_sdk::ws::OrderBook;
    ///
    /// let response = client.get_market_orderbook().ticker("KXTEST-26-A").send().await?;
    /// let levels = &response.orderbook_fp;
    /// let other = OrderBook::from_bids(&levels.yes_dollars, &levels.no_dollars);
    /// if let Some(book) = books.live("KXTEST-26-A") {
    ///     // Either may be some milliseconds ahead. Only a difference that persists is an error.
    ///     println!("{:?}", book.differences(&other));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<LevelDifference> {
        self.bids.differences(&other.bids)
    }

    /// Returns the number of price levels of an outcome's bids.
    #[must_use]
    pub fn depth(&self, outcome: OutcomeSide) -> usize {
        self.bids.depth(outcome)
    }

    /// Returns the contracts and the cost of buying `count` contracts of an outcome from the book. Stops before an amount would overflow.
    #[must_use]
    pub fn sweep(&self, outcome: OutcomeSide, count: Contracts) -> Sweep {
        Sweep::from_levels(self.asks(outcome), count)
    }
}

impl ReplicatedBook for OrderBook {
    type Change = LevelChange;
    type Error = BookError;

    fn apply_change(&mut self, change: &LevelChange) -> Result<(), BookError> {
        self.bids.apply(change)
    }

    fn is_crossed(&self) -> bool {
        Self::is_crossed(self)
    }
}

impl ApiBook for OrderBook {
    type Message = Message;
    type Delta = OrderbookDelta;
    type Snapshot = OrderbookSnapshot;
    type PriceMode = PriceMode;

    const DEFAULT_MODE: Option<PriceMode> = None;
    const DELTA: &'static str = "orderbook_delta";
    const SNAPSHOT: &'static str = "orderbook_snapshot";

    fn read(message: &Message) -> BookMessage<'_, Self> {
        match message {
            Message::OrderbookDelta(delta) => BookMessage::Delta(BookBody {
                market_ticker: &delta.market_ticker,
                clock: delta.clock,
                client_order_id: delta.client_order_id.as_ref(),
                body: delta,
            }),
            Message::OrderbookSnapshot(snapshot) => BookMessage::Snapshot(BookBody {
                market_ticker: &snapshot.market_ticker,
                clock: snapshot.clock,
                client_order_id: None,
                body: snapshot,
            }),
            Message::OkReply(reply) => BookMessage::Acknowledged(&reply.market_tickers),
            Message::ErrorReply(error) => BookMessage::Error(error.code),
            Message::UnsubscribedReply => BookMessage::Unsubscribed,
            Message::MarketLifecycleV2(market)
                if market.event_type == MarketLifecycleV2EventType::Settled =>
            {
                BookMessage::Settled((&*market.market_ticker).into())
            }
            Message::MultivariateMarketLifecycle(market)
                if market.event_type == MultivariateMarketLifecycleEventType::Settled =>
            {
                BookMessage::Settled((&*market.market_ticker).into())
            }
            Message::Malformed(malformed) => match read_malformed_settlement(malformed) {
                Some(market_ticker) => BookMessage::Settled(market_ticker.into()),
                None => BookMessage::Malformed(malformed),
            },
            Message::Unknown(_) => BookMessage::Unknown,
            _ => BookMessage::Other,
        }
    }

    fn read_change(
        delta: &OrderbookDelta,
        mode: PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<LevelChange, BookError> {
        read_change(delta, mode).map(|change| change.sent_at(sent_ms))
    }

    fn read_snapshot(
        snapshot: &OrderbookSnapshot,
        mode: PriceMode,
        sent_ms: Option<i64>,
    ) -> Result<Self, BookError> {
        let book = Self::from_snapshot(snapshot, mode)?;
        Ok(Self {
            bids: book.bids.updated_at(sent_ms),
        })
    }

    fn last_update(&self) -> Option<DateTime<Utc>> {
        self.last_update()
    }
}

/// Returns the market of a settlement that could not be decoded.
fn read_malformed_settlement(malformed: &MalformedMessage) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer {
        msg: Event,
    }
    #[derive(Deserialize)]
    struct Event {
        event_type: String,
        market_ticker: String,
    }
    let kind = malformed.kind.as_deref()?;
    if !["market_lifecycle_v2", "multivariate_market_lifecycle"].contains(&kind) {
        return None;
    }
    let Outer { msg } = serde_json::from_str(&malformed.raw).ok()?;
    (msg.event_type == "settled").then_some(msg.market_ticker)
}
