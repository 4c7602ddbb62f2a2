//! Pagination, the default markets and the archive.

use std::{collections::BTreeSet, time::Duration};

use crate::common::{Raw, TICKER, client_without_retries, dollars, exchange, order, place};
use kalshi_mock::{MockExchange, Settlement};
use kalshi_sdk::types::{BookSide::Bid, ExchangeIndex, GetEventsStatus, MarketStatusQuery};

#[tokio::test]
async fn pages_return_each_item_once_while_items_are_added() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let mut placed = BTreeSet::new();
    for _ in 0..25 {
        placed.insert(place(&client, order(Bid, "0.40", "1")).await.order_id);
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client
            .get_orders()
            .limit(4)
            .cursor(&cursor)
            .send()
            .await
            .unwrap()
            .into_inner();
        ids.extend(page.orders.into_iter().map(|order| order.order_id));
        // A new order is listed first, and must not shift the pages that follow.
        place(&client, order(Bid, "0.40", "1")).await;
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(ids.len(), 25);
    assert_eq!(BTreeSet::from_iter(ids), placed);

    for number in 0..30 {
        let _ = exchange.market(&format!("KXMANY-26-{number}"));
    }
    market.ask(dollars("0.40"), 20);
    let markets: BTreeSet<String> = client
        .get_markets()
        .limit(7)
        .collect_all(1000)
        .await
        .unwrap()
        .into_iter()
        .map(|market| market.ticker)
        .collect();
    assert_eq!(markets.len(), 31);
    assert_eq!(
        client
            .get_fills()
            .limit(3)
            .collect_all(1000)
            .await
            .unwrap()
            .len(),
        20
    );
    assert_eq!(
        client
            .get_trades()
            .limit(3)
            .collect_all(1000)
            .await
            .unwrap()
            .len(),
        20
    );
    let first = client
        .get_events()
        .limit(1)
        .send()
        .await
        .unwrap()
        .into_inner();
    let second = client
        .get_events()
        .limit(1)
        .cursor(&first.cursor)
        .send()
        .await
        .unwrap()
        .into_inner();
    assert_ne!(first.events[0].event_ticker, second.events[0].event_ticker);
    assert_eq!(second.cursor, "", "there are only two events");
    let raw = Raw::new(&exchange);
    assert_eq!(raw.call("GET", "/portfolio/fills", None).await.0, 200);
    let bad = crate::common::send(
        raw.signed("GET", "/portfolio/fills", crate::common::now_ms())
            .query(&[("cursor", "nonsense")]),
    )
    .await;
    assert_eq!(bad.0, 400);
    let ignored =
        crate::common::send(raw.unsigned("GET", "/trade-api/v2/markets?cursor=nonsense&limit=1"))
            .await;
    assert_eq!(
        (ignored.0, ignored.1["markets"].as_array().unwrap().len()),
        (200, 1),
        "an invalid cursor is ignored on this list"
    );
}

#[tokio::test]
async fn initial_markets_are_quoted_and_found_by_every_filter() {
    let exchange = MockExchange::builder()
        .without_limits()
        .seed(5)
        .start()
        .await
        .unwrap();
    let client = exchange.client().unwrap();
    let markets = client
        .get_markets()
        .status(MarketStatusQuery::Open)
        .send()
        .await
        .unwrap()
        .into_inner()
        .markets;
    assert_eq!(markets.len(), 12);
    for market in &markets {
        assert!(
            market.yes_bid_dollars < market.yes_ask_dollars && !market.yes_bid_size_fp.is_zero(),
            "{}",
            market.ticker
        );
        let book = client
            .get_market_orderbook()
            .ticker(&market.ticker)
            .send()
            .await
            .unwrap()
            .into_inner()
            .orderbook_fp;
        assert_eq!(
            book.yes_dollars.last().unwrap().price,
            market.yes_bid_dollars,
            "the best price must be last"
        );
        let no = book.no_dollars.last().unwrap().price;
        assert_eq!(no.complement(), market.yes_ask_dollars);
    }
    let shallow = client
        .get_market_orderbook()
        .ticker(&markets[0].ticker)
        .depth(2)
        .send()
        .await
        .unwrap();
    assert_eq!(shallow.orderbook_fp.yes_dollars.len(), 2);
    let books = client
        .get_market_orderbooks()
        .tickers([&markets[0].ticker, &markets[1].ticker])
        .send()
        .await
        .unwrap();
    assert_eq!(books.orderbooks.len(), 2);
    let events = client
        .get_events()
        .status(GetEventsStatus::Open)
        .with_nested_markets(true)
        .send()
        .await
        .unwrap()
        .into_inner()
        .events;
    assert_eq!(
        events
            .iter()
            .map(|event| event.markets.len())
            .sum::<usize>(),
        markets.len()
    );
    let event = client
        .get_event()
        .event_ticker(&events[0].event_ticker)
        .send()
        .await
        .unwrap();
    assert_eq!(event.markets.len(), events[0].markets.len());
    let series = client
        .get_series_list()
        .send()
        .await
        .unwrap()
        .into_inner()
        .series;
    assert_eq!(series.len(), 4);
    let one = client
        .get_series()
        .series_ticker("KXNBAGAME")
        .send()
        .await
        .unwrap();
    assert_eq!(one.series.fee_type.as_str(), "quadratic_with_maker_fees");
    let of_series = client
        .get_markets()
        .series_ticker("KXBTCD")
        .send()
        .await
        .unwrap()
        .into_inner()
        .markets;
    assert!(
        of_series
            .iter()
            .all(|market| market.exchange_index == Some(ExchangeIndex(1)))
            && of_series.len() == 6
    );
    let trades = client
        .get_trades()
        .ticker(&markets[0].ticker)
        .send()
        .await
        .unwrap();
    assert_eq!(trades.trades.len(), 99);
    let now = exchange.time().now().timestamp();
    let candles = async |from: i64| {
        let call = client
            .get_market_candlesticks()
            .series_ticker("KXHIGHNY")
            .ticker(&markets[0].ticker);
        call.start_ts(from)
            .end_ts(now + 60)
            .period_interval(1)
            .send()
            .await
    };
    assert_eq!(candles(now - 3600).await.unwrap().candlesticks.len(), 3);
    let batch = client
        .batch_get_market_candlesticks()
        .market_tickers([&markets[0].ticker]);
    let batch = batch
        .start_ts(now - 3600)
        .end_ts(now + 60)
        .period_interval(1)
        .send()
        .await
        .unwrap();
    assert_eq!(batch.markets[0].market_ticker, markets[0].ticker);
    assert_eq!(batch.markets[0].candlesticks.len(), 3);
    let of_event = client
        .get_market_candlesticks_by_event()
        .series_ticker("KXHIGHNY")
        .ticker(&events[0].event_ticker);
    let of_event = of_event
        .start_ts(now - 3600)
        .end_ts(now + 60)
        .period_interval(60)
        .send()
        .await
        .unwrap();
    assert_eq!(of_event.market_tickers.len(), events[0].markets.len());
    let metadata = client
        .get_event_metadata()
        .event_ticker(&events[0].event_ticker)
        .send()
        .await
        .unwrap();
    assert_eq!(metadata.market_details.len(), events[0].markets.len());
    let error = candles(0).await.unwrap_err();
    assert!(
        error.details().unwrap().contains("max candlesticks: 5000"),
        "{error}"
    );
}

#[tokio::test]
async fn old_records_are_in_the_archive() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = client_without_retries(&exchange);
    place(&client, order(Bid, "0.50", "5")).await;
    market.settle(Settlement::Yes);
    exchange.time().advance(Duration::from_secs(61 * 24 * 3600));
    assert_eq!(client.get_orders().send().await.unwrap().orders.len(), 0);
    assert_eq!(
        client
            .get_historical_orders()
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        1
    );
    assert_eq!(client.get_fills().send().await.unwrap().fills.len(), 0);
    assert_eq!(
        client
            .get_fills_historical()
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        1
    );
    assert_eq!(
        client
            .get_historical_markets()
            .send()
            .await
            .unwrap()
            .markets
            .len(),
        1
    );
    assert_eq!(client.get_markets().send().await.unwrap().markets.len(), 0);
    assert_eq!(
        client
            .get_trades_historical()
            .send()
            .await
            .unwrap()
            .trades
            .len(),
        1
    );
    assert_eq!(
        client
            .get_historical_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .len(),
        1
    );
}

#[tokio::test]
async fn event_of_a_market_can_be_mutually_exclusive() {
    let exchange = exchange().await;
    let client = client_without_retries(&exchange);
    let market = exchange.market("KXTEST-26-A");
    for exclusive in [true, false] {
        market.mutually_exclusive(exclusive);
        let request = client.get_event().event_ticker("KXTEST-26");
        let event = request.send().await.unwrap().into_inner().event;
        assert_eq!(event.mutually_exclusive, Some(exclusive));
    }
}

#[tokio::test]
async fn legacy_fields_are_sent_only_on_request() {
    const PATHS: [(&str, &str, &[&str]); 7] = [
        ("/markets?limit=1", "/markets/0", &MARKET),
        ("/markets/KXTEST-26-A", "/market", &MARKET),
        ("/events/KXTEST-26", "/event", &EVENT),
        ("/events/KXTEST-26", "/markets/0", &MARKET),
        ("/events?with_nested_markets=true", "/events/0", &EVENT),
        (
            "/events?with_nested_markets=true",
            "/events/0/markets/0",
            &MARKET,
        ),
        ("/portfolio/positions", "/market_positions/0", &POSITION),
    ];
    const MARKET: [&str; 3] = [
        "liquidity_dollars",
        "fractional_trading_enabled",
        "response_price_units",
    ];
    const EVENT: [&str; 1] = ["available_on_brokers"];
    const POSITION: [&str; 1] = ["resting_orders_count"];

    for legacy in [false, true] {
        let builder = MockExchange::builder().without_limits().without_markets();
        let builder = match legacy {
            true => builder.legacy_fields(),
            false => builder,
        };
        let exchange = builder.start().await.unwrap();
        let client = client_without_retries(&exchange);
        exchange.market(TICKER).ask(dollars("0.40"), 20);
        place(&client, order(Bid, "0.40", "1")).await;
        let raw = Raw::new(&exchange);
        for (path, object, fields) in PATHS {
            let (_, body) = raw.call("GET", path, None).await;
            let object = body.pointer(object).unwrap();
            for field in fields {
                assert_eq!(object.get(field).is_some(), legacy, "{path} {field}");
            }
        }
        // Current clients ignore these fields.
        client.get_markets().send().await.unwrap();
    }
}
