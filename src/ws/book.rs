//! An order book that is kept by snapshots and deltas, exactly.

use std::{collections::BTreeMap, fmt};

use kalshi_core::ladder::{Ladder, LadderError, Sweep};

use super::messages::{MarketSide, OrderbookDelta, OrderbookSnapshot};
use crate::{Contracts, Dollars, PriceLevel};

/// The bids of one market, for YES and for NO. There are no asks on the exchange: a bid for NO at 0.40 is an ask for YES at 0.60.
///
/// Levels are kept in sorted lists. On a grid of at most a few hundred prices that beats a tree: most changes are near the best
/// price, which is at the end, and little is moved.
///
/// ```
/// use kalshi_sdk::{Contracts, Dollars, ws::{OrderBook, OutcomeSide}};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBook {
    yes: Ladder,
    no: Ladder,
}

impl Default for OrderBook {
    fn default() -> Self {
        Self {
            yes: Ladder::bids(),
            no: Ladder::bids(),
        }
    }
}

/// What a contract pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeSide {
    /// That it happens.
    Yes,
    /// That it does not.
    No,
}

impl OutcomeSide {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
        }
    }
}

/// A level at which two books differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelDifference {
    /// Whose bids.
    pub outcome: OutcomeSide,
    /// At which price.
    pub price: Dollars,
    /// How many contracts this book has there.
    pub here: Contracts,
    /// How many the other one has.
    pub there: Contracts,
}

/// Why a change does not fit a book: something was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BookError {
    /// More contracts were taken from a level than there were.
    Negative {
        /// The level's price.
        price: Dollars,
    },
    /// The change is on a side that is neither YES nor NO.
    UnknownSide,
    /// A price outside of nothing and a dollar.
    Price {
        /// The price.
        price: Dollars,
    },
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative { price } => {
                write!(
                    f,
                    "more contracts left the level {price} than were there: ask for a snapshot"
                )
            }
            Self::UnknownSide => {
                f.write_str("a change on a side that is neither yes nor no: ask for a snapshot")
            }
            Self::Price { price } => {
                write!(f, "{price} is no price of a contract: ask for a snapshot")
            }
        }
    }
}

impl std::error::Error for BookError {}

impl From<LadderError> for BookError {
    fn from(error: LadderError) -> Self {
        match error {
            LadderError::Negative { price } => Self::Negative { price },
        }
    }
}

fn complement(level: PriceLevel) -> PriceLevel {
    PriceLevel {
        price: Dollars::from_micros(Dollars::ONE.micros().saturating_sub(level.price.micros())),
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
            yes: Ladder::bids().with_levels(yes),
            no: Ladder::bids().with_levels(no),
        }
    }

    fn side(&self, outcome: OutcomeSide) -> &Ladder {
        match outcome {
            OutcomeSide::Yes => &self.yes,
            OutcomeSide::No => &self.no,
        }
    }

    /// Changes the contracts at a price of an outcome's bids; a level with none is gone.
    ///
    /// # Errors
    ///
    /// If more would be taken than there is, or the price is none of a contract. The book is as it was.
    pub fn add(
        &mut self,
        outcome: OutcomeSide,
        price: Dollars,
        change: Contracts,
    ) -> Result<(), BookError> {
        let levels = match outcome {
            OutcomeSide::Yes => &mut self.yes,
            OutcomeSide::No => &mut self.no,
        };
        if !(Dollars::ZERO..=Dollars::ONE).contains(&price) {
            return Err(BookError::Price { price });
        }
        levels.add(price, change).map_err(BookError::from)
    }

    /// Applies a delta of the channel `orderbook_delta`, whose NO prices are those of NO (`use_yes_price` not set).
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add), and for a side that is neither YES nor NO.
    pub fn apply(&mut self, delta: &OrderbookDelta) -> Result<(), BookError> {
        let outcome = match delta.side {
            MarketSide::Yes => OutcomeSide::Yes,
            MarketSide::No => OutcomeSide::No,
            _ => return Err(BookError::UnknownSide),
        };
        self.add(outcome, delta.price_dollars, delta.delta_fp)
    }

    /// All bids for an outcome, the best first.
    pub fn bids(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.side(outcome).levels()
    }

    /// All offers of an outcome, the best first: bids for the other one, seen from here.
    pub fn asks(&self, outcome: OutcomeSide) -> impl DoubleEndedIterator<Item = PriceLevel> {
        self.side(outcome.other()).levels().map(complement)
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

    /// A level at a price that no contract has; snapshots are not checked when they are read.
    pub(super) fn impossible_price(&self) -> Option<BookError> {
        let levels = self.yes.levels().chain(self.no.levels());
        let mut prices = levels.map(|level| level.price);
        let price = prices.find(|price| !(Dollars::ZERO..=Dollars::ONE).contains(price))?;
        Some(BookError::Price { price })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.yes.is_empty() && self.no.is_empty()
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
        let mut differences = Vec::new();
        for outcome in [OutcomeSide::Yes, OutcomeSide::No] {
            let mut levels: BTreeMap<_, (Contracts, Contracts)> = BTreeMap::new();
            for level in self.bids(outcome) {
                levels.entry(level.price).or_default().0 = level.count;
            }
            for level in other.bids(outcome) {
                levels.entry(level.price).or_default().1 = level.count;
            }
            let differ = levels
                .into_iter()
                .rev()
                .filter(|(_, (here, there))| here != there);
            differences.extend(differ.map(|(price, (here, there))| LevelDifference {
                outcome,
                price,
                here,
                there,
            }));
        }
        differences
    }

    /// How many levels an outcome's bids have.
    #[must_use]
    pub fn depth(&self, outcome: OutcomeSide) -> usize {
        self.side(outcome).depth()
    }

    /// What buying `count` contracts of an outcome takes from the book. An amount that cannot be held is cut off before.
    #[must_use]
    pub fn sweep(&self, outcome: OutcomeSide, count: Contracts) -> Sweep {
        Sweep::from_levels(self.asks(outcome), count)
    }
}

/// The book of a snapshot of the channel `orderbook_delta`.
impl From<&OrderbookSnapshot> for OrderBook {
    fn from(snapshot: &OrderbookSnapshot) -> Self {
        Self::from_bids(&snapshot.yes_dollars_fp, &snapshot.no_dollars_fp)
    }
}
