//! Placing, changing and reconciling orders against an exchange that injects every kind of transport fault.

mod changes;
mod invalid;
mod lookups;
mod placing;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
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
        OrderRef, OrderRules, PriceGrid, Reconciliation, UnknownOrder,
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
    let rests = order["time_in_force"] == "good_till_canceled";
    let held = Held {
        id: format!("o{count}"),
        ticker: order["ticker"].as_str().unwrap().to_owned(),
        price: order["price"].as_str().unwrap().to_owned(),
        count: order["count"].as_str().unwrap().parse().unwrap(),
        status: if rests { "resting" } else { "canceled" },
        side: order["side"].as_str().unwrap().to_owned(),
        subaccount: order["subaccount"].as_i64().unwrap_or_default(),
        shard: order["exchange_index"].as_i64().unwrap_or_default(),
        at: Instant::now(),
        created: chrono::Utc::now(),
        times: 1,
    };
    let remaining = if rests { held.count } else { 0.0 };
    let reply = json!({ "order_id": held.id, "client_order_id": client_id, "fill_count": "0.00", "remaining_count": format!("{remaining:.2}"), "ts_ms": 1 });
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
        Reply::Response(status, _, body) => (status, body),
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
        Break::Html => Reply::Response(
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

fn unknown(outcome: OrderOutcome) -> UnknownOrder {
    match outcome {
        OrderOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

const LONG: Duration = Duration::from_secs(20);

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

fn unknown_change<T: std::fmt::Debug>(
    outcome: ChangeOutcome<T>,
) -> kalshi_sdk::orders::UnknownChange {
    match outcome {
        ChangeOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}
