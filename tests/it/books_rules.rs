//! The rules that decide whether a book is live: see the tables of `kalshi_core::ws::sequence`.

mod prices;
mod sequence;
mod snapshots;
mod subscriptions;

use std::time::Duration;

use kalshi_sdk::{
    Dollars, OutcomeSide,
    ws::{BookError, BookEvent, Books, Frame, Message, PriceMode, RedundantBooks, StaleReason},
};
use tokio::time::Instant;

/// Returns a frame about market A.
fn frame(envelope: &str, body: &str) -> Frame {
    Frame::parse(&format!(
        r#"{{{envelope},"msg":{{"market_ticker":"A","market_id":"m"{body}}}}}"#
    ))
}

fn clock_field(clock: Option<i64>) -> String {
    clock.map_or(String::new(), |clock| format!(r#","clock":{clock}"#))
}

fn change(seq: u64, clock: impl Into<Option<i64>>, side: &str, price: &str, count: &str) -> Frame {
    let clock = clock_field(clock.into());
    frame(
        &format!(r#""type":"orderbook_delta","sid":1,"seq":{seq}"#),
        &format!(r#"{clock},"price_dollars":"{price}","delta_fp":"{count}","side":"{side}""#),
    )
}

/// Returns a change of the YES bids at 0.40.
fn delta(seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    change(seq, clock, "yes", "0.40", count)
}

fn levels(envelope: &str, clock: Option<i64>, yes: &str, no: &str) -> Frame {
    let clock = clock_field(clock);
    frame(
        &format!(r#""type":"orderbook_snapshot",{envelope}"#),
        &format!(r#"{clock},"yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]"#),
    )
}

/// Returns a snapshot with YES bids at 0.40 only.
fn snapshot(seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    let envelope = format!(r#""sid":1,"seq":{seq}"#);
    levels(
        &envelope,
        clock.into(),
        &format!(r#"["0.40","{count}"]"#),
        "",
    )
}

/// Returns the same snapshot as the reply to a command.
fn reply(id: u64, seq: u64, clock: impl Into<Option<i64>>, count: &str) -> Frame {
    let envelope = format!(r#""id":{id},"sid":1,"seq":{seq}"#);
    levels(
        &envelope,
        clock.into(),
        &format!(r#"["0.40","{count}"]"#),
        "",
    )
}

/// Returns a change of market B.
fn change_of_b(sid: u64, seq: u64) -> Frame {
    change_of("B", sid, seq)
}

fn change_of(market: &str, sid: u64, seq: u64) -> Frame {
    Frame::parse(&format!(
        r#"{{"type":"orderbook_delta","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{market}","market_id":"m","price_dollars":"0.40","delta_fp":"1","side":"yes"}}}}"#
    ))
}

fn books() -> Books {
    Books::with_mode(PriceMode::NoPrices)
}

fn held(books: &Books) -> Option<String> {
    let best = books.live("A")?.best_bid(OutcomeSide::Yes)?;
    Some(best.count.to_string())
}

#[track_caller]
fn stale(books: &mut Books, frame: &Frame) -> StaleReason {
    match &books.apply(frame)[..] {
        [BookEvent::Stale { reason, .. }] => {
            assert!(books.is_stale("A") && books.live("A").is_none());
            *reason
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn requested(books: &mut Books) -> bool {
    !books.drain_snapshot_requests().is_empty()
}
