//! Helpers to start an exchange without limits, build orders and send raw requests.

pub(crate) mod listener;

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, Contracts, Credentials, Dollars, RetryPolicy,
    auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, PrivateKey, signing_text},
    limits::RateLimits,
    types::{
        BookSide, CreateOrderV2Request, CreateOrderV2Response, SelfTradePreventionType, TimeInForce,
    },
};
use serde_json::Value;

pub(crate) const TICKER: &str = "KXTEST-26-A";

/// Starts an empty exchange without rate limits.
pub(crate) async fn exchange() -> MockExchange {
    MockExchange::builder()
        .without_limits()
        .without_markets()
        .start()
        .await
        .unwrap()
}

/// Returns a client that does not retry.
pub(crate) fn client_without_retries(exchange: &MockExchange) -> Client {
    exchange
        .client_builder()
        .unwrap()
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

pub(crate) fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

pub(crate) fn contracts(text: &str) -> Contracts {
    text.parse().unwrap()
}

/// Returns a good-till-cancelled order.
pub(crate) fn order(side: BookSide, price: &str, count: &str) -> CreateOrderV2Request {
    CreateOrderV2Request::builder()
        .ticker(TICKER)
        .side(side)
        .price(dollars(price))
        .count(contracts(count))
        .time_in_force(TimeInForce::GoodTillCanceled)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
        .try_into()
        .unwrap()
}

/// A client that sends raw requests.
pub(crate) struct Raw {
    http: reqwest::Client,
    origin: String,
    key_id: String,
    key: PrivateKey,
}

impl Raw {
    pub(crate) fn new(exchange: &MockExchange) -> Self {
        let user = exchange.user();
        Self::with_key(exchange, user.credentials(), user.private_key().clone())
    }

    pub(crate) fn with_key(
        exchange: &MockExchange,
        credentials: Credentials,
        key: PrivateKey,
    ) -> Self {
        Self {
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            origin: format!("http://{}", exchange.address()),
            key_id: credentials.key_id().to_owned(),
            key,
        }
    }

    /// Builds a signed request to a path below `/trade-api/v2`.
    pub(crate) fn signed(&self, method: &str, path: &str, now_ms: u64) -> reqwest::RequestBuilder {
        let path = format!("/trade-api/v2{path}");
        let text = signing_text(now_ms, method, &path);
        let signature = self.key.sign(text.as_bytes()).unwrap();
        self.unsigned(method, &path)
            .header(ACCESS_KEY, &self.key_id)
            .header(ACCESS_TIMESTAMP, now_ms)
            .header(ACCESS_SIGNATURE, signature.to_base64())
    }

    pub(crate) fn unsigned(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method.parse().unwrap(), format!("{}{path}", self.origin))
    }

    /// Sends a signed request and returns status and body.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.signed(method, path, now_ms());
        send(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }
}

/// Sends a request and returns status and body, which is null if it is not JSON.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap()
}

/// Places an order that must be accepted.
pub(crate) async fn place(client: &Client, order: CreateOrderV2Request) -> CreateOrderV2Response {
    client
        .create_order_v2()
        .body(order)
        .send()
        .await
        .unwrap()
        .into_inner()
}
