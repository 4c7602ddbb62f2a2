//! WebSocket connections: handshake, commands and order books.

use std::{collections::HashMap, time::Duration};

use crate::common::listener::{Book, Listener, code, rejected_handshake, seqs, signed};
use crate::common::{TICKER, client_without_retries, contracts, dollars, exchange, order, place};
use kalshi_mock::{MockExchange, Settlement};
use kalshi_sdk::{
    Client, Dollars, OrderId,
    types::{BookSide, BookSide::Ask, BookSide::Bid, SelfTradePreventionType, TimeInForce},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

const OTHER: &str = "KXTEST-26-B";

#[tokio::test]
async fn handshake_requires_a_signature() {
    let exchange = exchange().await;
    let unsigned = exchange.ws_url().into_client_request().unwrap();
    let (status, body) = rejected_handshake(unsigned).await;
    assert_eq!(status, 401);
    assert_eq!(body["error"]["code"], "token_authentication_failure");
    let wrong = signed(&exchange, exchange.user(), "POST");
    let (status, body) = rejected_handshake(wrong).await;
    assert_eq!(status, 401);
    assert_eq!(body["error"]["details"], "INCORRECT_API_KEY_SIGNATURE");
    assert_eq!(exchange.websockets().connections(), 0);

    let mut listener = Listener::open(&exchange).await;
    assert_eq!(exchange.websockets().connections(), 1);
    assert_eq!(listener.drain().await, [] as [Value; 0]);
    let statuses: Vec<_> = exchange
        .requests()
        .iter()
        .map(|request| request.status.unwrap().as_u16())
        .collect();
    assert_eq!(statuses, [401, 401, 101]);
    listener.socket.close(None).await.unwrap();
    while listener.message().await.is_some() {}
    exchange.websockets().wait_for_connections(0).await;

    exchange.set_active(false);
    let (status, _) = rejected_handshake(signed(&exchange, exchange.user(), "GET")).await;
    assert_eq!(status, 503);
}

#[tokio::test]
async fn plain_request_to_websocket_path_is_400() {
    let exchange = exchange().await;
    let request = signed(&exchange, exchange.user(), "GET");
    let mut call = reqwest::Client::new().get(exchange.ws_url().replace("ws://", "http://"));
    for (name, value) in request.headers() {
        if name.as_str().starts_with("kalshi") {
            call = call.header(name.clone(), value.clone());
        }
    }
    let (status, body) = crate::common::send(call).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &json!("bad_request"))
    );
}

#[tokio::test]
async fn channels_are_opened_extended_and_closed() {
    let exchange = exchange().await;
    let _ = exchange
        .market(TICKER)
        .bid(dollars("0.40"), 100)
        .ask(dollars("0.45"), 5);
    let _ = exchange.market(OTHER);
    let mut listener = Listener::open(&exchange).await;

    let params =
        json!({ "channels": ["orderbook_delta", "trade", "fill"], "market_ticker": TICKER });
    let id = listener.command("subscribe", params).await;
    let frames = listener.take(4).await;
    let opened: Vec<_> = frames
        .iter()
        .filter(|frame| frame["type"] == "subscribed")
        .collect();
    for (sid, (frame, channel)) in opened
        .iter()
        .zip(["orderbook_delta", "trade", "fill"])
        .enumerate()
    {
        assert_eq!(frame["id"], id);
        assert_eq!(frame["msg"], json!({ "channel": channel, "sid": sid + 1 }));
        assert!(frame.get("sid").is_none() && frame.get("seq").is_none());
    }
    let snapshot = &frames[1];
    assert_eq!(snapshot["type"], "orderbook_snapshot");
    assert_eq!((&snapshot["sid"], &snapshot["seq"]), (&json!(1), &json!(1)));
    assert!(snapshot.get("id").is_none());
    assert_eq!(
        snapshot["msg"]["yes_dollars_fp"],
        json!([["0.4000", "100.00"]])
    );
    assert_eq!(
        snapshot["msg"]["no_dollars_fp"],
        json!([["0.5500", "5.00"]])
    );
    assert_eq!(
        snapshot["msg"]["clock"],
        exchange.market(TICKER).order_book().clock
    );

    // Subscribing to an open channel keeps the sid, and returns all markets and the empty book of the new one.
    let params = json!({ "channels": ["orderbook_delta"], "market_tickers": [OTHER, TICKER] });
    let id = listener.command("subscribe", params).await;
    let ok = listener.next().await;
    assert_eq!((&ok["type"], &ok["id"]), (&json!("ok"), &json!(id)));
    assert_eq!((&ok["sid"], &ok["seq"]), (&json!(1), &json!(2)));
    assert_eq!(ok["msg"]["market_tickers"], json!([TICKER, OTHER]));
    let snapshot = listener.next().await;
    assert_eq!(snapshot["msg"]["market_ticker"], OTHER);
    assert_eq!(snapshot["seq"], 3);
    assert!(snapshot["msg"].get("yes_dollars_fp").is_none());
    assert!(snapshot["msg"].get("no_dollars_fp").is_none());

    let id = listener.command("list_subscriptions", json!({})).await;
    let list = listener.next().await;
    assert_eq!((&list["type"], &list["id"]), (&json!("ok"), &json!(id)));
    assert_eq!(list["msg"].as_array().unwrap().len(), 3);
    assert_eq!(list["msg"][2], json!({ "channel": "fill", "sid": 3 }));

    // An id of 0 counts as absent.
    let text = json!({ "id": 0, "cmd": "unsubscribe", "params": { "sids": [1] } });
    listener.send(&text.to_string()).await;
    let ended = listener.next().await;
    assert_eq!(ended["type"], "unsubscribed");
    assert!(ended.get("id").is_none());
    assert_eq!((&ended["sid"], &ended["seq"]), (&json!(1), &json!(4)));
    let id = listener
        .command("unsubscribe", json!({ "sids": [2, 3, 1] }))
        .await;
    let frames = listener.take(3).await;
    assert!(frames.iter().all(|frame| frame["id"] == id));
    assert_eq!(seqs(&frames), [1, 1]);
    assert_eq!(code(&frames[2]), 7);

    // Subscription ids are not reused.
    assert_eq!(listener.subscribe("trade", json!({})).await, 4);
}

#[tokio::test]
async fn subscriptions_are_updated() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).bid(dollars("0.40"), 100);
    let other = exchange.market(OTHER);
    let mut listener = Listener::open(&exchange).await;
    let sid = listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    assert_eq!(listener.next().await["seq"], 1);
    let update =
        |action: &str| json!({ "sids": [sid], "action": action, "market_tickers": [OTHER] });

    listener
        .command("update_subscription", update("add_markets"))
        .await;
    let frames = listener.take(2).await;
    assert_eq!(frames[0]["msg"]["market_tickers"], json!([TICKER, OTHER]));
    assert_eq!(frames[1]["type"], "orderbook_snapshot");
    assert_eq!(seqs(&frames), [2, 3]);
    other.bid(dollars("0.10"), 1);
    let delta = listener.next().await;
    let clock = other.order_book().clock;
    assert!(clock > frames[1]["msg"]["clock"].as_u64().unwrap());
    assert_eq!(
        (&delta["seq"], &delta["msg"]["clock"]),
        (&json!(4), &json!(clock))
    );

    let id = listener
        .command(
            "update_subscription",
            json!({ "sid": sid, "action": "get_snapshot", "market_ticker": OTHER }),
        )
        .await;
    let snapshot = listener.next().await;
    assert_eq!((&snapshot["id"], &snapshot["seq"]), (&json!(id), &json!(5)));
    assert_eq!(snapshot["msg"]["clock"], clock);

    listener
        .command("update_subscription", update("delete_markets"))
        .await;
    let ok = listener.next().await;
    assert_eq!((&ok["type"], &ok["seq"]), (&json!("ok"), &json!(6)));
    assert_eq!(ok["msg"]["market_tickers"], json!([TICKER]));
    other.bid(dollars("0.11"), 1);
    market.clear();
    let delta = listener.next().await;
    assert_eq!(delta["msg"]["market_ticker"], TICKER);
    assert_eq!(delta["msg"]["delta_fp"], "-100.00");
    assert_eq!(delta["seq"], 7);
}

#[tokio::test]
async fn invalid_commands_are_rejected() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    let mut listener = Listener::open(&exchange).await;
    for text in [
        "",
        "{",
        "[]",
        "7",
        "{\"id\":\"one\",\"cmd\":\"list_subscriptions\"}",
    ] {
        listener.send(text).await;
        let frame = listener.next().await;
        assert_eq!(code(&frame), 1, "{text}");
        assert!(frame.get("id").is_none());
    }
    let book = listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    listener.next().await;
    let groups = listener.subscribe("order_group_updates", json!({})).await;
    for (command, params, expected) in [
        ("subscribe", Value::Null, 2),
        ("subscribe", json!({}), 3),
        ("subscribe", json!({ "channels": [] }), 3),
        ("unsubscribe", json!({}), 4),
        ("shout", json!({}), 5),
        ("unsubscribe", json!({ "sids": [99] }), 7),
        ("unsubscribe", json!({ "sids": ["1"] }), 11),
        ("subscribe", json!({ "channels": ["weather"] }), 8),
        ("subscribe", json!({ "channels": vec!["trade"; 33] }), 11),
        ("subscribe", json!({ "channels": ["orderbook_delta"] }), 14),
        (
            "subscribe",
            json!({ "channels": ["trade"], "market_ticker": "NONE" }),
            11,
        ),
        (
            "subscribe",
            json!({ "channels": ["trade"], "market_ticker": [TICKER] }),
            11,
        ),
        (
            "subscribe",
            json!({ "channels": ["trade"], "market_tickers": TICKER }),
            11,
        ),
        (
            "subscribe",
            json!({ "channels": ["trade"], "market_ticker": TICKER, "market_tickers": [TICKER] }),
            11,
        ),
        (
            "subscribe",
            json!({ "channels": ["trade"], "market_id": "00000000-0000-0000-0000-000000000000" }),
            11,
        ),
        (
            "subscribe",
            json!({ "channels": ["communications"], "shard_factor": 0 }),
            19,
        ),
        (
            "subscribe",
            json!({ "channels": ["communications"], "shard_key": 0 }),
            20,
        ),
        (
            "subscribe",
            json!({ "channels": ["communications"], "shard_factor": 2, "shard_key": 2 }),
            21,
        ),
        (
            "subscribe",
            json!({ "channels": ["communications"], "shard_factor": 101 }),
            22,
        ),
        (
            "subscribe",
            json!({ "channels": ["communications"], "user_filter": "others" }),
            11,
        ),
        ("update_subscription", Value::Null, 2),
        (
            "update_subscription",
            json!({ "action": "add_markets" }),
            12,
        ),
        (
            "update_subscription",
            json!({ "sids": [book, groups], "action": "add_markets" }),
            12,
        ),
        (
            "update_subscription",
            json!({ "sid": 99, "action": "add_markets" }),
            7,
        ),
        ("update_subscription", json!({ "sid": book }), 15),
        (
            "update_subscription",
            json!({ "sid": book, "action": "add" }),
            13,
        ),
        (
            "update_subscription",
            json!({ "sid": groups, "action": "add_markets", "market_ticker": TICKER }),
            13,
        ),
        (
            "update_subscription",
            json!({ "sid": book, "action": "get_snapshot" }),
            14,
        ),
        (
            "update_subscription",
            json!({ "sid": book, "action": "add_markets", "market_ticker": "NONE" }),
            11,
        ),
    ] {
        assert_eq!(
            listener.error(command, params.clone()).await,
            expected,
            "{command} {params}"
        );
    }
    let unknown: Vec<_> = (0..150).map(|number| format!("NONE-{number}")).collect();
    let params = json!({ "channels": ["trade"], "market_tickers": unknown });
    listener.command("subscribe", params).await;
    let named = &listener.next().await["msg"]["market_tickers"];
    assert_eq!(named.as_array().unwrap().len(), 100);
    // An invalid channel does not affect the others.
    listener
        .command("subscribe", json!({ "channels": ["weather", "trade"] }))
        .await;
    let frames = listener.take(2).await;
    assert_eq!(code(&frames[0]), 8);
    assert_eq!(frames[1]["msg"]["sid"], 3);
}

#[tokio::test]
async fn subscription_errors_use_sequence_numbers() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let mut listener = Listener::open(&exchange).await;
    let sid = listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    listener.next().await;
    for (number, (params, expected, text)) in [
        (
            json!({ "sid": sid, "action": "get_snapshot" }),
            14,
            "Market Ticker required",
        ),
        (
            json!({ "sid": sid, "action": "dance" }),
            13,
            "Unsupported action",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = listener.command("update_subscription", params).await;
        let error = listener.next().await;
        assert_eq!(
            (code(&error), &error["msg"]["msg"]),
            (expected, &json!(text))
        );
        assert_eq!(
            (&error["id"], &error["sid"], &error["seq"]),
            (&json!(id), &json!(sid), &json!(number + 2))
        );
    }
    market.bid(dollars("0.40"), 1);
    assert_eq!(listener.next().await["seq"], 4);
    // The error for an unknown subscription has no `sid`, and `unsubscribe` does not accept `sid`.
    let params = json!({ "sid": sid + 1, "action": "dance" });
    listener.command("update_subscription", params).await;
    let error = listener.next().await;
    assert!(code(&error) == 7 && error.get("sid").is_none());
    assert_eq!(
        listener.error("unsubscribe", json!({ "sid": sid })).await,
        4
    );
}

#[tokio::test]
async fn channels_without_markets_ignore_them() {
    let exchange = exchange().await;
    let mut listener = Listener::open(&exchange).await;
    for (channel, markets, sid) in [
        ("communications", json!({ "market_ticker": "NONE" }), 1),
        ("order_group_updates", json!({ "market_id": "none" }), 2),
    ] {
        assert_eq!(listener.subscribe(channel, markets).await, sid);
    }
}

#[tokio::test]
async fn changes_of_one_action_share_a_clock() {
    let exchange = exchange().await;
    exchange
        .market(TICKER)
        .ask(dollars("0.41"), 1)
        .ask(dollars("0.42"), 1);
    let mut listener = Listener::open(&exchange).await;
    listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    let before = listener.next().await["msg"]["clock"].as_u64().unwrap();
    let mut sweep = order(Bid, "0.42", "3");
    sweep.client_order_id = Some("mine".into());
    place(&client_without_retries(&exchange), sweep).await;
    let frames = listener.take(3).await;
    let clocks: Vec<_> = frames
        .iter()
        .map(|frame| frame["msg"]["clock"].as_u64().unwrap())
        .collect();
    assert!(
        clocks[0] > before && clocks.iter().all(|clock| *clock == clocks[0]),
        "{clocks:?}"
    );
    // The taker caused all three changes.
    assert!(
        frames
            .iter()
            .all(|frame| frame["msg"]["client_order_id"] == "mine")
    );
}

#[tokio::test]
async fn books_match_the_exchange_under_random_changes() {
    for seed in [1, 2, 3] {
        println!("seed {seed}");
        replay(seed).await;
    }
}

async fn replay(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let exchange = exchange().await;
    exchange.time().stop();
    let markets = [exchange.market(TICKER), exchange.market(OTHER)];
    let mut listeners = Vec::new();
    for yes_prices in [false, true] {
        let mut listener = Listener::open(&exchange).await;
        let params = json!({ "market_tickers": [TICKER, OTHER], "use_yes_price": yes_prices });
        listener.subscribe("orderbook_delta", params).await;
        listeners.push((listener, yes_prices, HashMap::<String, Book>::new(), 0));
    }
    let clients = [
        client_without_retries(&exchange),
        exchange.add_user().unwrap().client().unwrap(),
    ];
    let mut placed: Vec<(usize, OrderId)> = Vec::new();
    for step in 0..150 {
        let market = &markets[random.usize(..2)];
        let price = Dollars::from_cents(random.i64(1..100));
        let count = random.i32(1..40);
        let user = random.usize(..2);
        match random.u8(..12) {
            0 | 1 => drop(market.bid(price, count)),
            2 | 3 => drop(market.ask(price, count)),
            4..=7 => {
                let mut order = order(if random.bool() { Bid } else { Ask }, "0.50", "1");
                order.ticker = market.ticker().to_owned();
                order.price = price;
                order.count = contracts(&count.to_string());
                if random.bool() {
                    order.self_trade_prevention_type = SelfTradePreventionType::Maker;
                }
                if random.u8(..4) == 0 {
                    order.time_in_force = TimeInForce::ImmediateOrCancel;
                } else if random.bool() {
                    let expires = exchange.time().now().timestamp() + random.i64(1..60);
                    order.expiration_time = Some(expires);
                }
                let response = clients[user].create_order_v2().body(order).send().await;
                placed.extend(response.ok().map(|order| (user, order.order_id.clone())));
            }
            8 if !placed.is_empty() => {
                let (user, id) = placed.swap_remove(random.usize(..placed.len()));
                _ = clients[user].cancel_order_v2().order_id(id).send().await;
            }
            9 if !placed.is_empty() => {
                let (user, id) = &placed[random.usize(..placed.len())];
                amend(&clients[*user], id, market.ticker(), price, count).await;
            }
            10 => exchange
                .time()
                .advance(Duration::from_secs(random.u64(1..20))),
            11 => drop(market.clear()),
            _ => {}
        }
        for (listener, yes_prices, books, seq) in &mut listeners {
            for frame in listener.drain().await {
                *seq += 1;
                assert_eq!(frame["seq"], *seq, "{frame}");
                let ticker = frame["msg"]["market_ticker"].as_str().unwrap();
                books.entry(ticker.to_owned()).or_default().apply(&frame);
            }
            for market in &markets {
                let (replica, book) = (&books[market.ticker()], market.order_book());
                assert!(
                    replica.is(&book, *yes_prices),
                    "seed {seed}, step {step}: {replica:?} {book:?}"
                );
            }
        }
    }
    markets[0].settle(Settlement::Yes);
    for (listener, _, books, _) in &mut listeners {
        for frame in listener.drain().await {
            books.get_mut(TICKER).unwrap().apply(&frame);
        }
        assert!(books[TICKER].is(&markets[0].order_book(), false));
        assert!(markets[0].order_book().bids.is_empty());
    }
}

async fn amend(client: &Client, id: &str, ticker: &str, price: Dollars, count: i32) {
    for side in [BookSide::Bid, BookSide::Ask] {
        let amended = client.amend_order_v2().order_id(id).body_map(|body| {
            body.ticker(ticker)
                .side(side)
                .price(price)
                .count(contracts(&count.to_string()))
        });
        _ = amended.send().await;
    }
}

#[tokio::test]
async fn events_are_not_recorded_without_connections() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    {
        let mut listener = Listener::open(&exchange).await;
        market.bid(dollars("0.40"), 1);
        assert!(listener.drain().await.is_empty());
    }
    exchange.websockets().wait_for_connections(0).await;
    place(&client_without_retries(&exchange), order(Bid, "0.30", "1")).await;
    let mut listener = Listener::open(&exchange).await;
    listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    let snapshot = listener.next().await;
    let book = exchange.market(TICKER).order_book();
    assert_eq!(snapshot["msg"]["clock"], book.clock, "the clock continues");
    assert!(listener.drain().await.is_empty());
}

#[tokio::test]
async fn connections_end_with_the_exchange() {
    let exchange = exchange().await;
    let mut listener = Listener::open(&exchange).await;
    exchange.shutdown().await;
    assert!(
        matches!(listener.message().await, Some(Ok(Message::Close(Some(frame)))) if u16::from(frame.code) == 1001)
    );

    let exchange = MockExchange::start().await.unwrap();
    let mut listener = Listener::open(&exchange).await;
    drop(exchange);
    assert!(matches!(
        listener.message().await,
        Some(Ok(Message::Close(_)))
    ));
}
