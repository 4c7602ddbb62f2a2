//! Channels, and the subscriptions of a connection to them.

use std::collections::BTreeMap;

use super::{
    feeds::{FEEDS, Feed, Sources},
    hash::fnv1a,
};
use crate::state::{Instance, MarketIndex};

/// A channel of the WebSocket API.
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
    /// Corporate actions on the margin exchange. No message is ever sent.
    CorporateActions,
    MultivariateMarketLifecycle,
    /// Prices of an external feed.
    Prices(&'static Feed),
}

const EVENT_CHANNELS: [Channel; 13] = [
    Channel::OrderbookDelta,
    Channel::Ticker,
    Channel::Trade,
    Channel::Fill,
    Channel::MarketPositions,
    Channel::MarketLifecycle,
    Channel::Communications,
    Channel::OrderGroupUpdates,
    Channel::UserOrders,
    Channel::MultivariateMarketLifecycle,
    Channel::Prices(&FEEDS[0]),
    Channel::Prices(&FEEDS[1]),
    Channel::Prices(&FEEDS[2]),
];

const MARGIN_CHANNELS: [Channel; 7] = [
    Channel::OrderbookDelta,
    Channel::Ticker,
    Channel::Trade,
    Channel::Fill,
    Channel::OrderGroupUpdates,
    Channel::UserOrders,
    Channel::CorporateActions,
];

impl Channel {
    /// Returns the channel with a name on an instance.
    pub(super) fn from_name(instance: Instance, name: &str) -> Option<Self> {
        let channels = match instance {
            Instance::EventContract => EVENT_CHANNELS.as_slice(),
            Instance::Margined => MARGIN_CHANNELS.as_slice(),
        };
        channels
            .iter()
            .copied()
            .find(|channel| channel.name() == name)
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
            Self::CorporateActions => "corporate_actions",
            Self::MultivariateMarketLifecycle => "multivariate_market_lifecycle",
            Self::Prices(feed) => feed.channel,
        }
    }

    /// Returns true if messages carry a sequence number.
    pub(super) fn is_numbered(self) -> bool {
        !matches!(
            self,
            Self::Ticker | Self::Fill | Self::UserOrders | Self::MarketPositions
        )
    }

    /// Returns true if a subscription can be limited to some markets.
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
    /// Sequence number of the last message.
    seq: u64,
    /// Markets by ticker, or `None` for all markets.
    pub(super) markets: Option<BTreeMap<String, MarketIndex>>,
    /// True if the client named markets by id.
    pub(super) by_id: bool,
    /// Sources of an external feed whose prices are sent.
    pub(super) sources: Sources,
    /// True if NO levels are sent with YES prices.
    pub(super) yes_prices: bool,
    /// True if acknowledgements omit the markets.
    pub(super) skips_markets: bool,
    /// True if only the client's own requests for quote are reported.
    pub(super) own_only: bool,
    /// Number of shards of the channel, and the index of this one.
    pub(super) shard: Option<(u64, u64)>,
}

impl Subscription {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            seq: 0,
            markets: None,
            by_id: false,
            sources: Sources::default(),
            yes_prices: false,
            skips_markets: false,
            own_only: false,
            shard: None,
        }
    }

    pub(super) fn reset_seq(&mut self) {
        self.seq = 0;
    }

    /// Returns the next sequence number.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Returns true if the subscription covers a market.
    pub(super) fn covers(&self, ticker: &str) -> bool {
        self.markets
            .as_ref()
            .is_none_or(|markets| markets.contains_key(ticker))
    }

    /// Returns true if a market belongs to the shard of this subscription.
    pub(super) fn is_in_shard(&self, ticker: &str) -> bool {
        self.shard
            .is_none_or(|(shards, shard)| fnv1a(ticker.as_bytes()) % shards == shard)
    }
}
