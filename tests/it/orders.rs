//! Placing, changing and reconciling orders against an exchange that injects every kind of transport fault.

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

/// Delay after which a write becomes visible to reads of the test exchange.
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

/// An order as stored by the test exchange.
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
    /// Number of create requests executed for this order.
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

/// Orders by client order id.
type Orders = Arc<Mutex<BTreeMap<String, Held>>>;

fn held(orders: &Orders, id: &str) -> Option<Held> {
    orders.lock().unwrap().get(id).cloned()
}

/// Executes one order, either a single request or an item of a batch.
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
    let reply = json!({ "order_id": held.id, "client_order_id": client_id, "fill_count": "0.00", "remaining_count": format!("{:.2}", held.count), "ts_ms": 1 });
    orders.insert(client_id, held);
    Ok(reply)
}

/// Executes a request as the real exchange would.
fn execute(orders: &Orders, request: &Received) -> Reply {
    let path = request.path.strip_prefix("/trade-api/v2").unwrap();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let visible = |held: &Held| held.at.elapsed() >= LAG;
    match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["portfolio", "events", "orders"]) => match create(orders, &request.json()) {
            Ok(reply) => Reply::json(201, &reply),
            Err(rejection) => Reply::json(409, &json!({ "error": rejection })),
        },
        ("POST", ["portfolio", "events", "orders", "batched"]) => {
            let items: Vec<_> = request.json()["orders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|order| create(orders, order).unwrap_or_else(|rejection| json!({ "error": rejection, "client_order_id": null, "order_id": null })))
                .collect();
            Reply::json(201, &json!({ "orders": items }))
        }
        ("GET", ["portfolio", "orders"]) => {
            let ticker = request.query.get("ticker");
            let orders = orders.lock().unwrap();
            // Every full page is followed by an empty page that carries the cursor on.
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

/// A fault, before or after the request is executed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The request is not executed.
    Before(Break),
    /// The request is executed, but its response is broken.
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

/// Starts an exchange that injects the fault that `fault` returns for each request.
async fn exchange(
    orders: &Orders,
    fault: impl Fn(&Received) -> Option<Fault> + Send + Sync + 'static,
) -> Exchange {
    let orders = orders.clone();
    Exchange::start(move |request| reply_to(&orders, request, fault(request))).await
}

fn reply_to(orders: &Orders, request: &Received, fault: Option<Fault>) -> Reply {
    match fault {
        None => execute(orders, request),
        Some(Fault::Before(fault)) => broken(fault, Reply::json(500, &json!({ "a": "b" }))),
        Some(Fault::After(fault)) => broken(fault, execute(orders, request)),
    }
}

/// Request timeout for a test of `fault`: short where the fault itself is a timeout.
fn timeout_for(fault: Fault) -> Duration {
    let (Fault::Before(fault) | Fault::After(fault)) = fault;
    match fault {
        Break::Hang | Break::Slow => Duration::from_millis(300),
        _ => Duration::from_secs(5),
    }
}

/// Injects `fault` into writes only.
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
async fn order_is_placed_with_generated_or_given_client_id() {
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
    // The same request again conflicts with the order just placed.
    let OrderOutcome::AlreadyExists(existing) = client.orders().place(mine).await.unwrap() else {
        panic!()
    };
    assert_eq!(existing.order_id, placed.order_id);
}

#[tokio::test]
async fn executed_order_with_broken_response_is_unknown_then_reconciled() {
    for fault in AFTER {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(Fault::After(fault))).await;
        let client = builder(&exchange)
            .timeout(timeout_for(Fault::After(fault)))
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

async fn check_reconciles_to_not_found(fault: Fault) {
    let orders = Orders::default();
    let exchange = exchange(&orders, of_writes(fault)).await;
    let client = builder(&exchange)
        .timeout(timeout_for(fault))
        .build()
        .unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    // The reads do not cover the order yet.
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
async fn unexecuted_order_is_reconciled_to_not_found() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(check_reconciles_to_not_found(Fault::Before(fault)));
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
            // Reconciliation fills in the subaccount, exchange index and side of the order.
            (Fault::After(_), OrderOutcome::Placed(placed)) => assert_eq!(
                (placed.subaccount, placed.exchange_index, placed.side),
                (Some(3.into()), Some(0), BookSide::Bid)
            ),
            (Fault::Before(_), OrderOutcome::NotPlaced) => {}
            (_, outcome) => panic!("{fault:?} {outcome:?}"),
        }
    }
    // Known outcomes are returned unchanged, without a request.
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
async fn outcome_stays_unknown_while_reads_fail() {
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
    // A later attempt succeeds.
    down.store(false, Relaxed);
    assert!(matches!(
        unknown.reconcile(LONG).await,
        Reconciliation::Placed(_)
    ));
}

#[tokio::test]
async fn api_errors_are_rejections_and_unprocessed_requests_are_errors() {
    for (fault, code) in [
        (Break::Status(400), "failed"),
        (Break::Status(403), "failed"),
        (Break::ErrorInSuccess, "insufficient_balance"),
    ] {
        let orders = Orders::default();
        let exchange = exchange(&orders, of_writes(Fault::Before(fault))).await;
        let OrderOutcome::Rejected(rejection) = builder(&exchange)
            .build()
            .unwrap()
            .orders()
            .place(order())
            .await
            .unwrap()
        else {
            panic!("{fault:?}")
        };
        assert_eq!(rejection.code(), Some(code));
    }
    // After a 408 the exchange may have started to process the order.
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
    assert_eq!(ids.len(), 1, "the client order id changed between attempts");
}

/// An intermediary duplicates the request, so the response is a conflict with the order it just placed.
#[tokio::test]
async fn conflict_with_own_order_is_placed() {
    let orders = Orders::default();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            if request.method == "POST" && request.number == 0 {
                execute(&orders, request);
            }
            execute(&orders, request)
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
async fn batch_placement_returns_one_outcome_per_item() {
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
    // Invalid batches are rejected locally.
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

/// Places an order on an exchange that injects `fault` into every later write.
async fn resting(fault: Fault) -> (Orders, Exchange, Client, OrderRef) {
    let orders = Orders::default();
    let breaks = Arc::new(AtomicBool::new(false));
    let broken = breaks.clone();
    let exchange = exchange(&orders, move |request| {
        (broken.load(Relaxed) && request.method != "GET").then_some(fault)
    })
    .await;
    let client = builder(&exchange)
        .timeout(timeout_for(fault))
        .build()
        .unwrap();
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

fn unknown_change<T: std::fmt::Debug>(
    outcome: ChangeOutcome<T>,
) -> kalshi_sdk::orders::UnknownChange {
    match outcome {
        ChangeOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn cancel_of_gone_order_is_already_gone() {
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
async fn batch_cancel_returns_one_outcome_per_item() {
    let (orders, _exchange, client, key) = resting(Fault::After(Break::Drop)).await;
    let unknown = client
        .orders()
        .cancel_batch(&[key.clone(), OrderRef::new("gone")])
        .await
        .unwrap();
    let mut found = Vec::new();
    for outcome in unknown {
        found.push(unknown_change(outcome).reconcile(LONG).await);
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

/// A middleware repeats the request. The rejection of the second attempt does not prove that the first had no effect.
#[tokio::test]
async fn rejection_of_repeated_attempt_leaves_outcome_unknown() {
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

/// Checks reconciliation of every kind of change after `fault`; `done` says if the change was executed.
async fn check_change_is_reconciled(fault: Fault, done: bool) {
    let (orders, _exchange, client, key) = resting(fault).await;
    let is = |found: &ChangeReconciliation| {
        matches!(
            (found, done),
            (ChangeReconciliation::Done(_), true) | (ChangeReconciliation::NotDone(_), false)
        )
    };
    let found = unknown_change(client.orders().amend(key.clone(), amend()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "amend {fault:?} {found:?}");
    let found = unknown_change(
        client
            .orders()
            .decrease(key.clone(), Decrease::To(3.into()))
            .await
            .unwrap(),
    )
    .reconcile(LONG)
    .await;
    assert!(is(&found), "decrease {fault:?} {found:?}");
    let found = unknown_change(
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
    let found = unknown_change(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(is(&found), "cancel {fault:?} {found:?}");
    let status = orders.lock().unwrap().values().next().unwrap().status;
    assert_eq!(status, if done { "canceled" } else { "resting" });
}

#[tokio::test]
async fn unknown_changes_are_reconciled() {
    let mut cases = tokio::task::JoinSet::new();
    for fault in AFTER {
        cases.spawn(check_change_is_reconciled(Fault::After(fault), true));
        cases.spawn(check_change_is_reconciled(Fault::Before(fault), false));
    }
    cases.join_all().await;
    let (_orders, exchange, client, _) = resting(Fault::Before(Break::Drop)).await;
    let found = unknown_change(client.orders().cancel("never was").await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(matches!(found, ChangeReconciliation::NotFound), "{found:?}");
    drop(exchange);
}

#[tokio::test]
async fn invalid_order_is_not_sent() {
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
            "is for subaccount 0, but its group belongs to subaccount 2",
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

/// Sends orders through an exchange with random faults. Every order must exist exactly once or be known not to exist.
/// `KALSHI_ORDERS` sets the number of orders, `KALSHI_TEST_SEED` the seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_is_lost_or_duplicated_under_random_faults() {
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
            reply_to(&orders, request, fault)
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
                // The order was certainly not placed.
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
                    other => panic!("{id} could not be reconciled: {other:?}"),
                },
            }
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        check(outcome.unwrap());
    }
    println!("{placed} placed, {absent} absent, {unsent} not sent; {found} of them reconciled");
    let on_exchange = orders.lock().unwrap();
    assert_eq!(on_exchange.len(), placed);
    assert!(on_exchange.values().all(|held| held.times == 1));
    assert_eq!(placed + absent + unsent, usize::try_from(count).unwrap());
    assert!(placed > 0 && absent > 0 && found > 0);
}

/// Starts an exchange that sends the same response to every write.
async fn exchange_replying(status: u16, body: Value) -> (Orders, Exchange, Client) {
    let orders = Orders::default();
    let held = orders.clone();
    let exchange = Exchange::start(move |request| match request.method.as_str() {
        "GET" => execute(&held, request),
        _ => Reply::json(status, &body),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    (orders, exchange, client)
}

/// An empty error object counts as no error. An item with both an order and an error is an unknown outcome.
#[tokio::test]
async fn order_with_error_is_unknown_and_empty_error_is_ignored() {
    let item = |error: Value| json!({ "orders": [{ "order_id": "o", "fill_count": "0.00", "remaining_count": "10.00", "ts_ms": 1, "error": error }] });
    for unset in [
        json!(null),
        json!(""),
        json!({}),
        json!({ "code": "", "message": "" }),
    ] {
        let (_, _exchange, client) = exchange_replying(201, item(unset.clone())).await;
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
    let rejected = json!({ "code": "insufficient_balance" });
    let other = json!({ "orders": [{ "order_id": "o", "client_order_id": "another", "fill_count": "0.00", "remaining_count": "1.00" }] });
    let fault = json!({ "orders": [{ "error": { "code": "internal_server_error" } }] });
    for body in [
        item(rejected.clone()),
        other,
        fault,
        json!({ "orders": [{}] }),
        json!({ "orders": [{}, {}] }),
        json!({ "orders": [], "error": rejected }),
    ] {
        let (_, _exchange, client) = exchange_replying(201, body.clone()).await;
        let unknown = unknown(
            client
                .orders()
                .place_batch(vec![order()])
                .await
                .unwrap()
                .remove(0),
        );
        // The caller must not conclude that the order can be sent again.
        assert!(
            unknown.error().may_have_reached_exchange() && !unknown.error().was_not_processed(),
            "{body}"
        );
    }
    let (_, _exchange, client) =
        exchange_replying(201, json!({ "order_id": "o", "error": rejected })).await;
    unknown(client.orders().place(order()).await.unwrap());
    let (_, _exchange, client) = exchange_replying(200, json!({ "orders": [{ "order_id": "o", "reduced_by": "0.00", "error": { "code": "gateway_timeout" } }] })).await;
    unknown_change(
        client
            .orders()
            .cancel_batch(&[OrderRef::new("o")])
            .await
            .unwrap()
            .remove(0),
    );
}

/// An order id does not identify the shard, so a 404 without the market does not prove that the order is gone.
#[tokio::test]
async fn resting_order_on_another_shard_is_not_reported_gone() {
    let orders = Orders::default();
    let exchange = {
        let orders = orders.clone();
        Exchange::start(move |request| {
            // Simulates an order on another shard: it is not found unless the market is given.
            if request.method == "DELETE" && !request.query.contains_key("market_ticker") {
                return Reply::json(404, &json!({ "error": { "code": "not_found" } }));
            }
            execute(&orders, request)
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
    // The order does not exist according to reads that are up to date.
    let (_, _exchange, client) =
        exchange_replying(404, json!({ "error": { "code": "user_not_found" } })).await;
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

/// A local clock that runs ahead must not make the lookup start in the exchange's future.
#[tokio::test]
async fn order_is_reconciled_despite_wrong_local_clock() {
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
                "POST" => broken(Break::Status(500), execute(&orders, request)),
                _ => execute(&orders, request),
            }
            .with_header("date", httpdate::fmt_http_date(theirs))
        })
        .await
    };
    // First the system clock, which is a day ahead; then a custom clock that agrees with the exchange.
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

/// A client order id may already belong to an earlier order. That order is not mistaken for the new one.
#[tokio::test]
async fn earlier_order_with_same_client_id_is_not_mistaken() {
    let orders = Orders::default();
    let calm = exchange(&orders, |_| None).await;
    let mut mine = order();
    mine.client_order_id = Some("mine".into());
    let client = builder(&calm).build().unwrap();
    let OrderOutcome::Placed(placed) = client.orders().place(mine.clone()).await.unwrap() else {
        panic!()
    };
    // The existing order differs only in price, so it may be this order, amended since.
    let mut other = mine.clone();
    other.price = "0.1000".parse().unwrap();
    let outcome = client.orders().place(other).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::Unknown(unknown) if unknown.candidates().len() == 1),
        "{outcome:?}"
    );
    // The side differs, so the id belongs to another order.
    let mut other = mine.clone();
    other.side = BookSide::Ask;
    let outcome = client.orders().place(other).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::Rejected(rejection) if rejection.existing().is_some_and(|order| order.order_id == placed.order_id)),
        "{outcome:?}"
    );
    // Every field matches, as after a restart of the program that placed it.
    let outcome = client.orders().place(mine).await.unwrap();
    assert!(
        matches!(&outcome, OrderOutcome::AlreadyExists(existing) if existing.order_id == placed.order_id),
        "{outcome:?}"
    );
}

/// Covers an amendment of the expiry alone, and orders that ended before reconciliation.
#[tokio::test]
async fn reconciliation_compares_every_changed_field() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    let expiry: AmendOrderV2Request = serde_json::from_value(json!({
        "ticker": TICKER, "side": "bid", "price": "0.5600", "count": "10.00", "expiration_time": 1_900_000_000,
    }))
    .unwrap();
    let found = unknown_change(client.orders().amend(key.clone(), expiry).await.unwrap())
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
    let found = unknown_change(amended).reconcile(LONG).await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    let found = unknown_change(cancelled).reconcile(LONG).await;
    assert!(
        matches!(&found, ChangeReconciliation::NotDone(order) if order.status.as_str() == "executed"),
        "{found:?}"
    );
}

/// A status that is missing from the spec proves nothing about the change.
#[tokio::test]
async fn unlisted_order_status_leaves_cancel_unclear() {
    let (orders, _exchange, client, key) = resting(Fault::Before(Break::Drop)).await;
    orders
        .lock()
        .unwrap()
        .values_mut()
        .for_each(|held| held.status = "pending");
    let found = unknown_change(client.orders().cancel(key.clone()).await.unwrap())
        .reconcile(LONG)
        .await;
    assert!(
        matches!(found, ChangeReconciliation::Unclear(_)),
        "{found:?}"
    );
    // A 404 to a cancel by id alone does not prove that the order is gone either.
    let calm = exchange(&orders, |_| None).await;
    let client = builder(&calm).build().unwrap();
    let cancel = client.orders().cancel(key.order_id()).confirm(LONG);
    unknown_change(cancel.await.unwrap());
}

#[tokio::test]
async fn reconcile_accepts_extreme_timeouts() {
    let orders = Orders::default();
    let exchange = exchange(&orders, of_writes(Fault::After(Break::Drop))).await;
    let client = builder(&exchange).build().unwrap();
    let unknown = unknown(client.orders().place(order()).await.unwrap());
    assert!(matches!(
        unknown.reconcile(Duration::MAX).await,
        Reconciliation::Placed(_)
    ));
    // A timeout of zero is not taken for proof of absence.
    let found = unknown.reconcile(Duration::ZERO).await;
    assert!(!matches!(found, Reconciliation::NotFound), "{found:?}");
}
