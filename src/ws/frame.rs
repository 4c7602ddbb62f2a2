//! One frame of a stream: where it belongs, and the message in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    envelope::{self, Fault},
    messages::Message,
};
use crate::json_path;

/// One frame as the exchange sent it, read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// The command that it answers, if it answers one.
    pub id: Option<u64>,
    /// The subscription that it belongs to, if it belongs to one.
    pub sid: Option<u64>,
    /// Its place in the subscription, from 1; none where the channel does not count.
    pub seq: Option<u64>,
    /// When the exchange sent it, in Unix milliseconds; none from before September 2026.
    pub sending_ts_ms: Option<i64>,
    /// What it says.
    pub message: Message,
}

/// A message of a type that the contract does not have, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownMessage {
    /// Its `type` on the wire.
    pub kind: String,
    /// The frame as it came.
    pub raw: String,
}

/// A frame that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedMessage {
    /// Its `type` on the wire, where that could be read.
    pub kind: Option<String>,
    /// The JSON path of what is wrong.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
    /// The frame as it came.
    pub raw: String,
}

impl Frame {
    /// Reads the text of a frame. It does not fail: a frame that cannot be read says so as its message.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut frame = Self::unread();
        if let Err(fault) = envelope::read(text, &mut frame) {
            frame = Self::malformed(text, &fault);
        }
        frame
    }

    /// A frame to read into.
    pub(super) fn unread() -> Self {
        Self {
            id: None,
            sid: None,
            seq: None,
            sending_ts_ms: None,
            message: Message::Unknown(UnknownMessage {
                kind: String::new(),
                raw: String::new(),
            }),
        }
    }

    /// A frame of which only the envelope may be read.
    fn malformed(text: &str, fault: &Fault<'_>) -> Self {
        let Fault { place, part, error } = fault;
        #[derive(Deserialize, Default)]
        struct Outside {
            id: Option<u64>,
            sid: Option<u64>,
            seq: Option<u64>,
            sending_ts_ms: Option<i64>,
            #[serde(rename = "type")]
            kind: Option<String>,
        }
        let Outside {
            id,
            sid,
            seq,
            sending_ts_ms,
            kind,
        } = serde_json::from_str(text).unwrap_or_default();
        let reason = error.to_string();
        let (line, column) = (error.line(), error.column());
        let missing = reason
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split('`').next());
        let path = match missing {
            Some(name) => json_path::missing(part.as_bytes(), line, column, name),
            None => json_path::at(part.as_bytes(), line, column),
        };
        // A text that ends where a name belongs has none.
        let path = path.trim_end_matches('.').replacen('$', place, 1);
        let message = Message::Malformed(MalformedMessage {
            kind,
            path,
            reason,
            raw: text.to_owned(),
        });
        Self {
            id,
            sid,
            seq,
            sending_ts_ms,
            message,
        }
    }
}

/// Whether a body is an object in which members say what they must, and others are there: what tells messages of one type
/// apart.
pub(crate) fn is_told(body: &str, values: &[(&str, &str)], names: &[&str]) -> bool {
    let Ok(members) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(body) else {
        return false;
    };
    let says = |(name, value): &(&str, &str)| {
        let text = members
            .get(name)
            .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        text.as_deref() == Some(value)
    };
    values.iter().all(says) && names.iter().all(|name| members.contains_key(name))
}
