//! The envelope of a frame, and the body of the message in it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    frame::{Frame, UnknownMessage},
    messages::{self, Message},
};

/// What is wrong with a part of a frame, and the path of that part.
pub(super) struct Fault<'a> {
    pub(super) place: &'static str,
    pub(super) part: &'a str,
    pub(super) error: serde_json::Error,
}

/// Reads the text of a frame to where the frame will stay: a frame is large, and moving it costs as much as reading its numbers.
pub(super) fn read<'a>(text: &'a str, frame: &mut Frame) -> Result<(), Fault<'a>> {
    match read_usual(text, frame) {
        true => Ok(()),
        false => read_any(text, frame),
    }
}

/// Reads a frame whose envelope is written as the exchange writes it, in a fifth less time. False if it is not, or if anything
/// is wrong with the message.
fn read_usual(text: &str, frame: &mut Frame) -> bool {
    let Some(envelope) = UsualEnvelope::of(text) else {
        return false;
    };
    let mut body = serde_json::Deserializer::from_str(envelope.body);
    let message = messages::read_body(envelope.kind, &mut body, &mut frame.message);
    if !matches!(message, Ok(true)) || body.end().is_err() {
        return false;
    }
    frame.sid = Some(envelope.sid);
    frame.seq = envelope.seq;
    frame.sending_ts_ms = envelope.sending_ts_ms;
    true
}

/// `{"type":"…","sid":1,"seq":2,"msg":…,"sending_ts_ms":3}`, the third and the fifth member or not.
struct UsualEnvelope<'a> {
    /// As written: with an escape it is no type of the contract.
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
        Some(Self {
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

/// A frame that is being read.
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

/// Reads a frame whose envelope is written in any way.
fn read_any<'a>(text: &'a str, frame: &mut Frame) -> Result<(), Fault<'a>> {
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

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use super::{read_any, read_usual};
    use crate::ws::Frame;

    const FRAMES: [&str; 6] = [
        r#"{"type":"orderbook_delta","sid":1,"seq":24,"msg":{"market_ticker":"KXRAIN-26DEC01-T1","market_id":"943fcfe7-68a7-48aa-84b0-9b5ed2d5b922","price_dollars":"0.4300","delta_fp":"-100.00","side":"yes","ts":"2026-11-24T15:04:05.123Z","ts_ms":1795532645123}}"#,
        r#"{"type":"orderbook_snapshot","sid":18446744073709551615,"seq":0,"msg":{"market_ticker":"K","market_id":"7","yes_dollars_fp":[["0.0100","5.00"]]},"sending_ts_ms":1795532645123}"#,
        r#"{"type":"trade","sid":11,"msg":{"trade_id":"t","market_ticker":"K","yes_price_dollars":"0.36","no_price_dollars":"0.64","count_fp":"136.00","taker_side":"no","ts":1795532645}}"#,
        r#"{"type":"subscribed","sid":3,"msg":{"channel":"ticker, \",\"sending_ts_ms\":3}","sid":3}}"#,
        r#"{"type":"ok","sid":3,"seq":7,"msg":[]}"#,
        r#"{"type":"ok","sid":3,"seq":7,"msg":{"market_tickers":["K"]},"sending_ts_ms":9223372036854775807}"#,
    ];

    /// The text with one place changed in every way.
    fn changed(text: &str) -> impl Iterator<Item = String> {
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

    #[test]
    fn the_usual_envelope_reads_as_any_other() {
        let mut taken = 0;
        for text in FRAMES {
            assert!(read_usual(text, &mut Frame::unread()), "{text}");
            for text in changed(text) {
                let (mut usual, mut any) = (Frame::unread(), Frame::unread());
                if read_usual(&text, &mut usual) {
                    taken += 1;
                    assert!(read_any(&text, &mut any).is_ok(), "{text}");
                    assert_eq!(usual, any, "{text}");
                }
            }
        }
        assert!(taken > 10_000, "{taken}");
    }
}
