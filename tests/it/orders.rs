//! Placing, changing and reconciling orders against an exchange that injects every kind of transport fault.

mod changes;
mod invalid;
mod lookups;
mod placing;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use crate::{
    common::{
        KEY_ID,
        exchange::{Exchange, Received, Reply},
        key,
    },
    hostile::{
        case::{LONG, unknown},
        model::Model,
    },
};
use kalshi_sdk::{
    Client, ClientBuilder, Contracts, Credentials, RetryPolicy,
    auth::FixedClock,
    limits::RateLimits,
    orders::{
        ChangeOutcome, ChangeReconciliation, Decrease, InvalidOrder, OrderGroupRef, OrderOutcome,
        OrderRef, OrderRules, PriceGrid, Reconciliation,
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

/// A market on shard 0.
const TICKER: &str = "KXTEST-26-T72";

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

fn orders() -> Arc<Model> {
    Arc::new(Model::calm(LAG))
}

/// Starts an exchange that injects the fault that `fault` returns for each request.
async fn exchange(
    orders: &Arc<Model>,
    fault: impl Fn(&Received) -> Option<Fault> + Send + Sync + 'static,
) -> Exchange {
    let orders = orders.clone();
    Exchange::start(move |request| reply_to(&orders, request, fault(request))).await
}

fn reply_to(orders: &Model, request: &Received, fault: Option<Fault>) -> Reply {
    match fault {
        None => orders.handle(request),
        Some(Fault::Before(fault)) => broken(fault, Reply::json(500, &json!({ "a": "b" }))),
        Some(Fault::After(fault)) => broken(fault, orders.handle(request)),
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

/// Starts an exchange that sends the same response to every write.
async fn exchange_replying(status: u16, body: Value) -> (Exchange, Client) {
    let orders = Model::calm(LAG);
    let exchange = Exchange::start(move |request| match request.method.as_str() {
        "GET" => orders.handle(request),
        _ => Reply::json(status, &body),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    (exchange, client)
}

fn unknown_change<T: std::fmt::Debug>(
    outcome: ChangeOutcome<T>,
) -> kalshi_sdk::orders::UnknownChange {
    match outcome {
        ChangeOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}
