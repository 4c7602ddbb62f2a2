//! Margin markets: the initial markets, books, candles and rates.

use kalshi_mock::MockExchange;
use kalshi_sdk::Dollars;
use serde_json::{Value, json};

use crate::common::{Raw, dollars, exchange, send};

async fn get(raw: &Raw, path: &str, query: &[(&str, &str)]) -> Value {
    let request = raw
        .unsigned("GET", &format!("/trade-api/v2{path}"))
        .query(query);
    let (status, body) = send(request).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn price(value: &Value) -> i64 {
    dollars(value.as_str().unwrap()).micros()
}

#[tokio::test]
async fn initial_markets_are_quoted_and_consistent() {
    let exchange = MockExchange::builder()
        .without_limits()
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    let markets = get(&raw, "/margin/markets", &[("status", "active")]).await;
    let markets = markets["markets"].as_array().unwrap();
    assert_eq!(markets.len(), exchange.margin_tickers().len());
    assert!(markets[0].get("bid").is_none() && markets[0].get("ask").is_none());
    assert_eq!(markets[0]["volume"], "0.00");
    let mark = &markets[0]["settlement_mark_price"]["price"];
    assert_eq!(mark, &markets[0]["reference_price"]["price"]);
    for market in &markets[1..] {
        let ticker = market["ticker"].as_str().unwrap();
        assert!(price(&market["bid"]) < price(&market["ask"]), "{market}");
        assert_ne!(market["volume_24h"], "0.00");
        let query = [("ticker", ticker)];
        let rates = get(&raw, "/margin/funding_rates/historical", &query).await;
        assert!(rates["funding_rates"].as_array().unwrap().len() > 50);
        let trades = get(&raw, "/margin/trades", &query).await;
        assert_eq!(trades["trades"].as_array().unwrap().len(), 100);
        assert_ne!(trades["cursor"], "");
        assert_eq!(trades["trades"][0]["price"], market["price"]);
    }
    let closed = get(&raw, "/margin/markets", &[("status", "closed")]).await;
    assert_eq!(closed, json!({ "markets": [] }));
}

/// Does what the tests of another SDK do in the first market that they find.
#[tokio::test]
async fn lowest_bid_rests_in_the_first_market() {
    let exchange = MockExchange::start().await.unwrap();
    let raw = Raw::new(&exchange);
    let markets = get(&raw, "/margin/markets", &[]).await;
    let order = json!({
        "ticker": markets["markets"][0]["ticker"], "client_order_id": "a", "side": "bid", "count": "1", "price": "0.0001",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    });
    let (status, placed) = raw.call("POST", "/margin/orders", Some(order)).await;
    assert_eq!(status, 201, "{placed}");
    let path = format!("/margin/orders/{}", placed["order_id"].as_str().unwrap());
    let (_, read) = raw.call("GET", &path, None).await;
    assert_eq!(read["order"]["remaining_count"], "1.00");
    assert_eq!(raw.call("DELETE", &path, None).await.0, 200);
}

#[tokio::test]
async fn leverage_is_the_same_at_every_size() {
    let exchange = exchange().await;
    let _ = exchange.margin_market("KXTESTPERP").leverage(76_679);
    let raw = Raw::new(&exchange);
    let market = &get(&raw, "/margin/markets/KXTESTPERP", &[]).await["market"];
    for notional in ["1000", "10000", "100000", "1000000"] {
        let estimate = &market["leverage_estimates"][notional];
        assert_eq!(estimate, &market["leverage_estimate"], "at {notional}");
    }
}

#[tokio::test]
async fn same_seed_gives_the_same_books() {
    let start = async |seed| {
        let time = "2026-11-28T10:00:00Z".parse().unwrap();
        let exchange = MockExchange::builder().seed(seed).time(time).start();
        let exchange = exchange.await.unwrap();
        exchange.margin_market("KXBTCPERP").bids()
    };
    assert_eq!(start(7).await, start(7).await);
    assert_ne!(start(7).await, start(8).await);
}

#[tokio::test]
async fn book_lists_the_worst_level_first() {
    let exchange = exchange().await;
    let _ = exchange
        .margin_market("KXTESTPERP")
        .bid(dollars("6.3300"), 1)
        .bid(dollars("6.3200"), 2)
        .bid(dollars("6.2100"), 3)
        .ask(dollars("6.3400"), 4)
        .ask(dollars("6.3500"), 5);
    let raw = Raw::new(&exchange);
    let path = "/margin/markets/KXTESTPERP/orderbook";
    let book = get(&raw, path, &[]).await;
    assert_eq!(
        book["orderbook"],
        json!({
            "bids": [["6.2100", "3.00"], ["6.3200", "2.00"], ["6.3300", "1.00"]],
            "asks": [["6.3500", "5.00"], ["6.3400", "4.00"]],
        })
    );
    let best = get(&raw, path, &[("depth", "1")]).await;
    assert_eq!(best["orderbook"]["bids"], json!([["6.3300", "1.00"]]));
    assert_eq!(best["orderbook"]["asks"], json!([["6.3400", "4.00"]]));
    let rounded = get(&raw, path, &[("aggregation_tick_size", "0.10")]).await;
    assert_eq!(
        rounded["orderbook"],
        json!({ "bids": [["6.2000", "3.00"], ["6.3000", "3.00"]], "asks": [["6.3000", "9.00"]] })
    );
    let missing = raw.unsigned("GET", "/trade-api/v2/margin/markets/KXNONE");
    assert_eq!(send(missing).await.0, 404);
}

#[tokio::test]
async fn candles_add_up_to_the_trades() {
    let exchange = MockExchange::builder()
        .without_limits()
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    let now = exchange.time().now().timestamp();
    let (start, end) = ((now - 3 * 86_400).to_string(), (now + 3_600).to_string());
    let query = [
        ("start_ts", start.as_str()),
        ("end_ts", end.as_str()),
        ("period_interval", "60"),
    ];
    let path = "/margin/markets/KXBTCPERP/candlesticks";
    let candles = get(&raw, path, &query).await;
    let candles = candles["candlesticks"].as_array().unwrap();
    let market = get(&raw, "/margin/markets/KXBTCPERP", &[]).await;
    let sum: i64 = candles
        .iter()
        .map(|candle| {
            candle["volume"]
                .as_str()
                .unwrap()
                .parse::<kalshi_sdk::Contracts>()
        })
        .map(|count| count.unwrap().hundredths())
        .sum();
    let volume: kalshi_sdk::Contracts = market["market"]["volume"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(sum, volume.hundredths());
    for pair in candles.windows(2) {
        assert_eq!(pair[1]["price"]["previous"], pair[0]["price"]["close"]);
        let of = |name: &str| price(&pair[0]["price"][name]);
        assert!(of("low") <= of("mean") && of("mean") <= of("high"));
    }
}

#[tokio::test]
async fn paused_market_omits_prices_and_rejects_orders() {
    let exchange = exchange().await;
    let market = exchange
        .margin_market("KXTESTPERP")
        .bid(dollars("6.3300"), 1);
    let _ = market.pause();
    let raw = Raw::new(&exchange);
    let response = get(&raw, "/margin/markets/KXTESTPERP", &[]).await;
    assert_eq!(response["market"]["status"], "inactive");
    assert!(response["market"].get("bid").is_none());
    exchange.pause_trading();
    let status = get(&raw, "/margin/exchange/status", &[]).await;
    assert_eq!(status["trading_active"], false);
}

#[tokio::test]
async fn orders_at_the_largest_prices_are_ignored() {
    let exchange = exchange().await;
    let market = exchange
        .margin_market("KXTESTPERP")
        .ask(Dollars::from_micros(i64::MAX), 1)
        .bid(Dollars::from_micros(i64::MIN), 1);
    assert!(market.asks().is_empty() && market.bids().is_empty());
}
