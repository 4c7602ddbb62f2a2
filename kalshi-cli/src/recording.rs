//! Recordings: frames and events of a WebSocket connection, in compressed segments.
//!
//! A segment is a zstd file of lines. Each line has the Unix time in microseconds, a kind and a content, separated by tabs:
//!
//! - `segment`: the first line, a [`Header`] as JSON.
//! - `frame`: a frame as received.
//! - `quoted`: a frame that contains line breaks, as a JSON string.
//! - `event`: a [`ConnectionEvent`] as JSON.
//!
//! Segments are named by the start of their recording and their number, so that sorting by name sorts them by time. If the recorder
//! was killed, a segment ends in the middle of a zstd frame.

mod reader;
mod writer;

use std::{borrow::Cow, time::Duration};

use kalshi_sdk::ws::{Channel, ConnectionError, Event, SubscriptionId};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    reader::{Damage, Segment, segments},
    writer::{Limits, Writer},
};

/// Time without a line after which the recorder writes an `alive` event, so that replay knows how long quiet books were live.
pub(crate) const ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Version of the format. Segments of other versions are rejected.
const FORMAT_VERSION: u32 = 1;

/// Header of a segment: its recording, and the subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) version: u32,
    /// Start of the recording, which identifies it. All its segments have the same value.
    pub(crate) recording: String,
    /// Number of the segment in the recording, from 1.
    pub(crate) number: u32,
    pub(crate) exchange: String,
    pub(crate) market_tickers: Vec<String>,
    pub(crate) channels: Vec<String>,
}

/// Event of the connection or the recorder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ConnectionEvent {
    Connected,
    Disconnected {
        reason: String,
    },
    Resubscribed {
        sid: u64,
        /// `None` in recordings of earlier versions.
        channel: Option<Channel>,
        market_tickers: Vec<String>,
    },
    Unsubscribed {
        error: Option<String>,
    },
    MarketsRejected {
        market_tickers: Vec<String>,
        error: String,
    },
    Detached {
        sid: u64,
    },
    Gap {
        expected: u64,
        got: u64,
    },
    Lagged {
        count: u64,
    },
    /// An event of a type that this version does not support.
    Other {
        text: String,
    },
    /// The recorder was running and received nothing for some time.
    Alive,
    /// The recorder was shut down.
    Stopped,
}

impl ConnectionEvent {
    /// Converts an event of the connection. Returns `None` for a message. `channel` returns the channel of a subscription.
    pub(crate) fn from_event(
        event: &Event,
        channel: impl Fn(SubscriptionId) -> Option<Channel>,
    ) -> Option<Self> {
        Some(match event {
            Event::Message(_) => return None,
            Event::Connected => Self::Connected,
            Event::Disconnected { reason } => Self::Disconnected {
                reason: describe(reason),
            },
            Event::Resubscribed {
                subscription,
                sid,
                targets,
            } => Self::Resubscribed {
                sid: *sid,
                channel: channel(*subscription),
                market_tickers: targets.to_vec(),
            },
            Event::Unsubscribed { error, .. } => Self::Unsubscribed {
                error: error.as_deref().map(describe),
            },
            Event::TargetsRejected { targets, error, .. } => Self::MarketsRejected {
                market_tickers: targets.to_vec(),
                error: describe(error),
            },
            Event::Detached { sid, .. } => Self::Detached { sid: *sid },
            Event::Gap { expected, got, .. } => Self::Gap {
                expected: *expected,
                got: *got,
            },
            Event::Lagged { count } => Self::Lagged { count: *count },
            other => Self::Other {
                text: format!("{other:?}"),
            },
        })
    }

    /// Returns the name of the variant, as in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected { .. } => "disconnected",
            Self::Resubscribed { .. } => "resubscribed",
            Self::Unsubscribed { .. } => "unsubscribed",
            Self::MarketsRejected { .. } => "markets_rejected",
            Self::Detached { .. } => "detached",
            Self::Gap { .. } => "gap",
            Self::Lagged { .. } => "lagged",
            Self::Other { .. } => "other",
            Self::Alive => "alive",
            Self::Stopped => "stopped",
        }
    }

    /// Returns the details of the event, or `None` if it has none.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::Disconnected { reason } => Some(reason.clone()),
            Self::Resubscribed { market_tickers, .. } => Some(market_tickers.join(", ")),
            Self::Unsubscribed { error } => error.clone(),
            Self::MarketsRejected {
                market_tickers,
                error,
            } => Some(format!("{}: {error}", market_tickers.join(", "))),
            Self::Gap { expected, got } => Some(format!("expected {expected}, got {got}")),
            Self::Lagged { count } => Some(format!("{count} messages were dropped")),
            Self::Other { text } => Some(text.clone()),
            Self::Connected | Self::Detached { .. } | Self::Alive | Self::Stopped => None,
        }
    }
}

/// Returns an error with its sources.
pub(crate) fn describe(error: &ConnectionError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// A line of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Time by the recorder's clock, in Unix microseconds.
    pub(crate) time_us: i64,
    pub(crate) entry: Entry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Header(Header),
    Frame(String),
    Event(ConnectionEvent),
}

impl Line {
    fn parse(line: &str) -> Result<Self, String> {
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().ok_or("the line has fewer than three parts");
        let time_us = part()?;
        let time_us = time_us
            .parse()
            .map_err(|_| format!("{time_us:?} is not a time"))?;
        let (kind, content) = (part()?, part()?);
        let invalid = |error| format!("the {kind} is invalid: {error}");
        let entry = match kind {
            "segment" => Entry::Header(serde_json::from_str(content).map_err(invalid)?),
            "frame" => Entry::Frame(content.to_owned()),
            "quoted" => Entry::Frame(serde_json::from_str(content).map_err(invalid)?),
            "event" => Entry::Event(serde_json::from_str(content).map_err(invalid)?),
            _ => return Err(format!("the kind {kind:?} is unknown")),
        };
        Ok(Self { time_us, entry })
    }
}

/// Returns the kind and the content of the line of a frame.
fn frame_line(text: &str) -> serde_json::Result<(&'static str, Cow<'_, str>)> {
    Ok(match text.contains('\n') {
        false => ("frame", Cow::Borrowed(text)),
        true => ("quoted", Cow::Owned(serde_json::to_string(text)?)),
    })
}
