//! What frames say about order books.

use std::{collections::BTreeSet, sync::Arc};

use kalshi_core::ws::{
    MalformedMessage,
    sequence::{Fingerprint, Sequence},
};
use serde::Deserialize;

use crate::ws::{
    book::PriceMode,
    messages::{MarketLifecycleV2EventType, Message, MultivariateMarketLifecycleEventType},
};

/// A subscription to order books.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) sequence: Sequence<Fingerprint>,
    pub(super) tickers: BTreeSet<Arc<str>>,
}

/// The price mode of a connection. Subscriptions to one channel may be merged, so they must not differ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionMode {
    /// Stated for all connections.
    pub(super) stated: Option<PriceMode>,
    /// Stated for a subscription of this one.
    registered: Option<PriceMode>,
    is_ambiguous: bool,
}

impl ConnectionMode {
    pub(super) fn known(self) -> Option<PriceMode> {
        match self.is_ambiguous {
            true => None,
            false => self.registered.or(self.stated),
        }
    }

    pub(super) fn register(&mut self, mode: PriceMode) {
        self.is_ambiguous |= self.known().is_some_and(|known| known != mode);
        self.registered = Some(mode);
    }

    pub(super) fn disconnected(&mut self) {
        (self.registered, self.is_ambiguous) = (None, false);
    }
}

/// The market whose book a malformed message is about.
pub(super) fn market_of(malformed: &MalformedMessage) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer {
        msg: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        market_ticker: String,
    }
    match malformed.kind.as_deref() {
        Some("orderbook_snapshot" | "orderbook_delta") => {
            let outer: Outer = serde_json::from_str(&malformed.raw).ok()?;
            Some(outer.msg.market_ticker)
        }
        _ => None,
    }
}

/// The market that a message reports as settled.
pub(super) fn settled_in(message: &Message) -> Option<&str> {
    match message {
        Message::MarketLifecycleV2(market)
            if market.event_type == MarketLifecycleV2EventType::Settled =>
        {
            Some(&market.market_ticker)
        }
        Message::MultivariateMarketLifecycle(market)
            if market.event_type == MultivariateMarketLifecycleEventType::Settled =>
        {
            Some(&market.market_ticker)
        }
        _ => None,
    }
}

/// Returns `true` for a snapshot, even if it cannot be decoded.
pub(super) fn is_snapshot(message: &Message) -> bool {
    match message {
        Message::OrderbookSnapshot(_) => true,
        Message::Malformed(malformed) => malformed.kind.as_deref() == Some("orderbook_snapshot"),
        _ => false,
    }
}

/// The markets that an acknowledgement lists. `None` for other messages. An acknowledgement without a list has `Some(None)`.
pub(super) fn listed_in(message: &Message) -> Option<Option<&[String]>> {
    match message {
        Message::OkReply(reply) if reply.market_tickers.is_empty() => Some(None),
        Message::OkReply(reply) => Some(Some(&reply.market_tickers)),
        message if message.kind() == "ok" => Some(None),
        _ => None,
    }
}
