//! Orders and amendments by outcome, and references to orders.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, TimeDelta, Utc};
use kalshi_sdk::{
    BookSide, Client, ClientBuilder, Credentials, Dollars, OutcomeSide, RetryPolicy,
    limits::RateLimits,
    orders::{
        Amendment, ChangeOutcome, Decrease, InvalidOrder, NewOrder, OrderOutcome, OrderRef,
        OrderRules, PriceGrid,
    },
    types::{self, CreateOrderV2Request, SelfTradePreventionType, TimeInForce},
};
use serde_json::{Value, json};

use crate::common::{
    KEY_ID, SkewedClock,
    exchange::{Exchange, Reply},
    key,
};

const TICKER: &str = "KXTEST-26-A";

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

fn request(order: NewOrder) -> CreateOrderV2Request {
    order.try_into().unwrap()
}

/// Starts an exchange that accepts every order and every change.
async fn exchange() -> (Exchange, Client) {
    exchange_with(|builder| builder).await
}

async fn exchange_with(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (Exchange, Client) {
    let exchange = Exchange::start(|request| {
        let body = request.json();
        let one = |order: &Value| {
            json!({
                "order_id": "o1", "client_order_id": order["client_order_id"], "ts_ms": 1,
                "fill_count": "0.00", "remaining_count": order["count"],
            })
        };
        match request.path.rsplit('/').next() {
            Some("batched") => {
                let orders = body["orders"].as_array().unwrap().iter().enumerate();
                let orders: Vec<_> = orders
                    .map(|(index, order)| {
                        let mut item = one(order);
                        item["order_id"] = json!(format!("o{index}"));
                        item
                    })
                    .collect();
                Reply::json(201, &json!({ "orders": orders }))
            }
            Some("decrease") => Reply::json(
                200,
                &json!({ "order_id": "o1", "remaining_count": "1.00", "ts_ms": 1 }),
            ),
            Some("amend") => Reply::json(200, &one(&body)),
            _ => Reply::json(201, &one(&body)),
        }
    })
    .await;
    let builder = Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
        .timeout(Duration::from_secs(10));
    let client = change(builder).build().unwrap();
    (exchange, client)
}

#[test]
fn outcome_and_price_are_converted_to_book_side_and_yes_price() {
    use OutcomeSide::{No, Yes};
    for (order, side, price) in [
        (
            NewOrder::buy(TICKER, Yes, dollars("0.40"), 1),
            BookSide::Bid,
            "0.40",
        ),
        (
            NewOrder::sell(TICKER, Yes, dollars("0.40"), 1),
            BookSide::Ask,
            "0.40",
        ),
        (
            NewOrder::buy(TICKER, No, dollars("0.40"), 1),
            BookSide::Ask,
            "0.60",
        ),
        (
            NewOrder::sell(TICKER, No, dollars("0.40"), 1),
            BookSide::Bid,
            "0.60",
        ),
        (
            NewOrder::buy(TICKER, No, dollars("0.9999"), 1),
            BookSide::Ask,
            "0.0001",
        ),
    ] {
        let request = request(order.clone());
        assert_eq!(
            (request.side, request.price),
            (side, dollars(price)),
            "{order:?}"
        );
    }
    for price in ["0", "-0.40", "1", "1.40"].map(dollars) {
        for outcome in [Yes, No] {
            let order = NewOrder::buy(TICKER, outcome, price, 1);
            let error = CreateOrderV2Request::try_from(order).unwrap_err();
            assert_eq!(error, InvalidOrder::Price(price), "{outcome}");
        }
    }
    let unknown: OutcomeSide = serde_json::from_value(json!("maybe")).unwrap();
    let order = NewOrder::buy(TICKER, unknown, dollars("0.40"), 1);
    let error = CreateOrderV2Request::try_from(order).unwrap_err();
    assert_eq!(error.to_string(), "the outcome \"maybe\" is unknown");
}

#[test]
fn setters_override_defaults() {
    let plain = NewOrder::buy(TICKER, OutcomeSide::Yes, dollars("0.40"), 10);
    let json = serde_json::to_value(request(plain.clone())).unwrap();
    assert_eq!(
        json,
        json!({
            "ticker": TICKER, "side": "bid", "price": "0.4000", "count": "10.00",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
        })
    );
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_700);
    let full = plain
        .clone()
        .post_only()
        .expires_at(time)
        .group("g")
        .client_order_id("mine")
        .subaccount(3)
        .exchange_index(2)
        .cancel_on_pause()
        .self_trade_prevention(SelfTradePreventionType::Maker);
    let full = request(full);
    assert_eq!(
        serde_json::to_value(&full).unwrap(),
        json!({
            "ticker": TICKER, "side": "bid", "price": "0.4000", "count": "10.00",
            "time_in_force": "good_till_canceled", "self_trade_prevention_type": "maker",
            "post_only": true, "expiration_time": 4_000_000_000_u64, "order_group_id": "g",
            "client_order_id": "mine", "subaccount": 3, "exchange_index": 2, "cancel_order_on_pause": true,
        })
    );
    let reducing = request(plain.clone().reduce_only().immediate_or_cancel());
    assert_eq!(
        (reducing.reduce_only, reducing.time_in_force),
        (Some(true), TimeInForce::ImmediateOrCancel)
    );
    let time: DateTime<Utc> = time.into();
    assert_eq!(
        request(plain.clone().expires_at(time)).expiration_time,
        full.expiration_time
    );
    let killed = request(plain.fill_or_kill());
    assert_eq!(killed.time_in_force, TimeInForce::FillOrKill);
}

#[tokio::test]
async fn grid_is_checked_against_the_yes_price() {
    let (exchange, client) = exchange().await;
    // Steps of a tenth of a cent below 10 cents, of a cent above.
    let ranges = [("0", "0.1", "0.001"), ("0.1", "1", "0.01")];
    let grid = PriceGrid::new(ranges.map(|(a, b, c)| (dollars(a), dollars(b), dollars(c))));
    let rules = OrderRules::new().with_grid(grid);
    let orders = client.orders();
    let no = |price| NewOrder::buy(TICKER, OutcomeSide::No, dollars(price), 1);
    let error = orders.place_with(no("0.055"), &rules).await.unwrap_err();
    assert!(
        error.is_invalid_request() && error.to_string().contains("the YES price 0.9450 is not on"),
        "{error}"
    );
    let outcome = orders.place_with(no("0.955"), &rules).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    assert_eq!(exchange.received()[0].json()["price"], "0.0450");
    let batch = [no("0.955"), no("0.055")];
    let error = orders.place_batch_with(batch, |_| rules.clone()).await;
    assert!(error.unwrap_err().to_string().contains("order 1: "));
    assert_eq!(exchange.count(), 1);
}

#[tokio::test]
async fn place_accepts_new_orders_requests_and_builders() {
    let (exchange, client) = exchange().await;
    let orders = client.orders();
    let order = NewOrder::sell(TICKER, OutcomeSide::No, dollars("0.44"), 2).client_order_id("a");
    let builder = || {
        CreateOrderV2Request::builder()
            .ticker(TICKER)
            .side(BookSide::Bid)
            .price("0.56")
            .count("2")
            .time_in_force(TimeInForce::GoodTillCanceled)
            .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
            .client_order_id("a")
    };
    let built: CreateOrderV2Request = builder().try_into().unwrap();
    for outcome in [
        orders.place(order.clone()).await,
        orders.place(built).await,
        orders.place(builder()).await,
    ] {
        let OrderOutcome::Placed(placed) = outcome.unwrap() else {
            panic!()
        };
        assert_eq!(
            (placed.order_id.as_str(), placed.client_order_id.as_str()),
            ("o1", "a")
        );
    }
    let sent: Vec<_> = exchange
        .received()
        .iter()
        .map(|request| request.json())
        .collect();
    assert!(sent.iter().all(|body| *body == sent[0]), "{sent:?}");
    let incomplete = CreateOrderV2Request::builder().ticker(TICKER);
    let error = orders.place(incomplete).await.unwrap_err();
    assert!(
        error.is_invalid_request() && error.to_string().contains("is required but not set"),
        "{error}"
    );

    let batch = ["a", "b"].map(|id| order.clone().client_order_id(id));
    let outcomes = orders.place_batch(batch).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    let none: [NewOrder; 0] = [];
    assert!(orders.place_batch(none).await.unwrap().is_empty());
    assert_eq!(exchange.count(), 4);
}

#[tokio::test]
async fn amendment_uses_yes_price_and_market_of_its_order() {
    let (exchange, client) = exchange().await;
    let orders = client.orders();
    let order = OrderRef::new("o1")
        .with_market(TICKER)
        .with_exchange_index(1);
    let amendment = Amendment::buy(OutcomeSide::No, dollars("0.41"), 10)
        .client_order_id("a")
        .updated_client_order_id("b")
        .never_expires();
    let outcome = orders.amend(&order, amendment).await.unwrap();
    assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
    assert_eq!(
        exchange.received().pop().unwrap().json(),
        json!({
            "ticker": TICKER, "side": "ask", "price": "0.5900", "count": "10.00", "client_order_id": "a",
            "updated_client_order_id": "b", "expiration_time": 0, "exchange_index": 1,
        })
    );
    let sent = exchange.count();
    let amendment = Amendment::sell(OutcomeSide::Yes, dollars("0.41"), 10);
    let error = orders.amend("o1", amendment).await.unwrap_err();
    assert!(
        error.is_invalid_request() && error.to_string().contains("needs the market of its order"),
        "{error}"
    );
    let amendment = Amendment::sell(OutcomeSide::Yes, dollars("1"), 10);
    orders.amend(&order, amendment).await.unwrap_err();
    assert_eq!(exchange.count(), sent);
}

/// Nothing has shown yet that the local clock is an hour fast.
#[tokio::test]
async fn expiry_is_not_judged_by_an_unchecked_clock() {
    let (exchange, client) =
        exchange_with(|builder| builder.clock(Arc::new(SkewedClock(TimeDelta::hours(1))))).await;
    let soon = SystemTime::now() + Duration::from_secs(300);
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, dollars("0.40"), 10).expires_at(soon);
    _ = client.orders().place(order).await;
    assert_eq!(exchange.count(), 1);
}

#[tokio::test]
async fn invalid_expiry_is_rejected_and_not_sent_as_zero() {
    let (exchange, client) = exchange().await;
    let orders = client.orders();
    let order = OrderRef::new("o1").with_market(TICKER);
    let new = || NewOrder::buy(TICKER, OutcomeSide::Yes, dollars("0.40"), 10);
    let amendment = || Amendment::buy(OutcomeSide::Yes, dollars("0.40"), 10);
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000_000);
    let expiries: [kalshi_sdk::UnixSeconds; 6] = [
        SystemTime::UNIX_EPOCH.into(),
        DateTime::<Utc>::default().into(),
        (-1).into(),
        1_700_000_000.into(),
        1_900_000_000_000.into(),
        far.into(),
    ];
    for expiry in expiries {
        let error = orders.place(new().expires_at(expiry)).await.unwrap_err();
        assert!(error.is_invalid_request(), "{expiry:?}: {error}");
        let error = orders.amend(&order, amendment().expires_at(expiry)).await;
        assert!(error.unwrap_err().is_invalid_request(), "{expiry:?}");
    }
    let request: types::AmendOrderV2Request = types::AmendOrderV2Request::builder()
        .ticker(TICKER)
        .side(BookSide::Bid)
        .price("0.40")
        .count("10")
        .expiration_time(0)
        .try_into()
        .unwrap();
    assert_eq!(exchange.count(), 0);
    _ = orders.amend(&order, request).await.unwrap();
    let later = SystemTime::now() + Duration::from_secs(3_600);
    _ = orders
        .amend(&order, amendment().expires_at(later))
        .await
        .unwrap();
    let sent: Vec<_> = exchange
        .received()
        .iter()
        .map(|request| request.json()["expiration_time"].as_i64().unwrap())
        .collect();
    assert_eq!(sent[0], 0);
    assert!(sent[1] > 1_700_000_000);
}

#[tokio::test]
async fn amendment_is_checked_against_the_grid() {
    let (exchange, client) = exchange().await;
    let order = OrderRef::new("o1").with_market(TICKER);
    let grid = PriceGrid::new([(dollars("0"), dollars("1"), dollars("0.01"))]);
    let rules = OrderRules::new().with_grid(grid);
    let amendment = |price| Amendment::buy(OutcomeSide::No, dollars(price), 10);
    let orders = client.orders();
    let error = orders.amend_with(&order, amendment("0.405"), &rules).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("the NO price 0.4050 is not on"), "{error}");
    assert_eq!(exchange.count(), 0);
    let outcome = orders
        .amend_with(&order, amendment("0.40"), &rules)
        .await
        .unwrap();
    assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
}

#[tokio::test]
async fn empty_market_of_order_reference_is_not_sent() {
    let (exchange, client) = exchange().await;
    let order = OrderRef::new("o1").with_market("");
    assert_eq!(order.market_ticker(), None);
    let orders = client.orders();
    let amendment = Amendment::buy(OutcomeSide::No, dollars("0.40"), 10);
    let error = orders.amend(&order, amendment).await.unwrap_err();
    assert!(error.to_string().contains("needs the market"), "{error}");
    assert_eq!(exchange.count(), 0);
    let confirm = Duration::ZERO;
    _ = orders
        .cancel(&order)
        .confirm_timeout(confirm)
        .await
        .unwrap();
    let decrease = orders.decrease(&order, Decrease::By(2.into()));
    _ = decrease.confirm_timeout(confirm).await.unwrap();
    _ = orders
        .cancel_batch([&order])
        .confirm_timeout(confirm)
        .await
        .unwrap();
    let received = exchange.received();
    let writes: Vec<_> = received
        .iter()
        .filter(|request| request.method != "GET")
        .collect();
    assert_eq!(writes.len(), 3);
    assert!(writes[0].query.is_empty(), "{:?}", writes[0].query);
    assert_eq!(writes[1].json(), json!({ "reduce_by": "2.00" }));
    assert_eq!(
        writes[2].json(),
        json!({ "orders": [{ "order_id": "o1" }] })
    );
}

#[tokio::test]
async fn decrease_sends_market_and_shard_of_its_order() {
    let (exchange, client) = exchange().await;
    let order = OrderRef::new("o1")
        .with_market(TICKER)
        .with_exchange_index(1);
    let orders = client.orders();
    for (decrease, field) in [
        (Decrease::By(2.into()), "reduce_by"),
        (Decrease::To(2.into()), "reduce_to"),
    ] {
        let outcome = orders.decrease(&order, decrease).await.unwrap();
        assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
        assert_eq!(
            exchange.received().pop().unwrap().json(),
            json!({ field: "2.00", "market_ticker": TICKER, "exchange_index": 1 })
        );
    }
}

/// Needs the feature `testing`, which the workspace's tests enable.
#[cfg(feature = "testing")]
#[tokio::test]
async fn constructed_unknown_outcome_can_be_resent() {
    use kalshi_sdk::{Error, operation, orders::UnknownOrder, testing::Failure};

    let (exchange, client) = exchange().await;
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, dollars("0.40"), 10).client_order_id("a");
    let error = Error::for_tests(operation::CREATE_ORDER_V2, Failure::NoResponse);
    let unknown = UnknownOrder::for_tests(&client, request(order), error);
    assert_eq!(unknown.client_order_id(), "a");
    assert!(unknown.error().may_have_reached_exchange());
    let outcome = unknown.resend().await;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    assert_eq!(exchange.count(), 1);
}

#[test]
fn references_carry_market_subaccount_and_shard() {
    let expected = OrderRef::new("o1")
        .with_market(TICKER)
        .with_subaccount(3)
        .with_exchange_index(2);
    let order: types::Order = serde_json::from_value(json!({
        "order_id": "o1", "client_order_id": "a", "ticker": TICKER, "user_id": "u", "status": "resting", "type": "limit",
        "book_side": "bid", "outcome_side": "yes", "yes_price_dollars": "0.40", "no_price_dollars": "0.60",
        "fill_count_fp": "0.00", "remaining_count_fp": "1.00", "initial_count_fp": "1.00",
        "subaccount_number": 3, "exchange_index": 2, "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000",
        "maker_fill_cost_dollars": "0.0000", "taker_fill_cost_dollars": "0.0000",
    }))
    .unwrap();
    assert_eq!(OrderRef::from(&order), expected);
    #[cfg(feature = "ws")]
    {
        let order: kalshi_sdk::ws::messages::UserOrder = serde_json::from_value(json!({
            "order_id": "o1", "client_order_id": "a", "ticker": TICKER, "user_id": "u", "status": "resting",
            "side": "yes", "is_yes": true, "book_side": "bid", "outcome_side": "yes", "yes_price_dollars": "0.40",
            "fill_count_fp": "0.00", "remaining_count_fp": "1.00", "initial_count_fp": "1.00",
            "subaccount_number": 3, "exchange_index": 2, "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000",
            "maker_fill_cost_dollars": "0.0000", "taker_fill_cost_dollars": "0.0000",
        }))
        .unwrap();
        assert_eq!(OrderRef::from(&order), expected);
    }
}
