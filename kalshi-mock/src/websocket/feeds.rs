//! Channels of external prices: CF Benchmarks and Pyth. Prices rise and fall with a period of ten minutes of exchange time.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    error::CommandError,
    frame::{Message, milliseconds},
};
use crate::time::Micros;

/// A channel of external prices.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) channel: &'static str,
    /// Parameter of commands, and field of acknowledgements.
    pub(super) parameter: &'static str,
    pub(super) add: &'static str,
    pub(super) remove: &'static str,
    pub(super) list: &'static str,
    /// Type of the reply to `list`.
    listing: &'static str,
    /// Code of the error if the parameter is missing.
    missing: u8,
    /// Field that names the source in messages.
    source: &'static str,
    /// Milliseconds between two values.
    interval: i64,
    /// Sources, with their middle prices in dollars.
    sources: &'static [(&'static str, i64)],
}

const INDICES: &[(&str, i64)] = &[("BRTI", 90_000), ("ETHUSD_RTI", 3_000), ("SOLUSD_RTI", 150)];

pub(super) static FEEDS: [Feed; 3] = [
    Feed {
        channel: "cfbenchmarks_value",
        parameter: "index_ids",
        add: "subscribe_indices",
        remove: "unsubscribe_indices",
        list: "indexlist",
        listing: "cfbenchmarks_value_indexlist",
        missing: 24,
        source: "index_id",
        interval: 1000,
        sources: INDICES,
    },
    Feed {
        channel: "cfbenchmarks_value_5hz",
        parameter: "index_ids",
        add: "subscribe_indices",
        remove: "unsubscribe_indices",
        list: "indexlist",
        listing: "cfbenchmarks_value_5hz_indexlist",
        missing: 24,
        source: "index_id",
        interval: 200,
        sources: INDICES,
    },
    Feed {
        channel: "pyth_value",
        parameter: "underlying_tickers",
        add: "subscribe_underlyings",
        remove: "unsubscribe_underlyings",
        list: "underlying_list",
        listing: "pyth_value_underlying_list",
        missing: 28,
        source: "underlying_ticker",
        interval: 1000,
        sources: &[("Metal.XAU/USD", 4_000), ("Crypto.BTC/USD", 90_000)],
    },
];

/// Sources of a subscription.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    names: BTreeSet<&'static str>,
    /// True if the client requested all sources.
    all: bool,
}

impl Feed {
    /// Reads the sources in a command, or returns `None` if the parameter is absent.
    pub(super) fn requested_sources(
        &self,
        params: &Map<String, Value>,
    ) -> Result<Option<Sources>, CommandError> {
        let value = params.get(self.parameter).filter(|value| !value.is_null());
        let Some(value) = value else {
            return Ok(None);
        };
        let invalid = || CommandError::invalid(self.parameter);
        let names = value.as_array().filter(|names| !names.is_empty());
        let mut sources = Sources::default();
        for name in names.ok_or_else(invalid)? {
            let name = name.as_str().ok_or_else(invalid)?;
            if name == "all" {
                sources.all = true;
                continue;
            }
            let mut supported = self.sources.iter();
            let (name, _) = supported
                .find(|(supported, _)| *supported == name)
                .ok_or_else(invalid)?;
            sources.names.insert(name);
        }
        Ok(Some(sources))
    }

    /// Adds or removes sources.
    pub(super) fn change(
        &self,
        sources: &mut Sources,
        action: &str,
        params: &Map<String, Value>,
    ) -> Result<(), CommandError> {
        let missing = || CommandError::new(self.missing, format!("{} required", self.parameter));
        let requested = self.requested_sources(params)?.ok_or_else(missing)?;
        if action == self.add {
            sources.all |= requested.all;
            sources.names.extend(requested.names);
            return Ok(());
        }
        if sources.all {
            // Expand "all" to the list of sources, so that some can be removed.
            sources.names = self.sources.iter().map(|(name, _)| *name).collect();
            sources.all = false;
        }
        let is_kept = |name: &&str| !requested.all && !requested.names.contains(name);
        sources.names.retain(is_kept);
        Ok(())
    }

    /// Returns the body of an acknowledgement.
    pub(super) fn acknowledgement(&self, sources: &Sources) -> Value {
        match sources.all {
            true => json!({ self.parameter: ["all"] }),
            false => json!({ self.parameter: sources.names }),
        }
    }

    /// Returns the list of all sources.
    pub(super) fn listed(&self) -> Message {
        let names: Vec<&str> = self.sources.iter().map(|(name, _)| *name).collect();
        Message {
            kind: self.listing,
            body: json!({ self.parameter: names }),
        }
    }

    /// Returns the sequence number of the value that is current at a time.
    pub(super) fn tick(&self, now: Micros) -> i64 {
        milliseconds(now).div_euclid(self.interval)
    }

    /// Returns the current values of the sources of a subscription.
    pub(super) fn values(&self, sources: &Sources, now: Micros) -> Vec<Message> {
        let at = self.tick(now) * self.interval;
        let sources = self
            .sources
            .iter()
            .filter(|(name, _)| sources.all || sources.names.contains(name));
        let message = |(name, middle): &(&str, i64)| Message {
            kind: self.channel,
            body: self.value(name, *middle, at, milliseconds(now)),
        };
        sources.map(message).collect()
    }

    fn value(&self, name: &str, middle: i64, at: i64, now: i64) -> Value {
        let value = decimal(price(middle, at));
        // CF Benchmarks sends JSON inside a string.
        let data = json!({ "type": "value", "id": name, "value": value, "time": at }).to_string();
        let mut body = json!({ self.source: name, "received_at": now });
        if self.channel == "cfbenchmarks_value" {
            let ticks = (0..60).map(|second| price(middle, at - second * 1000));
            body["avg_60s_data"] = json!({
                "value": decimal(ticks.sum::<i64>() / 60),
                "window_size": 60,
                "window_start_ts_ms": at - 59_000,
                "window_end_ts_exclusive": at + 1000,
            });
        } else {
            body["value_usd"] = json!(value);
            body["source_ts_ms"] = json!(at);
        }
        if self.source == "index_id" {
            body["data"] = json!(data);
        }
        body
    }
}

/// Returns the price at a time, in hundred-millionths of a dollar. It stays within 0.2 percent of `middle`, and rises for five
/// minutes and falls for five.
fn price(middle: i64, at_ms: i64) -> i64 {
    const HALF: i64 = 300_000;
    let phase = at_ms.rem_euclid(2 * HALF);
    let height = phase.min(2 * HALF - phase) - HALF / 2;
    // 0.2 percent of a dollar is 200,000 hundred-millionths.
    middle * 100_000_000 + middle * (200_000 * height / (HALF / 2))
}

/// Formats hundred-millionths with eight decimals.
fn decimal(value: i64) -> String {
    format!("{}.{:08}", value / 100_000_000, value % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_stay_near_their_middle_and_have_eight_decimals() {
        for at in (0..1_200_000).step_by(1000) {
            let price = price(90_000, at);
            assert!(
                (price - 9_000_000_000_000).abs() <= 18_000_000_000,
                "{price}"
            );
        }
        assert_eq!(decimal(price(3_000, 0)), "2994.00000000");
        assert_eq!(decimal(price(3_000, 300_000)), "3006.00000000");
        assert_eq!(decimal(1), "0.00000001");
    }
}
