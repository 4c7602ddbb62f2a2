//! Requests for quote, and quotes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kalshi_sdk::{Contracts, Dollars};
use serde::Serialize;
use uuid::Uuid;

use super::{
    MarketIndex,
    account::Account,
    fees::Fees,
    order::MAX_COUNT,
    side::{Side, cost},
};
use crate::time::{Micros, SECOND};

/// Time limit for the maker to confirm an accepted quote.
pub(crate) const CONFIRM_TIMEOUT: Micros = 30 * SECOND;
/// A request for quote.
#[derive(Clone, Debug)]
pub(crate) struct Rfq {
    pub(crate) id: Uuid,
    pub(crate) creator: Account,
    pub(crate) market: MarketIndex,
    /// Requested contracts, or `None` if the request has a target cost instead.
    pub(crate) contracts: Option<Contracts>,
    pub(crate) target_cost: Option<Dollars>,
    /// True if fees are charged on top of the target cost.
    pub(crate) excludes_fees: bool,
    pub(crate) rest_remainder: bool,
    /// True if the requester is hidden until the request has traded.
    pub(crate) obscured: bool,
    pub(crate) open: bool,
    pub(crate) executed: bool,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
}

/// Lifecycle state of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuoteStatus {
    Open,
    Accepted,
    Confirmed,
    Executed,
    Cancelled,
}

/// A response to a request for quote: a bid for each outcome.
#[derive(Clone, Debug)]
pub(crate) struct Quote {
    pub(crate) id: Uuid,
    /// Number of the request that the quote responds to.
    pub(crate) rfq: u64,
    pub(crate) creator: Account,
    pub(crate) yes_bid: Dollars,
    pub(crate) no_bid: Dollars,
    pub(crate) rest_remainder: bool,
    pub(crate) post_only: bool,
    pub(crate) status: QuoteStatus,
    /// Side of the accepted bid.
    pub(crate) accepted: Option<Side>,
    pub(crate) created: Micros,
    pub(crate) updated: Micros,
    pub(crate) accepted_at: Option<Micros>,
    pub(crate) confirmed_at: Option<Micros>,
    pub(crate) executed_at: Option<Micros>,
    pub(crate) cancelled_at: Option<Micros>,
    pub(crate) cancellation: Option<&'static str>,
    /// Orders of the maker and of the requester, or `None` if the quote has not been executed.
    pub(crate) orders: Option<(Uuid, Uuid)>,
}

impl Quote {
    /// Creates an open quote with default options. Its id is assigned later.
    pub(crate) fn new(
        rfq: u64,
        creator: Account,
        (yes_bid, no_bid): (Dollars, Dollars),
        now: Micros,
    ) -> Self {
        Self {
            id: Uuid::nil(),
            rfq,
            creator,
            yes_bid,
            no_bid,
            rest_remainder: false,
            post_only: false,
            status: QuoteStatus::Open,
            accepted: None,
            created: now,
            updated: now,
            accepted_at: None,
            confirmed_at: None,
            executed_at: None,
            cancelled_at: None,
            cancellation: None,
            orders: None,
        }
    }

    /// Returns the price that the maker bids on `side`.
    pub(crate) fn bid(&self, side: Side) -> Dollars {
        match side {
            Side::Bid => self.yes_bid,
            Side::Ask => self.no_bid,
        }
    }

    pub(super) fn can_be_confirmed(&self, now: Micros) -> bool {
        self.accepted_at
            .is_some_and(|accepted| now <= accepted + CONFIRM_TIMEOUT)
    }

    /// Returns true if the quote will trade, or can still be confirmed.
    pub(super) fn is_pending(&self, now: Micros) -> bool {
        match self.status {
            QuoteStatus::Confirmed => true,
            QuoteStatus::Accepted => self.can_be_confirmed(now),
            _ => false,
        }
    }

    pub(super) fn cancel(&mut self, reason: &'static str, now: Micros) {
        self.status = QuoteStatus::Cancelled;
        self.cancellation = Some(reason);
        self.cancelled_at = Some(now);
        self.updated = now;
    }
}

/// Quotes by number, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Quotes {
    rows: BTreeMap<u64, Quote>,
    numbers: HashMap<Uuid, u64>,
    /// Numbers of a request and of a quote on it.
    by_rfq: BTreeSet<(u64, u64)>,
}

impl Quotes {
    pub(super) fn insert(&mut self, number: u64, quote: Quote) {
        self.numbers.insert(quote.id, number);
        self.by_rfq.insert((quote.rfq, number));
        self.rows.insert(number, quote);
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(quote) = self.rows.remove(&number) {
            self.numbers.remove(&quote.id);
            self.by_rfq.remove(&(quote.rfq, number));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Quote> {
        self.rows.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Quote> {
        self.rows.get_mut(&number)
    }

    /// Returns a quote and its number.
    pub(super) fn find(&self, id: Uuid) -> Option<(u64, &Quote)> {
        let number = *self.numbers.get(&id)?;
        Some((number, self.rows.get(&number)?))
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Quote)> {
        self.rows.iter().map(|(number, quote)| (*number, quote))
    }

    /// Iterates over the quotes on a request.
    pub(super) fn of_rfq(&self, rfq: u64) -> impl Iterator<Item = (u64, &Quote)> {
        let numbers = self.by_rfq.range((rfq, 0)..=(rfq, u64::MAX));
        numbers.filter_map(|(_, number)| Some((*number, self.rows.get(number)?)))
    }
}

/// Communications id shown for a hidden requester: the SHA-256 of the empty string.
pub(crate) const HIDDEN_USER: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Rfq {
    /// Creates an open request with default options. Its id is assigned later.
    pub(crate) fn new(
        creator: Account,
        market: MarketIndex,
        contracts: Option<Contracts>,
        now: Micros,
    ) -> Self {
        Self {
            id: Uuid::nil(),
            creator,
            market,
            contracts,
            target_cost: None,
            excludes_fees: false,
            rest_remainder: false,
            obscured: false,
            open: true,
            executed: false,
            created: now,
            updated: now,
        }
    }

    /// Returns the size of a quote with `bid`: the requested contracts, or as many of the other outcome as the target cost buys.
    pub(crate) fn contracts_at(&self, bid: Dollars, fees: &Fees) -> Contracts {
        if let Some(contracts) = self.contracts {
            return contracts;
        }
        let unit_price = bid.complement();
        let target = self.target_cost.map_or(0, Dollars::micros);
        let fits = |hundredths: i64| {
            let count = Contracts::from_hundredths(hundredths);
            let fee = if self.excludes_fees {
                0
            } else {
                fees.taker(unit_price, count)
            };
            cost(unit_price, count).saturating_add(fee) <= target
        };
        // Binary search for the largest count that fits.
        let (mut fitting, mut beyond) = (0, MAX_COUNT.hundredths() + 1);
        while beyond - fitting > 1 {
            let middle = fitting + (beyond - fitting) / 2;
            match fits(middle) {
                true => fitting = middle,
                false => beyond = middle,
            }
        }
        Contracts::from_hundredths(fitting)
    }
}
