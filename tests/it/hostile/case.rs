//! A test case: one exchange, one client, and a script that may override replies.

use std::{sync::Arc, time::Duration};

use kalshi_core::limits::RateLimits;
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, RetryPolicy,
    orders::{OrderOutcome, PlacedOrder, UnknownOrder},
};

use super::{model::Model, samples::Request};
use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};

/// Timeout of a lookup that must end with a proof.
pub const LONG: Duration = Duration::from_secs(20);

pub struct Case {
    pub model: Arc<Model>,
    pub server: Exchange,
    pub client: Client,
}

impl Case {
    /// Starts an exchange without lag. Where `script` returns `None`, the exchange replies itself.
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

    /// Returns the number of requests with this method whose path ends with `end`.
    pub fn count(&self, method: &str, end: &str) -> usize {
        let received = self.server.received();
        let is_counted =
            |request: &&Received| request.method == method && request.path.ends_with(end);
        received.iter().filter(is_counted).count()
    }

    /// Places an order that rests in the book.
    pub async fn placed(&self, order: Request) -> PlacedOrder {
        match self.client.orders().place(order).await.unwrap() {
            OrderOutcome::Placed(placed) => placed,
            other => panic!("{other:?}"),
        }
    }

    /// Places an order whose outcome is unknown.
    pub async fn unknown(&self, order: Request) -> UnknownOrder {
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

pub fn unknown(outcome: OrderOutcome) -> UnknownOrder {
    match outcome {
        OrderOutcome::Unknown(unknown) => *unknown,
        other => panic!("{other:?}"),
    }
}

/// Sends the same reply to every write, without processing it.
pub fn to_writes(reply: Reply) -> impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync {
    move |request, _| (request.method != "GET").then(|| reply.clone())
}

/// Processes every write, then sends `reply` instead of the response.
pub fn after_writes(reply: Reply) -> impl Fn(&Received, &Model) -> Option<Reply> + Send + Sync {
    move |request, model| {
        (request.method != "GET").then(|| {
            model.handle(request);
            reply.clone()
        })
    }
}
