//! Argument types of setters: times, lists and enums.

use std::time::{Duration, SystemTime};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Reply},
    key,
};
use chrono::{DateTime, FixedOffset, Utc};
use kalshi_sdk::{
    Client, Contracts, Credentials, Dollars, Error, RetryPolicy, UnixSeconds,
    types::{self, OrderStatus, PositionCountFilter, QuoteStatus, RfqStatus},
};
use serde_json::json;

/// 22 September 2026, 14:13:20.999 in UTC.
const MILLIS: i64 = 1_790_086_400_999;
const SECONDS: i64 = 1_790_086_400;

async fn exchange() -> (Exchange, Client) {
    let exchange = Exchange::start(|_| {
        let body = json!({
            "cursor": "", "fills": [], "orders": [], "trades": [], "markets": [], "market_positions": [], "event_positions": [],
            "quotes": [], "rfqs": [], "points": [],
        });
        Reply::json(200, &body)
    })
    .await;
    let client = Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .retry(RetryPolicy::none())
        .build()
        .unwrap();
    (exchange, client)
}

fn utc() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(MILLIS).unwrap()
}

fn system() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(MILLIS.unsigned_abs())
}

fn sent(exchange: &Exchange, name: &str) -> Option<String> {
    exchange.received().last().unwrap().query.get(name).cloned()
}

#[tokio::test]
async fn times_may_be_integers_chrono_or_system_times() {
    let (exchange, client) = exchange().await;
    let zone = FixedOffset::west_opt(5 * 3600).unwrap();
    let trades = || client.get_trades();
    for request in [
        trades().min_ts(SECONDS),
        trades().min_ts(utc()),
        trades().min_ts(utc().with_timezone(&zone)),
        trades().min_ts(system()),
        trades().min_ts(UnixSeconds::from(utc())),
    ] {
        request.send().await.unwrap();
        assert_eq!(sent(&exchange, "min_ts").as_deref(), Some("1790086400"));
    }
    // An integer literal needs no suffix.
    trades().max_ts(0).send().await.unwrap();
    assert_eq!(sent(&exchange, "max_ts").as_deref(), Some("0"));
}

#[tokio::test]
async fn times_in_milliseconds_are_sent_as_milliseconds() {
    let (exchange, client) = exchange().await;
    for request in [
        client.get_weather_index().from(MILLIS),
        client.get_weather_index().from(utc()),
        client.get_weather_index().from(system()),
    ] {
        // The response does not decode, which does not matter here.
        let _ = request.city("miami").send().await;
        assert_eq!(sent(&exchange, "from").as_deref(), Some("1790086400999"));
    }
}

#[test]
fn times_in_bodies_accept_the_same_types() {
    let order = || {
        types::CreateOrderV2Request::builder()
            .ticker("KX")
            .side("bid")
            .price("0.5600".parse::<Dollars>().unwrap())
            .count("1".parse::<Contracts>().unwrap())
            .time_in_force("good_till_canceled")
            .self_trade_prevention_type("taker_at_cross")
    };
    for body in [
        order().expiration_time(SECONDS),
        order().expiration_time(utc()),
        order().expiration_time(system()),
    ] {
        let body = types::CreateOrderV2Request::try_from(body).unwrap();
        assert_eq!(body.expiration_time, Some(SECONDS));
    }
    let error = types::CreateOrderV2Request::try_from(order().expiration_time(-1)).unwrap_err();
    assert!(error.to_string().contains("before 1970"), "{error}");
}

#[tokio::test]
async fn impossible_times_are_rejected_before_sending() {
    let (exchange, client) = exchange().await;
    for (request, expected) in [
        (
            client.get_trades().min_ts(-1),
            "`min_ts` is -1, a time before 1970",
        ),
        (
            client.get_trades().min_ts(MILLIS),
            "`min_ts` is 1790086400999, a time after the year 9999: it is in Unix seconds",
        ),
        (
            client
                .get_trades()
                .min_ts(SystemTime::UNIX_EPOCH - Duration::from_millis(1)),
            "`min_ts` is -1, a time before 1970",
        ),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(error.is_invalid_request());
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(exchange.count(), 0);
}

#[tokio::test]
#[allow(
    clippy::needless_borrows_for_generic_args,
    reason = "references are accepted too"
)]
async fn lists_accept_any_iterator() {
    let (exchange, client) = exchange().await;
    let texts = vec!["A".to_owned(), "B".to_owned()];
    let markets = || client.get_markets();
    for request in [
        markets().tickers(["A", "B"]),
        markets().tickers(&["A", "B"]),
        markets().tickers(vec!["A", "B"]),
        markets().tickers(&texts),
        markets().tickers(texts.as_slice()),
        markets().tickers(texts.clone()),
        markets().tickers(texts.iter().filter(|text| text.len() == 1)),
        markets().tickers("A,B".split(',')),
    ] {
        request.send().await.unwrap();
        assert_eq!(sent(&exchange, "tickers").as_deref(), Some("A,B"));
    }
    client
        .get_event_forecast_percentiles_history()
        .percentiles(&[10, 50])
        .percentiles([10, 50]);
}

#[tokio::test]
async fn lists_in_bodies_accept_any_iterator() {
    let (exchange, client) = exchange().await;
    let order = |ticker: &str| {
        types::CreateOrderV2Request::builder()
            .ticker(ticker)
            .side("bid")
            .price(Dollars::from_cents(56))
            .count(Contracts::from(1))
            .time_in_force("good_till_canceled")
            .self_trade_prevention_type("taker_at_cross")
    };
    let built = ["A", "B"].map(|ticker| types::CreateOrderV2Request::try_from(order(ticker)));
    let built = built.map(Result::unwrap);
    let batch = || client.batch_create_orders_v2();
    for request in [
        batch().body_map(|body| body.orders(built.to_vec())),
        batch().body_map(|body| body.orders(built.clone())),
        batch().body_map(|body| body.orders(built.iter().cloned())),
        batch().body_map(|body| body.orders(["A", "B"].map(order))),
    ] {
        request.send().await.unwrap();
        let sent = exchange.received().pop().unwrap().json();
        let tickers = [&sent["orders"][0]["ticker"], &sent["orders"][1]["ticker"]];
        assert_eq!(tickers, ["A", "B"]);
    }
    let key = client.generate_api_key();
    let key = key.body_map(|body| body.name("bot").scopes(["read", "write::trade"]));
    // The response does not decode, which does not matter here.
    let _ = key.send().await;
    let sent = exchange.received().pop().unwrap().json();
    assert_eq!(sent["scopes"], json!(["read", "write::trade"]));

    let count = exchange.count();
    let incomplete = types::CreateOrderV2Request::builder().ticker("B");
    let request = batch().body_map(|body| body.orders([order("A"), incomplete]));
    let error = request.send().await.unwrap_err();
    assert!(error.is_invalid_request());
    let text = error.to_string();
    assert!(
        text.contains("`orders`") && text.contains("`count` is required"),
        "{text}"
    );
    assert_eq!(exchange.count(), count);
}

#[tokio::test]
async fn singular_parameters_accept_one_or_several_values() {
    let (exchange, client) = exchange().await;
    client.get_fills().ticker("A").send().await.unwrap();
    assert_eq!(sent(&exchange, "ticker").as_deref(), Some("A"));
    client.get_fills().tickers(["A", "B"]).send().await.unwrap();
    assert_eq!(sent(&exchange, "ticker").as_deref(), Some("A,B"));
    let orders = client.get_orders().event_tickers(["E1", "E2"]);
    orders.send().await.unwrap();
    assert_eq!(sent(&exchange, "event_ticker").as_deref(), Some("E1,E2"));
}

#[tokio::test]
async fn empty_lists_and_items_with_commas_are_rejected_before_sending() {
    let (exchange, client) = exchange().await;
    let none: [&str; 0] = [];
    let invalid = |error: Error, expected: &str| {
        assert!(error.is_invalid_request());
        assert!(error.to_string().contains(expected), "{error}");
    };
    let error = client.get_markets().tickers(none).send().await.unwrap_err();
    invalid(error, "`tickers` is an empty list");
    let books = client.get_market_orderbooks().tickers(none).send().await;
    invalid(books.unwrap_err(), "`tickers` is an empty list");
    let joined = client.get_fills().ticker("A,B").send().await;
    invalid(
        joined.unwrap_err(),
        "`ticker` contains the item `A,B`, which has a comma",
    );
    assert_eq!(exchange.count(), 0);
}

#[tokio::test]
async fn known_values_are_enums_and_unknown_ones_are_sent() {
    let (exchange, client) = exchange().await;
    for (request, expected) in [
        (client.get_orders().status(OrderStatus::Resting), "resting"),
        (client.get_orders().status("executed"), "executed"),
        (client.get_orders().status("new"), "new"),
    ] {
        request.send().await.unwrap();
        assert_eq!(sent(&exchange, "status").as_deref(), Some(expected));
    }
    let quotes = client.get_quotes().status(QuoteStatus::Accepted);
    quotes.send().await.unwrap();
    assert_eq!(sent(&exchange, "status").as_deref(), Some("accepted"));
    let requests = client.get_rfqs().status(RfqStatus::Open);
    requests.send().await.unwrap();
    assert_eq!(sent(&exchange, "status").as_deref(), Some("open"));
    let positions = client.get_positions();
    let positions = positions.count_filter([
        PositionCountFilter::Position,
        PositionCountFilter::TotalTraded,
    ]);
    positions.send().await.unwrap();
    let joined = sent(&exchange, "count_filter");
    assert_eq!(joined.as_deref(), Some("position,total_traded"));
    let positions = client.get_positions().count_filter(["position"]);
    positions.send().await.unwrap();
    assert_eq!(sent(&exchange, "count_filter").as_deref(), Some("position"));
}
