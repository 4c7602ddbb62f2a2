//! Decoded frames: the envelope and the message.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    control,
    envelope::Envelope,
    message::{MalformedMessage, Message, UnknownMessage},
    sequence::Fingerprint,
};
use crate::{compact::Compact, excerpt, json_path};

/// One frame of a WebSocket connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Frame<M> {
    /// Id of the command to which the frame replies, or `None` if it is not a reply.
    pub id: Option<u64>,
    /// The exchange's number for the frame's subscription, or `None` if it belongs to no subscription.
    pub sid: Option<u64>,
    /// Sequence number within the subscription, from 1. `None` if the channel is not numbered.
    pub seq: Option<u64>,
    /// Time at which the exchange sent the frame, in Unix milliseconds. `None` in frames from before September 2026.
    pub sending_ts_ms: Option<i64>,
    /// The decoded message.
    pub message: M,
    fingerprint: Fingerprint,
}

/// Frames are equal if their contents are equal, regardless of their JSON formatting.
impl<M: PartialEq> PartialEq for Frame<M> {
    fn eq(&self, other: &Self) -> bool {
        let envelope = |frame: &Self| (frame.id, frame.sid, frame.seq, frame.sending_ts_ms);
        envelope(self) == envelope(other) && self.message == other.message
    }
}

impl<M> Frame<M> {
    /// Returns the fingerprint of a numbered frame, to recognize one that was sent twice. All frames without a number
    /// have the same fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// A decoding error in a part of a frame.
struct Fault<'a> {
    /// JSON path of the part.
    path: &'static str,
    part: &'a str,
    error: serde_json::Error,
}

impl<M: Message> Frame<M> {
    /// Parses a frame. This never fails: a frame that cannot be decoded contains a [malformed](MalformedMessage) message.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match Envelope::parse(text) {
            Ok(envelope) => Self::decode(text, &envelope),
            Err(error) => Self::malformed(text, &whole(text, error)),
        }
    }

    /// Decodes the message of a frame whose envelope is already parsed.
    pub(super) fn decode(text: &str, envelope: &Envelope) -> Self {
        let mut frame = Self {
            id: envelope.id,
            sid: envelope.sid,
            seq: envelope.seq,
            sending_ts_ms: envelope.sending_ts_ms,
            fingerprint: fingerprint(text, envelope),
            // Decoded in place, because a message is large, and moving it costs as much as parsing its numbers.
            message: M::unknown(UnknownMessage {
                kind: String::new(),
                raw: String::new(),
            }),
        };
        if envelope.is_missing() {
            return Self::parse(text);
        }
        if envelope.is_usual {
            if frame.decode_body(text, envelope).is_ok_and(|known| known) {
                return frame;
            }
            // The message is unknown or malformed, or the envelope is not the usual one, so parse all of it.
            return match Envelope::parse_any(text) {
                Ok(envelope) => Self::decode(text, &envelope),
                Err(error) => Self::malformed(text, &whole(text, error)),
            };
        }
        match frame.decode_body(text, envelope) {
            Ok(true) => {}
            Ok(false) => {
                let kind = envelope.kind(text);
                frame.message = M::without_body(kind).unwrap_or_else(|| {
                    M::unknown(UnknownMessage {
                        kind: kind.to_owned(),
                        raw: text.to_owned(),
                    })
                });
            }
            Err(fault) => {
                return Self {
                    id: envelope.id,
                    sid: envelope.sid,
                    ..Self::malformed(text, &fault)
                };
            }
        }
        frame
    }

    /// Decodes the body. Returns `false` if the frame has no body, or if its type is not in the spec.
    fn decode_body<'a>(&mut self, text: &'a str, envelope: &Envelope) -> Result<bool, Fault<'a>> {
        let Some(body) = envelope.body(text) else {
            return Ok(false);
        };
        let kind = envelope.kind(text);
        let mut compact = Compact::new(body);
        if let Ok(known) = M::decode_body(kind, &mut compact, &mut self.message)
            && compact.end().is_ok()
        {
            return Ok(known);
        }
        let mut decode = |body: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(body);
            M::decode_body(kind, &mut deserializer, &mut self.message)
                .and_then(|known| deserializer.end().map(|()| known))
        };
        decode(body).or_else(|error| {
            // The code of an error matters even if the rest is missing.
            let complete = (kind == "error").then(|| control::complete_error(body));
            complete
                .flatten()
                .and_then(|complete| decode(&complete).ok())
                .ok_or(Fault {
                    path: "$.msg",
                    part: body,
                    error,
                })
        })
    }

    /// Creates a frame of which at most the envelope could be parsed.
    fn malformed(text: &str, fault: &Fault<'_>) -> Self {
        #[derive(Deserialize, Default)]
        struct Outer {
            #[serde(rename = "type")]
            kind: Option<String>,
        }
        let Fault { path, part, error } = fault;
        let envelope = Envelope::parse_lenient(text);
        let Outer { kind } = serde_json::from_str(text).unwrap_or_default();
        // serde_json's message quotes the input, which may be the whole frame.
        let reason = excerpt::short(&error.to_string(), excerpt::EXCERPT);
        let inner = json_path::of(part.as_bytes(), error);
        // If the JSON ends where a field name is expected, the path ends with a dot.
        let path = inner.trim_end_matches('.').replacen('$', path, 1);
        Self {
            id: envelope.id,
            sid: envelope.sid,
            seq: envelope.seq,
            sending_ts_ms: envelope.sending_ts_ms,
            fingerprint: fingerprint(text, &envelope),
            message: M::malformed(MalformedMessage {
                kind,
                path,
                reason,
                raw: text.to_owned(),
            }),
        }
    }
}

/// Computes the fingerprint of a numbered frame. Only those are compared.
fn fingerprint(text: &str, envelope: &Envelope) -> Fingerprint {
    let seq = envelope.seq;
    seq.map(|_| Fingerprint::from_text(text))
        .unwrap_or_default()
}

fn whole(text: &str, error: serde_json::Error) -> Fault<'_> {
    Fault {
        path: "$",
        part: text,
        error,
    }
}

/// Returns `true` if a body is an object in which the fields of `values` have those values and the fields of `names` exist. Generated code
/// uses this to distinguish messages of the same type.
#[must_use]
pub fn discriminates(body: &str, values: &[(&str, &str)], names: &[&str]) -> bool {
    let Ok(fields) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(body) else {
        return false;
    };
    let has_value = |(name, value): &(&str, &str)| {
        let text = fields
            .get(name)
            .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        text.as_deref() == Some(value)
    };
    values.iter().all(has_value) && names.iter().all(|name| fields.contains_key(name))
}
