//! The client between a call and its answer: credentials, timeouts, refusals in every wording, decode errors, redirects.

use std::{
    error::Error as _,
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::common::{assert_signed, assert_unsigned, builder, calls::Server, client, environment};
use kalshi_sdk::{
    Client, ConfigError, Environment, RetryPolicy, operation::Operation, reqwest,
    reqwest_middleware, types::CreateOrderV2Request,
};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// A server of one connection, answered by `serve`.
fn raw_server(serve: impl FnOnce(&mut std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        serve(&mut stream);
    });
    base
}

fn client_of(base: &str) -> kalshi_sdk::ClientBuilder {
    Client::builder()
        .retry(RetryPolicy::none())
        .environment(environment(base))
        .credentials(
            kalshi_sdk::Credentials::new(crate::common::KEY_ID, crate::common::key()).unwrap(),
        )
}

#[tokio::test]
async fn public_operations_work_without_credentials_and_private_ones_say_so() {
    let server = Server::start().await;
    server.answer(
        200,
        Some(json!({ "exchange_active": true, "trading_active": false })),
    );
    let client = Client::builder()
        .environment(environment(&server.server.uri()))
        .build()
        .unwrap();
    assert!(
        client
            .get_exchange_status()
            .send()
            .await
            .unwrap()
            .exchange_active
    );
    assert_unsigned(&server.take_request().await);

    let error = client.get_balance().send().await.unwrap_err();
    assert!(error.is_auth() && !error.may_have_reached_exchange());
    assert!(
        error
            .to_string()
            .starts_with("GetBalance: the operation needs credentials"),
        "{error}"
    );
    assert_eq!(server.server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout_that_may_have_acted() {
    let base = raw_server(|stream| {
        // Answers nothing until the client has gone.
        let _ = stream.read(&mut [0; 16]);
    });
    let client = client_of(&base)
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(
        error.is_timeout() && !error.is_connect() && error.may_have_reached_exchange(),
        "{error:?}"
    );
    assert_eq!(error.status(), None);
    assert!(
        error
            .to_string()
            .ends_with("not finished within 50ms; the exchange may have acted on it"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_stops_halfway_may_have_acted() {
    let base = raw_server(|stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"bal")
            .unwrap()
    });
    let error = client_of(&base)
        .build()
        .unwrap()
        .get_balance()
        .send()
        .await
        .unwrap_err();
    assert!(
        !error.is_timeout() && !error.is_connect() && error.may_have_reached_exchange(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connection_that_is_reset_may_have_acted() {
    let base = raw_server(|_| {});
    let error = client_of(&base)
        .build()
        .unwrap()
        .get_balance()
        .send()
        .await
        .unwrap_err();
    assert!(
        !error.is_connect() && error.may_have_reached_exchange(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client_of(&base).build().unwrap();
    let error = client
        .get_fills()
        .ticker("KXPRIVATE")
        .send()
        .await
        .unwrap_err();
    assert!(
        error.is_connect() && !error.may_have_reached_exchange(),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("KXPRIVATE"), "{error:?}");
}

#[tokio::test]
async fn a_refusal_keeps_its_status_in_every_wording() {
    let server = Server::start().await;
    for (status, body, code, message) in [
        (
            400,
            r#"{"error":{"code":"bad_request","message":"bad request"}}"#,
            Some("bad_request"),
            Some("bad request"),
        ),
        (
            404,
            r#"{"code":"not_found","message":"not found"}"#,
            Some("not_found"),
            Some("not found"),
        ),
        (
            429,
            r#"{"error":"too many requests"}"#,
            None,
            Some("too many requests"),
        ),
        (
            400,
            r#"{"msg":"Parameter validation failed"}"#,
            None,
            Some("Parameter validation failed"),
        ),
        (
            504,
            "<html><head><title>504 Gateway Time-out</title></head></html>",
            None,
            Some("504 Gateway Time-out"),
        ),
        (502, "", None, None),
        (503, "not json", None, Some("not json")),
        (418, "[1,2]", None, Some("[1,2]")),
    ] {
        server.answer_raw(status, body.as_bytes(), "text/plain");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status, "{body}");
        assert_eq!((error.code(), error.message()), (code, message), "{body}");
        assert_eq!(error.is_rate_limited(), status == 429);
        assert!(error.may_have_reached_exchange() && !error.is_decode());
    }
}

#[tokio::test]
async fn rejection_by_a_proxy_is_no_matter_of_keys() {
    let server = Server::start().await;
    for (body, is_auth) in [
        (r#"{"error":{"code":"permission_denied"}}"#, true),
        (r#"{"code":"permission_denied","message":"no"}"#, true),
        ("<html><title>403 Forbidden</title></html>", false),
        (r#"{"message":"Forbidden"}"#, false),
        ("", false),
    ] {
        server.answer_raw(403, body.as_bytes(), "text/plain");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert_eq!(error.is_auth(), is_auth, "{body}");
    }
}

#[tokio::test]
async fn a_refusal_inside_a_success_is_an_error() {
    let server = Server::start().await;
    for body in [
        r#"{"error":{"code":"deprecated_v1_order_endpoint","message":"gone"}}"#,
        r#"{"error":"gone"}"#,
    ] {
        server.answer_raw(200, body.as_bytes(), "application/json");
        // Without the check, both answers would decode: an empty object, and an empty page.
        let error = server
            .client
            .reset_order_group()
            .order_group_id("a")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            (error.status().unwrap().as_u16(), error.message()),
            (200, Some("gone"))
        );
        assert!(server.client.get_markets().send().await.is_err());
    }
}

#[tokio::test]
async fn decode_errors_show_a_short_piece_of_the_body() {
    let server = Server::start().await;
    for body in [
        "\u{20ac}".repeat(5_000),
        format!(r#"{{"balance":1,"x":"{}"}}"#, "\u{1f980}".repeat(300)),
        "<html>".to_owned() + &"a".repeat(3_000),
        String::new(),
        r#"{"balance": "one"}"#.to_owned(),
        format!(r#"{{"balance": "{}"}}"#, "long ".repeat(1_000)),
    ] {
        server.answer_raw(200, body.as_bytes(), "application/json");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert!(error.is_decode(), "{error}");
        assert_eq!(error.status().unwrap().as_u16(), 200);
        let text = error.to_string();
        let shown = text.split_once("; body: ").unwrap().1;
        assert!(shown.chars().count() <= 200, "{}", shown.chars().count());
        assert!(text.chars().count() <= 600, "{text}");
        // The text says it all.
        assert!(error.source().is_none());
    }
    server.answer_raw(200, b"\xff\xfe\xfd", "application/json");
    assert!(
        server
            .client
            .get_balance()
            .send()
            .await
            .unwrap_err()
            .is_decode()
    );
}

#[tokio::test]
async fn a_new_private_key_is_never_shown() {
    let server = Server::start().await;
    let pem =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKeepThisOut\n-----END PRIVATE KEY-----";
    let call = || {
        server
            .client
            .generate_api_key()
            .body_map(|body| body.name("bot"))
    };
    server.answer(201, Some(json!({ "api_key_id": "id", "private_key": pem })));
    let answer = call().send().await.unwrap();
    assert_eq!(answer.private_key.expose(), pem);
    assert!(!format!("{answer:?}").contains("KeepThisOut"));
    server.answer(201, Some(json!({ "api_key_id": 7, "private_key": pem })));
    let error = call().send().await.unwrap_err();
    assert!(error.is_decode());
    assert!(!format!("{error} {error:?}").contains("KeepThisOut"));
    // Also where it is the very text that does not decode.
    server.answer(
        201,
        Some(json!({ "api_key_id": [pem], "private_key": pem })),
    );
    let error = call().send().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("KeepThisOut"));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::start().await;
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(307)
        .insert_header("location", format!("{}/steal", other.server.uri()));
    Mock::given(any())
        .respond_with(elsewhere)
        .mount(&server)
        .await;
    let error = client(&server).get_balance().send().await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 307);
    assert!(
        error.to_string().contains("redirects are not followed"),
        "{error}"
    );
    assert!(other.server.received_requests().await.unwrap().is_empty());
}

/// Puts a line on record for each request, and sends it twice.
struct Twice(Arc<Mutex<Vec<String>>>);

impl reqwest_middleware::Middleware for Twice {
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        request: reqwest::Request,
        extensions: &'b mut http::Extensions,
        next: reqwest_middleware::Next<'c>,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = reqwest_middleware::Result<reqwest::Response>> + Send + 'd>,
    >
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
        Self: 'd,
    {
        Box::pin(async move {
            let operation = extensions
                .get::<&'static Operation>()
                .map(|operation| operation.id);
            self.0
                .lock()
                .unwrap()
                .push(operation.unwrap_or("none").to_owned());
            let again = request.try_clone().unwrap();
            next.clone().run(request, extensions).await?;
            next.run(again, extensions).await
        })
    }
}

#[tokio::test]
async fn middleware_of_ones_own_wraps_the_signing_and_knows_the_operation() {
    let server = Server::start().await;
    server.answer(200, Some(json!({})));
    let seen = Arc::default();
    let client = builder(&server.server)
        .middleware(Twice(Arc::clone(&seen)))
        .build()
        .unwrap();
    client
        .reset_order_group()
        .order_group_id("a")
        .send()
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["ResetOrderGroup"]);
    let requests = server.server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 2);
    requests.iter().for_each(assert_signed);
}

#[tokio::test]
async fn an_attempt_before_the_last_counts_as_sent() {
    // The first attempt is answered; for the second there is nobody to connect to.
    let base = raw_server(|stream| {
        let answer = b"HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).unwrap();
    });
    let client = client_of(&base)
        .middleware(Twice(Arc::default()))
        .build()
        .unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(
        error.is_connect() && error.may_have_reached_exchange(),
        "{error:?}"
    );
}

/// Gives up on a first attempt after a moment, and makes another.
struct Impatient;

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Impatient {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        let again = request.try_clone().unwrap();
        let first = next.clone().run(request, extensions);
        let _ = tokio::time::timeout(Duration::from_millis(100), first).await;
        next.run(again, extensions).await
    }
}

#[tokio::test]
async fn an_attempt_that_was_given_up_may_have_arrived() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let base = raw_server(move |_| {
        // Holds the one connection until the test is over; by then the listener is gone.
        let _ = receiver.recv();
    });
    let client = client_of(&base).middleware(Impatient).build().unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    drop(sender);
    assert!(
        error.may_have_reached_exchange() && !error.was_not_processed(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_full_bucket_was_not_processed_and_a_failure_may_have_been() {
    let server = Server::start().await;
    for (status, not_processed) in [(429, true), (500, false), (404, false)] {
        server.answer(status, Some(json!({ "error": "no" })));
        let error = server.client.get_balance().send().await.unwrap_err();
        assert!(error.may_have_reached_exchange());
        assert_eq!(error.was_not_processed(), not_processed, "{status}");
    }
    let error = server.client.get_market().send().await.unwrap_err();
    assert!(error.was_not_processed() && !error.may_have_reached_exchange());
}

#[tokio::test]
async fn a_signer_that_hangs_does_not_outlast_the_call() {
    struct Hanging;

    impl kalshi_sdk::auth::Signer for Hanging {
        async fn sign(
            &self,
            _: &[u8],
        ) -> Result<kalshi_sdk::auth::Signature, kalshi_sdk::auth::SignerError> {
            std::future::pending().await
        }
    }

    let server = Server::start().await;
    let client = builder(&server.server)
        .credentials(kalshi_sdk::Credentials::with_signer("id", Hanging).unwrap())
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(
        error.is_timeout() && !error.may_have_reached_exchange(),
        "{error:?}"
    );
    assert!(error.to_string().ends_with("nothing was sent"), "{error}");
}

#[tokio::test]
async fn a_client_of_ones_own_that_follows_redirects_is_found_out() {
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(307).insert_header("location", "/trade-api/v2/elsewhere");
    Mock::given(wiremock::matchers::path("/trade-api/v2/portfolio/balance"))
        .respond_with(elsewhere)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .mount(&server)
        .await;
    let client = builder(&server)
        .http_client(reqwest::Client::new())
        .build()
        .unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .contains("followed a redirect"),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_of_another_kind_is_no_success() {
    let server = Server::start().await;
    server.answer_raw(200, b"[]", "application/json");
    let error = server.client.get_markets().send().await.unwrap_err();
    assert!(error.is_decode(), "a list is no last page: {error}");
    assert!(
        server
            .client
            .reset_order_group()
            .order_group_id("a")
            .send()
            .await
            .unwrap_err()
            .is_decode()
    );
    for (body, fine) in [
        ("<html></html>", false),
        ("[]", false),
        ("", true),
        ("{}", true),
    ] {
        server.answer_raw(200, body.as_bytes(), "text/plain");
        assert_eq!(
            server.client.cancel_all_orders().send().await.is_ok(),
            fine,
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_refusal_of_one_order_does_not_lose_the_others() {
    let server = Server::start().await;
    for error in [
        json!({ "code": "x", "details": { "id": 7 } }),
        json!({ "error": { "code": "x" } }),
        json!("too many requests"),
        json!({ "error": "too many requests" }),
    ] {
        let order = |id: &str, error: serde_json::Value| json!({ "order_id": id, "error": error });
        let orders =
            json!({ "orders": [order("first", json!(null)), order("second", error.clone())] });
        server.answer(201, Some(orders));
        let answer = server
            .client
            .batch_create_orders_v2()
            .body_map(|body| body.orders(Vec::<CreateOrderV2Request>::new()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.orders[0].order_id.as_deref(), Some("first"));
        let refusal = answer.orders[1].error.clone().unwrap();
        assert!(
            refusal.code.is_some() || refusal.message.is_some(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_proxy_is_used() {
    let proxy = Server::start().await;
    proxy.answer(
        200,
        Some(json!({ "exchange_active": true, "trading_active": true })),
    );
    let client = Client::builder()
        .environment(environment("http://127.0.0.1:9"))
        .proxy(reqwest::Proxy::all(proxy.server.uri()).unwrap())
        .build()
        .unwrap();
    client.get_exchange_status().send().await.unwrap();
    assert_eq!(
        proxy.take_request().await.url.path(),
        "/trade-api/v2/exchange/status"
    );
}

#[tokio::test]
async fn an_http_client_of_ones_own_is_used_and_excludes_what_it_decides() {
    let server = Server::start().await;
    server.answer(
        200,
        Some(json!({ "exchange_active": true, "trading_active": true })),
    );
    let own = || {
        reqwest::Client::builder()
            .user_agent("own/1")
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    };
    let client = builder(&server.server).http_client(own()).build().unwrap();
    client.get_exchange_status().send().await.unwrap();
    assert_eq!(server.take_request().await.headers["user-agent"], "own/1");
    let error = builder(&server.server)
        .http_client(own())
        .user_agent("x")
        .build()
        .unwrap_err();
    assert!(
        matches!(error, ConfigError::Conflict("user_agent")),
        "{error}"
    );
}

#[test]
fn the_default_is_the_demo_exchange_and_nothing_shows_a_key() {
    let builder = Client::builder().credentials(
        kalshi_sdk::Credentials::new(crate::common::KEY_ID, crate::common::key()).unwrap(),
    );
    let shown = format!("{builder:?}");
    let client = builder.build().unwrap();
    assert_eq!(*client.environment(), Environment::Demo);
    let shown = format!(
        "{shown} {client:?} {:?} {:#?}",
        client.get_balance(),
        client
    );
    assert!(!shown.contains(crate::common::KEY_ID), "{shown}");
}
