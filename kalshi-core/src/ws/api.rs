//! Traits and types by which an API crate describes its WebSocket to the runtime.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::message::Message;
use crate::api::Api;

/// The WebSocket of one of the exchange's APIs.
///
/// API crates implement this trait for their marker type. Programs see it only as the type parameter of
/// [`Connection`](super::Connection) and related types.
pub trait WebSocketApi: Api {
    /// Enum of the messages that the exchange sends.
    type Message: Message;

    /// Enum of the API's channels. `Display` writes the name on the wire.
    type Channel: Clone + PartialEq + fmt::Debug + fmt::Display + Send + Sync + 'static;

    /// Builder of the parameters that only some channels have.
    type Params: Clone + Default + fmt::Debug + Send + 'static;

    /// Body of a snapshot of an order book.
    type Snapshot: DeserializeOwned + Send + 'static;

    /// Returns the parameters of a subscription to a channel.
    ///
    /// # Errors
    ///
    /// Returns an error if a value set on the builder has the wrong type.
    fn params(params: Self::Params, channel: &Self::Channel) -> Result<Map<String, Value>, String>;

    /// Returns the kind of target by which subscriptions to a channel select messages.
    fn targets(channel: &str) -> &'static Targets;
}

/// The kind of target by which subscriptions to a channel select messages: markets, or another kind such as indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Parameter that lists the targets, such as `market_tickers`.
    pub list: &'static str,
    /// Parameter that names a single target, and field in which a message names its target.
    pub single: Option<&'static str>,
    /// Parameters that name the same targets by other ids. A subscription made with them cannot be extended.
    pub ids: &'static [&'static str],
    /// Action of `update_subscription` that adds targets.
    pub add: &'static str,
    /// Action of `update_subscription` that removes targets.
    pub remove: &'static str,
    /// Meaning of a subscription without targets: `true` if it selects everything on the channel, `false` if it exists and selects nothing.
    pub all_if_empty: bool,
    /// `type` of the messages that contain a snapshot of one target, on channels that have them.
    pub snapshot: Option<&'static str>,
    /// The messages of each new subscription are numbered from 1, if they are numbered, so that a lost first message is a gap.
    pub counts_from_one: bool,
}

impl Targets {
    /// Targets of channels that list markets by ticker and have no snapshots.
    pub const MARKETS: Self = Self {
        list: "market_tickers",
        single: Some("market_ticker"),
        ids: &[],
        add: "add_markets",
        remove: "delete_markets",
        all_if_empty: true,
        snapshot: None,
        counts_from_one: false,
    };
}
