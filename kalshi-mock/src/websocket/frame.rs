//! Frames: the envelope of a message, and the fields that several messages share.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::hash::fnv1a;
use crate::{
    state::{MarketIndex, State},
    time::{Micros, rfc3339},
};

/// A message of a channel, without its envelope.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: &'static str,
    pub(super) body: Value,
}

#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'a Value>,
    sending_ts_ms: i64,
}

/// Serializes a message with its envelope.
pub(super) fn encode(
    state: &State,
    kind: &str,
    id: Option<u64>,
    (sid, seq): (Option<u64>, Option<u64>),
    msg: Option<&Value>,
) -> String {
    let envelope = Envelope {
        kind,
        id,
        sid,
        seq,
        msg,
        sending_ts_ms: milliseconds(state.now),
    };
    // An object of strings and numbers always serializes.
    let mut text = serde_json::to_string(&envelope).unwrap_or_default();
    if state.margin.is_some() {
        // Recorded frames of the margin exchange end with a newline.
        text.push('\n');
    }
    text
}

/// Returns a time in Unix milliseconds.
pub(crate) fn milliseconds(at: Micros) -> i64 {
    at.div_euclid(1000)
}

/// Formats a time in RFC 3339 with millisecond precision, as WebSocket messages do.
pub(super) fn timestamp(at: Micros) -> String {
    rfc3339(milliseconds(at).saturating_mul(1000))
}

/// Returns the id of a market, derived from its ticker.
pub(crate) fn market_id(ticker: &str) -> Uuid {
    let bytes = ticker.as_bytes();
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    let both = u128::from(fnv1a(bytes)) << 64 | u128::from(fnv1a(&reversed));
    uuid::Builder::from_random_bytes(both.to_be_bytes()).into_uuid()
}

/// Returns the ticker of a market.
pub(super) fn ticker_of(state: &State, market: MarketIndex) -> &str {
    state
        .markets
        .get(market)
        .map_or("", |market| market.ticker.as_str())
}
