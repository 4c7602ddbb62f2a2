//! One frame of a stream: its envelope, and the message in it.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::messages::{self, Message};
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
        let unread = UnknownMessage {
            kind: String::new(),
            raw: String::new(),
        };
        let mut frame = Self {
            id: None,
            sid: None,
            seq: None,
            sending_ts_ms: None,
            message: Message::Unknown(unread),
        };
        if !frame.read_usual(text)
            && let Err(fault) = Envelope::read(text, &mut frame)
        {
            frame = Self::malformed(text, &fault);
        }
        frame
    }

    /// Reads a frame whose envelope is written as the exchange writes it, which takes a fifth less time. False, and it is to be read
    /// in the general way, if it is not, or if anything is wrong with the message.
    fn read_usual(&mut self, text: &str) -> bool {
        let Some(envelope) = UsualEnvelope::of(text) else {
            return false;
        };
        let mut body = serde_json::Deserializer::from_str(envelope.body);
        let message = messages::read_body(envelope.kind, &mut body, &mut self.message);
        if !matches!(message, Ok(true)) || body.end().is_err() {
            return false;
        }
        self.sid = Some(envelope.sid);
        self.seq = envelope.seq;
        self.sending_ts_ms = envelope.sending_ts_ms;
        true
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

/// `{"type":"…","sid":1,"seq":2,"msg":…,"sending_ts_ms":3}`, the third and the fifth member or not.
struct UsualEnvelope<'a> {
    kind: &'a str,
    sid: u64,
    seq: Option<u64>,
    sending_ts_ms: Option<i64>,
    /// If this is one JSON value, the frame is one.
    body: &'a str,
}

impl<'a> UsualEnvelope<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix(r#"{"type":""#)?.split_once('"')?;
        let (sid, rest) = number(rest.strip_prefix(r#","sid":"#)?)?;
        let (seq, rest) = match rest.strip_prefix(r#","seq":"#) {
            Some(rest) => number(rest).map(|(seq, rest)| (Some(seq), rest))?,
            None => (None, rest),
        };
        let rest = rest.strip_prefix(r#","msg":"#)?.strip_suffix('}')?;
        let (body, sending_ts_ms) = if rest.ends_with(['}', ']']) {
            (rest, None)
        } else {
            let (body, sent) = rest.rsplit_once(',')?;
            match number(sent.strip_prefix(r#""sending_ts_ms":"#)?)? {
                (sent, "") => (body, Some(i64::try_from(sent).ok()?)),
                _ => return None,
            }
        };
        (!kind.contains('\\')).then_some(Self {
            kind,
            sid,
            seq,
            sending_ts_ms,
            body,
        })
    }
}

/// The whole number that a text begins with, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let mut number = 0_u64;
    let mut digits = 0;
    for digit in text.bytes().take_while(u8::is_ascii_digit) {
        number = number
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
        digits += 1;
    }
    let leading_zero = digits > 1 && text.starts_with('0');
    (digits > 0 && !leading_zero).then(|| (number, &text[digits..]))
}

/// What is wrong with a part of a frame, and the path of that part.
struct Fault<'a> {
    place: &'static str,
    part: &'a str,
    error: serde_json::Error,
}

/// A frame that is being read, to where it will stay: a frame is large, and moving it costs as much as reading its numbers.
struct Envelope<'a, 'f> {
    frame: &'f mut Frame,
    kind: Option<Kind<'a>>,
    /// Whether the message is there.
    is_read: bool,
    /// A body that came before its type.
    early: Option<&'a RawValue>,
}

/// The members of a frame.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Id,
    Sid,
    Seq,
    SendingTsMs,
    Type,
    Msg,
    #[serde(other)]
    Other,
}

/// The `type` of a frame, which mostly stands in it without escapes.
#[derive(Deserialize, Default)]
struct Kind<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Envelope<'a, '_> {
    fn read(text: &'a str, frame: &mut Frame) -> Result<(), Fault<'a>> {
        let fault = |place, part| move |error| Fault { place, part, error };
        let mut envelope = Envelope {
            frame,
            kind: None,
            is_read: false,
            early: None,
        };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer
            .deserialize_map(&mut envelope)
            .and_then(|()| deserializer.end())
            .map_err(fault("$", text))?;
        let Kind(kind) = envelope.kind.unwrap_or_default();
        if let Some(early) = envelope.early {
            let mut body = serde_json::Deserializer::from_str(early.get());
            envelope.is_read = messages::read_body(&kind, &mut body, &mut envelope.frame.message)
                .map_err(fault("$.msg", early.get()))?;
        }
        if !envelope.is_read {
            envelope.frame.message = messages::without_body(&kind).unwrap_or_else(|| {
                Message::Unknown(UnknownMessage {
                    kind: kind.into_owned(),
                    raw: text.to_owned(),
                })
            });
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Envelope<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of the exchange")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_key()? {
            match (member, &self.kind) {
                (Member::Id, _) => self.frame.id = map.next_value()?,
                (Member::Sid, _) => self.frame.sid = map.next_value()?,
                (Member::Seq, _) => self.frame.seq = map.next_value()?,
                (Member::SendingTsMs, _) => self.frame.sending_ts_ms = map.next_value()?,
                (Member::Type, _) => self.kind = Some(map.next_value()?),
                (Member::Msg, Some(Kind(kind))) => {
                    let body = BodyOf(kind, &mut self.frame.message);
                    self.is_read = map.next_value_seed(body)?;
                }
                (Member::Msg, None) => self.early = Some(map.next_value()?),
                (Member::Other, _) => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match self.kind {
            Some(_) => Ok(()),
            None => Err(A::Error::missing_field("type")),
        }
    }
}

/// The body of a message of that type, and the place for it.
struct BodyOf<'a>(&'a str, &'a mut Message);

impl<'de> DeserializeSeed<'de> for BodyOf<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        messages::read_body(self.0, deserializer, self.1)
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
