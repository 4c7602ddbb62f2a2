//! Requests from call to result: rate limits, retries, timeouts and clock correction, as listed in the table of
//! `src/guide/errors_and_retries.md`.

mod clock;
mod limits;
mod retries;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};
use kalshi_sdk::{
    Client, ClientBuilder, ClockCorrection, Credentials, Error, OrderGroupId, RetryPolicy,
    limits::{AccountLimits, BucketLimit, RateLimiter, RateLimits, Tier},
    types,
};
use serde_json::{Value, json};

/// The default policy with a backoff of 2 ms.
fn quick() -> RetryPolicy {
    RetryPolicy::default().with_initial_backoff(Duration::from_millis(2))
}

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(quick())
}

fn balance() -> Value {
    json!({ "balance": 100, "balance_dollars": "1.0000", "portfolio_value": 0, "updated_ts": 1 })
}

fn created() -> Value {
    json!({ "order_group_id": "g", "subaccount": 0 })
}

/// Sends a signed read.
async fn read(client: &Client) -> Result<i64, Error> {
    Ok(client.get_balance().send().await?.balance)
}

async fn write(client: &Client) -> Result<OrderGroupId, Error> {
    let body = types::CreateOrderGroupRequest::builder().contracts_limit(1);
    Ok(client
        .create_order_group()
        .body(body)
        .send()
        .await?
        .order_group_id
        .clone())
}

/// Starts an exchange that sends `first` to the first `times` requests and succeeds afterwards.
async fn failing(times: usize, first: impl Fn() -> Reply + Send + Sync + 'static) -> Exchange {
    Exchange::start(move |request: &Received| {
        if request.number < times {
            first()
        } else if request.method == "GET" {
            Reply::json(200, &balance())
        } else {
            Reply::json(201, &created())
        }
    })
    .await
}
