//! One frame of a stream: its envelope, and the message in it.

use std::{collections::BTreeMap, fmt};

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
        match serde_json::from_str::<Envelope<'_>>(text) {
            Ok(Envelope {
                early_fault: Some((body, error)),
                ..
            }) => Self::malformed(text, "$.msg", body, &error),
            Ok(envelope) => envelope.into_frame(text),
            Err(error) => Self::malformed(text, "$", text, &error),
        }
    }

    /// A frame of which only the envelope may be read. The fault is in `part` of it, which is at `place`.
    fn malformed(text: &str, place: &str, part: &str, error: &serde_json::Error) -> Self {
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

/// A frame that is being read.
#[derive(Default)]
struct Envelope<'a> {
    id: Option<u64>,
    sid: Option<u64>,
    seq: Option<u64>,
    sending_ts_ms: Option<i64>,
    kind: Option<Kind<'a>>,
    message: Option<Message>,
    /// A body that came before its type, and what is wrong with it.
    early_fault: Option<(&'a str, serde_json::Error)>,
}

/// A text that mostly stands in the frame as it is.
type Kind<'a> = std::borrow::Cow<'a, str>;

impl Envelope<'_> {
    fn into_frame(self, text: &str) -> Frame {
        let kind = self.kind.unwrap_or_default();
        let message = self
            .message
            .or_else(|| messages::without_body(&kind))
            .unwrap_or_else(|| {
                Message::Unknown(UnknownMessage {
                    kind: kind.into_owned(),
                    raw: text.to_owned(),
                })
            });
        Frame {
            id: self.id,
            sid: self.sid,
            seq: self.seq,
            sending_ts_ms: self.sending_ts_ms,
            message,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message of the exchange")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope::default();
                // A body that came before its type.
                let mut early: Option<&'de RawValue> = None;
                while let Some(Text(name)) = map.next_key()? {
                    match &*name {
                        "id" => envelope.id = map.next_value()?,
                        "sid" => envelope.sid = map.next_value()?,
                        "seq" => envelope.seq = map.next_value()?,
                        "sending_ts_ms" => envelope.sending_ts_ms = map.next_value()?,
                        "type" => envelope.kind = Some(map.next_value::<Text<'de>>()?.0),
                        "msg" => match &envelope.kind {
                            Some(kind) => envelope.message = map.next_value_seed(BodyOf(kind))?,
                            None => early = Some(map.next_value()?),
                        },
                        _ => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                if let (Some(raw), Some(kind)) = (early, &envelope.kind) {
                    let mut body = serde_json::Deserializer::from_str(raw.get());
                    match BodyOf(kind).deserialize(&mut body) {
                        Ok(message) => envelope.message = message,
                        Err(error) => envelope.early_fault = Some((raw.get(), error)),
                    }
                }
                match envelope.kind {
                    Some(_) => Ok(envelope),
                    None => Err(A::Error::missing_field("type")),
                }
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// A text, borrowed where it has no escapes.
struct Text<'a>(Kind<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Kind::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Kind::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Either)
    }
}

/// The body of a message of that type.
struct BodyOf<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for BodyOf<'_> {
    type Value = Option<Message>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Option<Message>, D::Error> {
        messages::read_body(self.0, deserializer)
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
