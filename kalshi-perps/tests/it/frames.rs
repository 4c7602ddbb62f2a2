//! Decoding of recorded frames and of the spec's samples.

use std::collections::BTreeMap;

use kalshi_gen::Samples;
use kalshi_perps::{
    Dollars,
    ws::{BookEvent, Books, CommandError, Frame, Message},
};
use serde_json::{Value, json};

use crate::recorded_frames;

const FOLDERS: [&str; 2] = ["perps/ws", "perps/ws/streams"];

/// Returns the body of a message, serialized again.
fn encoded(message: &Message) -> Value {
    match message {
        Message::CorporateActionsDelta(body) => json!(body),
        Message::ErrorReply(body) => json!(body),
        Message::Fill(body) => json!(body),
        Message::ListSubscriptionsReply(body) => json!(body),
        Message::OkReply(body) => json!(body),
        Message::OrderGroupUpdates(body) => json!(body),
        Message::OrderbookDelta(body) => json!(body),
        Message::OrderbookSnapshot(body) => json!(body),
        Message::SubscribedReply(body) => json!(body),
        Message::Ticker(body) => json!(body),
        Message::Trade(body) => json!(body),
        Message::UserOrder(body) => json!(body),
        Message::UnsubscribedReply => Value::Null,
        other => panic!("{other:?}"),
    }
}

/// Checks that `encoded` contains all of `sent`. Amounts may have a different number of trailing zeros.
fn assert_has(encoded: &Value, sent: &Value, at: &str) {
    match (encoded, sent) {
        (Value::Object(encoded), Value::Object(sent)) => {
            for (name, sent) in sent {
                let encoded = encoded.get(name).unwrap_or_else(|| panic!("{at}.{name}"));
                assert_has(encoded, sent, &format!("{at}.{name}"));
            }
        }
        (Value::Array(encoded), Value::Array(sent)) => {
            assert_eq!(encoded.len(), sent.len(), "{at}");
            for (encoded, sent) in encoded.iter().zip(sent) {
                assert_has(encoded, sent, at);
            }
        }
        (Value::String(encoded), Value::String(sent)) if encoded != sent => {
            let amounts = [encoded, sent].map(|text| text.parse::<Dollars>());
            assert!(
                amounts[0].is_ok() && amounts[0] == amounts[1],
                "{at}: {encoded} {sent}"
            );
        }
        // Rates are sent as numbers and may be serialized as strings, which keep all digits.
        (encoded, Value::Number(sent)) => {
            let text = encoded.as_str().and_then(|text| text.parse().ok());
            assert_eq!(encoded.as_f64().or(text), sent.as_f64(), "{at}");
        }
        _ => assert_eq!(encoded, sent, "{at}"),
    }
}

#[test]
fn recorded_frames_decode_without_loss() {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for (name, sent) in recorded_frames::of(&FOLDERS) {
        let frame = Frame::parse(&sent.to_string());
        assert_eq!(frame.message.kind(), sent["type"], "{name}");
        let number = |field: &str| sent[field].as_u64();
        let envelope = (number("id"), number("sid"), number("seq"));
        assert_eq!((frame.id, frame.sid, frame.seq), envelope, "{name}");
        assert_has(&encoded(&frame.message), &sent["msg"], &name);
        *kinds.entry(frame.message.kind().to_owned()).or_default() += 1;
    }
    println!("{kinds:?}");
    assert!(kinds.is_empty() || kinds.len() == 8, "{kinds:?}");
}

/// Recorded streams begin with a snapshot, so the books of their markets are always live.
#[test]
fn recorded_streams_keep_their_books_live() {
    let mut streams: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, frame) in recorded_frames::of(&FOLDERS[1..]) {
        streams.entry(name).or_default().push(frame);
    }
    for (name, frames) in streams {
        let mut books = Books::new();
        let (mut live, mut changes) = (0, 0);
        for frame in frames {
            for event in books.apply(&Frame::parse(&frame.to_string())) {
                match event {
                    BookEvent::Live { .. } => live += 1,
                    BookEvent::Changed { .. } => changes += 1,
                    // For example if the snapshot of a market was not recorded.
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
        println!("{name}: {live} books, {changes} changes");
        for ticker in books.market_tickers() {
            let book = books.live(ticker).unwrap();
            assert!(book.spread().unwrap() > Dollars::ZERO, "{name}, {ticker}");
        }
    }
}

#[test]
fn every_sample_of_every_message_decodes() {
    let spec = include_str!("../../perps_asyncapi.yaml");
    let frames = Samples::frames(spec).unwrap();
    let mut messages: Vec<&String> = frames.iter().map(|(message, _)| message).collect();
    messages.dedup();
    assert_eq!(messages.len(), 13, "{messages:?}");
    for (message, sample) in &frames {
        let frame = Frame::parse(&sample.body.to_string());
        let known = !matches!(frame.message, Message::Unknown(_) | Message::Malformed(_));
        assert!(known, "{message}, {}: {frame:?}", sample.name);
        assert_eq!(frame.message.kind(), sample.body["type"]);
    }
}

#[test]
fn placeholder_prices_of_a_ticker_are_none() {
    let frames = Samples::frames(include_str!("../../perps_asyncapi.yaml")).unwrap();
    let is_ticker = |body: &Value| body["type"] == "ticker";
    let mut ticker = frames
        .into_iter()
        .find(|(_, sample)| is_ticker(&sample.body));
    let body = &mut ticker.as_mut().unwrap().1.body;
    for ask in ["0.0000", "922337203685477.5807"] {
        body["msg"]["price"] = json!("0.0000");
        body["msg"]["bid"] = json!("0.0000");
        body["msg"]["ask"] = json!(ask);
        let Message::Ticker(ticker) = Frame::parse(&body.to_string()).message else {
            panic!("{body}")
        };
        assert_eq!([ticker.price, ticker.bid, ticker.ask], [None; 3]);
    }
}

#[test]
fn newline_at_the_end_of_a_frame_is_ignored() {
    let text = r#"{"type":"trade","sid":2,"seq":3,"msg":{"trade_id":"51d540df-ee0a-7872-0684-ae0918ba58bc","market_ticker":"A","price":"16.3510","count":"1.50","taker_side":"bid","ts_ms":1781231174528}}"#;
    let frame = Frame::parse(&format!("{text}\n"));
    let Message::Trade(trade) = &frame.message else {
        panic!("{frame:?}")
    };
    assert_eq!(trade.price, "16.351".parse().unwrap());
    assert_eq!(trade.count, "1.5".parse().unwrap());
    assert_eq!(frame, Frame::parse(text));
}

#[test]
fn message_of_an_unknown_type_is_kept() {
    let text = r#"{"type":"position","sid":3,"seq":4,"msg":{"size":"1.00"}}"#;
    let frame = Frame::parse(text);
    let Message::Unknown(unknown) = &frame.message else {
        panic!("{frame:?}")
    };
    assert_eq!(
        (unknown.kind.as_str(), unknown.raw.as_str()),
        ("position", text)
    );
    assert_eq!((frame.sid, frame.seq), (Some(3), Some(4)));
}

#[test]
fn malformed_message_has_path_of_error() {
    let text = r#"{"type":"orderbook_delta","sid":3,"seq":1,"msg":{"market_ticker":"A","price":6.3,"delta":"1.00","side":"bid"}}"#;
    let Message::Malformed(malformed) = Frame::parse(text).message else {
        panic!()
    };
    assert_eq!(
        (malformed.path.as_str(), malformed.raw.as_str()),
        ("$.msg.price", text)
    );
}

#[test]
fn command_error_names_its_markets() {
    let text = r#"{"type":"error","id":4,"sid":1,"msg":{"code":14,"msg":"Market Ticker required","market_ticker":"A","market_tickers":["B"]}}"#;
    let Message::ErrorReply(error) = Frame::parse(text).message else {
        panic!()
    };
    let error = CommandError::from(&error);
    assert_eq!(
        (error.code, error.market_tickers),
        (14, vec!["B".to_owned(), "A".to_owned()])
    );
}
