//! Subscriptions: to which channel, of which markets, and how far they have counted.

use std::collections::BTreeMap;

use crate::state::MarketIndex;

/// Something to subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    OrderbookDelta,
    Ticker,
    Trade,
    Fill,
    MarketPositions,
    MarketLifecycle,
    Communications,
    OrderGroupUpdates,
    UserOrders,
    /// Known, and silent here: combos and the prices of others.
    Silent(&'static str),
}

const ALL: [Channel; 13] = [
    Channel::OrderbookDelta,
    Channel::Ticker,
    Channel::Trade,
    Channel::Fill,
    Channel::MarketPositions,
    Channel::MarketLifecycle,
    Channel::Communications,
    Channel::OrderGroupUpdates,
    Channel::UserOrders,
    Channel::Silent("multivariate_market_lifecycle"),
    Channel::Silent("cfbenchmarks_value"),
    Channel::Silent("cfbenchmarks_value_5hz"),
    Channel::Silent("pyth_value"),
];

impl Channel {
    pub(super) fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|channel| channel.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OrderbookDelta => "orderbook_delta",
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::Fill => "fill",
            Self::MarketPositions => "market_positions",
            Self::MarketLifecycle => "market_lifecycle_v2",
            Self::Communications => "communications",
            Self::OrderGroupUpdates => "order_group_updates",
            Self::UserOrders => "user_orders",
            Self::Silent(name) => name,
        }
    }

    /// Whether its messages are numbered.
    pub(super) fn is_numbered(self) -> bool {
        !matches!(
            self,
            Self::Ticker | Self::Fill | Self::UserOrders | Self::MarketPositions
        )
    }

    /// Whether it can be narrowed to some markets.
    pub(super) fn takes_markets(self) -> bool {
        matches!(
            self,
            Self::OrderbookDelta
                | Self::Ticker
                | Self::Trade
                | Self::Fill
                | Self::MarketPositions
                | Self::UserOrders
        )
    }
}

/// A subscription of one connection.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) channel: Channel,
    /// The last number that was given out.
    seq: u64,
    /// By ticker; none if it is to all markets.
    pub(super) markets: Option<BTreeMap<String, MarketIndex>>,
    /// Whether its markets were named by their ids.
    pub(super) by_id: bool,
    /// Whether levels of NO have prices of YES.
    pub(super) yes_prices: bool,
    /// Whether answers leave out its markets.
    pub(super) skips_markets: bool,
    /// Whether it is only to one's own requests for quote.
    pub(super) own_only: bool,
    /// Into how many parts its stream is split, and which of them it is.
    pub(super) part: Option<(u64, u64)>,
}

impl Subscription {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            seq: 0,
            markets: None,
            by_id: false,
            yes_prices: false,
            skips_markets: false,
            own_only: false,
            part: None,
        }
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    pub(super) fn has(&self, ticker: &str) -> bool {
        self.markets
            .as_ref()
            .is_none_or(|markets| markets.contains_key(ticker))
    }

    /// Whether what concerns a market is in its part of the stream.
    pub(super) fn is_part(&self, ticker: &str) -> bool {
        self.part
            .is_none_or(|(parts, part)| hash(ticker.as_bytes()) % parts == part)
    }
}

/// FNV-1a: the same for the same text, always.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
