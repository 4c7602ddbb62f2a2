use kalshi_sdk::ws::Channel;

use super::*;

const SECOND: i64 = 1_000_000;

fn header(recording: &str, number: u32, tickers: &[&str]) -> Header {
    Header {
        version: 1,
        recording: recording.to_owned(),
        number,
        exchange: "demo".to_owned(),
        market_tickers: tickers.iter().map(|&ticker| ticker.to_owned()).collect(),
        channels: Vec::new(),
    }
}

fn frame(seconds: i64, text: &str) -> Line {
    Line {
        time_us: seconds * SECOND,
        entry: Entry::Frame(text.to_owned()),
    }
}

fn snapshot(seconds: i64, sid: u64, seq: u64, ticker: &str) -> Line {
    let text = format!(
        r#"{{"type":"orderbook_snapshot","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{ticker}","market_id":"m","yes_dollars_fp":[["0.0800","300.00"]]}}}}"#
    );
    frame(seconds, &text)
}

fn delta(seconds: i64, sid: u64, seq: u64, ticker: &str) -> Line {
    let text = format!(
        r#"{{"type":"orderbook_delta","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{ticker}","market_id":"m","price_dollars":"0.0900","delta_fp":"5.00","side":"yes"}}}}"#
    );
    frame(seconds, &text)
}

fn event(seconds: i64, event: ConnectionEvent) -> Line {
    Line {
        time_us: seconds * SECOND,
        entry: Entry::Event(event),
    }
}

fn resubscribed(sid: u64, channel: Option<Channel>) -> ConnectionEvent {
    ConnectionEvent::Resubscribed {
        sid,
        channel,
        market_tickers: vec!["A".to_owned()],
    }
}

/// Returns the columns `live_seconds`, `stale_seconds` and `losses` of each market.
fn seconds_and_losses(player: &Player) -> Vec<String> {
    let rows = player.table().rows.into_iter();
    rows.map(|row| [0, 1, 2, 4].map(|index| row[index].to_text()).join(" "))
        .collect()
}

#[test]
fn subscriptions_of_other_channels_do_not_take_the_books() {
    for channels in [
        [Some(Channel::OrderbookDelta), Some(Channel::Trade)],
        // A recording of an earlier version.
        [None, None],
    ] {
        let mut player = Player::default();
        player.begin_segment(&header("1", 1, &["A"]), 0);
        let [books, trades] = channels;
        player.apply(&event(0, ConnectionEvent::Connected));
        player.apply(&event(1, resubscribed(5, books)));
        player.apply(&snapshot(2, 5, 1, "A"));
        player.apply(&event(3, resubscribed(6, trades)));
        player.apply(&delta(4, 5, 2, "A"));
        assert!(player.live("A").is_some());
        assert_eq!(seconds_and_losses(&player), ["A 2 2 0"]);
    }
}

#[test]
fn books_that_do_not_continue_are_reported() {
    let stale = |lost: &BookEvents| matches!(&**lost, [BookEvent::Stale { .. }]);
    let mut player = Player::default();
    player.begin_segment(&header("1", 1, &["A"]), 0);
    player.apply(&snapshot(0, 5, 1, "A"));
    // The segment between them is missing.
    let (is_complete, lost) = player.begin_segment(&header("1", 3, &["A"]), 5 * SECOND);
    assert!(!is_complete && stale(&lost), "{lost:?}");
    player.apply(&snapshot(6, 5, 9, "A"));
    assert!(player.live("A").is_some());
    player.mark_damaged();
    let (is_complete, lost) = player.begin_segment(&header("1", 4, &["A"]), 7 * SECOND);
    assert!(is_complete && stale(&lost), "{lost:?}");
    player.apply(&snapshot(8, 5, 12, "A"));
    let (is_complete, lost) = player.begin_segment(&header("1", 5, &["A"]), 9 * SECOND);
    assert!(is_complete && lost.is_empty(), "{lost:?}");
    let (is_complete, lost) = player.begin_segment(&header("2", 1, &["A"]), 10 * SECOND);
    assert!(is_complete && stale(&lost), "{lost:?}");
    // The end of a recording is no loss.
    assert_eq!(seconds_and_losses(&player), ["A 1 8 2"]);
}

#[test]
fn each_recording_has_its_own_time_and_markets() {
    let mut player = Player::default();
    player.begin_segment(&header("1", 1, &["A"]), 0);
    player.apply(&snapshot(0, 5, 1, "A"));
    player.apply(&event(9, ConnectionEvent::Stopped));
    // It began before the first one ended.
    player.begin_segment(&header("2", 1, &["B"]), 3 * SECOND);
    player.apply(&snapshot(4, 5, 1, "B"));
    player.apply(&event(7, ConnectionEvent::Stopped));
    assert_eq!(seconds_and_losses(&player), ["A 9 0 0", "B 3 1 0"]);
    assert_eq!(player.last_us(), Some(9 * SECOND));
}

#[test]
fn books_are_not_live_while_the_recorder_is_suspended() {
    let mut player = Player::default();
    player.begin_segment(&header("1", 1, &["A"]), 0);
    player.apply(&snapshot(0, 5, 1, "A"));
    player.apply(&event(19, ConnectionEvent::Alive));
    player.apply(&delta(3_600, 5, 2, "A"));
    player.apply(&event(3_610, ConnectionEvent::Stopped));
    assert_eq!(seconds_and_losses(&player), ["A 49 3561 0"]);
}
