//! One exchange, one client, and replies of a script instead of the exchange's.

use std::{sync::Arc, time::Duration};

use kalshi_sdk::{
    Client, ClientBuilder, Credentials, RetryPolicy,
    limits::RateLimits,
    orders::{OrderOutcome, PlacedOrder, UnknownOutcome},
    types::{AmendOrderV2Request, CreateOrderV2Request},
};
use serde_json::{Value, json};

use super::model::{Model, ticker};
use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};

/// Timeout of an inquiry that is to end by proof.
pub const LONG: Duration = Duration::from_secs(20);

pub struct Case {
    pub model: Arc<Model>,
    pub server: Exchange,
    pub client: Client,
}

impl Case {
    /// An exchange without lag, where `script` replies instead of the exchange, or `None` for the exchange's own reply.
    pub async fn new(
        script: impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::with_lag(Duration::ZERO, script).await
    }

    pub async fn with_lag(
        lag: Duration,
        script: impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let model = Arc::new(Model::calm(lag));
        let server = {
            let model = model.clone();
            Exchange::start(move |request| {
                script(request, &model).unwrap_or_else(|| model.handle(request))
            })
            .await
        };
        let client = builder(&server).build().unwrap();
        Self {
            model,
            server,
            client,
        }
    }

    /// Number of requests of a method whose path ends so.
    pub fn count(&self, method: &str, end: &str) -> usize {
        let received = self.server.received();
        let is_counted =
            |request: &&Received| request.method == method && request.path.ends_with(end);
        received.iter().filter(is_counted).count()
    }

    /// Places an order that rests.
    pub async fn placed(&self, order: CreateOrderV2Request) -> PlacedOrder {
        match self.client.orders().place(order).await.unwrap() {
            OrderOutcome::Placed(placed) => placed,
            other => panic!("{other:?}"),
        }
    }

    /// Places an order whose outcome is unknown.
    pub async fn unknown(&self, order: CreateOrderV2Request) -> UnknownOutcome {
        unknown(self.client.orders().place(order).await.unwrap())
    }
}

pub fn builder(server: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(server.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::default().with_initial_backoff(Duration::from_millis(2)))
        .timeout(Duration::from_secs(2))
        .lookup_timeout(Duration::from_millis(300))
}

pub fn unknown(outcome: OrderOutcome) -> UnknownOutcome {
    match outcome {
        OrderOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

/// An order for ten contracts.
pub fn order(client_order_id: &str) -> CreateOrderV2Request {
    order_with(json!({ "client_order_id": client_order_id }))
}

/// The same with other fields.
pub fn order_with(fields: Value) -> CreateOrderV2Request {
    let order = json!({
        "ticker": ticker(0, 'A'), "side": "bid", "price": "0.5600", "count": "10.00",
        "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
    });
    let (Value::Object(mut order), Value::Object(fields)) = (order, fields) else {
        panic!("not an object")
    };
    order.extend(fields);
    serde_json::from_value(order.into()).unwrap()
}

pub fn amend(fields: Value) -> AmendOrderV2Request {
    let amend =
        json!({ "ticker": ticker(0, 'A'), "side": "bid", "price": "0.5700", "count": "12.00" });
    let (Value::Object(mut amend), Value::Object(fields)) = (amend, fields) else {
        panic!("not an object")
    };
    amend.extend(fields);
    serde_json::from_value(amend.into()).unwrap()
}

/// Replies to every write alike, without processing it.
pub fn to_writes(reply: Reply) -> impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync {
    move |request, _| (request.method != "GET").then(|| reply.clone())
}

/// Processes every write, and fails after it.
pub fn after_writes(reply: Reply) -> impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync {
    move |request, model| {
        (request.method != "GET").then(|| {
            model.handle(request);
            reply.clone()
        })
    }
}
