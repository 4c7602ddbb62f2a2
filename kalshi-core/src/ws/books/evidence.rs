//! What is known of the subscriptions of a connection, and of messages that could not be decoded.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;

use super::api::{ApiBook, BookMessage};
use crate::ws::{
    MalformedMessage, Message,
    sequence::{Fingerprint, Sequence},
};

/// A subscription to order books.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) sequence: Sequence<Fingerprint>,
    pub(super) tickers: BTreeSet<Arc<str>>,
}

/// The price mode of a connection. Subscriptions to one channel may be merged, so they must not differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionMode<M> {
    /// Stated for all connections.
    pub(super) stated: Option<M>,
    /// Stated for a subscription of this one.
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

/// The market whose book a malformed message is about.
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
    /// Returns `true` for a snapshot, even if it cannot be decoded.
    pub(super) fn is_snapshot(&self) -> bool {
        match self {
            Self::Snapshot(_) => true,
            Self::Malformed(malformed) => malformed.kind.as_deref() == Some(B::SNAPSHOT),
            _ => false,
        }
    }

    /// The markets that an acknowledgement lists. `None` for other messages. An acknowledgement without a list has `Some(None)`.
    pub(super) fn listed(&self, message: &B::Message) -> Option<Option<&'a [String]>> {
        match self {
            Self::Acknowledged([]) => Some(None),
            Self::Acknowledged(listed) => Some(Some(listed)),
            // An acknowledgement that cannot be decoded has no list.
            _ if message.kind() == "ok" => Some(None),
            _ => None,
        }
    }
}
