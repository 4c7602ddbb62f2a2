//! Decoding of WebSocket frames: every sample of the spec, recorded frames, and malformed ones.

use std::{fs, sync::LazyLock};

use kalshi_gen::Samples;
use kalshi_sdk::{
    Contracts, Dollars,
    types::OrderStatus,
    ws::{Frame, Message},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recorded_frames;

fn spec() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/asyncapi.yaml")).unwrap()
}

/// Returns the name of the variant.
fn variant(message: &Message) -> String {
    let shown = format!("{message:?}");
    shown
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn every_sample_decodes_as_its_message() {
    let frames = Samples::frames(&spec()).unwrap();
    let mut messages: Vec<&String> = frames.iter().map(|(message, _)| message).collect();
    messages.dedup();
    assert_eq!(messages.len(), 38, "{messages:?}");
    for (message, sample) in &frames {
        let frame = Frame::parse(&sample.body.to_string());
        assert_eq!(
            (frame.id, frame.sid, frame.seq),
            (Some(7), Some(8), Some(9))
        );
        assert_eq!(frame.sending_ts_ms, Some(1_790_000_000_000));
        let name = variant(&frame.message);
        // `ok` replies of different kinds look the same if their lists are empty.
        let is_ok = message.ends_with("Reply") && frame.message.kind() == "ok";
        assert!(
            name == *message || is_ok,
            "{message}, {}: {frame:?}",
            sample.name
        );
        assert_eq!(frame.message.kind(), sample.body["type"]);
    }
}

#[test]
fn order_status_is_the_type_of_the_rest_api() {
    let samples = Samples::frames(&spec()).unwrap();
    let mut sample = samples
        .into_iter()
        .find(|(message, _)| message == "UserOrder");
    let body = &mut sample.as_mut().unwrap().1.body;
    for (text, expected) in [
        ("resting", OrderStatus::Resting),
        ("executed", OrderStatus::Executed),
        ("unknown", OrderStatus::Unknown("unknown".to_owned())),
    ] {
        body["msg"]["status"] = json!(text);
        let Message::UserOrder(order) = Frame::parse(&body.to_string()).message else {
            panic!("{body}")
        };
        assert_eq!(order.status, expected);
    }
}

#[test]
fn type_may_follow_the_body() {
    let msg = r#""msg":{"market_ticker":"KXTEST-26-A","market_id":"m","price_dollars":"0.96","delta_fp":"-54.00","side":"yes"}"#;
    let first = Frame::parse(&format!(
        r#"{{"type":"orderbook_delta","sid":2,"seq":3,{msg}}}"#
    ));
    let last = Frame::parse(&format!(
        r#"{{{msg},"seq":3,"sid":2,"type":"orderbook_delta"}}"#
    ));
    let escaped = Frame::parse(&format!(
        r#"{{"\u0074ype":"orderbook\u005fdelta","sid":2,"seq":3,{msg}}}"#
    ));
    let Message::OrderbookDelta(delta) = &first.message else {
        panic!("{first:?}")
    };
    assert_eq!(
        (delta.price_dollars, delta.delta_fp),
        ("0.96".parse().unwrap(), Contracts::from_hundredths(-5400))
    );
    assert_eq!(first, last);
    assert_eq!(first, escaped);
}

#[test]
fn acknowledgements_are_distinguished_by_content() {
    let read = |msg: Value| {
        variant(
            &Frame::parse(
                &json!({ "type": "ok", "id": 1, "sid": 1, "seq": 2, "msg": msg }).to_string(),
            )
            .message,
        )
    };
    assert_eq!(read(json!({ "market_tickers": ["A"] })), "OkReply");
    assert_eq!(
        read(json!({ "index_ids": ["BRTI"] })),
        "SubscribedIndicesReply"
    );
    assert_eq!(
        read(json!({ "underlying_tickers": ["X"] })),
        "SubscribedUnderlyingsReply"
    );
    assert_eq!(
        read(json!([{ "channel": "ticker", "sid": 4 }])),
        "ListSubscriptionsReply"
    );
    let updated = |event: &str| {
        let msg = json!({ "market_ticker": "A", "event_type": event });
        variant(
            &Frame::parse(
                &json!({ "type": "market_lifecycle_v2", "sid": 1, "seq": 2, "msg": msg })
                    .to_string(),
            )
            .message,
        )
    };
    assert_eq!(updated("metadata_updated"), "MarketMetadataUpdated");
    assert_eq!(updated("settled"), "MarketLifecycleV2");
}

#[test]
fn error_needs_only_its_code() {
    let error = |body: &str| {
        let text = format!(r#"{{"type":"error","sid":2,"msg":{body}}}"#);
        Frame::parse(&text).message
    };
    for body in [
        r#"{"code":25}"#,
        r#"{"code":25,"msg":7,"market_tickers":7}"#,
    ] {
        let Message::ErrorReply(reply) = error(body) else {
            panic!("{body}")
        };
        assert_eq!((reply.code, &*reply.msg), (25, ""), "{body}");
        assert!(reply.market_tickers.is_empty(), "{body}");
    }
    for body in ["{}", "7", r#"{"code":"much","msg":"x"}"#] {
        assert!(matches!(error(body), Message::Malformed(_)), "{body}");
    }
}

#[test]
fn unknown_message_is_kept_and_malformed_one_has_a_path() {
    let frame_text = r#"{"type":"weather","sid":3,"seq":4,"msg":{"rain":true}}"#;
    let frame = Frame::parse(frame_text);
    let Message::Unknown(unknown) = &frame.message else {
        panic!("{frame:?}")
    };
    assert_eq!(
        (
            unknown.kind.as_str(),
            unknown.raw.as_str(),
            frame.sid,
            frame.seq
        ),
        ("weather", frame_text, Some(3), Some(4))
    );

    for (text, path, sid) in [
        (
            r#"{"type":"orderbook_delta","sid":3,"msg":{"market_ticker":"A","market_id":"m","price_dollars":0.5,"delta_fp":"1.00","side":"yes"}}"#,
            "$.msg.price_dollars",
            Some(3),
        ),
        (
            r#"{"type":"orderbook_delta","sid":3,"msg":{"market_ticker":"A","market_id":"m","delta_fp":"1.00","side":"yes"}}"#,
            "$.msg.price_dollars",
            Some(3),
        ),
        (r#"{"sid":3}"#, "$.type", Some(3)),
        (r#"{"type":"ticker","#, "$", None),
        ("heartbeat", "$", None),
        ("[]", "$", None),
        ("", "$", None),
    ] {
        let frame = Frame::parse(text);
        let Message::Malformed(malformed) = &frame.message else {
            panic!("{frame:?}")
        };
        assert!(malformed.path.starts_with(path), "{text}: {malformed:?}");
        assert_eq!((malformed.raw.as_str(), frame.sid), (text, sid));
    }
}

#[test]
fn snapshot_levels_are_exact() {
    let text = r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A","market_id":"m","yes_dollars_fp":[["0.0800","300.00"],["0.2200","333.25"]]}}"#;
    let Message::OrderbookSnapshot(book) = Frame::parse(text).message else {
        panic!()
    };
    assert_eq!(
        book.yes_dollars_fp[1].price,
        "0.22".parse::<Dollars>().unwrap()
    );
    assert_eq!(
        book.yes_dollars_fp[1].count,
        Contracts::from_hundredths(33_325)
    );
    assert!(book.no_dollars_fp.is_empty(), "the side was absent");
}

/// Every frame that the real exchange sent is a known message.
#[test]
fn recorded_frames_decode() {
    let folders = [
        "ws",
        "ws/streams",
        "pre/ws",
        "reconstructed/ws",
        "synthetic",
    ];
    for (name, sent) in recorded_frames::of(&folders) {
        let frame = Frame::parse(&sent.to_string());
        let known = !matches!(frame.message, Message::Unknown(_) | Message::Malformed(_));
        assert!(known, "{name}: {frame:?}");
        assert_eq!(frame.message.kind(), sent["type"], "{name}");
    }
}

#[test]
fn message_is_hardly_larger_than_a_ticker() {
    let (message, ticker) = (
        size_of::<Message>(),
        size_of::<kalshi_sdk::ws::messages::Ticker>(),
    );
    println!("a message has {message} bytes, a ticker {ticker}");
    assert!(message <= ticker + 48, "{message} {ticker}");
}

proptest! {
    /// Inserts random characters into a frame, or truncates it. A malformed message keeps the whole frame.
    #[test]
    fn corrupt_frame_does_not_panic(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), junk in ".{0,6}") {
        let frames = samples();
        let mut text = frames[at.index(frames.len())].clone();
        let mut from = cut.index(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        text.insert_str(from, &junk);
        for text in [&text, &text[..from], &junk] {
            if let Message::Malformed(malformed) = Frame::parse(text).message {
                prop_assert_eq!(&malformed.raw, text);
                prop_assert!(malformed.path.starts_with('$'));
            }
        }
    }
}

/// Returns all sample frames.
fn samples() -> &'static [String] {
    static SAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
        Samples::frames(&spec())
            .unwrap()
            .into_iter()
            .map(|(_, sample)| sample.body.to_string())
            .collect()
    });
    &SAMPLES
}

#[test]
fn every_error_code_of_the_spec_has_a_meaning() {
    let spec = include_str!("../../asyncapi.yaml");
    let mut seen = 0;
    for line in spec.lines() {
        let Some(code) = line.trim().strip_prefix("- code: ") else {
            continue;
        };
        let error = kalshi_sdk::ws::CommandError::new(code.parse().unwrap_or(-1));
        assert!(error.meaning().is_some(), "{error}");
        seen += 1;
    }
    assert_eq!(seen, 25);
}

/// Adds a space to the body, which the exchange never sends. Without it the fast reader decodes the body, with it serde_json.
#[test]
fn frames_decode_the_same_with_and_without_spaces() {
    const PIECES: [&str; 20] = [
        "",
        "{",
        "}",
        "]",
        ",",
        ":",
        "\"",
        "\\u0041",
        "0",
        "-",
        ".5",
        "e1",
        "null",
        "true",
        "[]",
        "{}",
        "é",
        "99999999999999999999",
        r#","market_ticker":"X""#,
        r#","later":[1,{"a":null}]"#,
    ];
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut known, mut broken) = (0, 0);
    for (name, sample) in Samples::frames(&spec()).unwrap() {
        let (kind, body) = (&sample.body["type"], sample.body["msg"].to_string());
        for round in 0..40 {
            let mut body = body.clone();
            for _ in 0..round.min(2) {
                let (from, taken) = (random.usize(..body.len()), random.usize(..3));
                let is_inside = from > 0 && from + taken < body.len();
                if is_inside && body.is_char_boundary(from) && body.is_char_boundary(from + taken) {
                    body.replace_range(from..from + taken, random.choice(PIECES).unwrap());
                }
            }
            let frame = |body: &str| {
                let text = format!(r#"{{"type":{kind},"sid":1,"seq":2,"msg":{body}}}"#);
                Frame::parse(&text).message
            };
            let Some((start @ ("{" | "["), rest)) = body.split_at_checked(1) else {
                continue;
            };
            match (frame(&body), frame(&format!("{start} {rest}"))) {
                (Message::Malformed(usual), Message::Malformed(spaced)) => {
                    assert_eq!(
                        (usual.kind, usual.path),
                        (spaced.kind, spaced.path),
                        "{body}"
                    );
                    broken += 1;
                }
                (Message::Unknown(usual), Message::Unknown(spaced)) => {
                    assert_eq!(usual.kind, spaced.kind, "{body}");
                }
                (usual, spaced) => {
                    assert_eq!(usual, spaced, "{name}: {body}");
                    known += 1;
                }
            }
        }
    }
    assert!(known > 1_000 && broken > 1_000, "{known} {broken}");
}
