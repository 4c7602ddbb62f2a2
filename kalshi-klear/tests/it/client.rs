//! The client: environments, credentials, retries, custom requests.

use std::time::Duration;

use kalshi_klear::{
    Client, ConfigError, Environment, Error, RetryPolicy, auth::CredentialsError, reqwest::Method,
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    harness::{self, calls::Server},
    target,
};

fn balance() -> Value {
    json!({ "user_id": "u1", "balance_available_centicents": 12_345 })
}

/// Starts a server that responds with `status` `times` times, and then with a balance.
async fn server_failing_first(times: u64, status: u16) -> (MockServer, Client) {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status))
        .up_to_n_times(times)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(balance()))
        .mount(&server)
        .await;
    let retry = RetryPolicy::default().with_initial_backoff(Duration::from_millis(2));
    let client = harness::default_builder(&server)
        .retry(retry)
        .build()
        .unwrap();
    (server, client)
}

#[test]
fn environments_have_the_published_urls() {
    let url =
        |environment: &Environment| kalshi_core::Environment::rest_url(environment).to_owned();
    let published = [&Environment::Production, &Environment::Demo].map(url);
    for url in &published {
        assert!(target::SPEC.contains(&format!("- url: {url}\n")), "{url}");
    }
    assert_ne!(published[0], published[1]);
    assert_eq!(Environment::default(), Environment::Demo);
    assert_eq!(
        *Client::builder().build().unwrap().environment(),
        Environment::Demo
    );

    let local = "http://127.0.0.1:1/klear-api/v1";
    assert_eq!(url(&Environment::custom(local).unwrap()), local);
    Environment::custom("http://127.0.0.1:1/other").unwrap_err();
    Environment::custom_path("http://127.0.0.1:1/other").unwrap();
    // The token would be sent unencrypted.
    Environment::custom("http://example.com/klear-api/v1").unwrap_err();
}

/// Skips variables that are set, because a test must not change the environment of the process.
#[test]
fn error_names_missing_variable() {
    for (client, variable) in [
        (Client::from_env as fn() -> _, "KALSHI_KLEAR_ADMIN_USER_ID"),
        (Client::demo_from_env, "KALSHI_KLEAR_DEMO_ADMIN_USER_ID"),
    ] {
        if std::env::var_os(variable).is_none() {
            let error = client().unwrap_err();
            assert!(
                matches!(
                    &error,
                    ConfigError::Credentials(CredentialsError::BearerNotSet { variable: missing })
                        if missing == variable
                ),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_without_credentials() {
    let server = Server::start().await;
    let client = Client::builder()
        .environment(target::environment(&server.server.uri()))
        .build()
        .unwrap();
    let error = client.get_settlement_balance().send().await.unwrap_err();
    assert!(error.is_auth());
    assert!(error.to_string().contains("needs credentials"), "{error}");
    assert!(server.server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn rejected_token_is_not_retried() {
    let (server, client) = server_failing_first(9, 401).await;
    let error: Error = client.get_settlement_balance().send().await.unwrap_err();
    assert!(error.is_auth());
    let message = error.to_string();
    assert!(
        message.contains("the access token may be wrong"),
        "{message}"
    );
    assert!(
        !message.contains("clock") && !message.contains("key"),
        "{message}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn reads_are_retried_and_withdrawals_are_not() {
    let (server, client) = server_failing_first(2, 503).await;
    let balance = client.get_settlement_balance().send().await.unwrap();
    assert_eq!(balance.balance_available_centicents, 12_345);
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 3);
    received.iter().for_each(target::assert_authenticated);

    let (server, client) = server_failing_first(1, 503).await;
    let amount = "1.00".parse::<kalshi_klear::Dollars>().unwrap();
    let withdrawal = client.withdraw_settlement_balance();
    let error = withdrawal
        .body_map(|body| body.amount(amount))
        .send()
        .await
        .unwrap_err();
    assert!(error.may_have_reached_exchange());
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn default_limits_are_those_of_the_basic_tier() {
    let client = Client::builder().build().unwrap();
    let snapshot = client.rate_limiter().snapshot();
    assert_eq!((snapshot.read.tokens, snapshot.write.tokens), (400, 100));
}

#[tokio::test]
async fn custom_requests_are_authenticated_unless_unsigned() {
    let server = Server::start().await;
    server.respond(200, Some(balance()));
    let request = || server.client.request(Method::GET, "/margin/new_balance");
    let response = request().send::<Value>().await.unwrap();
    assert_eq!(response["balance_available_centicents"], 12_345);
    let received = server.take_request().await;
    assert_eq!(received.url.path(), "/klear-api/v1/margin/new_balance");
    target::assert_authenticated(&received);

    request().unsigned().send::<Value>().await.unwrap();
    target::assert_anonymous(&server.take_request().await);
}

#[tokio::test]
async fn rejections_are_parsed_from_the_error_object() {
    let server = Server::start().await;
    server.respond(
        404,
        Some(json!({ "code": "not_found", "message": "no such obligation", "service": "klear" })),
    );
    let request = server.client.get_obligation_settlement_details();
    let error = request.obligation_id("o1").send().await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.code(), Some("not_found"));
    assert_eq!(error.message(), Some("no such obligation"));
}
