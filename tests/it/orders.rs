//! The outcomes of orders and changes, and thousands of orders through an exchange that fails in every way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};
use kalshi_sdk::{
    Client, ClientBuilder, Contracts, Credentials, RetryPolicy,
    auth::FixedClock,
    limits::RateLimits,
    orders::{
        ChangeOutcome, ChangeReconciliation, Decrease, InvalidOrder, OrderGroupRef, OrderOutcome,
        OrderRef, OrderRules, PriceGrid, Reconciliation, UnknownOutcome,
    },
    types::{
        AmendOrderV2Request, BookSide, CreateOrderV2Request, SelfTradePreventionType, TimeInForce,
    },
};
use kalshi_sdk::{
    reqwest::{Request, Response},
    reqwest_middleware::{self, Middleware, Next},
};
use serde_json::{Value, json};

const TICKER: &str = "KXTEST-26-T73.5";

/// How long reads of the exchange here lag behind its writes.
const LAG: Duration = Duration::from_millis(60);

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(
            RetryPolicy::default()
                .with_initial_backoff(Duration::from_millis(2))
                .with_attempt_timeout(Some(Duration::from_millis(400))),
        )
        .timeout(Duration::from_millis(1500))
}

fn order() -> CreateOrderV2Request {
    CreateOrderV2Request::builder()
        .ticker(TICKER)
        .side(BookSide::Bid)
        .price("0.5600")
        .count("10")
        .time_in_force(TimeInForce::GoodTillCanceled)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
        .try_into()
        .unwrap()
}

/// What the exchange has of an order.
#[derive(Clone)]
struct Held {
    id: String,
    ticker: String,
    price: String,
    count: f64,
    status: &'static str,
    side: String,
    subaccount: i64,
    shard: i64,
    at: Instant,
    created: chrono::DateTime<chrono::Utc>,
    /// How often a request for it was carried out.
    times: usize,
}

impl Held {
    fn row(&self, client_order_id: &str) -> Value {
        let rests = if self.status == "resting" {
            self.count
        } else {
            0.0
        };
        json!({
            "order_id": self.id, "client_order_id": client_order_id, "ticker": self.ticker, "user_id": "u", "status": self.status, "type": "limit",
            "book_side": self.side, "outcome_side": if self.side == "bid" { "yes" } else { "no" }, "yes_price_dollars": self.price, "no_price_dollars": "0.4400",
            "fill_count_fp": "0.00", "remaining_count_fp": format!("{rests:.2}"), "initial_count_fp": format!("{:.2}", self.count), "created_time": self.created,
            "subaccount_number": self.subaccount, "exchange_index": self.shard,
            "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000", "maker_fill_cost_dollars": "0.0000", "taker_fill_cost_dollars": "0.0000",
        })
    }
}

/// The orders of an exchange by their client order id.
type Orders = Arc<Mutex<BTreeMap<String, Held>>>;

fn held(orders: &Orders, id: &str) -> Option<Held> {
    orders.lock().unwrap().get(id).cloned()
}

/// Carries out one order: as one item of a batch, or by itself.
fn create(orders: &Orders, order: &Value) -> Result<Value, Value> {
    let client_id = order["client_order_id"].as_str().unwrap().to_owned();
    let mut orders = orders.lock().unwrap();
    let count = orders.len();
    if let Some(held) = orders.get_mut(&client_id) {
        held.times += 1;
        return Err(json!({ "code": "order_already_exists" }));
    }
    let held = Held {
        id: format!("o{count}"),
        ticker: order["ticker"].as_str().unwrap().to_owned(),
        price: order["price"].as_str().unwrap().to_owned(),
        count: order["count"].as_str().unwrap().parse().unwrap(),
        status: "resting",
        side: order["side"].as_str().unwrap().to_owned(),
        subaccount: order["subaccount"].as_i64().unwrap_or_default(),
        shard: order["exchange_index"].as_i64().unwrap_or_default(),
        at: Instant::now(),
        created: chrono::Utc::now(),
        times: 1,
    };
    let answer = json!({ "order_id": held.id, "client_order_id": client_id, "fill_count": "0.00", "remaining_count": format!("{:.2}", held.count), "ts_ms": 1 });
    orders.insert(client_id, held);
    Ok(answer)
}

/// Does what a request asks, as the real exchange would.
fn carry_out(orders: &Orders, request: &Received) -> Reply {
    let path = request.path.strip_prefix("/trade-api/v2").unwrap();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let visible = |held: &Held| held.at.elapsed() >= LAG;
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["portfolio", "events", "orders"]) => match create(orders, &request.json()) {
            Ok(answer) => Reply::json(201, &answer),
            Err(refusal) => Reply::json(409, &json!({ "error": refusal })),
        },
        ("POST", ["portfolio", "events", "orders", "batched"]) => {
            let items: Vec<_> = request.json()["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|order| create(orders, order).unwrap_or_else(|refusal| json!({ "error": refusal, "client_order_id": null, "order_id": null })))
                .collect();
            Reply::json(201, &json!({ "orders": items }))
        }
        ("GET", ["portfolio", "orders"]) => {
            let ticker = request.query.get("ticker");
            let orders = orders.lock().unwrap();
            // In pages from one id to the next, with an empty one after each.
            let cursor = request.query.get("cursor").map_or("", String::as_str);
            if let Some(cursor) = cursor.strip_prefix("empty ") {
                return Reply::json(200, &json!({ "orders": [], "cursor": cursor }));
            }
            let after = orders.iter().filter(|(id, held)| {
                id.as_str() > cursor
                    && ticker.is_none_or(|ticker| held.ticker == *ticker)
                    && visible(held)
            });
            let limit: usize = request.query["limit"].parse().unwrap();
            let page: Vec<_> = after.take(limit).collect();
            let next = page
                .get(199)
                .map_or(String::new(), |(id, _)| format!("empty {id}"));
            let rows: Vec<_> = page.into_iter().map(|(id, held)| held.row(id)).collect();
            Reply::json(200, &json!({ "orders": rows, "cursor": next }))
        }
        ("GET", ["exchange", "user_data_timestamp"]) => {
            Reply::json(200, &json!({ "as_of_time": chrono::Utc::now() - LAG }))
        }
        ("GET", ["historical", "orders"]) => {
            Reply::json(200, &json!({ "orders": [], "cursor": "" }))
        }
        ("GET", ["portfolio", "orders", id]) => {
            let orders = orders.lock().unwrap();
            match orders
                .iter()
                .find(|(_, held)| held.id == *id && visible(held))
            {
                Some((client_id, held)) => {
                    Reply::json(200, &json!({ "order": held.row(client_id) }))
                }
                None => Reply::json(404, &json!({ "error": { "code": "not_found" } })),
            }
        }
        ("DELETE", ["portfolio", "events", "orders", "batched"]) => {
            let mut orders = orders.lock().unwrap();
            let body = request.json();
            let cancel = |item: &Value| {
                let id = item["order_id"].as_str().unwrap();
                match orders
                    .values_mut()
                    .find(|held| held.id == id && held.status == "resting")
                {
                    Some(held) => {
                        held.status = "canceled";
                        json!({ "order_id": id, "reduced_by": "10.00", "ts_ms": 1 })
                    }
                    None => {
                        json!({ "order_id": id, "reduced_by": "0.00", "error": { "code": "not_found" } })
                    }
                }
            };
            let items: Vec<_> = body["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(cancel)
                .collect();
            Reply::json(200, &json!({ "orders": items }))
        }
        (method, ["portfolio", "events", "orders", id, rest @ ..]) => {
            let mut orders = orders.lock().unwrap();
            let Some(held) = orders
                .values_mut()
                .find(|held| held.id == *id && held.status == "resting")
            else {
                return Reply::json(404, &json!({ "error": { "code": "not_found" } }));
            };
            match (method, rest) {
                ("DELETE", []) => held.status = "canceled",
                ("POST", ["amend"]) => {
                    held.price = request.json()["price"].as_str().unwrap().to_owned();
                    held.count = request.json()["count"].as_str().unwrap().parse().unwrap();
                }
                ("POST", ["decrease"]) => {
                    let body = request.json();
                    held.count = match body["reduce_to"].as_str() {
                        Some(count) => count.parse().unwrap(),
                        None => {
                            held.count - body["reduce_by"].as_str().unwrap().parse::<f64>().unwrap()
                        }
                    };
                }
                other => panic!("{other:?}"),
            }
            Reply::json(
                200,
                &json!({ "order_id": id, "reduced_by": "10.00", "remaining_count": "1.00", "ts_ms": 1 }),
            )
        }
        other => panic!("{other:?}"),
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Before it is carried out.
    Before(Break),
    /// After that.
    After(Break),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Break {
    Drop,
    Reset,
    Half,
    Short,
    Hang,
    Slow,
    Status(u16),
    Html,
    Nonsense,
    ErrorInSuccess,
}

const AFTER: [Break; 10] = [
    Break::Nonsense,
    Break::Drop,
    Break::Reset,
    Break::Half,
    Break::Short,
    Break::Hang,
    Break::Slow,
    Break::Status(500),
    Break::Status(504),
    Break::Html,
];

fn broken(fault: Break, reply: Reply) -> Reply {
    let (status, body) = match reply {
        Reply::Answer(status, _, body) => (status, body),
        other => return other,
    };
    match fault {
        Break::Drop => Reply::Drop,
        Break::Reset => Reply::Reset,
        Break::Half => Reply::Half(status, body),
        Break::Short => Reply::Short(status, body),
        Break::Hang => Reply::Hang,
        Break::Slow => Reply::Slow(Duration::from_secs(20), status, body),
        Break::Status(429) => Reply::rate_limited(),
        Break::Status(status) => Reply::json(status, &json!({ "error": { "code": "failed" } })),
        Break::Html => Reply::Answer(
            502,
            vec![("content-type", "text/html".to_owned())],
            b"<html><title>Bad gateway</title></html>".to_vec(),
        ),
        Break::Nonsense => Reply::json(status, &json!({ "order": "of a kind" })),
        Break::ErrorInSuccess => {
            Reply::json(200, &json!({ "error": { "code": "insufficient_balance" } }))
        }
    }
}

/// An exchange that breaks as `fault` says of each request.
async fn exchange(
    orders: &Orders,
    fault: impl Fn(&Received) -> Option<Fault> + Send + Sync + 'static,
) -> Exchange {
    let orders = orders.clone();
    Exchange::start(move |request| answered(&orders, request, fault(request))).await
}

fn answered(orders: &Orders, request: &Received, fault: Option<Fault>) -> Reply {
    match fault {
        None => carry_out(orders, request),
        Some(Fault::Before(fault)) => broken(fault, Reply::json(500, &json!({ "a": "b" }))),
        Some(Fault::After(fault)) => broken(fault, carry_out(orders, request)),
    }
}

/// How long a call may take where a fault is to be waited for, and where it is not.
fn patience(fault: Fault) -> Duration {
    let (Fault::Before(fault) | Fault::After(fault)) = fault;
    match fault {
        Break::Hang | Break::Slow => Duration::from_millis(300),
        _ => Duration::from_secs(5),
    }
}

/// A fault of writes only.
fn of_writes(fault: Fault) -> impl Fn(&Received) -> Option<Fault> + Send + Sync + 'static {
    move |request| (request.method != "GET").then_some(fault)
}

fn unknown(outcome: OrderOutcome) -> UnknownOutcome {
    match outcome {
        OrderOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_order_is_placed_with_an_id_of_its_own_or_yours() {
    let orders = Orders::default();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (placed.order_id.as_str(), placed.remaining_count),
        ("o0", 10.into())
    );
    let id = placed.client_order_id;
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
    assert_eq!(
        exchange.received()[0].json()["client_order_id"],
        id.as_str()
    );
    let mut mine = order();
    mine.client_order_id = Some("mine".into());
    let OrderOutcome::Placed(placed) = client.orders().place(mine.clone()).await.unwrap() else {
        panic!()
    };
    assert_eq!(placed.client_order_id, "mine");
    // The id is taken, by the same order.
    let OrderOutcome::AlreadyExists(existing) = client.orders().place(mine).await.unwrap() else {
        panic!()
    };
    assert_eq!(existing.order_id, placed.order_id);
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown_and_found_out() {
    for fault in AFTER {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(Fault::After(fault))).await;
        let client = builder(&exchange)
            .timeout(patience(Fault::After(fault)))
            .build()
            .unwrap();
        let unknown = unknown(client.orders().place(order()).await.unwrap());
        assert!(
            unknown.error().may_have_reached_exchange() && !unknown.error().was_not_processed(),
            "{fault:?}"
        );
        assert_eq!(
            unknown.request().client_order_id.as_deref(),
            Some(unknown.client_order_id())
        );
        let Reconciliation::Placed(placed) = unknown.reconcile(LONG).await else {
            panic!("{fault:?}")
        };
        let held = held(&orders, unknown.client_order_id()).unwrap();
        assert_eq!(
            (
                placed.order_id.as_str(),
                placed.client_order_id.as_str(),
                held.times
            ),
            (held.id.as_str(), unknown.client_order_id(), 1),
            "{fault:?}"
        );
        assert!(placed.order.is_some());
    }
}

async fn absence_is_found_out(fault: Fault) {
    let orders = Orders::default();
    let exchange = exchange(&orders, of_writes(fault)).await;
    let client = builder(&exchange).timeout(patience(fault)).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    // Reads are not up to date yet.
    let early = unknown.reconcile(Duration::from_millis(50)).await;
    assert!(
        matches!(early, Reconciliation::Unknown(_)),
        "{fault:?} {early:?}"
    );
    let found = unknown.reconcile(LONG).await;
    assert!(
        matches!(found, Reconciliation::NotFound),
        "{fault:?} {found:?}"
    );
    assert!(orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_not_done_is_found_out_too() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(absence_is_found_out(Fault::Before(fault)));
    }
    cases.join_all().await;
}

#[tokio::test]
async fn reconciled_outcome_is_placed_or_not_placed_or_still_unknown() {
    for fault in [Fault::After(Break::Drop), Fault::Before(Break::Drop)] {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(fault)).await;
        let client = builder(&exchange).build().unwrap();
        let mut routed = order();
        routed.subaccount = Some(3.into());
        let outcome = client.orders().place(routed).await.unwrap();
        let early = outcome.clone().reconciled(Duration::ZERO).await;
        assert!(matches!(early, OrderOutcome::Unknown(_)), "{early:?}");
        let outcome = outcome.reconciled(LONG).await;
        match (fault, outcome) {
            // A found order shows where it is.
            (Fault::After(_), OrderOutcome::Placed(placed)) => assert_eq!(
                (placed.subaccount, placed.exchange_index, placed.side),
                (Some(3.into()), Some(0), BookSide::Bid)
            ),
            (Fault::Before(_), OrderOutcome::NotPlaced) => {}
            (_, outcome) => panic!("{fault:?} {outcome:?}"),
        }
    }
    // Any other outcome is returned as it is.
    let orders = Orders::default();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let outcome = client.orders().place(order()).await.unwrap();
    let requests = exchange.count();
    let outcome = outcome.reconciled(LONG).await;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    assert_eq!(exchange.count(), requests);
}

#[tokio::test]
async fn an_exchange_that_cannot_be_asked_leaves_it_unknown() {
    let orders = Orders::default();
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let exchange = exchange(&orders, move |request| match request.method.as_str() {
        "GET" => is_down
            .load(Relaxed)
            .then_some(Fault::Before(Break::Status(503))),
        _ => Some(Fault::After(Break::Drop)),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    let Reconciliation::Unknown(unresolved) = unknown.reconcile(Duration::from_millis(400)).await
    else {
        panic!()
    };
    assert_eq!(unresolved.error().unwrap().status().unwrap(), 503);
    // It can be asked again.
    down.store(false, Relaxed);
    assert!(matches!(
        unknown.reconcile(LONG).await,
        Reconciliation::Placed(_)
    ));
}

#[tokio::test]
async fn refusals_are_refusals_and_nothing_processed_is_an_error() {
    for (fault, code) in [
        (Break::Status(400), "failed"),
        (Break::Status(403), "failed"),
        (Break::ErrorInSuccess, "insufficient_balance"),
    ] {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(Fault::Before(fault))).await;
        let OrderOutcome::Rejected(refusal) = builder(&exchange)
            .build()
            .unwrap()
            .orders()
            .place(order())
            .await
            .unwrap()
        else {
            panic!("{fault:?}")
        };
        assert_eq!(refusal.code(), Some(code));
    }
    // The exchange may have begun with it.
    let orders = Orders::default();
    let busy = exchange(&orders, of_writes(Fault::Before(Break::Status(408)))).await;
    unknown(
        builder(&busy)
            .build()
            .unwrap()
            .orders()
            .place(order())
            .await
            .unwrap(),
    );
    let busy = exchange(&orders, of_writes(Fault::Before(Break::Status(429)))).await;
    let error = builder(&busy)
        .build()
        .unwrap()
        .orders()
        .place(order())
        .await
        .unwrap_err();
    assert!(error.is_rate_limited() && error.was_not_processed());
    assert_eq!(busy.count(), 3);
    let ids: std::collections::BTreeSet<_> = busy
        .received()
        .iter()
        .map(|request| request.json()["client_order_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1, "the id is the same in all attempts");
}

/// Something between us and the exchange sent the request twice: the id is taken, by this very order.
#[tokio::test]
async fn a_conflict_with_our_own_order_is_resolved() {
    let orders = Orders::default();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            if request.method == "POST" && request.number == 0 {
                carry_out(&orders, request);
            }
            carry_out(&orders, request)
        })
        .await
    };
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        held(&orders, &placed.client_order_id).unwrap().id,
        placed.order_id
    );
    assert!(placed.order.is_some());
}

#[tokio::test]
async fn a_batch_is_told_item_by_item() {
    let orders = Orders::default();
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let mut taken = order();
    taken.client_order_id = Some("taken".into());
    client
        .orders()
        .place_batch(vec![taken.clone()])
        .await
        .unwrap();
    let outcomes = client
        .orders()
        .place_batch(vec![order(), taken, order()])
        .await
        .unwrap();
    let OrderOutcome::Placed(first) = &outcomes[0] else {
        panic!()
    };
    let OrderOutcome::AlreadyExists(existing) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert!(
        matches!(&outcomes[2], OrderOutcome::Placed(placed) if placed.client_order_id != first.client_order_id)
    );
    assert_eq!(existing.client_order_id, "taken");
    for fault in [Fault::After(Break::Half), Fault::Before(Break::Half)] {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(fault)).await;
        let client = builder(&exchange).build().unwrap();
        let outcomes = client
            .orders()
            .place_batch(vec![order(), order()])
            .await
            .unwrap();
        for outcome in outcomes {
            match (fault, unknown(outcome).reconcile(LONG).await) {
                (Fault::After(_), Reconciliation::Placed(_))
                | (Fault::Before(_), Reconciliation::NotFound) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            orders.lock().unwrap().len(),
            if matches!(fault, Fault::After(_)) {
                2
            } else {
                0
            }
        );
    }
    // Nothing that can be seen to be wrong is sent.
    let before = calm.count();
    let mut twice = order();
    twice.client_order_id = Some("twice".into());
    let error = client
        .orders()
        .place_batch(vec![twice.clone(), twice])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("duplicate client order id `twice` in the batch")
            && error.is_invalid_request(),
        "{error}"
    );
    assert!(
        client
            .orders()
            .place_batch(Vec::<CreateOrderV2Request>::new())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(calm.count(), before);
}

/// An order that rests, and the exchange it rests on, which breaks as told once that is set.
async fn resting(fault: Fault) -> (Orders, Exchange, Client, OrderRef) {
    let orders = Orders::default();
    let breaks = Arc::new(AtomicBool::new(false));
    let broken = breaks.clone();
    let exchange = exchange(&orders, move |request| {
        (broken.load(Relaxed) && request.method != "GET").then_some(fault)
    })
    .await;
    let client = builder(&exchange).timeout(patience(fault)).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    breaks.store(true, Relaxed);
    let key = OrderRef::from(&placed)
        .with_market(TICKER)
        .with_subaccount(0);
    (orders, exchange, client, key)
}

fn amend() -> AmendOrderV2Request {
    AmendOrderV2Request::builder()
        .ticker(TICKER)
        .side(BookSide::Bid)
        .price("0.5700")
        .count("12")
        .try_into()
        .unwrap()
}

fn unsure<T: std::fmt::Debug>(outcome: ChangeOutcome<T>) -> kalshi_sdk::orders::UnknownChange {
    match outcome {
        ChangeOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancel_of_what_is_gone_is_as_good() {
    let orders = Orders::default();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    let ChangeOutcome::Done(cancelled) = client.orders().cancel(&placed).await.unwrap() else {
        panic!()
    };
    assert_eq!(cancelled.order_id, placed.order_id);
    assert!(matches!(
        client
            .orders()
            .cancel(placed.order_id.as_str())
            .await
            .unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let id = placed.order_id.clone();
    assert!(matches!(
        client.orders().cancel(&id).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let key = OrderRef::new(&placed.order_id)
        .with_market(TICKER)
        .with_exchange_index(2)
        .with_subaccount(3);
    assert!(matches!(
        client.orders().amend(key.clone(), amend()).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    assert!(matches!(
        client.orders().cancel(key).await.unwrap(),
        ChangeOutcome::AlreadyGone(_)
    ));
    let sent = exchange.received();
    let query = &sent
        .iter()
        .rfind(|request| request.method == "DELETE")
        .unwrap()
        .query;
    assert_eq!(
        (
            query["market_ticker"].as_str(),
            query["exchange_index"].as_str(),
            query["subaccount"].as_str()
        ),
        (TICKER, "2", "3")
    );
}

#[tokio::test]
async fn cancels_of_a_batch_are_told_item_by_item() {
    let (orders, _exchange, client, key) = resting(Fault::After(Break::Drop)).await;
    let unknown = client
        .orders()
        .cancel_batch(&[key.clone(), OrderRef::new("gone")])
        .await
        .unwrap();
    let mut found = Vec::new();
    for outcome in unknown {
        found.push(unsure(outcome).reconcile(LONG).await);
    }
    assert!(
        matches!(
            found.as_slice(),
            [
                ChangeReconciliation::Done(_),
                ChangeReconciliation::NotFound
            ]
        ),
        "{found:?}"
    );
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(order()).await.unwrap() else {
        panic!()
    };
    let outcomes = client
        .orders()
        .cancel_batch(&[
            key,
            OrderRef::from(&placed)
                .with_market(TICKER)
                .with_exchange_index(1)
                .with_subaccount(2),
        ])
        .await
        .unwrap();
    assert!(
        matches!(
            outcomes.as_slice(),
            [ChangeOutcome::AlreadyGone(_), ChangeOutcome::Done(_)]
        ),
        "{outcomes:?}"
    );
    let sent = calm.received();
    let sent = sent
        .iter()
        .rfind(|request| request.method == "DELETE")
        .unwrap()
        .json();
    assert_eq!(
        sent["orders"][1],
        json!({ "order_id": placed.order_id, "market_ticker": TICKER, "exchange_index": 1, "subaccount": 2 })
    );
    assert!(
        client
            .orders()
            .cancel_batch(&[] as &[OrderRef])
            .await
            .unwrap()
            .is_empty()
    );
}

/// A middleware that sends a request a second time: what the second try was refused for says nothing of the first.
#[tokio::test]
async fn a_refusal_does_not_speak_for_an_attempt_before_it() {
    struct Twice;
    #[async_trait::async_trait]
    impl Middleware for Twice {
        async fn handle(
            &self,
            request: Request,
            extensions: &mut http::Extensions,
            next: Next<'_>,
        ) -> reqwest_middleware::Result<Response> {
            let again = request.try_clone().unwrap();
            match next.clone().run(request, extensions).await {
                Ok(response) => Ok(response),
                Err(_) => next.run(again, extensions).await,
            }
        }
    }
    let orders = Orders::default();
    let exchange = exchange(&orders, |request| {
        match (request.method.as_str(), request.number) {
            ("POST", 0) => Some(Fault::After(Break::Drop)),
            ("POST", _) => Some(Fault::Before(Break::Status(400))),
            _ => None,
        }
    })
    .await;
    let client = builder(&exchange).middleware(Twice).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    assert_eq!(unknown.error().status().unwrap(), 400);
    assert!(matches!(
        unknown.reconcile(LONG).await,
        Reconciliation::Placed(_)
    ));
}

/// A fault after which a change was done, or was not.
async fn change_is_found_out(fault: Fault, done: bool) {
    let (orders, _exchange, client, key) = resting(fault).await;
    let is = |found: &ChangeReconciliation| {
        matches!(
            (found, done),
            (ChangeReconciliation::Done(_), true) | (ChangeReconciliation::NotDone(_), false)
        )
    };
    let found = unsure(client.orders().amend(key.clone(), amend()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "amend {fault:?} {found:?}");
    let found = unsure(
        client
            .orders()
            .decrease(key.clone(), Decrease::To(3.into()))
            .await
            .unwrap(),
    )
    .reconcile(LONG)
    .await;
    assert!(is(&found), "decrease {fault:?} {found:?}");
    let found = unsure(
        client
            .orders()
            .decrease(key.clone(), Decrease::By(1.into()))
            .await
            .unwrap(),
    )
    .reconcile(LONG)
    .await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "decrease by {fault:?} {found:?}"
    );
    let found = unsure(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "cancel {fault:?} {found:?}");
    let status = orders.lock().unwrap().values().next().unwrap().status;
    assert_eq!(status, if done { "canceled" } else { "resting" });
}

#[tokio::test]
async fn changes_that_may_have_been_done_are_found_out() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(change_is_found_out(Fault::After(fault), true));
        cases.spawn(change_is_found_out(Fault::Before(fault), false));
    }
    cases.join_all().await;
    let (_orders, exchange, client, _) = resting(Fault::Before(Break::Drop)).await;
    let found = unsure(client.orders().cancel("never was").await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(matches!(found, ChangeReconciliation::NotFound), "{found:?}");
    drop(exchange);
}

#[tokio::test]
async fn what_can_be_seen_to_be_wrong_is_not_sent() {
    let orders = Orders::default();
    let exchange = exchange(&orders, |_| None).await;
    let client = builder(&exchange).build().unwrap();
    let now = i64::try_from(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap();
    let change = |change: &dyn Fn(&mut CreateOrderV2Request)| {
        let mut order = order();
        change(&mut order);
        order
    };
    let grid = OrderRules::new().with_grid(PriceGrid::new([(
        "0".parse().unwrap(),
        "1".parse().unwrap(),
        "0.01".parse().unwrap(),
    )]));
    let group = OrderRules::new().with_group(
        OrderGroupRef::new("g")
            .with_exchange_index(1)
            .with_subaccount(2),
    );
    let none = OrderRules::new();
    let grouped = |order: &mut CreateOrderV2Request| {
        order.order_group_id = Some("g".into());
        order.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(1));
        order.subaccount = Some(2.into());
    };
    let wrong: [(CreateOrderV2Request, &OrderRules, &str); 15] = [
        (
            change(&|order| order.price = "0".parse().unwrap()),
            &none,
            "not above 0 and below 1 dollar",
        ),
        (
            change(&|order| order.price = "1".parse().unwrap()),
            &none,
            "not above 0 and below 1 dollar",
        ),
        (
            change(&|order| order.price = "0.565".parse().unwrap()),
            &grid,
            "not on the market's price grid; the nearest valid prices are 0.5600 and 0.5700",
        ),
        (
            change(&|order| order.count = "0".parse().unwrap()),
            &none,
            "is below 0.01 contracts",
        ),
        (
            change(&|order| order.count = "-1".parse().unwrap()),
            &none,
            "is below 0.01 contracts",
        ),
        (
            change(&|order| order.reduce_only = Some(true)),
            &none,
            "`reduce_only` needs the time in force `immediate_or_cancel`",
        ),
        (
            change(&|order| order.expiration_time = Some(now - 60)),
            &none,
            "is in the past",
        ),
        (
            change(&|order| order.expiration_time = Some((now + 60) * 1_000)),
            &none,
            "it is in Unix seconds, not milliseconds",
        ),
        (
            change(&|order| order.expiration_time = Some(-1)),
            &none,
            "is in the past",
        ),
        (
            change(&|order| {
                order.expiration_time = Some(now + 60);
                order.time_in_force = TimeInForce::ImmediateOrCancel;
            }),
            &none,
            "cannot be combined with the time in force `immediate_or_cancel`",
        ),
        (order(), &group, "the rules require another one"),
        (
            change(&|order| order.order_group_id = Some("h".into())),
            &group,
            "the rules require another one",
        ),
        (
            change(&|order| order.order_group_id = Some("g".into())),
            &group,
            "its group is on 1",
        ),
        (
            change(&|order| {
                grouped(order);
                order.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(-1));
            }),
            &group,
            "its group is on 1",
        ),
        (
            change(&|order| {
                grouped(order);
                order.subaccount = None;
            }),
            &group,
            "is for subaccount 0, but its group is of subaccount 2",
        ),
    ];
    for (order, rules, expected) in wrong {
        let error = client.orders().place_with(order, rules).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_invalid_request() && !error.may_have_reached_exchange());
    }
    assert_eq!(exchange.count(), 0);
    let fine = [
        (
            change(&|order| order.expiration_time = Some(now + 60)),
            &grid,
        ),
        (change(&grouped), &group),
        (
            change(&|order| {
                order.reduce_only = Some(true);
                order.time_in_force = TimeInForce::ImmediateOrCancel;
            }),
            &none,
        ),
    ];
    for (order, rules) in fine {
        assert!(matches!(
            client.orders().place_with(order, rules).await.unwrap(),
            OrderOutcome::Placed(_)
        ));
    }
    assert_eq!(
        none.check(
            &change(&|order| order.price = "-1".parse().unwrap()),
            SystemTime::now()
        ),
        Err(InvalidOrder::Price("-1".parse().unwrap()))
    );
}

/// Every order through an exchange that fails in every way is there once, or known not to be there. `KALSHI_ORDERS` sets another
/// number of orders than the few of a quick run, `KALSHI_TEST_SEED` another seed than a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_doubled_by_an_exchange_that_fails() {
    let number = |name: &str, unless: u64| {
        std::env::var(name)
            .ok()
            .map_or(unless, |text| text.parse().unwrap())
    };
    let seed = number(
        "KALSHI_TEST_SEED",
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos()
            .into(),
    );
    let count = number("KALSHI_ORDERS", 600);
    println!("KALSHI_TEST_SEED={seed} KALSHI_ORDERS={count}");
    let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
    let orders = Orders::default();
    let exchange = {
        let (orders, before, random) = (orders.clone(), random.clone(), random.clone());
        let refuse = move || before.lock().unwrap().u32(0..100) < 3;
        Exchange::start_unreliable(refuse, move |request| {
            let fault = {
                let mut random = random.lock().unwrap();
                let some = random.choice(AFTER).unwrap();
                match random.u32(0..100) {
                    0..15 if request.method != "GET" => Some(Fault::After(some)),
                    15..25 => Some(Fault::Before(some)),
                    25..35 => Some(Fault::Before(Break::Status(429))),
                    35..38 if request.method != "GET" => Some(Fault::Before(Break::ErrorInSuccess)),
                    38..41 if request.method != "GET" => Some(Fault::Before(Break::Status(400))),
                    _ => None,
                }
            };
            answered(&orders, request, fault)
        })
        .await
    };
    let client = builder(&exchange)
        .timeout(Duration::from_millis(500))
        .retry(
            RetryPolicy::default()
                .with_initial_backoff(Duration::from_millis(2))
                .with_attempt_timeout(Some(Duration::from_millis(150))),
        )
        .build()
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    let (mut placed, mut absent, mut found, mut unsent) = (0, 0, 0, 0);
    let mut check = |outcome: Result<(String, bool, bool), String>| match outcome {
        Ok((id, there, reconciled)) => {
            let held = held(&orders, &id);
            assert_eq!(
                held.as_ref().map_or(0, |held| held.times),
                usize::from(there),
                "{id}"
            );
            placed += usize::from(there);
            absent += usize::from(!there);
            found += usize::from(reconciled);
        }
        Err(_) => unsent += 1,
    };
    for number in 0..count {
        if tasks.len() >= 64 {
            check(tasks.join_next().await.unwrap().unwrap());
        }
        let client = client.clone();
        tasks.spawn(async move {
            let id = format!("order {number}");
            let mut order = order();
            order.client_order_id = Some(id.as_str().into());
            order.ticker = format!("KXTEST-26-T{}", number % 100);
            match client.orders().place(order).await {
                // Certainly not there.
                Err(error) => {
                    assert!(error.was_not_processed(), "{error}");
                    Err(id)
                }
                Ok(OrderOutcome::Placed(placed)) => {
                    Ok((placed.client_order_id.to_string(), true, false))
                }
                Ok(OrderOutcome::Rejected(_)) => Ok((id, false, false)),
                Ok(outcome) => match unknown(outcome).reconcile(Duration::from_secs(60)).await {
                    Reconciliation::Placed(placed) => {
                        Ok((placed.client_order_id.to_string(), true, true))
                    }
                    Reconciliation::NotFound => Ok((id, false, true)),
                    other => panic!("{id} is not known after all: {other:?}"),
                },
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        check(outcome.unwrap());
    }
    println!(
        "{placed} placed, {absent} known not to be there, {unsent} not sent; {found} of these found out afterwards"
    );
    let on_exchange = orders.lock().unwrap();
    assert_eq!(on_exchange.len(), placed);
    assert!(on_exchange.values().all(|held| held.times == 1));
    assert_eq!(placed + absent + unsent, usize::try_from(count).unwrap());
    assert!(placed > 0 && absent > 0 && found > 0);
}

/// An exchange that answers every write alike.
async fn answering(status: u16, body: Value) -> (Orders, Exchange, Client) {
    let orders = Orders::default();
    let held = orders.clone();
    let exchange = Exchange::start(move |request| match request.method.as_str() {
        "GET" => carry_out(&held, request),
        _ => Reply::json(status, &body),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    (orders, exchange, client)
}

/// What Go writes for an error that is not set is none, and what tells of both is not known.
#[tokio::test]
async fn an_error_beside_an_order_is_not_taken_for_a_refusal() {
    let item = |error: Value| json!({ "orders": [{ "order_id": "o", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1, "error": error }] });
    for unset in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "code": "", "message": "" }),
    ] {
        let (_, _exchange, client) = answering(201, item(unset.clone())).await;
        let outcome = client
            .orders()
            .place_batch(vec![order()])
            .await
            .unwrap()
            .remove(0);
        assert!(
            matches!(outcome, OrderOutcome::Placed(_)),
            "{unset} {outcome:?}"
        );
    }
    let refused = json!({ "code": "insufficient_balance" });
    let other = json!({ "orders": [{ "order_id": "o", "client_order_id": "another", "fill_count": "0.00", "remaining_count": "1.00" }] });
    let fault = json!({ "orders": [{ "error": { "code": "internal_server_error" } }] });
    for body in [
        item(refused.clone()),
        other,
        fault,
        json!({ "orders": [{}] }),
        json!({ "orders": [{}, {}] }),
        json!({ "orders": [], "error": refused }),
    ] {
        let (_, _exchange, client) = answering(201, body.clone()).await;
        let unknown = unknown(
            client
                .orders()
                .place_batch(vec![order()])
                .await
                .unwrap()
                .remove(0),
        );
        // Nobody may take it for something that can be sent again.
        assert!(
            unknown.error().may_have_reached_exchange() && !unknown.error().was_not_processed(),
            "{body}"
        );
    }
    let (_, _exchange, client) = answering(201, json!({ "order_id": "o", "error": refused })).await;
    unknown(client.orders().place(order()).await.unwrap());
    let (_, _exchange, client) = answering(200, json!({ "orders": [{ "order_id": "o", "reduced_by": "0.00", "error": { "code": "gateway_timeout" } }] })).await;
    unsure(
        client
            .orders()
            .cancel_batch(&[OrderRef::new("o")])
            .await
            .unwrap()
            .remove(0),
    );
}

/// An id alone does not tell the shard. What is not found by it may rest elsewhere.
#[tokio::test]
async fn an_order_that_rests_is_not_called_gone() {
    let orders = Orders::default();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            // On another shard than the first, and so not found without its market.
            if request.method == "DELETE" && !request.query.contains_key("market_ticker") {
                return Reply::json(404, &json!({ "error": { "code": "not_found" } }));
            }
            carry_out(&orders, request)
        })
        .await
    };
    let client = builder(&exchange).build().unwrap();
    let mut routed = order();
    routed.subaccount = Some(3.into());
    routed.exchange_index = Some(kalshi_sdk::types::ExchangeIndex(2));
    let OrderOutcome::Placed(placed) = client.orders().place(routed).await.unwrap() else {
        panic!()
    };
    let outcome = client
        .orders()
        .cancel(placed.order_id.as_str())
        .confirm(LONG)
        .await
        .unwrap();
    assert!(
        matches!(&outcome, ChangeOutcome::NotApplied(order) if order.exchange_index == Some(kalshi_sdk::types::ExchangeIndex(2))),
        "{outcome:?}"
    );
    let amended = client.orders().amend(&placed, amend()).await.unwrap();
    assert!(matches!(amended, ChangeOutcome::Done(_)));
    assert_eq!(
        exchange.received().pop().unwrap().json()["exchange_index"],
        2
    );
    let decreased = client
        .orders()
        .decrease(&placed, Decrease::By(1.into()))
        .await
        .unwrap();
    assert!(matches!(decreased, ChangeOutcome::Done(_)));
    let sent = exchange.received().pop().unwrap();
    assert_eq!(
        (
            &sent.json()["exchange_index"],
            &sent.json()["market_ticker"]
        ),
        (&json!(2), &json!(TICKER))
    );
    assert!(matches!(
        client.orders().cancel(&placed).await.unwrap(),
        ChangeOutcome::Done(_)
    ));
    let query = exchange.received().pop().unwrap().query;
    assert_eq!(
        (
            query["market_ticker"].as_str(),
            query["subaccount"].as_str(),
            query["exchange_index"].as_str()
        ),
        (TICKER, "3", "2")
    );
    // No such order, by reads that are up to date.
    let (_, _exchange, client) =
        answering(404, json!({ "error": { "code": "user_not_found" } })).await;
    assert!(matches!(
        client.orders().cancel(&placed).confirm(LONG).await.unwrap(),
        ChangeOutcome::Rejected(_)
    ));
    for wrong in [
        Decrease::By(Contracts::ZERO),
        Decrease::By((-1).into()),
        Decrease::To((-1).into()),
    ] {
        let error = client.orders().decrease(&placed, wrong).await.unwrap_err();
        assert!(error.is_invalid_request(), "{wrong:?}: {error}");
    }
}

/// A local clock far ahead must not look for the order in the exchange's future.
#[tokio::test]
async fn an_order_is_found_whatever_our_clock_says() {
    let orders = Orders::default();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            let theirs = SystemTime::now() - Duration::from_secs(86_400);
            if request.path.ends_with("/portfolio/orders") && request.method == "GET" {
                let since: u64 = request.query["min_ts"].parse().unwrap();
                let now = theirs
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs();
                if since > now {
                    return Reply::json(200, &json!({ "orders": [], "cursor": "" }));
                }
            }
            match request.method.as_str() {
                "POST" => broken(Break::Status(500), carry_out(&orders, request)),
                _ => carry_out(&orders, request),
            }
            .with_header("date", httpdate::fmt_http_date(theirs))
        })
        .await
    };
    // The system's clock is a day ahead; then one of our own is right, and the system's is not asked.
    let right = SystemTime::now() - Duration::from_secs(86_400);
    let right = right
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let right = FixedClock(u64::try_from(right).unwrap());
    for client in [
        builder(&exchange),
        builder(&exchange).clock(Arc::new(right)),
    ] {
        let client = client.build().unwrap();
        let unknown = unknown(client.orders().place(order()).await.unwrap());
        assert!(matches!(
            unknown.reconcile(LONG).await,
            Reconciliation::Placed(_)
        ));
    }
}

/// An id that was given to another order before: that one is not taken for this.
#[tokio::test]
async fn an_order_of_before_with_the_same_id_is_not_this_one() {
    let orders = Orders::default();
    let calm = exchange(&orders, |_| None).await;
    let mut mine = order();
    mine.client_order_id = Some("mine".into());
    let client = builder(&calm).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(mine.clone()).await.unwrap() else {
        panic!()
    };
    // The order that has the id differs in its price: it may be ours, amended since.
    let mut other = mine.clone();
    other.price = "0.1000".parse().unwrap();
    let outcome = client.orders().place(other).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::Unknown(unknown) if unknown.candidates().len() == 1),
        "{outcome:?}"
    );
    // It differs in its side: the id belongs to another order.
    let mut other = mine.clone();
    other.side = BookSide::Ask;
    let outcome = client.orders().place(other).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::Rejected(rejection) if rejection.existing().is_some_and(|order| order.order_id == placed.order_id)),
        "{outcome:?}"
    );
    // It is the same: a program that restarted may have placed it.
    let outcome = client.orders().place(mine).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(existing) if existing.order_id == placed.order_id),
        "{outcome:?}"
    );
}

/// An amend of the expiry alone, and orders that ended meanwhile.
#[tokio::test]
async fn what_a_change_wanted_is_compared_in_full() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    let expiry: AmendOrderV2Request = serde_json::from_value(json!({
        "ticker": TICKER, "side": "bid", "price": "0.5600", "count": "10.00", "expiration_time": 1_900_000_000,
    }))
    .unwrap();
    let found = unsure(client.orders().amend(key.clone(), expiry).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(
        matches!(found, ChangeReconciliation::NotDone(_)),
        "{found:?}"
    );
    let (amended, cancelled) = (
        client.orders().amend(key.clone(), amend()).await.unwrap(),
        client.orders().cancel(key).await.unwrap(),
    );
    orders
        .lock()
        .unwrap()
        .values_mut()
        .for_each(|held| held.status = "executed");
    let found = unsure(amended).reconcile(LONG).await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    let found = unsure(cancelled).reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::NotDone(order) if order.status.as_str() == "executed"),
        "{found:?}"
    );
}

/// A status that the contract did not list tells neither way.
#[tokio::test]
async fn a_status_of_tomorrow_tells_nothing() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    orders
        .lock()
        .unwrap()
        .values_mut()
        .for_each(|held| held.status = "pending");
    let found = unsure(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    // Nor is it gone because a cancel by its id alone does not find it.
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let cancel = client.orders().cancel(key.order_id()).confirm(LONG);
    unsure(cancel.await.unwrap());
}

#[tokio::test]
async fn no_time_is_too_long() {
    let orders = Orders::default();
    let exchange = exchange(&orders, of_writes(Fault::After(Break::Drop))).await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    assert!(matches!(
        unknown.reconcile(Duration::MAX).await,
        Reconciliation::Placed(_)
    ));
    // Nor too short: at most it tells nothing.
    let found = unknown.reconcile(Duration::ZERO).await;
    assert!(!matches!(found, Reconciliation::NotFound), "{found:?}");
}
