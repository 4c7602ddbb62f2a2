//! Client behaviour between a request and its result: credentials, timeouts, error responses, decode errors and redirects.

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

/// Starts a server that accepts one connection, reads the request head and runs `serve`.
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

fn builder_for(base: &str) -> kalshi_sdk::ClientBuilder {
    Client::builder()
        .retry(RetryPolicy::none())
        .environment(environment(base))
        .credentials(
            kalshi_sdk::Credentials::new(crate::common::KEY_ID, crate::common::key()).unwrap(),
        )
}

#[tokio::test]
async fn private_operations_need_credentials_and_public_ones_do_not() {
    let server = Server::start().await;
    server.respond(
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
async fn timed_out_request_may_have_reached_exchange() {
    let base = raw_server(|stream| {
        // Sends nothing until the client closes the connection.
        let _ = stream.read(&mut [0; 16]);
    });
    let client = builder_for(&base)
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
            .ends_with("not finished within 50ms; the exchange may have acted on the request"),
        "{error}"
    );
}

#[tokio::test]
async fn truncated_response_may_have_reached_exchange() {
    let base = raw_server(|stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"bal")
            .unwrap()
    });
    let error = builder_for(&base)
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
async fn closed_connection_may_have_reached_exchange() {
    let base = raw_server(|_| {});
    let error = builder_for(&base)
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
async fn refused_connection_did_not_reach_exchange() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = builder_for(&base).build().unwrap();
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
async fn error_response_keeps_status_for_every_body() {
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
        server.respond_raw(status, body.as_bytes(), "text/plain");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status, "{body}");
        assert_eq!((error.code(), error.message()), (code, message), "{body}");
        assert_eq!(error.is_rate_limited(), status == 429);
        assert!(error.may_have_reached_exchange() && !error.is_decode());
    }
}

#[tokio::test]
async fn forbidden_response_of_proxy_is_not_an_auth_error() {
    let server = Server::start().await;
    for (body, is_auth) in [
        (r#"{"error":{"code":"permission_denied"}}"#, true),
        (r#"{"code":"permission_denied","message":"no"}"#, true),
        ("<html><title>403 Forbidden</title></html>", false),
        (r#"{"message":"Forbidden"}"#, false),
        ("", false),
    ] {
        server.respond_raw(403, body.as_bytes(), "text/plain");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert_eq!(error.is_auth(), is_auth, "{body}");
    }
}

#[tokio::test]
async fn error_in_success_response_is_an_error() {
    let server = Server::start().await;
    for body in [
        r#"{"error":{"code":"deprecated_v1_order_endpoint","message":"gone"}}"#,
        r#"{"error":"gone"}"#,
    ] {
        server.respond_raw(200, body.as_bytes(), "application/json");
        // Without the check, both bodies would decode: as an empty object and as an empty page.
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
async fn decode_errors_show_short_excerpt_of_body() {
    let server = Server::start().await;
    for body in [
        "\u{20ac}".repeat(5_000),
        format!(r#"{{"balance":1,"x":"{}"}}"#, "\u{1f980}".repeat(300)),
        "<html>".to_owned() + &"a".repeat(3_000),
        String::new(),
        r#"{"balance": "one"}"#.to_owned(),
        format!(r#"{{"balance": "{}"}}"#, "long ".repeat(1_000)),
    ] {
        server.respond_raw(200, body.as_bytes(), "application/json");
        let error = server.client.get_balance().send().await.unwrap_err();
        assert!(error.is_decode(), "{error}");
        assert_eq!(error.status().unwrap().as_u16(), 200);
        let text = error.to_string();
        let shown = text.split_once("; body: ").unwrap().1;
        assert!(shown.chars().count() <= 200, "{}", shown.chars().count());
        assert!(text.chars().count() <= 600, "{text}");
        // The message is complete, so there is no source.
        assert!(error.source().is_none());
    }
    server.respond_raw(200, b"\xff\xfe\xfd", "application/json");
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
async fn generated_private_key_is_never_printed() {
    let server = Server::start().await;
    let pem =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKeepThisOut\n-----END PRIVATE KEY-----";
    let call = || {
        server
            .client
            .generate_api_key()
            .body_map(|body| body.name("bot"))
    };
    server.respond(201, Some(json!({ "api_key_id": "id", "private_key": pem })));
    let response = call().send().await.unwrap();
    assert_eq!(response.private_key.expose(), pem);
    assert!(!format!("{response:?}").contains("KeepThisOut"));
    server.respond(201, Some(json!({ "api_key_id": 7, "private_key": pem })));
    let error = call().send().await.unwrap_err();
    assert!(error.is_decode());
    assert!(!format!("{error} {error:?}").contains("KeepThisOut"));
    // Not even if the key is in the field that fails to decode.
    server.respond(
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

/// Records the operation of each request and sends the request twice.
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
async fn custom_middleware_wraps_signing_and_sees_operation() {
    let server = Server::start().await;
    server.respond(200, Some(json!({})));
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
async fn earlier_attempt_may_have_reached_exchange() {
    // The first attempt gets a response. The second finds no listener.
    let base = raw_server(|stream| {
        let response = b"HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(response).unwrap();
    });
    let client = builder_for(&base)
        .middleware(Twice(Arc::default()))
        .build()
        .unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    assert!(
        error.is_connect() && error.may_have_reached_exchange(),
        "{error:?}"
    );
}

/// Drops the first attempt after 100 ms and makes a second one.
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
async fn dropped_attempt_may_have_reached_exchange() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let base = raw_server(move |_| {
        // Keeps the connection open until the test ends. The listener is already closed.
        let _ = receiver.recv();
    });
    let client = builder_for(&base).middleware(Impatient).build().unwrap();
    let error = client.get_balance().send().await.unwrap_err();
    drop(sender);
    assert!(
        error.may_have_reached_exchange() && !error.was_not_processed(),
        "{error:?}"
    );
}

#[tokio::test]
async fn rate_limited_request_was_not_processed() {
    let server = Server::start().await;
    for (status, not_processed) in [(429, true), (500, false), (404, false)] {
        server.respond(status, Some(json!({ "error": "no" })));
        let error = server.client.get_balance().send().await.unwrap_err();
        assert!(error.may_have_reached_exchange());
        assert_eq!(error.was_not_processed(), not_processed, "{status}");
    }
    let error = server.client.get_market().send().await.unwrap_err();
    assert!(error.was_not_processed() && !error.may_have_reached_exchange());
}

#[tokio::test]
async fn hanging_signer_times_out() {
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
async fn redirect_followed_by_custom_http_client_is_an_error() {
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
async fn unexpected_body_is_not_success() {
    let server = Server::start().await;
    server.respond_raw(200, b"[]", "application/json");
    let error = server.client.get_markets().send().await.unwrap_err();
    assert!(error.is_decode(), "a list decoded as a page: {error}");
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
        server.respond_raw(200, body.as_bytes(), "text/plain");
        assert_eq!(
            server.client.cancel_all_orders().send().await.is_ok(),
            fine,
            "{body}"
        );
    }
}

#[tokio::test]
async fn rejected_batch_item_does_not_hide_others() {
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
        server.respond(201, Some(orders));
        let response = server
            .client
            .batch_create_orders_v2()
            .body_map(|body| body.orders(Vec::<CreateOrderV2Request>::new()))
            .send()
            .await
            .unwrap();
        assert_eq!(response.orders[0].order_id.as_deref(), Some("first"));
        let rejection = response.orders[1].error.clone().unwrap();
        assert!(
            rejection.code.is_some() || rejection.message.is_some(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn proxy_is_used() {
    let proxy = Server::start().await;
    proxy.respond(
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
async fn custom_http_client_conflicts_with_its_own_settings() {
    let server = Server::start().await;
    server.respond(
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
fn default_environment_is_demo_and_debug_hides_key_id() {
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
