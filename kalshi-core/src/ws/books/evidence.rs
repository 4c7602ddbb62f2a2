//! State of a connection's subscriptions, and classification of messages that could not be decoded.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;

use super::api::{ApiBook, BookMessage};
use crate::ws::{
    MalformedMessage, Message,
    sequence::{Fingerprint, Sequence},
};

/// A subscription to order books, with its markets.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) sequence: Sequence<Fingerprint>,
    pub(super) tickers: BTreeSet<Arc<str>>,
    /// Markets that the program is removing, with `true` for those that were part of the subscription.
    pub(super) removing: BTreeMap<Arc<str>, bool>,
    pub(super) listing: Listing,
    /// Highest id of a command that was acknowledged.
    last_acknowledged: Option<u64>,
}

/// State of the list of a subscription's markets in the last acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Listing {
    /// There was none. A market is part of the subscription if a message is about it.
    #[default]
    Unknown,
    /// Other markets are not part of the subscription. A late message of one must not make its book live, because no changes follow.
    Current,
    /// A later list may be lost.
    Outdated,
}

/// Maximum length of the ticker of such a market, in bytes.
const MAX_TICKER_BYTES: usize = 256;

impl Subscription {
    pub(super) fn new(sequence: Sequence<Fingerprint>) -> Self {
        Self {
            sequence,
            ..Self::default()
        }
    }

    /// Records the acknowledgement of a command. Returns `false` if it may be a repeated or late one, whose list is outdated.
    pub(super) fn acknowledged(&mut self, id: Option<u64>) -> bool {
        let last = self.last_acknowledged;
        let is_later = last.is_some() && id > last;
        self.last_acknowledged = id.max(self.last_acknowledged);
        is_later || !self.sequence.is_behind()
    }

    /// Returns `true` if the market may be part of the subscription. `has_room` is `true` if the subscription may get further markets.
    pub(super) fn admits(&self, market_ticker: &str, has_room: bool) -> bool {
        let is_possible = has_room
            && self.listing != Listing::Current
            && market_ticker.len() <= MAX_TICKER_BYTES
            && !self.removing.contains_key(market_ticker);
        is_possible || self.tickers.contains(market_ticker)
    }
}

/// The price mode of a connection. The exchange may merge subscriptions to one channel, so they must have the same mode.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionMode<M> {
    /// Mode stated for all connections.
    pub(super) stated: Option<M>,
    /// Mode stated for a subscription of this connection.
    registered: Option<M>,
    is_ambiguous: bool,
}

impl<M: Copy + PartialEq> ConnectionMode<M> {
    pub(super) const fn new(stated: Option<M>) -> Self {
        Self {
            stated,
            registered: None,
            is_ambiguous: false,
        }
    }

    pub(super) fn known(self) -> Option<M> {
        match self.is_ambiguous {
            true => None,
            false => self.registered.or(self.stated),
        }
    }

    pub(super) fn register(&mut self, mode: M) {
        self.is_ambiguous |= self.known().is_some_and(|known| known != mode);
        self.registered = Some(mode);
    }

    pub(super) fn disconnected(&mut self) {
        (self.registered, self.is_ambiguous) = (None, false);
    }
}

/// Returns the market of a malformed snapshot or change, if it can be read.
pub(super) fn market_of<B: ApiBook>(malformed: &MalformedMessage) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer {
        msg: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        market_ticker: String,
    }
    let kind = malformed.kind.as_deref()?;
    if kind != B::SNAPSHOT && kind != B::DELTA {
        return None;
    }
    let outer: Outer = serde_json::from_str(&malformed.raw).ok()?;
    Some(outer.msg.market_ticker)
}

impl<'a, B: ApiBook> BookMessage<'a, B> {
    /// Returns the market of a snapshot or change, even if it cannot be decoded.
    pub(super) fn market_ticker(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Delta(delta) => Some(delta.market_ticker.into()),
            Self::Snapshot(snapshot) => Some(snapshot.market_ticker.into()),
            Self::Malformed(malformed) => market_of::<B>(malformed).map(Cow::Owned),
            _ => None,
        }
    }

    /// Returns `true` if the message concerns markets regardless of their subscription.
    pub(super) fn is_notice(&self) -> bool {
        matches!(self, Self::Settled(_) | Self::Restated(_))
    }

    /// Returns `true` for a snapshot, even if it cannot be decoded.
    pub(super) fn is_snapshot(&self) -> bool {
        match self {
            Self::Snapshot(_) => true,
            Self::Malformed(malformed) => malformed.kind.as_deref() == Some(B::SNAPSHOT),
            _ => false,
        }
    }

    /// Returns the markets that an acknowledgement lists. `None` for other messages, and `Some(None)` for an
    /// acknowledgement without a list.
    pub(super) fn listed(&self, message: &B::Message) -> Option<Option<&'a [String]>> {
        match self {
            Self::Acknowledged([]) => Some(None),
            Self::Acknowledged(listed) => Some(Some(listed)),
            // An acknowledgement that cannot be decoded counts as one without a list.
            _ if message.kind() == "ok" => Some(None),
            _ => None,
        }
    }
}
