//! The envelope of a frame: everything around the body. The body itself is not decoded here.

use std::{borrow::Cow, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The fields of a frame around its body, and the positions of `type` and body within the frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Envelope {
    pub(super) id: Option<u64>,
    pub(super) sid: Option<u64>,
    pub(super) seq: Option<u64>,
    pub(super) sending_ts_ms: Option<i64>,
    kind: Kind,
    body: Option<Range<usize>>,
    /// `true` if the envelope has the form that the exchange usually sends. If the body is valid JSON, then so is the frame.
    pub(super) is_usual: bool,
}

/// The `type` of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
enum Kind {
    #[default]
    Missing,
    InText(Range<usize>),
    /// The type was written with escapes, and is unescaped here.
    Unescaped(Box<str>),
}

impl Envelope {
    /// Parses the envelope of a frame. The usual form is recognized without scanning the body, in a fraction of the time.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        match Self::parse_usual(text) {
            Some(envelope) => Ok(envelope),
            None => Self::parse_any(text),
        }
    }

    /// Parses as much as possible of the envelope of an invalid frame.
    pub(super) fn parse_lenient(text: &str) -> Self {
        #[derive(Deserialize, Default)]
        struct Outer {
            id: Option<u64>,
            sid: Option<u64>,
            seq: Option<u64>,
            sending_ts_ms: Option<i64>,
        }
        let outer: Outer = serde_json::from_str(text).unwrap_or_default();
        Self {
            id: outer.id,
            sid: outer.sid,
            seq: outer.seq,
            sending_ts_ms: outer.sending_ts_ms,
            ..Self::default()
        }
    }

    /// Returns `true` if the input has no envelope, because it is not a frame.
    pub(super) fn is_missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    /// Returns the `type` of the frame, or an empty string if it has no envelope.
    pub(super) fn kind<'a>(&'a self, text: &'a str) -> &'a str {
        match &self.kind {
            Kind::Missing => "",
            Kind::InText(range) => text.get(range.clone()).unwrap_or_default(),
            Kind::Unescaped(kind) => kind,
        }
    }

    /// Returns the JSON under `msg`, or `None` if the frame has no body.
    pub(super) fn body<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.get(self.body.clone()?)
    }

    /// Recognizes `{"type":"…","sid":1,"seq":2,"msg":…,"sending_ts_ms":3}`, where `seq` and `sending_ts_ms` are optional, without
    /// looking at the body.
    pub(super) fn parse_usual(text: &str) -> Option<Self> {
        const START: &str = r#"{"type":""#;
        let (kind, rest) = text.strip_prefix(START)?.split_once('"')?;
        let (sid, rest) = number(rest.strip_prefix(r#","sid":"#)?)?;
        let (seq, rest) = match rest.strip_prefix(r#","seq":"#) {
            Some(rest) => number(rest).map(|(seq, rest)| (Some(seq), rest))?,
            None => (None, rest),
        };
        let body_start = text.len() - rest.strip_prefix(r#","msg":"#)?.len();
        let rest = text.get(body_start..)?.strip_suffix('}')?;
        let (body, sending_ts_ms) = if rest.ends_with(['}', ']']) {
            (rest, None)
        } else {
            let (body, sent) = rest.rsplit_once(',')?;
            match number(sent.strip_prefix(r#""sending_ts_ms":"#)?)? {
                (sent, "") => (body, Some(i64::try_from(sent).ok()?)),
                _ => return None,
            }
        };
        Some(Self {
            id: None,
            sid: Some(sid),
            seq,
            sending_ts_ms,
            kind: Kind::InText(START.len()..START.len() + kind.len()),
            body: Some(body_start..body_start + body.len()),
            is_usual: true,
        })
    }

    /// Parses an envelope in any JSON formatting.
    pub(super) fn parse_any(text: &str) -> Result<Self, serde_json::Error> {
        let mut envelope = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_map(EnvelopeVisitor {
            text,
            envelope: &mut envelope,
        })?;
        deserializer.end()?;
        Ok(envelope)
    }
}

/// Parses the integer at the start of a string. Returns it with the rest.
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

/// The fields of an envelope.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Id,
    Sid,
    Seq,
    SendingTsMs,
    Type,
    Msg,
    #[serde(other)]
    Other,
}

/// A string that is borrowed from the input unless it has escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

struct EnvelopeVisitor<'a, 'e> {
    text: &'a str,
    envelope: &'e mut Envelope,
}

impl EnvelopeVisitor<'_, '_> {
    /// Returns the range of a substring within the frame.
    fn range(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + part.len()
    }
}

impl<'de> Visitor<'de> for EnvelopeVisitor<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame of the exchange")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key()? {
            match field {
                Field::Id => self.envelope.id = map.next_value()?,
                Field::Sid => self.envelope.sid = map.next_value()?,
                Field::Seq => self.envelope.seq = map.next_value()?,
                Field::SendingTsMs => self.envelope.sending_ts_ms = map.next_value()?,
                Field::Type => {
                    let Borrowed(kind) = map.next_value()?;
                    self.envelope.kind = match kind {
                        Cow::Borrowed(kind) => Kind::InText(self.range(kind)),
                        Cow::Owned(kind) => Kind::Unescaped(kind.into()),
                    };
                }
                Field::Msg => {
                    let body: &RawValue = map.next_value()?;
                    self.envelope.body = Some(self.range(body.get()));
                }
                Field::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match self.envelope.kind {
            Kind::Missing => Err(A::Error::missing_field("type")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::Envelope;

    const FRAMES: [&str; 6] = [
        r#"{"type":"delta","sid":1,"seq":24,"msg":{"market_ticker":"KXRAIN-26DEC01-T1","price":"0.4300","side":"yes","ts":"2026-11-24T15:04:05.123Z","ts_ms":1795532645123}}"#,
        r#"{"type":"snapshot","sid":18446744073709551615,"seq":0,"msg":{"market_ticker":"K","yes":[["0.0100","5.00"]]},"sending_ts_ms":1795532645123}"#,
        r#"{"type":"trade","sid":11,"msg":{"trade_id":"t","market_ticker":"K","price":"0.36","count":"136.00","ts":1795532645}}"#,
        r#"{"type":"subscribed","sid":3,"msg":{"channel":"ticker, \",\"sending_ts_ms\":3}","sid":3}}"#,
        r#"{"type":"ok","sid":3,"seq":7,"msg":[]}"#,
        r#"{"type":"ok","sid":3,"seq":7,"msg":{"market_tickers":["K"]},"sending_ts_ms":9223372036854775807}"#,
    ];

    /// Returns variants of a frame: at each position, up to four bytes are replaced by each piece.
    fn variants(text: &str) -> impl Iterator<Item = String> {
        const PIECES: [&str; 22] = [
            "",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "0",
            "1",
            "-",
            ".",
            "e",
            " ",
            "\n",
            "null",
            "{}",
            "é",
            r#","msg":{}"#,
            r#","type":"trade""#,
            r#","sending_ts_ms":5"#,
        ];
        (0..=text.len()).flat_map(move |at| {
            PIECES.into_iter().flat_map(move |piece| {
                (0..=4).filter_map(move |taken| {
                    let after = text.get(at + taken..)?;
                    Some(format!("{}{piece}{after}", text.get(..at)?))
                })
            })
        })
    }

    /// Returns the usual envelope of a frame, if the body is one JSON value and the type has no escapes.
    fn usual(text: &str) -> Option<Envelope> {
        let envelope = Envelope::parse_usual(text)?;
        let body = envelope.body(text).unwrap_or_default();
        serde_json::from_str::<serde::de::IgnoredAny>(body).ok()?;
        let kind = envelope.kind(text);
        let plain = kind.chars().all(|c| c != '\\' && !c.is_control());
        plain.then_some(envelope)
    }

    #[test]
    fn usual_and_general_parsing_agree() {
        let mut recognized = 0;
        for text in FRAMES {
            assert!(usual(text).is_some(), "{text}");
            for text in variants(text) {
                if let Some(mut usual) = usual(&text) {
                    recognized += 1;
                    let mut general = Envelope::parse_any(&text).unwrap_or_default();
                    let bodies = [&usual, &general].map(|envelope| envelope.body(&text));
                    let [Some(one), Some(other)] = bodies.map(|body| body.map(str::trim)) else {
                        panic!("no body in {text}");
                    };
                    assert_eq!(one, other, "{text}");
                    (usual.is_usual, usual.body, general.body) = (false, None, None);
                    assert_eq!(usual, general, "{text}");
                }
            }
        }
        assert!(recognized > 10_000, "{recognized}");
    }

    #[test]
    fn escaped_type_is_unescaped() {
        let text = r#"{"msg":{"a":1},"type":"o\u006b","id":7,"other":[]}"#;
        let envelope = Envelope::parse(text).unwrap_or_default();
        assert_eq!((envelope.kind(text), envelope.id), ("ok", Some(7)));
        assert_eq!(envelope.body(text), Some(r#"{"a":1}"#));
    }
}
