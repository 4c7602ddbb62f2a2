//! An order book that is kept by snapshots and deltas, exactly.

use chrono::{DateTime, Utc};
use kalshi_core::{
    ladder::{Ladder, Sweep},
    ws::{
        books::{self, ApiBook, BookBody, BookError, BookMessage, Ladders},
        sequence::ReplicatedBook,
    },
};

use super::messages::{
    MarketLifecycleV2EventType, Message, MultivariateMarketLifecycleEventType, OrderbookDelta,
    OrderbookSnapshot,
};
use crate::{Contracts, Dollars, OutcomeSide, PriceLevel};

/// The bids of one market, for YES and for NO. There are no asks on the exchange: a bid for NO at 0.40 is an ask for YES at 0.60.
///
/// Levels are kept in sorted lists. On a grid of at most a few hundred prices that beats a tree: most changes are near the best
/// price, which is at the end, and little is moved.
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
/// Nothing in a frame tells the modes apart, so whoever subscribes has to say which one was asked for. The exchange has announced
/// that `true` becomes the default and then the only mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PriceMode {
    /// `use_yes_price: true`: a bid for NO at 0.40 is quoted at 0.60.
    YesPrices,
    /// `use_yes_price: false`: a bid for NO at 0.40 is quoted at 0.40.
    NoPrices,
}

impl PriceMode {
    /// Price in NO of a level on the NO side.
    fn no_price(self, quoted: Dollars) -> Dollars {
        match self {
            Self::YesPrices => complement(quoted),
            Self::NoPrices => quoted,
        }
    }
}

/// A change of one level, with its price in terms of its own outcome.
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

/// Contracts cost more than nothing and less than a dollar.
fn check_price(price: Dollars) -> Result<(), BookError> {
    match Dollars::ZERO < price && price < Dollars::ONE {
        true => Ok(()),
        false => Err(BookError::Price { price }),
    }
}

/// A level at which two books differ. Its side is the outcome whose bids have it.
pub type LevelDifference = books::LevelDifference<OutcomeSide>;

/// One dollar less a price. Levels given to [`OrderBook::from_bids`] are not checked, so any price is possible.
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
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The book of these bids, as `get_market_orderbook` reads them: to check one against.
    #[must_use]
    pub fn from_bids(yes: &[PriceLevel], no: &[PriceLevel]) -> Self {
        Self {
            bids: Self::default().bids.with_levels(yes, no),
        }
    }

    /// Changes the contracts at a price of an outcome's bids; a level with none is gone.
    ///
    /// # Errors
    ///
    /// Returns an error if more contracts are removed than there are, if the price is not above zero and below one dollar, or if the
    /// outcome is unknown. The book is unchanged then.
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
    /// Returns an error as [`add`](Self::add) does.
    pub fn apply(&mut self, delta: &OrderbookDelta, mode: PriceMode) -> Result<(), BookError> {
        self.bids.apply(&read_change(delta, mode)?)
    }

    /// The book of a snapshot of the channel `orderbook_delta`, from a subscription of this mode.
    ///
    /// # Errors
    ///
    /// Returns an error if a level has fewer than no contracts or is listed twice, or if a price is not above zero and below one
    /// dollar.
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

    /// All bids for an outcome, the best first. Empty for an unknown outcome.
    pub fn bids(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.bids.levels(outcome)
    }

    /// All offers of an outcome, the best first: bids for the other one, seen from here.
    pub fn asks(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.bids(outcome.opposite()).map(complement_level)
    }

    /// Contracts of the bids for an outcome at one of its prices.
    pub(super) fn count_at(&self, outcome: OutcomeSide, price: Dollars) -> Contracts {
        self.bids.count_at(outcome, price)
    }

    /// Time of the latest change by the exchange's clock: `ts_ms` of the message `orderbook_delta`, or the time at which the exchange
    /// sent the message if it has none. `None` if the exchange sent no time. To compare it with the present, use
    /// [`BookStream::age`](super::BookStream::age).
    #[must_use]
    pub fn last_update(&self) -> Option<DateTime<Utc>> {
        self.bids.last_update()
    }

    /// The best bid.
    #[must_use]
    pub fn best_bid(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        self.bids(outcome).next()
    }

    /// The best offer.
    #[must_use]
    pub fn best_ask(&self, outcome: OutcomeSide) -> Option<PriceLevel> {
        self.asks(outcome).next()
    }

    /// What lies between the best bid and the best offer, which is the same for both outcomes; less than nothing in a crossed book.
    #[must_use]
    pub fn spread(&self) -> Option<Dollars> {
        let (bid, ask) = (
            self.best_bid(OutcomeSide::Yes)?,
            self.best_ask(OutcomeSide::Yes)?,
        );
        ask.price.checked_sub(bid.price)
    }

    /// The middle between the best bid and the best offer: exact, as prices have up to four digits and amounts six.
    #[must_use]
    pub fn mid(&self, outcome: OutcomeSide) -> Option<Dollars> {
        let (bid, ask) = (self.best_bid(outcome)?, self.best_ask(outcome)?);
        Some(Dollars::from_micros(
            bid.price.micros().midpoint(ask.price.micros()),
        ))
    }

    /// Whether the best bids meet: the exchange would have traded them, so something was missed.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        self.spread().is_some_and(|spread| spread <= Dollars::ZERO)
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty()
    }

    /// Where two books differ, falling in price: empty where they are the same. To check a live book against the REST interface:
    ///
    /// ```no_run
    /// # async fn example(client: kalshi_sdk::Client, books: kalshi_sdk::ws::Books) -> Result<(), Box<dyn std::error::Error>> {
    /// use kalshi_sdk::ws::OrderBook;
    ///
    /// let answer = client.get_market_orderbook().ticker("KXTEST-26-A").send().await?;
    /// let levels = &answer.orderbook_fp;
    /// let other = OrderBook::from_bids(&levels.yes_dollars, &levels.no_dollars);
    /// if let Some(book) = books.live("KXTEST-26-A") {
    ///     // Either may be some milliseconds ahead: what stays different over several looks is wrong.
    ///     println!("{:?}", book.differences(&other));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<LevelDifference> {
        self.bids.differences(&other.bids)
    }

    /// How many levels an outcome's bids have.
    #[must_use]
    pub fn depth(&self, outcome: OutcomeSide) -> usize {
        self.bids.depth(outcome)
    }

    /// What buying `count` contracts of an outcome takes from the book. An amount that cannot be held is cut off before.
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
                BookMessage::Settled(&market.market_ticker)
            }
            Message::MultivariateMarketLifecycle(market)
                if market.event_type == MultivariateMarketLifecycleEventType::Settled =>
            {
                BookMessage::Settled(&market.market_ticker)
            }
            Message::Malformed(malformed) => BookMessage::Malformed(malformed),
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
