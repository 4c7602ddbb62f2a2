//! Simulated trading, hashes, scheduled events, and the initial markets.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use kalshi_mock::{Activity, MockExchange, Settlement};
use serde_json::{Value, json};

use crate::common::{Raw, dollars, send};

fn start_time() -> DateTime<Utc> {
    "2026-11-28T10:00:00Z".parse().unwrap()
}

async fn exchange(seed: u64, activity: Option<Activity>) -> MockExchange {
    let builder = MockExchange::builder()
        .without_limits()
        .seed(seed)
        .time(start_time());
    let builder = match activity {
        Some(activity) => builder.activity(activity),
        None => builder,
    };
    builder.start().await.unwrap()
}

#[tokio::test]
async fn seed_determines_the_key_with_and_without_activity() {
    let key = async |activity| {
        exchange(7, activity)
            .await
            .user()
            .private_key()
            .public_key()
            .to_pem()
    };
    assert_eq!(key(None).await, key(Some(Activity::Calm)).await);
}

async fn get(exchange: &MockExchange, path: &str) -> Value {
    let raw = Raw::new(exchange);
    let (status, body) = send(raw.unsigned("GET", &format!("/trade-api/v2{path}"))).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn micros(value: &Value) -> i64 {
    dollars(value.as_str().unwrap()).micros()
}

fn seconds(value: &Value) -> i64 {
    let time: DateTime<Utc> = value.as_str().unwrap().parse().unwrap();
    time.timestamp()
}

#[tokio::test]
async fn same_seed_and_times_give_the_same_hashes() {
    let run = async |seed, steps: u32| {
        let exchange = exchange(seed, Some(Activity::Busy)).await;
        for _ in 0..steps {
            exchange.time().advance(Duration::from_secs(60) / steps);
            // Neither the number of reads nor the wake-ups of the timer may affect the hashes.
            tokio::task::yield_now().await;
            _ = exchange.tickers();
        }
        (exchange.event_hash().unwrap(), exchange.state_hash())
    };
    let first = run(7, 1).await;
    assert_eq!(first, run(7, 1).await);
    assert_eq!(first, run(7, 20).await);
    let other = run(8, 1).await;
    assert!(first.0 != other.0 && first.1 != other.1);
}

#[tokio::test]
async fn open_connection_does_not_change_the_hashes() {
    let run = async |connects: bool| {
        let exchange = exchange(7, Some(Activity::Busy)).await;
        let listener = if connects {
            Some(crate::common::listener::Listener::open(&exchange).await)
        } else {
            None
        };
        exchange.time().advance(Duration::from_secs(20));
        let hashes = (exchange.event_hash().unwrap(), exchange.state_hash());
        drop(listener);
        exchange.time().advance(Duration::from_secs(20));
        (
            hashes,
            exchange.event_hash().unwrap(),
            exchange.state_hash(),
        )
    };
    assert_eq!(run(false).await, run(true).await);
}

#[tokio::test]
async fn nothing_happens_without_activity() {
    let exchange = exchange(7, None).await;
    let trades = get(&exchange, "/markets/trades").await;
    exchange.time().advance(Duration::from_secs(600));
    assert_eq!(get(&exchange, "/markets/trades").await, trades);
    assert_eq!(exchange.event_hash(), None);
}

#[tokio::test]
async fn every_level_trades_in_every_market() {
    for activity in [Activity::Calm, Activity::Busy, Activity::Storm] {
        let exchange = exchange(7, Some(activity)).await;
        let before = get(&exchange, "/markets?status=open").await;
        exchange.time().advance(Duration::from_secs(match activity {
            Activity::Storm => 30,
            Activity::Busy => 300,
            _ => 3_000,
        }));
        let after = get(&exchange, "/markets?status=open").await;
        let rows = |page: &Value| page["markets"].as_array().unwrap().clone();
        assert_eq!(rows(&before).len(), rows(&after).len());
        for (before, after) in rows(&before).iter().zip(&rows(&after)) {
            assert_ne!(
                before["volume_fp"], after["volume_fp"],
                "{activity:?} {after}"
            );
            assert_ne!(after["open_interest_fp"], "0.00", "{after}");
            let (bid, ask) = (
                micros(&after["yes_bid_dollars"]),
                micros(&after["yes_ask_dollars"]),
            );
            assert!(bid < ask && bid > 0 && ask < 1_000_000, "{after}");
        }
        let ticker = rows(&after)[0]["ticker"].as_str().unwrap().to_owned();
        let (start, end) = (start_time().timestamp(), exchange.time().now().timestamp());
        let candles = get(
            &exchange,
            &format!(
                "/series/KXHIGHNY/markets/{ticker}/candlesticks?start_ts={start}&end_ts={}&period_interval=1",
                end + 60
            ),
        )
        .await;
        assert!(!candles["candlesticks"].as_array().unwrap().is_empty());
    }
}

#[cfg(feature = "perps")]
#[tokio::test]
async fn margin_markets_trade() {
    let exchange = exchange(7, Some(Activity::Busy)).await;
    let before = get(&exchange, "/margin/markets").await;
    exchange.time().advance(Duration::from_secs(300));
    let after = get(&exchange, "/margin/markets").await;
    let rows = |page: &Value| page["markets"].as_array().unwrap().clone();
    let (before, after) = (rows(&before), rows(&after));
    assert_eq!(before.len(), 5);
    for (before, after) in before.iter().zip(&after) {
        // Participants do not trade in the market without quotes.
        if after["ticker"] == "KXBCHPERP" {
            assert_eq!(after["volume"], "0.00");
            continue;
        }
        assert_ne!(before["volume_24h"], after["volume_24h"], "{after}");
        assert!(micros(&after["bid"]) < micros(&after["ask"]), "{after}");
        let price = micros(&before["price"]);
        assert!(
            (micros(&after["price"]) - price).abs() < price / 5,
            "{after}"
        );
    }
}

#[tokio::test]
async fn activity_runs_on_the_system_clock() {
    let exchange = MockExchange::builder().activity(Activity::Storm).start();
    let exchange = exchange.await.unwrap();
    let mut listener = crate::common::listener::Listener::open(&exchange).await;
    listener.subscribe("trade", json!({})).await;
    let frame = listener.next().await;
    assert!(frame["msg"]["trade_id"].is_string());
}

#[tokio::test]
async fn scheduled_pause_close_and_settlement_happen() {
    let exchange = exchange(7, Some(Activity::Busy)).await;
    let tickers = exchange.tickers();
    let at = |seconds| start_time() + chrono::TimeDelta::seconds(seconds);
    let paused = exchange.market(&tickers[0]);
    paused.schedule_pause(at(10), Duration::from_secs(20));
    let settled = exchange.market(&tickers[4]);
    settled
        .closes_at(at(15))
        .settles_at(at(25), Settlement::Yes);
    let status = async |ticker: &str| {
        let market = get(&exchange, &format!("/markets/{ticker}")).await;
        let market = &market["market"];
        let text = |name: &str| market[name].as_str().unwrap().to_owned();
        (text("status"), text("result"))
    };
    let is = |status: &str, result: &str| (status.to_owned(), result.to_owned());
    for (seconds, of_paused, of_settled) in [
        (9, "active", ("active", "")),
        (16, "inactive", ("closed", "")),
        (26, "inactive", ("finalized", "yes")),
        (31, "active", ("finalized", "yes")),
    ] {
        exchange.time().stop_at(at(seconds));
        assert_eq!(
            status(paused.ticker()).await,
            is(of_paused, ""),
            "{seconds}"
        );
        assert_eq!(
            status(settled.ticker()).await,
            is(of_settled.0, of_settled.1)
        );
    }
    assert!(!paused.bids().is_empty() && settled.bids().is_empty());
}

#[tokio::test]
async fn settled_events_have_consistent_results() {
    let exchange = exchange(3, Some(Activity::Calm)).await;
    exchange.time().advance(Duration::from_secs(3 * 24 * 3600));
    let markets = get(&exchange, "/markets?limit=100&status=settled").await;
    check_results(&markets);
    assert_eq!(
        get(&exchange, "/markets?status=open").await["markets"],
        Value::Array(Vec::new())
    );
}

/// Checks that the results of each event are consistent.
fn check_results(markets: &Value) {
    let mut wins: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for market in markets["markets"].as_array().unwrap() {
        let event = market["event_ticker"].as_str().unwrap();
        wins.entry(event)
            .or_default()
            .push(market["result"] == "yes");
        assert!(
            seconds(&market["settlement_ts"]) > seconds(&market["close_time"]),
            "{market}"
        );
    }
    assert!(!wins.is_empty());
    for (event, wins) in wins {
        if event.starts_with("KXBTCD") {
            assert!(
                wins.is_sorted_by(|low, high| low >= high),
                "{event} {wins:?}"
            );
        } else {
            assert_eq!(
                wins.iter().filter(|won| **won).count(),
                1,
                "{event} {wins:?}"
            );
        }
    }
}

#[tokio::test]
async fn prices_of_an_event_are_consistent() {
    for seed in 0..20 {
        let exchange = exchange(seed, None).await;
        let events = get(&exchange, "/events?status=open&with_nested_markets=true").await;
        let events = events["events"].as_array().unwrap();
        assert_eq!(events.len(), 4);
        for event in events {
            let markets = event["markets"].as_array().unwrap();
            let twice = |market: &Value| {
                micros(&market["yes_bid_dollars"]) + micros(&market["yes_ask_dollars"])
            };
            let middles: Vec<i64> = markets.iter().map(|market| twice(market) / 2).collect();
            let nested = event["series_ticker"] == "KXBTCD";
            assert_eq!(event["mutually_exclusive"], !nested);
            if nested {
                assert!(middles.is_sorted_by(|low, high| low > high), "{middles:?}");
            } else {
                let sum: i64 = middles.iter().sum();
                assert!((980_000..=1_020_000).contains(&sum), "{event}");
            }
            for market in markets {
                let (last, middle) = (micros(&market["last_price_dollars"]), twice(market) / 2);
                assert!((last - middle).abs() <= 40_000, "{market}");
            }
        }
    }
}

#[tokio::test]
async fn strikes_and_times_agree_with_tickers() {
    for time in [
        "2026-11-28T10:00:00Z",
        "2026-12-31T23:30:00Z",
        "2027-02-28T04:30:00Z",
    ] {
        let time: DateTime<Utc> = time.parse().unwrap();
        let exchange = MockExchange::builder().without_limits().time(time);
        let exchange = exchange.start().await.unwrap();
        let mut markets = Vec::new();
        for path in ["/markets?limit=1000", "/historical/markets?limit=1000"] {
            let page = get(&exchange, path).await;
            markets.extend(page["markets"].as_array().unwrap().clone());
        }
        assert_eq!(markets.len(), exchange.tickers().len());
        for market in markets {
            let ticker = market["ticker"].as_str().unwrap();
            let (event, strike) = ticker.rsplit_once('-').unwrap();
            assert_eq!(market["event_ticker"], event);
            let (_, date) = event.split_once('-').unwrap();
            let closes: DateTime<Utc> = market["close_time"].as_str().unwrap().parse().unwrap();
            let eastern = closes - chrono::TimeDelta::hours(5);
            let day = eastern.format("%y%b%d").to_string().to_uppercase();
            assert_eq!(&date[..7], day, "{market}");
            if ticker.starts_with("KXBTCD") {
                assert_eq!(&date[7..], eastern.format("%H").to_string());
            }
            assert_eq!(closes > time, market["status"] == "active", "{market}");
            assert!(seconds(&market["open_time"]) < closes.timestamp());
            assert!(seconds(&market["expiration_time"]) > closes.timestamp());
            let (floor, cap) = (
                market["floor_strike"].as_f64(),
                market["cap_strike"].as_f64(),
            );
            let number = |prefix| strike.strip_prefix(prefix).unwrap().parse::<f64>().ok();
            match market["strike_type"].as_str().unwrap() {
                "less" => assert_eq!((floor, cap), (None, number('T'))),
                "greater" => assert_eq!((floor, cap), (number('T'), None)),
                "between" => {
                    let (floor, cap) = (floor.unwrap(), cap.unwrap());
                    assert!(floor < cap);
                    assert_eq!(Some((floor + cap) / 2.0), number('B'));
                }
                "custom" | "structured" => {
                    assert!(floor.is_none() && cap.is_none());
                    assert_eq!(market["custom_strike"].as_object().unwrap().len(), 1);
                }
                other => panic!("{other}"),
            }
            assert_ne!(market["yes_sub_title"], "");
        }
    }
}

#[tokio::test]
async fn trades_candles_and_archive_exist_from_the_start() {
    let exchange = exchange(7, None).await;
    let now = start_time().timestamp();
    let (mut open, mut recent) = (0, 0);
    let markets = get(&exchange, "/markets?limit=1000").await;
    check_results(&get(&exchange, "/markets?limit=1000&status=settled").await);
    for market in markets["markets"].as_array().unwrap() {
        let ticker = market["ticker"].as_str().unwrap();
        let trades = get(
            &exchange,
            &format!("/markets/trades?limit=1000&ticker={ticker}"),
        )
        .await;
        let trades = trades["trades"].as_array().unwrap();
        assert!(trades.len() > 40, "{ticker}");
        assert!(trades.is_sorted_by_key(|trade| -seconds(&trade["created_time"])));
        assert_eq!(trades[0]["yes_price_dollars"], market["last_price_dollars"]);
        for trade in trades {
            let at = seconds(&trade["created_time"]);
            assert!(at >= seconds(&market["open_time"]), "{market}");
            assert!(at <= seconds(&market["close_time"]).min(now), "{market}");
        }
        let candles = get(
            &exchange,
            &format!(
                "/series/S/markets/{ticker}/candlesticks?start_ts={}&end_ts={now}&period_interval=60",
                now - 7 * 24 * 3600
            ),
        )
        .await;
        assert!(
            candles["candlesticks"].as_array().unwrap().len() > 40,
            "{ticker}"
        );
        if market["status"] == "active" {
            open += 1;
            assert_ne!(market["volume_24h_fp"], "0.00");
        } else {
            recent += 1;
            assert!(seconds(&market["settlement_ts"]) > now - 3 * 24 * 3600);
        }
    }
    assert_eq!((open, recent), (12, 12));
    let archived = get(&exchange, "/historical/markets?limit=1000").await;
    assert_eq!(archived["markets"].as_array().unwrap().len(), 12);
    check_results(&archived);
    for market in archived["markets"].as_array().unwrap() {
        let ticker = market["ticker"].as_str().unwrap();
        let candles = get(
            &exchange,
            &format!(
                "/historical/markets/{ticker}/candlesticks?start_ts={}&end_ts={now}&period_interval=60",
                now - 70 * 24 * 3600
            ),
        )
        .await;
        let candles = candles["candlesticks"].as_array().unwrap();
        assert_eq!(candles.len(), 48, "{ticker}");
        assert_eq!(candles[47]["price"]["close"], market["last_price_dollars"]);
        assert_eq!(candles[0]["price"]["previous"], Value::Null);
    }
    let trades = get(&exchange, "/historical/trades?limit=1000").await;
    assert!(trades["trades"].as_array().unwrap().len() > 12 * 40);
}

#[tokio::test]
async fn activity_goes_on_after_the_clock_was_moved_back() {
    let exchange = exchange(7, Some(Activity::Calm)).await;
    exchange.time().advance(Duration::from_secs(3600));
    let _ = exchange.snapshot();
    exchange.time().stop_at(start_time());
    let before = exchange.event_hash();
    exchange.time().advance(Duration::from_secs(10));
    assert_ne!(exchange.event_hash(), before);
}
