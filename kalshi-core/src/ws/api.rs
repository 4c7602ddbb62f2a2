//! Description of an API's WebSocket for the runtime.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::message::Message;
use crate::api::Api;

/// The WebSocket of one of the exchange's APIs, as its crate describes it to the runtime.
///
/// API crates implement this for their marker type; programs see it only as the type parameter of
/// [`Connection`](super::Connection) and related types.
pub trait WebSocketApi: Api {
    /// The messages that the exchange sends.
    type Message: Message;

    /// The channels of the API, which display as their names on the wire.
    type Channel: Clone + PartialEq + fmt::Debug + fmt::Display + Send + Sync + 'static;

    /// Builder of the parameters that only some channels have.
    type Params: Clone + Default + fmt::Debug + Send + 'static;

    /// Body of a snapshot of an order book.
    type Snapshot: DeserializeOwned + Send + 'static;

    /// The parameters of a subscription to a channel.
    ///
    /// # Errors
    ///
    /// Returns an error if the builder was given a value of the wrong type.
    fn params(params: Self::Params, channel: &Self::Channel) -> Result<Map<String, Value>, String>;

    /// What the subscriptions of a channel select messages by.
    fn targets(channel: &str) -> &'static Targets;
}

/// What the subscriptions of a channel select messages by: markets, or something else such as indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// Parameter that lists them, such as `market_tickers`.
    pub list: &'static str,
    /// Parameter that names a single one, and field by which a message names its own.
    pub single: Option<&'static str>,
    /// Parameters that name the same things by other ids, to which none can be added.
    pub ids: &'static [&'static str],
    /// Action of `update_subscription` that adds some.
    pub add: &'static str,
    /// Action of `update_subscription` that removes some.
    pub remove: &'static str,
    /// Meaning of a subscription that names none: `true` if it selects everything on the channel, `false` if it exists and selects
    /// nothing.
    pub all_if_empty: bool,
    /// `type` of the messages that are snapshots of one target, on channels that have them.
    pub snapshot: Option<&'static str>,
}

impl Targets {
    /// Markets by ticker, on a channel without snapshots.
    pub const MARKETS: Self = Self {
        list: "market_tickers",
        single: Some("market_ticker"),
        ids: &[],
        add: "add_markets",
        remove: "delete_markets",
        all_if_empty: true,
        snapshot: None,
    };
}
