//! WebSocket channels, each of which reports only its own events.

use std::time::Duration;

use crate::common::listener::{Listener, seqs};
use crate::common::{TICKER, client_without_retries, contracts, dollars, exchange, order, place};
use chrono::TimeDelta;
use kalshi_mock::Settlement;
use kalshi_sdk::types::{
    BookSide::{Ask, Bid},
    TimeInForce,
};
use serde_json::{Value, json};

const OTHER: &str = "KXTEST-26-B";

fn kinds(frames: &[Value]) -> Vec<&str> {
    frames
        .iter()
        .map(|frame| frame["type"].as_str().unwrap())
        .collect()
}

fn texts<'a>(frames: &'a [Value], field: &str) -> Vec<&'a str> {
    frames
        .iter()
        .map(|frame| frame["msg"][field].as_str().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn tickers_report_changes() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER).bid(dollars("0.40"), 100);
    let other = exchange.market(OTHER);
    let mut all = Listener::open(&exchange).await;
    let mut one = Listener::open(&exchange).await;
    all.subscribe("ticker", json!({})).await;
    one.subscribe(
        "ticker",
        json!({ "market_ticker": TICKER, "send_initial_snapshot": true }),
    )
    .await;
    let first = one.next().await;
    assert_eq!(first["msg"]["yes_bid_dollars"], "0.4000");
    assert_eq!(first["msg"]["yes_ask_dollars"], "1.0000");
    assert!(first.get("seq").is_none() && first["sid"] == 1);

    // Levels behind the best price do not change the ticker.
    market.bid(dollars("0.30"), 1);
    market.bid(dollars("0.29"), 1);
    assert!(all.drain().await.is_empty());
    other.ask(dollars("0.60"), 7);
    let frame = all.next().await;
    assert_eq!(frame["msg"]["market_ticker"], OTHER);
    assert_eq!(frame["msg"]["yes_ask_size_fp"], "7.00");
    let id = frame["msg"]["market_id"].clone();

    place(&client_without_retries(&exchange), order(Ask, "0.40", "3")).await;
    let frame = one.drain().await.pop().unwrap();
    assert_eq!(frame["msg"]["price_dollars"], "0.4000");
    assert_eq!(frame["msg"]["last_trade_size_fp"], "3.00");
    assert_eq!(frame["msg"]["volume_fp"], "3.00");
    // Half a dollar per contract, in whole dollars.
    assert_eq!(frame["msg"]["dollar_open_interest"], 1);
    assert_eq!(frame["msg"]["yes_bid_size_fp"], "97.00");
    let at = exchange.time().now().timestamp_millis();
    assert_eq!(
        (&frame["msg"]["ts_ms"], &frame["sending_ts_ms"]),
        (&json!(at), &json!(at))
    );

    // Subscribe by market id.
    one.command("unsubscribe", json!({ "sids": [1] })).await;
    one.next().await;
    one.subscribe("ticker", json!({ "market_ids": [id] })).await;
    market.clear();
    other.clear();
    assert_eq!(one.next().await["msg"]["market_ticker"], OTHER);
}

#[tokio::test]
async fn trades_fills_orders_and_positions_are_reported() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).ask(dollars("0.40"), 2);
    let other_user = exchange.add_user().unwrap();
    let mut own = Listener::open(&exchange).await;
    let mut other = Listener::open_as(&exchange, &other_user).await;
    for listener in [&mut own, &mut other] {
        for channel in ["trade", "fill", "user_orders", "market_positions"] {
            listener.subscribe(channel, json!({})).await;
        }
    }
    let client = client_without_retries(&exchange);
    let mut bid = order(Bid, "0.40", "5");
    bid.client_order_id = Some("mine".into());
    let placed = place(&client, bid).await;
    let frames = own.drain().await;
    assert_eq!(
        kinds(&frames),
        [
            "user_order",
            "fill",
            "user_order",
            "market_position",
            "trade"
        ]
    );
    let created = &frames[0]["msg"];
    assert_eq!(created["order_id"], json!(placed.order_id));
    assert_eq!(created["remaining_count_fp"], "5.00");
    assert_eq!(created["status"], "resting");
    assert!(created.get("last_update_reason").is_none());
    let fill = &frames[1]["msg"];
    assert_eq!(fill["client_order_id"], "mine");
    assert_eq!(
        (&fill["count_fp"], &fill["post_position_fp"]),
        (&json!("2.00"), &json!("2.00"))
    );
    assert_eq!(
        (&fill["is_taker"], &fill["side"]),
        (&json!(true), &json!("yes"))
    );
    assert_eq!(frames[2]["msg"]["last_update_reason"], "Trade");
    assert_eq!(frames[2]["msg"]["remaining_count_fp"], "3.00");
    assert_eq!(frames[3]["msg"]["position_cost_dollars"], "0.800000");
    assert_eq!(frames[4]["msg"]["trade_id"], fill["trade_id"]);
    assert_eq!(seqs(&frames), [1], "only trades are numbered");
    let frames = other.drain().await;
    assert_eq!(kinds(&frames), ["trade"]);
    assert_eq!(frames[0]["msg"]["taker_book_side"], "bid");

    // The rest is amended, decreased and filled by the market maker. Then one order is cancelled, and one expires.
    let id = placed.order_id.clone();
    let amended = client.amend_order_v2().order_id(&id).body_map(|body| {
        body.ticker(TICKER)
            .side(Bid)
            .price(dollars("0.41"))
            .count(contracts("6"))
    });
    amended.send().await.unwrap();
    let decreased = client.decrease_order_v2().order_id(&id);
    decreased
        .body_map(|body| body.reduce_to(contracts("1")))
        .send()
        .await
        .unwrap();
    market.ask(dollars("0.41"), 1);
    let frames = own.drain().await;
    let orders: Vec<Value> = frames
        .iter()
        .filter(|frame| frame["type"] == "user_order")
        .cloned()
        .collect();
    assert_eq!(
        texts(&orders, "last_update_reason"),
        ["Amend", "Decrease", "Trade"]
    );
    assert_eq!(texts(&orders, "status"), ["resting", "resting", "executed"]);
    assert_eq!(frames.last().unwrap()["msg"]["taker_side"], "no");

    exchange.time().stop();
    let cancelled = place(&client, order(Bid, "0.20", "1"))
        .await
        .order_id
        .clone();
    client
        .cancel_order_v2()
        .order_id(cancelled)
        .send()
        .await
        .unwrap();
    let mut expiring = order(Bid, "0.20", "1");
    expiring.expiration_time = Some(exchange.time().now().timestamp() + 30);
    place(&client, expiring).await;
    own.drain().await;
    // The clock alone triggers the message, without a request.
    exchange.time().advance(Duration::from_secs(31));
    let expired = own.next().await;
    assert_eq!(expired["msg"]["last_update_reason"], "ExpiryCancel");
    assert_eq!(expired["msg"]["status"], "canceled");

    market.settle(Settlement::Yes);
    let frames = own.drain().await;
    assert_eq!(kinds(&frames), ["market_position"]);
    assert_eq!(frames[0]["msg"]["position_fp"], "0.00");
    assert_eq!(other.drain().await.len(), 1, "the second trade");
}

#[tokio::test]
async fn own_orders_are_marked_in_the_book() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    let other_user = exchange.add_user().unwrap();
    let mut own = Listener::open(&exchange).await;
    let mut other = Listener::open_as(&exchange, &other_user).await;
    for listener in [&mut own, &mut other] {
        listener
            .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
            .await;
        listener.next().await;
    }
    let mut ask = order(Ask, "0.40", "5");
    ask.client_order_id = Some("mine".into());
    place(&client_without_retries(&exchange), ask).await;
    let (own_frame, other_frame) = (own.next().await, other.next().await);
    assert_eq!(own_frame["msg"]["client_order_id"], "mine");
    assert!(other_frame["msg"].get("client_order_id").is_none());
    assert_eq!(
        (
            &other_frame["msg"]["side"],
            &other_frame["msg"]["price_dollars"]
        ),
        (&json!("no"), &json!("0.6000"))
    );
    // A rejected order sends no message.
    let unfunded = order(Bid, "0.39", "99999999");
    assert!(
        client_without_retries(&exchange)
            .create_order_v2()
            .body(unfunded)
            .send()
            .await
            .is_err()
    );
    assert!(own.drain().await.is_empty());
    let mut kill = order(Bid, "0.40", "1");
    kill.time_in_force = TimeInForce::ImmediateOrCancel;
    place(&other_user.client().unwrap(), kill).await;
    let frames = own.drain().await;
    assert_eq!(texts(&frames, "delta_fp"), ["-1.00"]);
}

#[tokio::test]
async fn rejected_amendment_emits_no_messages() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let id = place(&client, order(Bid, "0.40", "5"))
        .await
        .order_id
        .clone();
    let mut listener = Listener::open(&exchange).await;
    listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    listener.next().await;
    let before = market.order_book();
    let amended = client.amend_order_v2().order_id(&id).body_map(|body| {
        body.ticker(TICKER)
            .side(Bid)
            .price(dollars("0.90"))
            .count(contracts("9999999"))
    });
    assert_eq!(
        amended.send().await.unwrap_err().code(),
        Some("insufficient_balance")
    );
    assert!(listener.drain().await.is_empty());
    assert_eq!(market.order_book(), before);
}

#[tokio::test]
async fn order_group_changes_are_reported() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER).ask(dollars("0.40"), 10);
    let mut listener = Listener::open(&exchange).await;
    listener.subscribe("order_group_updates", json!({})).await;
    let client = client_without_retries(&exchange);
    let group = client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(contracts("3")))
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_group_id;
    let mut bid = order(Bid, "0.40", "3");
    bid.order_group_id = Some(group.clone());
    place(&client, bid).await;
    client
        .reset_order_group()
        .order_group_id(&group)
        .send()
        .await
        .unwrap();
    let limit = client.update_order_group_limit().order_group_id(&group);
    limit
        .body_map(|body| body.contracts_limit_fp(contracts("7")))
        .send()
        .await
        .unwrap();
    client
        .delete_order_group()
        .order_group_id(&group)
        .send()
        .await
        .unwrap();
    let frames = listener.drain().await;
    assert_eq!(
        texts(&frames, "event_type"),
        ["created", "triggered", "reset", "limit_updated", "deleted"]
    );
    assert_eq!(seqs(&frames), [1, 2, 3, 4, 5]);
    assert_eq!(frames[3]["msg"]["contracts_limit_fp"], "7.00");
    assert!(frames[1]["msg"].get("contracts_limit_fp").is_none());
}

#[tokio::test]
async fn market_lifecycles_are_reported() {
    let exchange = exchange().await;
    exchange.time().stop();
    let mut listener = Listener::open(&exchange).await;
    listener.subscribe("market_lifecycle_v2", json!({})).await;
    let market = exchange.market(TICKER);
    market.pause().resume();
    let (cent, one) = (dollars("0.001"), dollars("1"));
    market.price_ranges("deci_cent", &[(dollars("0"), one, cent)]);
    market.closes_at(exchange.time().now() + TimeDelta::hours(2));
    market.settle(Settlement::No);
    let frames = listener.drain().await;
    assert_eq!(kinds(&frames)[0], "event_lifecycle");
    assert_eq!(
        texts(&frames[1..], "event_type"),
        [
            "created",
            "deactivated",
            "activated",
            "price_level_structure_updated",
            "close_date_updated",
            "close_date_updated",
            "determined",
            "settled"
        ]
    );
    assert_eq!(seqs(&frames), (1..=9).collect::<Vec<_>>());
    let determined = &frames[7]["msg"];
    assert_eq!(
        (&determined["result"], &determined["settlement_value"]),
        (&json!("no"), &json!("0.0000"))
    );
    assert_eq!(
        frames[6]["msg"]["close_ts"],
        exchange.time().now().timestamp()
    );
}

#[tokio::test]
async fn quotes_are_reported_to_their_parties_only() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let maker = exchange.add_user().unwrap();
    let mut requester_listener = Listener::open(&exchange).await;
    let mut maker_listener = Listener::open_as(&exchange, &maker).await;
    let mut uninvolved = Listener::open_as(&exchange, &exchange.add_user().unwrap()).await;
    let mut own_only = Listener::open_as(&exchange, &maker).await;
    for listener in [
        &mut requester_listener,
        &mut maker_listener,
        &mut uninvolved,
    ] {
        listener.subscribe("communications", json!({})).await;
    }
    own_only
        .subscribe("communications", json!({ "user_filter": "self" }))
        .await;
    let (requester, maker) = (client_without_retries(&exchange), maker.client().unwrap());
    let rfq = requester
        .create_rfq()
        .body_map(|body| {
            body.market_ticker(TICKER)
                .contracts_fp(contracts("1"))
                .obscure_creator_id(true)
                .rest_remainder(false)
        })
        .send()
        .await
        .unwrap()
        .into_inner()
        .id;
    let quote = maker
        .create_quote()
        .body_map(|body| {
            body.rfq_id(&rfq)
                .yes_bid(dollars("0.40"))
                .no_bid(dollars("0.40"))
                .rest_remainder(false)
        })
        .send()
        .await
        .unwrap()
        .into_inner()
        .id;
    let accept = requester.accept_rfq_quote().rfq_id(&rfq).quote_id(&quote);
    accept
        .body_map(|body| body.accepted_side("yes"))
        .send()
        .await
        .unwrap();
    let confirm = maker.confirm_rfq_quote().rfq_id(&rfq).quote_id(&quote);
    confirm.send().await.unwrap();
    exchange.time().advance(Duration::from_secs(20));
    let all = [
        "rfq_created",
        "quote_created",
        "quote_accepted",
        "quote_executed",
        "rfq_deleted",
    ];
    let (requester_frames, maker_frames) = (
        requester_listener.drain().await,
        maker_listener.drain().await,
    );
    assert_eq!(
        (kinds(&requester_frames), kinds(&maker_frames)),
        (all.to_vec(), all.to_vec())
    );
    assert_eq!(seqs(&requester_frames), [1, 2, 3, 4, 5]);
    assert_eq!(
        kinds(&uninvolved.drain().await),
        ["rfq_created", "rfq_deleted"]
    );
    assert_eq!(kinds(&own_only.drain().await), all[1..4]);
    assert_ne!(
        requester_frames[0]["msg"]["creator_id"], maker_frames[0]["msg"]["creator_id"],
        "obscured"
    );
    assert_ne!(
        requester_frames[3]["msg"]["order_id"],
        maker_frames[3]["msg"]["order_id"]
    );
    assert_eq!(requester_frames[2]["msg"]["accepted_side"], "yes");
}

#[tokio::test]
async fn subscription_starts_with_the_open_requests_that_it_covers() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let rfq = client.create_rfq().body_map(|body| {
            body.market_ticker(TICKER)
                .contracts_fp(contracts("1"))
                .rest_remainder(false)
        });
        ids.push(rfq.send().await.unwrap().into_inner().id);
    }
    let closed = ids.remove(1);
    client.delete_rfq().rfq_id(&closed).send().await.unwrap();
    let other = exchange.add_user().unwrap();
    let own = json!({ "user_filter": "self" });
    for (user, params, is_covered) in [
        (exchange.user(), own.clone(), true),
        (&other, json!({}), true),
        (&other, own, false),
    ] {
        let mut listener = Listener::open_as(&exchange, user).await;
        listener.subscribe("communications", params).await;
        let frames = listener.drain().await;
        if is_covered {
            assert_eq!(kinds(&frames), ["rfq_created"; 2]);
            assert_eq!(texts(&frames, "id"), ids);
            assert_eq!(seqs(&frames), [1, 2]);
        } else {
            assert!(frames.is_empty(), "{frames:?}");
        }
    }
}

#[tokio::test]
async fn scheduled_actions_are_reported_on_time() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).bid(dollars("0.40"), 1);
    let mut listener = Listener::open(&exchange).await;
    listener
        .subscribe("orderbook_delta", json!({ "market_ticker": TICKER }))
        .await;
    listener.next().await;
    // The clock is running, and no request is made.
    market.closes_at(exchange.time().now() + TimeDelta::milliseconds(150));
    let frame = listener.next().await;
    assert_eq!(frame["msg"]["delta_fp"], "-1.00");
    assert!(market.order_book().bids.is_empty());
}

#[tokio::test]
async fn shards_of_a_channel_cover_all_messages() {
    let exchange = exchange().await;
    let mut parts = Vec::new();
    for part in 0..3 {
        let mut listener = Listener::open(&exchange).await;
        let params = json!({ "shard_factor": 3, "shard_key": part });
        listener.subscribe("communications", params).await;
        parts.push(listener);
    }
    let client = client_without_retries(&exchange);
    for number in 0..12 {
        let ticker = format!("KXTEST-26-{number}");
        let _ = exchange.market(&ticker);
        let rfq = client.create_rfq().body_map(|body| {
            body.market_ticker(&ticker)
                .contracts_fp(contracts("1"))
                .rest_remainder(false)
        });
        rfq.send().await.unwrap();
    }
    let mut tickers = Vec::new();
    for listener in &mut parts {
        let frames = listener.drain().await;
        assert!(!frames.is_empty());
        tickers.extend(
            texts(&frames, "market_ticker")
                .into_iter()
                .map(ToOwned::to_owned),
        );
    }
    tickers.sort_unstable();
    tickers.dedup();
    assert_eq!(tickers.len(), 12);
}
