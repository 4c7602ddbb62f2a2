//! The access token is sent only to the environment's origin, and never appears in logs, errors or `Debug` output.

use std::{
    fmt,
    sync::{Mutex, Once},
    time::Duration,
};

use kalshi_klear::{
    Client, Error, RetryPolicy,
    auth::SigningMiddlewareError,
    reqwest::{Request, Response, Url},
    reqwest_middleware::{self, Middleware, Next},
};
use serde_json::json;
use tracing::{
    field::{Field, Visit},
    span,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    harness::{self, calls::Server},
    target::{self, ACCESS_TOKEN, ADMIN_USER_ID},
};

/// All log output of this process, at every level.
static LOG_OUTPUT: Mutex<String> = Mutex::new(String::new());

struct Log;

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = format!("{field}={value:?}\n");
        LOG_OUTPUT.lock().unwrap().push_str(&line);
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Log);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Log);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Log);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn log_everything() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
}

fn assert_hidden(text: &str) {
    for secret in [ADMIN_USER_ID, ACCESS_TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// Returns the messages of an error and of all its sources.
fn messages(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text += &format!(" {source} {source:?}");
        next = source.source();
    }
    text
}

async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn neither_logs_nor_errors_show_the_token() {
    log_everything();
    let mut errors = Vec::new();
    for status in [200, 400, 401, 403, 404, 429, 500, 503] {
        let server = server(ResponseTemplate::new(status).insert_header("retry-after", "0")).await;
        let retry = RetryPolicy::default().with_initial_backoff(Duration::from_millis(1));
        let client = harness::default_builder(&server)
            .retry(retry)
            .build()
            .unwrap();
        errors.push(client.get_settlement_balance().send().await.unwrap_err());
        errors.push(
            client
                .get_large_trader_positions()
                .send()
                .await
                .unwrap_err(),
        );
    }
    let unreachable = target::environment("http://127.0.0.1:1");
    let client = target::with_credentials(Client::builder()).environment(unreachable);
    let client = client.retry(RetryPolicy::none()).build().unwrap();
    errors.push(client.get_settlement_balance().send().await.unwrap_err());
    for error in &errors {
        assert_hidden(&messages(error));
    }
    let logged = LOG_OUTPUT.lock().unwrap();
    assert!(
        logged.contains("GetSettlementBalance") && logged.contains("retrying"),
        "{logged}"
    );
    assert_hidden(&logged);
}

#[test]
fn debug_does_not_show_the_token() {
    let builder = target::with_credentials(Client::builder());
    let text = format!("{builder:?} {:?}", target::credentials());
    let client = builder.build().unwrap();
    let request = client.get_settlement_balance();
    assert_hidden(&format!("{text} {client:?} {client:#?} {request:?}"));
}

/// The download URL of a report contains its own authorization.
#[tokio::test]
async fn url_of_a_report_is_not_shown() {
    log_everything();
    let url = "https://reports.example.com/a.csv?X-Amz-Signature=5f2c9e01d7";
    let report = json!({
        "report_type": "trade_audit", "url": url, "date": "2026-11-28", "created_ts": "2026-11-28T22:00:00Z",
        "is_end_of_day": true,
    });
    let server = Server::start().await;
    let today: chrono::NaiveDate = "2026-11-28".parse().unwrap();
    let request = || {
        let reports = server.client.get_margin_reports();
        reports.start_date(today).end_date(today)
    };
    server.respond(200, Some(json!({ "reports": [report] })));
    let response = request().send().await.unwrap();
    let mut texts = vec![format!("{response:?}")];
    assert_eq!(response.reports[0].url.expose(), url);
    for (field, invalid) in [
        ("date", json!("yesterday")),
        ("url", json!([url])),
        ("is_end_of_day", json!(url)),
    ] {
        let mut report = report.clone();
        report[field] = invalid;
        server.respond(200, Some(json!({ "reports": [report] })));
        let error = request().send().await.unwrap_err();
        texts.push(messages(&error));
        assert!(error.body().is_none());
    }
    texts.push(LOG_OUTPUT.lock().unwrap().clone());
    for text in texts {
        assert!(!text.contains("5f2c9e01d7"), "{text}");
    }
}

/// A middleware that redirects requests to another host.
struct Divert(Url);

#[async_trait::async_trait]
impl Middleware for Divert {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        assert!(
            !request.headers().contains_key("authorization"),
            "a middleware sees the token"
        );
        *request.url_mut() = self.0.clone();
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn request_to_another_origin_is_not_sent() {
    let (own, other) = (
        server(ResponseTemplate::new(200)).await,
        server(ResponseTemplate::new(200)).await,
    );
    let divert = Divert(other.uri().parse().unwrap());
    let client = harness::builder(&own).middleware(divert).build().unwrap();
    let error = client.get_settlement_balance().send().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(matches!(
        source.downcast_ref(),
        Some(SigningMiddlewareError::OtherOrigin { found, .. }) if *found == other.uri()
    ));
    assert!(
        error.to_string().ends_with("the request was not sent"),
        "{error}"
    );
    assert_hidden(&messages(&error));
    for server in [own, other] {
        assert!(server.received_requests().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = server(ResponseTemplate::new(200)).await;
    let redirect = ResponseTemplate::new(307).insert_header("location", other.uri());
    let own = server(redirect).await;
    let client = harness::client(&own);
    let error = client.get_settlement_balance().send().await.unwrap_err();
    assert_eq!(error.status().unwrap(), 307);
    assert!(other.received_requests().await.unwrap().is_empty());
}
