//! Pagination: walking lists to the end, repeated cursors, errors, prefetch and bounded memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::{
    calls::{arguments, samples},
    exchange::{Exchange, Received, Reply},
};
use futures_util::{StreamExt, TryStreamExt};
use kalshi_sdk::{Client, RetryPolicy, limits::RateLimits, operation};
use serde_json::{Value, json};

fn client(exchange: &Exchange) -> Client {
    Client::builder()
        .environment(exchange.environment())
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

fn trade(number: usize) -> Value {
    json!({
        "trade_id": format!("t{number}"), "ticker": "KXTEST-26", "count_fp": "1.00", "created_time": "2026-01-02T03:04:05Z",
        "yes_price_dollars": "0.5600", "no_price_dollars": "0.4400", "is_block_trade": false,
        "taker_book_side": "bid", "taker_outcome_side": "yes", "taker_side": "yes",
    })
}

/// Starts an exchange with pages of trades: the cursor of each page (`""` for the first), its trades, and the next cursor.
async fn trades(pages: &[(&'static str, &'static [usize], &'static str)]) -> Exchange {
    let pages = pages.to_vec();
    Exchange::start(move |request| {
        let cursor = request.query.get("cursor").map_or("", String::as_str);
        let (_, numbers, next) = pages
            .iter()
            .find(|(own, _, _)| *own == cursor)
            .unwrap_or_else(|| panic!("no page {cursor}"));
        let list: Vec<_> = numbers.iter().map(|number| trade(*number)).collect();
        Reply::json(200, &json!({ "trades": list, "cursor": next }))
    })
    .await
}

fn cursors(exchange: &Exchange) -> Vec<String> {
    exchange
        .received()
        .iter()
        .map(|request| request.query.get("cursor").cloned().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn list_is_walked_to_its_end_across_empty_pages() {
    let exchange = trades(&[
        ("", &[1, 2], "a"),
        ("a", &[], "b&/=ü"),
        ("b&/=ü", &[3], "c"),
        ("c", &[], ""),
    ])
    .await;
    let client = client(&exchange);
    let pages: Vec<_> = client
        .get_trades()
        .ticker("KX")
        .limit(2)
        .by_page()
        .try_collect()
        .await
        .unwrap();
    let sizes: Vec<_> = pages.iter().map(|page| page.trades.len()).collect();
    assert_eq!(sizes, [2, 0, 1, 0]);
    assert_eq!(cursors(&exchange), ["", "a", "b&/=ü", "c"]);
    // Other parameters are repeated with every page.
    for request in exchange.received() {
        assert_eq!(
            (
                request.query["ticker"].as_str(),
                request.query["limit"].as_str()
            ),
            ("KX", "2")
        );
    }
    let ids: Vec<_> = client
        .get_trades()
        .by_item()
        .map_ok(|trade| trade.trade_id)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(ids, ["t1", "t2", "t3"]);
    // A cursor starts the walk in the middle.
    let rest = client
        .get_trades()
        .cursor("a")
        .collect_all(10)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1);
}

#[tokio::test]
async fn only_needed_pages_are_fetched() {
    let exchange = trades(&[("", &[1, 2], "a"), ("a", &[3, 4], "b")]).await;
    let client = client(&exchange);
    assert_eq!(client.get_trades().collect_all(0).await.unwrap().len(), 0);
    assert_eq!(exchange.count(), 0);
    assert_eq!(client.get_trades().collect_all(2).await.unwrap().len(), 2);
    assert_eq!(exchange.count(), 1);
    assert_eq!(client.get_trades().collect_all(3).await.unwrap().len(), 3);
    assert_eq!(exchange.count(), 3);
    // A stream that is not polled sends nothing.
    drop(client.get_trades().by_page());
    assert_eq!(exchange.count(), 3);
}

#[tokio::test]
async fn collected_items_report_if_the_list_is_complete() {
    let exchange = trades(&[("", &[1, 2], "a"), ("a", &[3], "")]).await;
    let client = client(&exchange);
    for (limit, count, is_complete) in [
        (0, 0, false),
        (1, 1, false),
        // The next page was not requested.
        (2, 2, false),
        (3, 3, true),
        (4, 3, true),
    ] {
        let all = client.get_trades().collect_all(limit).await.unwrap();
        assert_eq!(
            (all.len(), all.is_complete()),
            (count, is_complete),
            "{limit}"
        );
        assert_eq!((&all).into_iter().count(), count);
        assert_eq!(all.clone().into_iter().count(), count);
        assert_eq!(all.into_vec().len(), count);
    }
    // The limit is reached while a row that does not decode remains on the page.
    let exchange = Exchange::start(|_| {
        let mut bad = trade(2);
        bad["yes_price_dollars"] = json!("much");
        Reply::json(200, &json!({ "trades": [trade(1), bad], "cursor": "" }))
    })
    .await;
    let one = self::client(&exchange).get_trades().collect_all(1).await;
    assert!(!one.unwrap().is_complete());
}

#[tokio::test]
async fn each_list_of_a_page_has_its_own_stream() {
    let exchange = Exchange::start(|request| {
        let next = if request.query.contains_key("cursor") { "" } else { "a" };
        let milestone = |id: &str| json!({
            "id": id, "category": "Sports", "type": "game", "start_date": "2026-01-02T03:04:05Z", "title": "T",
            "notification_message": "N", "details": {}, "primary_event_tickers": [], "related_event_tickers": [],
            "last_updated_ts": "2026-01-02T03:04:05Z",
        });
        // The events do not decode, which does not matter because they are not read.
        let body = json!({
            "events": [7], "milestones": [milestone(&format!("m{next}")), { "id": 7 }], "cursor": next,
        });
        Reply::json(200, &body)
    })
    .await;
    let client = client(&exchange);
    let rows: Vec<_> = client.get_events().by_milestone().collect().await;
    let seen: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Ok(milestone) => milestone.id.as_str(),
            Err(error) => error.decode_path().unwrap(),
        })
        .collect();
    assert_eq!(
        seen,
        ["ma", "$.milestones[1].id", "m", "$.milestones[1].id"]
    );
    assert_eq!(cursors(&exchange), ["", "a"]);
    let events = client.get_events().by_event().collect_all(9).await;
    assert_eq!(events.unwrap_err().decode_path(), Some("$.events[0]"));
    let positions = client.get_positions();
    let _ = (
        positions.by_market_position(),
        client.get_positions().by_event_position(),
    );
}

#[tokio::test]
async fn repeated_cursor_ends_the_stream_with_an_error() {
    for (pages, whole) in [
        (&[("", &[1][..], "a"), ("a", &[2], "a")][..], 2),
        (&[("", &[1], "a"), ("a", &[2], "b"), ("b", &[3], "a")], 3),
        // The same page under different cursors.
        (
            &[
                ("", &[1], "a"),
                ("a", &[1], "b"),
                ("b", &[1], "c"),
                ("c", &[1], "b"),
            ],
            4,
        ),
    ] {
        let exchange = trades(pages).await;
        let results: Vec<_> = client(&exchange).get_trades().by_page().collect().await;
        let good = results.iter().filter(|result| result.is_ok()).count();
        assert!(good >= whole && good <= 2 * whole, "{good}");
        assert!(
            results
                .last()
                .unwrap()
                .as_ref()
                .unwrap_err()
                .is_endless_list()
        );
        assert_eq!(results.len(), good + 1);
        let mut pages = client(&exchange).get_trades().by_page();
        while pages.next().await.is_some() {}
        pages.resume();
        assert!(pages.next().await.is_none());
    }
}

/// Empty pages with ever new cursors end the stream with an error. It can be resumed.
#[tokio::test]
async fn endless_empty_pages_are_an_error() {
    for prefetch in [false, true] {
        let exchange = Exchange::start(|request| {
            let next = format!("c{}", request.number);
            Reply::json(200, &json!({ "trades": [], "cursor": next }))
        })
        .await;
        let mut trades = client(&exchange).get_trades().by_item();
        if prefetch {
            trades = trades.with_prefetch();
        }
        for round in 1..=2 {
            let error = trades.next().await.unwrap().unwrap_err();
            assert!(error.is_endless_list(), "{error}");
            assert!(
                error.to_string().contains("101 consecutive pages"),
                "{error}"
            );
            assert_eq!(exchange.count(), 101 * round);
            assert!(trades.next().await.is_none());
            let last = format!("c{}", exchange.count() - 1);
            assert_eq!(trades.cursor(), Some(last.as_str()));
            trades.resume();
        }
    }
    // The longest run of empty pages that is accepted.
    let exchange = Exchange::start(|request| {
        let list: Vec<_> = (request.number % 101 == 100)
            .then(|| trade(1))
            .into_iter()
            .collect();
        let next = match request.number {
            301 => String::new(),
            number => format!("c{number}"),
        };
        Reply::json(200, &json!({ "trades": list, "cursor": next }))
    })
    .await;
    let all = client(&exchange).get_trades().collect_all(9).await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn invalid_row_is_an_error_and_the_walk_continues() {
    let mut bad = trade(2);
    bad["yes_price_dollars"] = json!("much");
    let mut incomplete = trade(4);
    incomplete.as_object_mut().unwrap().remove("trade_id");
    let raw = bad.to_string();
    let exchange = Exchange::start(move |request| {
        let cursor = request.query.get("cursor").map_or("", String::as_str);
        let (list, next) = match cursor {
            "" => (
                vec![trade(1), bad.clone(), trade(3), incomplete.clone()],
                "a",
            ),
            "a" => (vec![bad.clone()], "b"),
            _ => (vec![trade(5)], ""),
        };
        Reply::json(200, &json!({ "trades": list, "cursor": next }))
    })
    .await;
    let client = client(&exchange);
    for prefetch in [false, true] {
        let mut trades = client.get_trades().by_item();
        if prefetch {
            trades = trades.with_prefetch();
        }
        let all: Vec<_> = trades.collect().await;
        let seen: Vec<_> = all
            .iter()
            .map(|row| match row {
                Ok(trade) => trade.trade_id.as_str(),
                Err(error) => {
                    assert!(error.is_row() && error.is_decode() && error.attempts() == 1);
                    assert_eq!(error.operation().id, "GetTrades");
                    error.decode_path().unwrap()
                }
            })
            .collect();
        assert_eq!(
            seen,
            [
                "t1",
                "$.trades[1].yes_price_dollars",
                "t3",
                "$.trades[3].trade_id",
                "$.trades[0].yes_price_dollars",
                "t5"
            ]
        );
        let error = all[1].as_ref().unwrap_err();
        assert_eq!(error.body().unwrap(), raw.as_bytes());
        assert!(
            error.to_string().contains("$.trades[1].yes_price_dollars"),
            "{error}"
        );
    }
    // Other ways to read the list fail as a whole.
    let error = client.get_trades().send().await.unwrap_err();
    assert!(error.is_decode() && !error.is_row() && error.body().unwrap().len() > raw.len());
    let error = client
        .get_trades()
        .by_page()
        .next()
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_decode() && !error.is_row());
    let error = client.get_trades().collect_all(9).await.unwrap_err();
    assert!(error.is_row());
    assert_eq!(client.get_trades().collect_all(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn page_invalid_outside_its_rows_is_a_page_error() {
    let exchange = Exchange::start(|request| {
        let mut bad = trade(2);
        bad["yes_price_dollars"] = json!(7);
        match request.number {
            0 => Reply::json(200, &json!({ "trades": [bad], "cursor": 7 })),
            _ => Reply::json(200, &json!({ "trades": [trade(1)], "cursor": "" })),
        }
    })
    .await;
    let mut trades = client(&exchange).get_trades().by_item();
    let error = trades.next().await.unwrap().unwrap_err();
    assert!(error.is_decode() && !error.is_row(), "{error}");
    assert!(trades.next().await.is_none());
    trades.resume();
    assert_eq!(trades.next().await.unwrap().unwrap().trade_id, "t1");
}

#[tokio::test]
async fn failed_stream_resumes_from_its_cursor() {
    let failing = Arc::new(Mutex::new(true));
    let fails = failing.clone();
    let exchange = Exchange::start(move |request: &Received| {
        match request.query.get("cursor").map(String::as_str) {
            None => Reply::json(200, &json!({ "trades": [trade(1)], "cursor": "a" })),
            Some("a") if *fails.lock().unwrap() => Reply::status(500),
            Some("a") => Reply::json(200, &json!({ "trades": [trade(2)], "cursor": "" })),
            Some(other) => panic!("{other}"),
        }
    })
    .await;
    let client = client(&exchange);
    let mut pages = client.get_trades().by_page();
    let mut items = client.get_trades().by_item();
    assert_eq!(pages.next().await.unwrap().unwrap().trades.len(), 1);
    assert_eq!(items.next().await.unwrap().unwrap().trade_id, "t1");
    assert_eq!(
        pages.next().await.unwrap().unwrap_err().status().unwrap(),
        500
    );
    assert!(items.next().await.unwrap().is_err());
    assert!(pages.next().await.is_none() && items.next().await.is_none());
    assert_eq!((pages.cursor(), items.cursor()), (Some("a"), Some("a")));
    *failing.lock().unwrap() = false;
    // The stream can be resumed, and another one can start from the cursor.
    pages.resume();
    items.resume();
    assert_eq!(
        pages.next().await.unwrap().unwrap().trades[0].trade_id,
        "t2"
    );
    assert_eq!(items.next().await.unwrap().unwrap().trade_id, "t2");
    assert!(pages.next().await.is_none() && items.next().await.is_none());
    pages.resume();
    assert!(pages.next().await.is_none());
    assert_eq!((pages.cursor(), items.cursor()), (None, None));
    let elsewhere = client
        .get_trades()
        .cursor("a")
        .collect_all(9)
        .await
        .unwrap();
    assert_eq!(elsewhere.len(), 1);
}

#[tokio::test]
async fn invalid_request_is_an_error_of_the_stream() {
    let exchange = trades(&[]).await;
    let results: Vec<_> = client(&exchange)
        .get_fcm_orders()
        .limit(u64::MAX)
        .by_page()
        .collect()
        .await;
    assert_eq!(results.len(), 1);
    assert!(results[0].as_ref().unwrap_err().is_invalid_request());
}

/// With prefetch, the next page is requested before it is read.
#[tokio::test]
async fn prefetch_requests_next_page_early() {
    for ahead in [true, false] {
        let requested = Arc::new(tokio::sync::Notify::new());
        let notify = requested.clone();
        let exchange = Exchange::start(move |request| {
            let cursor = request.query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
            if cursor == 1 {
                notify.notify_one();
            }
            Reply::json(200, &json!({ "trades": [trade(cursor)], "cursor": if cursor < 2 { (cursor + 1).to_string() } else { String::new() } }))
        })
        .await;
        let client = client(&exchange);
        let mut trades = client.get_trades().by_item();
        if ahead {
            trades = trades.with_prefetch();
        }
        trades.next().await.unwrap().unwrap();
        if ahead {
            requested.notified().await;
            assert_eq!(exchange.count(), 2);
        } else {
            // No request is in flight.
            tokio::time::timeout(Duration::from_millis(100), requested.notified())
                .await
                .unwrap_err();
            assert_eq!(exchange.count(), 1);
        }
        let rest: Vec<_> = trades
            .map_ok(|trade| trade.trade_id)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(rest, ["t1", "t2"]);
        assert_eq!(exchange.count(), 3);
    }
}

/// The table has the names of the cursor parameter and field of each paginated operation.
#[tokio::test]
async fn every_paginated_operation_is_walked() {
    let samples = samples();
    let mut walked = 0;
    for paged in operation::ALL
        .iter()
        .filter(|operation| operation.paging.is_some())
    {
        let paging = paged.paging.unwrap();
        let mut first = samples.responses(paged.id).remove(0).body;
        let mut last = first.clone();
        first[paging.cursor_field] = json!("next page");
        last[paging.cursor_field] = Value::Null;
        let exchange = Exchange::start(move |request| {
            let second = request
                .query
                .get(paging.cursor_parameter)
                .is_some_and(|cursor| cursor == "next page");
            Reply::json(200, if second { &last } else { &first })
        })
        .await;
        let client = Client::builder()
            .environment(exchange.environment())
            .credentials(
                kalshi_sdk::Credentials::new(crate::common::KEY_ID, crate::common::key()).unwrap(),
            )
            .rate_limits(RateLimits::Unlimited)
            .build()
            .unwrap();
        let count = crate::common::calls::pages(&client, paged.id, &arguments(samples, paged.id))
            .await
            .unwrap();
        assert_eq!(count, 2, "{paged}");
        assert_eq!(exchange.count(), 2, "{paged}");
        walked += 1;
    }
    assert_eq!(walked, 29);
}

/// Walking 40,000 markets takes the memory of a few pages, not of the whole list.
#[tokio::test]
async fn long_walk_takes_memory_of_a_few_pages() {
    if !crate::common::is_alone("pages::long_walk_takes_memory_of_a_few_pages") {
        return;
    }
    let market = samples().responses("GetMarkets").remove(0).body["markets"][0].clone();
    let page = json!({ "markets": vec![market; 1000], "cursor": "CURSOR" }).to_string();
    let size = page.len();
    let exchange = Exchange::start(move |request| {
        let number: usize = request
            .query
            .get("cursor")
            .map_or(0, |cursor| cursor.parse().unwrap());
        let next = if number < 39 {
            (number + 1).to_string()
        } else {
            String::new()
        };
        Reply::Response(200, Vec::new(), page.replace("CURSOR", &next).into_bytes())
    })
    .await;
    let client = client(&exchange);
    let Some(before) = resident() else {
        println!("skipped: this system does not report the memory of a process");
        return;
    };
    let (mut markets, mut max) = (0, 0);
    let mut stream = client.get_markets().by_item();
    while let Some(market) = stream.next().await {
        market.unwrap();
        markets += 1;
        if markets % 1000 == 0 {
            max = max.max(resident().unwrap().saturating_sub(before));
        }
    }
    assert_eq!(markets, 40_000);
    // The whole list would take more than 40 pages. One page as received, as text and as values takes less than a dozen.
    assert!(max < 16 * size, "{max} bytes more, a page has {size}");
}

/// Returns the resident memory of this process in bytes, or `None` if the system does not report it.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(
        line.trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<usize>()
            .ok()?
            * 1024,
    )
}
