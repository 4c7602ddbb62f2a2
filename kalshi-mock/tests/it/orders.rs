//! Orders: matching, priority, times in force, rejections and final states.

use std::time::Duration;

use crate::common::{Raw, TICKER, client_without_retries, contracts, dollars, exchange, order};
use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, Contracts, Error, OrderId,
    types::{
        BookSide::{Ask, Bid},
        CreateOrderV2Request, CreateOrderV2Response, Order, OrderStatus, SelfTradePreventionType,
        TimeInForce,
    },
};
use serde_json::json;

async fn place(
    client: &Client,
    order: CreateOrderV2Request,
) -> Result<CreateOrderV2Response, Error> {
    Ok(client
        .create_order_v2()
        .body(order)
        .send()
        .await?
        .into_inner())
}

async fn read(client: &Client, id: &str) -> Order {
    client
        .get_order()
        .order_id(id)
        .send()
        .await
        .unwrap()
        .into_inner()
        .order
}

/// An action of a test on the exchange.
type Act<'a> = &'a dyn Fn();

async fn position(client: &Client) -> (Contracts, String) {
    let positions = client.get_positions().send().await.unwrap().into_inner();
    let position = &positions.market_positions[0];
    (
        position.position_fp,
        position.market_exposure_dollars.to_string(),
    )
}

fn code(error: &Error) -> String {
    error.code().unwrap().to_owned()
}

#[tokio::test]
async fn order_takes_best_prices_first_and_its_rest_enters_the_book() {
    let exchange = exchange().await;
    let market = exchange
        .market(TICKER)
        .ask(dollars("0.46"), 10)
        .ask(dollars("0.45"), 5)
        .ask(dollars("0.48"), 10);
    let client = client_without_retries(&exchange);

    let placed = place(&client, order(Bid, "0.46", "20.5")).await.unwrap();
    assert_eq!(
        (placed.fill_count, placed.remaining_count),
        (contracts("15"), contracts("5.5"))
    );
    // 5 at 0.45 and 10 at 0.46. The fee of each trade is rounded separately: 0.0867 and 0.1739.
    // The averages, 0.456666.. and 0.017373.., are rounded to four decimals.
    assert_eq!(placed.average_fill_price.unwrap(), dollars("0.4567"));
    assert_eq!(placed.average_fee_paid.unwrap(), dollars("0.0174"));

    let order = read(&client, &placed.order_id).await;
    assert_eq!(order.status, OrderStatus::Resting);
    assert_eq!(order.taker_fill_cost_dollars, dollars("6.85"));
    assert_eq!(order.taker_fees_dollars, dollars("0.2606"));
    assert_eq!(market.bids()[0].count, contracts("5.5"));
    assert_eq!(market.asks()[0].price, dollars("0.48"));

    let fills = client.get_fills().send().await.unwrap().into_inner().fills;
    let rows: Vec<_> = fills
        .iter()
        .map(|fill| (fill.yes_price_dollars, fill.count_fp, fill.is_taker))
        .collect();
    assert_eq!(
        rows,
        [
            (dollars("0.46"), contracts("10"), true),
            (dollars("0.45"), contracts("5"), true)
        ]
    );

    // 10,000 minus 6.85, minus the fees, minus 5.5 x 0.46 reserved for the rest.
    let balance = client.get_balance().send().await.unwrap().into_inner();
    assert_eq!(balance.balance_dollars, dollars("9990.3594"));
    assert_eq!(balance.balance, 999_035);
}

#[tokio::test]
async fn earlier_orders_trade_first_and_amended_order_loses_priority() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let (first, other) = (
        client_without_retries(&exchange),
        exchange.add_user().unwrap(),
    );
    let second = other.client().unwrap();
    let one = place(&first, order(Bid, "0.40", "10"))
        .await
        .unwrap()
        .order_id;
    let two = place(&second, order(Bid, "0.40", "10"))
        .await
        .unwrap()
        .order_id;
    let ahead = |client: Client, id: OrderId| async move {
        client
            .get_order_queue_position()
            .order_id(id)
            .send()
            .await
            .unwrap()
            .queue_position_fp
    };
    assert_eq!(ahead(first.clone(), one.clone()).await, Contracts::ZERO);
    assert_eq!(ahead(second.clone(), two.clone()).await, contracts("10"));

    market.ask(dollars("0.40"), 4);
    assert_eq!(ahead(second.clone(), two.clone()).await, contracts("6"));

    // A decrease keeps the priority, a larger size loses it.
    first
        .decrease_order_v2()
        .order_id(&one)
        .body_map(|body| body.reduce_to(contracts("5")))
        .send()
        .await
        .unwrap();
    assert_eq!(ahead(second.clone(), two.clone()).await, contracts("5"));
    let amended = first
        .amend_order_v2()
        .order_id(&one)
        .body_map(|body| {
            body.ticker(TICKER)
                .side(Bid)
                .price(dollars("0.40"))
                .count(contracts("16"))
        })
        .send()
        .await
        .unwrap();
    assert_eq!(
        amended.remaining_count.unwrap(),
        contracts("12"),
        "4 of the 16 were already filled"
    );
    assert_eq!(ahead(second.clone(), two.clone()).await, Contracts::ZERO);
    assert_eq!(ahead(first.clone(), one.clone()).await, contracts("10"));

    let list = first
        .get_order_queue_positions()
        .market_tickers([TICKER])
        .send()
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.queue_positions[0].queue_position_fp, contracts("10"));
}

#[tokio::test]
async fn amended_price_can_trade() {
    let exchange = exchange().await;
    exchange.market(TICKER).ask(dollars("0.50"), 3);
    let client = client_without_retries(&exchange);
    let id = place(&client, order(Bid, "0.40", "10"))
        .await
        .unwrap()
        .order_id;
    let amended = client
        .amend_order_v2()
        .order_id(&id)
        .body_map(|body| {
            body.ticker(TICKER)
                .side(Bid)
                .price(dollars("0.50"))
                .count(contracts("10"))
        })
        .send()
        .await
        .unwrap();
    assert_eq!(
        (amended.fill_count, amended.remaining_count),
        (Some(contracts("3")), Some(contracts("7")))
    );
    assert_eq!(exchange.market(TICKER).bids()[0].price, dollars("0.50"));
}

#[tokio::test]
async fn times_in_force_are_respected() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = client_without_retries(&exchange);
    let with = |time_in_force, count: &str| {
        let mut order = order(Bid, "0.50", count);
        order.time_in_force = time_in_force;
        order
    };
    let rejected = place(&client, with(TimeInForce::FillOrKill, "6"))
        .await
        .unwrap_err();
    assert_eq!(code(&rejected), "fill_or_kill_insufficient_resting_volume");
    assert_eq!(market.asks()[0].count, contracts("5"), "nothing was filled");

    let immediate = place(&client, with(TimeInForce::ImmediateOrCancel, "6"))
        .await
        .unwrap();
    assert_eq!(
        (immediate.fill_count, immediate.remaining_count),
        (contracts("5"), Contracts::ZERO)
    );
    assert_eq!(
        read(&client, &immediate.order_id).await.status,
        OrderStatus::Canceled
    );
    assert!(market.bids().is_empty());

    market.ask(dollars("0.50"), 6);
    let filled = place(&client, with(TimeInForce::FillOrKill, "6"))
        .await
        .unwrap();
    assert_eq!(filled.fill_count, contracts("6"));
    assert_eq!(
        read(&client, &filled.order_id).await.status,
        OrderStatus::Executed
    );

    let mut expiring = with(TimeInForce::GoodTillCanceled, "1");
    expiring.expiration_time = Some(exchange.time().now().timestamp() + 60);
    let expiring = place(&client, expiring).await.unwrap().order_id;
    exchange.time().advance(Duration::from_secs(59));
    assert_eq!(read(&client, &expiring).await.status, OrderStatus::Resting);
    exchange.time().advance(Duration::from_secs(2));
    assert_eq!(read(&client, &expiring).await.status, OrderStatus::Canceled);
    assert!(market.bids().is_empty());

    for time_in_force in [TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill] {
        let mut order = with(time_in_force, "1");
        order.expiration_time = Some(exchange.time().now().timestamp() + 60);
        assert!(
            place(&client, order)
                .await
                .unwrap_err()
                .to_string()
                .contains("expiration_time")
        );
    }
    let mut milliseconds = with(TimeInForce::GoodTillCanceled, "1");
    milliseconds.expiration_time = Some(exchange.time().now().timestamp_millis());
    let error = place(&client, milliseconds).await.unwrap_err().to_string();
    assert!(error.contains("must be in seconds"), "{error}");
    let mut past = with(TimeInForce::GoodTillCanceled, "1");
    past.expiration_time = Some(exchange.time().now().timestamp() - 1);
    assert!(
        place(&client, past)
            .await
            .unwrap_err()
            .to_string()
            .contains("must be in the future")
    );
}

#[tokio::test]
async fn amended_expiration_applies_and_zero_removes_it() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let mut first = order(Bid, "0.40", "5");
    first.expiration_time = Some(exchange.time().now().timestamp() + 60);
    let id = place(&client, first).await.unwrap().order_id;
    let amend = |expiration_time| {
        client.amend_order_v2().order_id(&id).body_map(|body| {
            body.ticker(TICKER)
                .side(Bid)
                .price(dollars("0.40"))
                .count(contracts("5"))
                .expiration_time(expiration_time)
        })
    };
    amend(exchange.time().now().timestamp() + 600)
        .send()
        .await
        .unwrap();
    exchange.time().advance(Duration::from_secs(61));
    assert_eq!(
        market.bids().len(),
        1,
        "the first expiration no longer applies"
    );
    let amended = amend(0).send().await.unwrap().into_inner();
    assert_eq!(
        (amended.fill_count, amended.remaining_count),
        (None, None),
        "neither count has changed"
    );
    exchange.time().advance(Duration::from_secs(3600));
    assert_eq!(market.bids().len(), 1);
    assert_eq!(read(&client, &id).await.expiration_time, None);
}

#[tokio::test]
async fn post_only_never_takes_and_reduce_only_never_adds() {
    let exchange = exchange().await;
    exchange
        .market(TICKER)
        .ask(dollars("0.50"), 20)
        .bid(dollars("0.45"), 50);
    let client = client_without_retries(&exchange);
    let mut post_only = order(Bid, "0.50", "1");
    post_only.post_only = Some(true);
    let crossing = place(&client, post_only.clone()).await.unwrap_err();
    assert_eq!(code(&crossing), "invalid_order");
    assert!(
        crossing.to_string().contains("post only cross"),
        "{crossing}"
    );
    post_only.price = dollars("0.49");
    let resting = place(&client, post_only).await.unwrap().order_id;
    let crossing = client
        .amend_order_v2()
        .order_id(resting)
        .body_map(|body| {
            body.ticker(TICKER)
                .side(Bid)
                .price(dollars("0.50"))
                .count(contracts("1"))
        })
        .send()
        .await;
    assert_eq!(code(&crossing.unwrap_err()), "invalid_order");

    let mut reducing = order(Ask, "0.45", "30");
    reducing.reduce_only = Some(true);
    assert!(
        place(&client, reducing.clone())
            .await
            .unwrap_err()
            .to_string()
            .contains("reduce_only")
    );
    reducing.time_in_force = TimeInForce::ImmediateOrCancel;
    assert_eq!(
        code(&place(&client, reducing.clone()).await.unwrap_err()),
        "reduce_only_no_position"
    );
    client.cancel_all_orders().send().await.unwrap();
    place(&client, order(Bid, "0.50", "12")).await.unwrap();
    let reduced = place(&client, reducing).await.unwrap();
    assert_eq!(
        reduced.fill_count,
        contracts("12"),
        "only the position is sold"
    );
    assert_eq!(position(&client).await.0, Contracts::ZERO);
}

#[tokio::test]
async fn self_trades_are_prevented() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = client_without_retries(&exchange);
    let own = place(&client, order(Ask, "0.51", "5"))
        .await
        .unwrap()
        .order_id;

    // Earlier fills are kept, the rest is cancelled.
    let taker = place(&client, order(Bid, "0.52", "20")).await.unwrap();
    assert_eq!(
        (taker.fill_count, taker.remaining_count),
        (contracts("5"), Contracts::ZERO)
    );
    assert_eq!(
        read(&client, &taker.order_id).await.status,
        OrderStatus::Canceled
    );
    assert_eq!(read(&client, &own).await.status, OrderStatus::Resting);

    // The resting order is cancelled, and the incoming order continues to match.
    market.ask(dollars("0.52"), 3);
    let mut maker = order(Bid, "0.52", "20");
    maker.self_trade_prevention_type = SelfTradePreventionType::Maker;
    let placed = place(&client, maker).await.unwrap();
    assert_eq!(
        (placed.fill_count, placed.remaining_count),
        (contracts("3"), contracts("17"))
    );
    assert_eq!(read(&client, &own).await.status, OrderStatus::Canceled);
}

#[tokio::test]
async fn client_order_id_is_unique() {
    let exchange = exchange().await;
    exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let mut named = order(Bid, "0.40", "1");
    named.client_order_id = Some("mine".into());
    let id = place(&client, named.clone()).await.unwrap().order_id;
    let error = place(&client, named.clone()).await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 409);
    assert_eq!(code(&error), "order_already_exists");
    client.cancel_order_v2().order_id(&id).send().await.unwrap();
    assert_eq!(
        place(&client, named.clone())
            .await
            .unwrap_err()
            .status()
            .unwrap()
            .as_u16(),
        409,
        "even after the order has ended"
    );
    let other = exchange.add_user().unwrap().client().unwrap();
    assert!(
        place(&other, named.clone()).await.is_ok(),
        "ids are unique per user"
    );

    named.client_order_id = Some("replaced".into());
    let id = place(&client, named.clone()).await.unwrap().order_id;
    let amend = client.amend_order_v2().order_id(&id).body_map(|body| {
        body.ticker(TICKER)
            .side(Bid)
            .price(dollars("0.40"))
            .count(contracts("1"))
            .updated_client_order_id("new")
    });
    amend.send().await.unwrap();
    for id in ["replaced", "new"] {
        named.client_order_id = Some(id.into());
        let error = place(&client, named.clone()).await.unwrap_err();
        assert_eq!(code(&error), "order_already_exists", "{id}");
    }
}

#[tokio::test]
async fn write_responses_have_the_fields_and_decimals_of_recorded_ones() {
    let exchange = exchange().await;
    exchange.market(TICKER).ask(dollars("0.52"), 1);
    let raw = Raw::new(&exchange);
    let order = |id: &str, price: &str| {
        json!({
            "ticker": TICKER, "client_order_id": id, "side": "bid", "count": "1", "price": price,
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
        })
    };
    let path = "/portfolio/events/orders";
    let (_, filled) = raw.call("POST", path, Some(order("a", "0.52"))).await;
    assert_eq!(
        (&filled["average_fill_price"], &filled["average_fee_paid"]),
        (&json!("0.5200"), &json!("0.0175"))
    );
    let mut ids = Vec::new();
    for id in ["b", "c"] {
        let (_, resting) = raw.call("POST", path, Some(order(id, "0.10"))).await;
        ids.push(resting["order_id"].as_str().unwrap().to_owned());
    }
    let (_, single) = raw
        .call("DELETE", &format!("{path}/{}", ids[0]), None)
        .await;
    let batch = json!({ "orders": [{ "order_id": ids[1] }] });
    let (_, batch) = raw
        .call("DELETE", &format!("{path}/batched"), Some(batch))
        .await;
    for cancelled in [&single, &batch["orders"][0]] {
        assert_eq!(cancelled["reduced_by"], "1.00");
        assert_eq!(cancelled.get("client_order_id"), None);
    }
}

#[tokio::test]
async fn unfunded_order_is_rejected_and_closing_order_needs_no_funds() {
    let exchange = MockExchange::builder()
        .without_limits()
        .without_markets()
        .balance(dollars("10"))
        .start()
        .await
        .unwrap();
    let market = exchange
        .market(TICKER)
        .ask(dollars("0.50"), 1000)
        .bid(dollars("0.40"), 1000);
    let client = client_without_retries(&exchange);
    // 20 contracts at 0.50 cost the whole balance of 10 dollars, which leaves nothing for the fee.
    assert_eq!(
        code(&place(&client, order(Bid, "0.50", "20")).await.unwrap_err()),
        "insufficient_balance"
    );
    place(&client, order(Bid, "0.50", "19")).await.unwrap();
    assert_eq!(
        code(&place(&client, order(Bid, "0.30", "2")).await.unwrap_err()),
        "insufficient_balance"
    );
    // Selling the position needs no money, selling more does.
    let sell = place(&client, order(Ask, "0.60", "19"))
        .await
        .unwrap()
        .order_id;
    assert_eq!(
        code(&place(&client, order(Ask, "0.60", "1")).await.unwrap_err()),
        "insufficient_balance"
    );
    client
        .cancel_order_v2()
        .order_id(&sell)
        .send()
        .await
        .unwrap();
    let sold = place(&client, order(Ask, "0.40", "19")).await.unwrap();
    assert_eq!(sold.fill_count, contracts("19"));
    // 10 - 9.5 - 0.3325 + 7.6 - 0.3192
    let balance = client.get_balance().send().await.unwrap();
    assert_eq!(balance.balance_dollars, dollars("7.4483"));
    assert_eq!(market.bids()[0].count, contracts("981"));
}

#[tokio::test]
async fn off_grid_price_and_zero_count_are_rejected() {
    let exchange = exchange().await;
    exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    for price in ["0.405", "0", "1", "1.01"] {
        assert_eq!(
            code(&place(&client, order(Bid, price, "1")).await.unwrap_err()),
            "invalid_price",
            "{price}"
        );
    }
    for count in ["0", "-1", "99999999999"] {
        assert_eq!(
            code(&place(&client, order(Bid, "0.40", count)).await.unwrap_err()),
            "invalid_parameters",
            "{count}"
        );
    }
    let raw = Raw::new(&exchange);
    let cents = json!({
        "ticker": TICKER, "side": "bid", "price": 40, "count": "1", "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    });
    let (status, body) = raw
        .call("POST", "/portfolio/events/orders", Some(cents))
        .await;
    assert_eq!(
        (status, body["details"].as_str().unwrap()),
        (400, "price: must be of type string")
    );
}

#[tokio::test]
async fn tapered_grid_is_finer_near_its_ends() {
    let exchange = exchange().await;
    let cent = dollars("0.01");
    let market = exchange.market(TICKER).price_ranges(
        "tapered",
        &[
            (dollars("0"), dollars("0.1"), dollars("0.001")),
            (dollars("0.1"), dollars("0.9"), cent),
            (dollars("0.9"), dollars("1"), dollars("0.001")),
        ],
    );
    let client = client_without_retries(&exchange);
    for (price, fits) in [
        ("0.005", true),
        ("0.105", false),
        ("0.1", true),
        ("0.901", true),
        ("0.0005", false),
    ] {
        assert_eq!(
            place(&client, order(Bid, price, "1")).await.is_ok(),
            fits,
            "{price}"
        );
        client.cancel_all_orders().send().await.unwrap();
    }
    market
        .bid(dollars("0.456"), 1)
        .ask(dollars("0.456"), 1)
        .bid(dollars("0.0567"), 1);
    assert_eq!(
        (market.bids()[0].price, market.asks()[0].price),
        (dollars("0.45"), dollars("0.46"))
    );
    assert_eq!(market.bids()[1].price, dollars("0.056"));
}

#[tokio::test]
async fn batches_respond_item_by_item() {
    let exchange = exchange().await;
    exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let batch = vec![
        order(Bid, "0.40", "1"),
        order(Bid, "0.405", "1"),
        order(Bid, "0.41", "2"),
    ];
    let created = client
        .batch_create_orders_v2()
        .body_map(|body| body.orders(batch))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let created = created.into_inner().orders;
    assert!(created[1].error.is_some() && created[1].order_id.is_none());
    let ids: Vec<OrderId> = created
        .iter()
        .filter_map(|item| item.order_id.clone())
        .collect();
    let raw = Raw::new(&exchange);
    let body = json!({ "orders": [{ "order_id": ids[0] }, { "order_id": "no-such" }, { "order_id": ids[1] }] });
    let (status, body) = raw
        .call("DELETE", "/portfolio/events/orders/batched", Some(body))
        .await;
    assert_eq!(status, 200);
    let rows: Vec<_> = body["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["reduced_by"].clone(), item["error"]["code"].clone()))
        .collect();
    assert_eq!(
        rows,
        [
            (json!("1.00"), json!(null)),
            (json!("0.00"), json!("not_found")),
            (json!("2.00"), json!(null))
        ]
    );
    let again = client
        .cancel_order_v2()
        .order_id(&ids[0])
        .send()
        .await
        .unwrap_err();
    assert!(
        again.is_not_found(),
        "a cancelled order cannot be cancelled again"
    );
}

#[tokio::test]
async fn resting_orders_are_cancelled_together_and_listed_by_status() {
    let exchange = exchange().await;
    exchange.market(TICKER).ask(dollars("0.90"), 1);
    let client = client_without_retries(&exchange);
    for price in ["0.40", "0.41", "0.42"] {
        place(&client, order(Bid, price, "1")).await.unwrap();
    }
    place(&client, order(Bid, "0.90", "1")).await.unwrap();
    let count = async |status: &str| {
        client
            .get_orders()
            .status(status)
            .send()
            .await
            .unwrap()
            .orders
            .len()
    };
    assert_eq!((count("resting").await, count("executed").await), (3, 1));
    client.cancel_all_orders().send().await.unwrap();
    assert_eq!((count("resting").await, count("canceled").await), (0, 3));
    let pages = client.get_orders().limit(3).collect_all(100).await.unwrap();
    assert_eq!(pages.len(), 4);
    assert_eq!(
        pages[0].status,
        OrderStatus::Executed,
        "the newest order must be first"
    );
}

#[tokio::test]
async fn pause_rejects_orders_accepts_cancels_and_applies_cancel_on_pause() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER);
    let client = client_without_retries(&exchange);
    let mut cancelled_on_pause = order(Bid, "0.40", "1");
    cancelled_on_pause.cancel_order_on_pause = Some(true);
    let unaffected = place(&client, order(Bid, "0.41", "1"))
        .await
        .unwrap()
        .order_id;

    let pauses: [(Act<'_>, Act<'_>); 2] = [
        (&|| exchange.pause_trading(), &|| exchange.resume_trading()),
        (&|| _ = market.pause(), &|| _ = market.resume()),
    ];
    for (pause, resume) in pauses {
        let affected = place(&client, cancelled_on_pause.clone())
            .await
            .unwrap()
            .order_id;
        pause();
        assert_eq!(read(&client, &affected).await.status, OrderStatus::Canceled);
        assert_eq!(
            read(&client, &unaffected).await.status,
            OrderStatus::Resting
        );
        let paused = place(&client, order(Bid, "0.40", "1")).await.unwrap_err();
        let paused = paused.to_string();
        assert!(
            paused.contains("409") && paused.contains("trading_is_paused"),
            "{paused}"
        );
        resume();
    }
    let affected = place(&client, cancelled_on_pause.clone())
        .await
        .unwrap()
        .order_id;
    exchange.set_active(false);
    assert!(
        !client
            .get_exchange_status()
            .send()
            .await
            .unwrap()
            .exchange_active
    );
    let closed = client.get_orders().send().await.unwrap_err();
    assert_eq!(closed.status().unwrap().as_u16(), 503);
    exchange.set_active(true);
    assert_eq!(read(&client, &affected).await.status, OrderStatus::Canceled);

    // A pause that is over has no effect.
    let affected = place(&client, cancelled_on_pause.clone())
        .await
        .unwrap()
        .order_id;
    let before = exchange.time().now() - chrono::TimeDelta::hours(1);
    exchange.schedule_pause(before, Duration::from_secs(600));
    assert_eq!(read(&client, &affected).await.status, OrderStatus::Resting);

    let soon = exchange.time().now() + chrono::TimeDelta::seconds(100);
    exchange.schedule_pause(soon, Duration::from_secs(50));
    let affected = place(&client, cancelled_on_pause).await.unwrap().order_id;
    let status = client.get_exchange_status().send().await.unwrap();
    assert!(status.trading_active);
    exchange.time().advance(Duration::from_secs(120));
    let status = client.get_exchange_status().send().await.unwrap();
    assert!(status.exchange_active && !status.trading_active);
    assert_eq!(
        status.exchange_estimated_resume_time.unwrap(),
        soon + chrono::TimeDelta::seconds(50)
    );
    assert_eq!(read(&client, &affected).await.status, OrderStatus::Canceled);
    client
        .cancel_order_v2()
        .order_id(&unaffected)
        .send()
        .await
        .unwrap();
    let windows = client
        .get_exchange_schedule()
        .send()
        .await
        .unwrap()
        .into_inner()
        .schedule
        .maintenance_windows;
    assert_eq!(windows[0].start_datetime, soon);
    exchange.time().advance(Duration::from_secs(40));
    assert!(
        place(&client, order(Bid, "0.40", "1")).await.is_ok(),
        "the pause is over"
    );
}

#[tokio::test]
async fn market_closes_on_time() {
    let exchange = exchange().await;
    exchange.time().stop();
    let closes = exchange.time().now() + chrono::TimeDelta::hours(1);
    let market = exchange
        .market(TICKER)
        .closes_at(closes)
        .bid(dollars("0.30"), 1);
    let client = client_without_retries(&exchange);
    let id = place(&client, order(Bid, "0.40", "1"))
        .await
        .unwrap()
        .order_id;
    exchange.time().advance(Duration::from_secs(3600));
    assert_eq!(read(&client, &id).await.status, OrderStatus::Canceled);
    assert!(market.bids().is_empty());
    assert_eq!(
        code(&place(&client, order(Bid, "0.40", "1")).await.unwrap_err()),
        "market_not_active"
    );
}
