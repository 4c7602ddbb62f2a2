//! Requests to endpoints that the spec does not have.

use std::time::Duration;

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Received, Reply},
    key,
};
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, RetryPolicy,
    auth::Verifier,
    limits::{AccountLimits, BucketLimit, RateLimits, Tier},
    operation,
    reqwest::{Method, header::HeaderMap},
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize, PartialEq)]
struct Perk {
    name: String,
    #[serde(default)]
    level: u8,
}

type Make = fn() -> Reply;

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
        .retry(RetryPolicy::default().with_initial_backoff(Duration::from_millis(2)))
}

fn perk() -> Reply {
    Reply::json(200, &json!({ "name": "early" }))
}

fn text(status: u16, body: &str) -> Reply {
    Reply::Response(status, Vec::new(), body.into())
}

/// Starts an exchange that replies to the first `times` requests with `first` and to later ones with a perk.
async fn failing(times: usize, first: Make) -> Exchange {
    Exchange::start(move |request: &Received| {
        if request.number < times {
            first()
        } else {
            perk()
        }
    })
    .await
}

fn assert_signed(request: &Received) {
    let headers: HeaderMap = request
        .headers
        .iter()
        .map(|(name, value)| {
            let name = kalshi_sdk::reqwest::header::HeaderName::try_from(name).unwrap();
            (name, value.parse().unwrap())
        })
        .collect();
    let now = u64::try_from(request.timestamp()).unwrap();
    Verifier::new(KEY_ID, key().public_key())
        .verify(&headers, &request.method, &request.path, now)
        .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path));
}

#[tokio::test]
async fn request_is_sent_and_signed_as_given() {
    let exchange = failing(0, perk).await;
    let client = builder(&exchange).build().unwrap();
    let path = "/perks/KX-26.5/a%20b%2Fc:d@e";
    let response = client
        .request(Method::POST, path)
        .query(&[("limit", "5"), ("name", "a b&c")])
        .query(&[("cursor", "x")])
        .header("x-reason", "test")
        .json(&json!({ "level": 1 }))
        .send::<Perk>()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &*response.name),
        (200, "early")
    );
    let received = exchange.received().remove(0);
    assert_eq!(
        (&*received.method, &*received.path),
        ("POST", &*format!("/trade-api/v2{path}"))
    );
    assert_signed(&received);
    assert_eq!(received.json(), json!({ "level": 1 }));
    assert_eq!(received.headers["x-reason"], "test");
    assert_eq!(received.headers["accept"], "application/json");
    let query = [("cursor", "x"), ("limit", "5"), ("name", "a b&c")];
    assert!(
        received
            .query
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .eq(query)
    );
}

#[tokio::test]
async fn every_method_is_sent_and_others_are_an_error() {
    let exchange = failing(0, perk).await;
    let client = builder(&exchange).build().unwrap();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let request = client.request(method.parse().unwrap(), "/perks");
        request.send::<Perk>().await.unwrap();
        let received = exchange.received().pop().unwrap();
        assert_eq!(received.method, method);
        assert_signed(&received);
        let body: &[u8] = if method.starts_with('P') { b"{}" } else { b"" };
        assert_eq!(received.body, body, "{method}");
    }
    for method in [Method::HEAD, Method::CONNECT, "BREW".parse().unwrap()] {
        let error = client.request(method, "/perks").send::<Value>().await;
        let error = error.unwrap_err();
        assert!(
            error.is_invalid_request() && !error.may_have_reached_exchange(),
            "{error}"
        );
    }
    assert_eq!(exchange.count(), 5);
}

#[tokio::test]
async fn limiter_is_charged_with_the_cost_in_the_bucket_of_the_method() {
    let exchange = failing(0, perk).await;
    let limit = BucketLimit::new(1, 1_000);
    let limits = AccountLimits::from_tier(Tier::Basic)
        .with_read(limit)
        .with_write(limit)
        .with_public(limit);
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let get = || client.request(Method::GET, "/perks");
    get().send::<Perk>().await.unwrap();
    get().cost(200).send::<Perk>().await.unwrap();
    client
        .request(Method::DELETE, "/perks")
        .cost(30)
        .send::<Perk>()
        .await
        .unwrap();
    get().cost(400).unsigned().send::<Perk>().await.unwrap();
    let left = client.rate_limiter().snapshot();
    assert_eq!(
        (left.read.tokens, left.write.tokens, left.public.tokens),
        (790, 970, 600)
    );
    let error = get().cost(1_001).send::<Perk>().await.unwrap_err();
    let limited = error.local_rate_limit().unwrap();
    assert_eq!(limited.wait(), None);
    let client = client.with_max_wait(Duration::ZERO);
    let error = client.request(Method::GET, "/perks").cost(900);
    let error = error.send::<Perk>().await.unwrap_err();
    assert!(error.local_rate_limit().unwrap().wait().is_some());
    assert_eq!(exchange.count(), 4);
}

#[tokio::test]
async fn request_to_an_operation_takes_its_cost_from_its_bucket() {
    let costs = json!({
        "default_cost": 10,
        "endpoint_costs": [{ "method": "GET", "path": "/trade-api/v2/portfolio/orders/:order_id", "cost": 7 }],
    });
    let limits = json!({
        "usage_tier": "expert", "grants": [], "read": { "refill_rate": 1, "bucket_capacity": 1_000 },
        "write": { "refill_rate": 1, "bucket_capacity": 1_000 },
    });
    let exchange = Exchange::start(move |request| match request.path.as_str() {
        "/trade-api/v2/account/limits" => Reply::json(200, &limits),
        "/trade-api/v2/account/endpoint_costs" => Reply::json(200, &costs),
        _ => perk(),
    })
    .await;
    let limit = BucketLimit::new(1, 1_000);
    let limits = AccountLimits::from_tier(Tier::Basic)
        .with_read(limit)
        .with_write(limit)
        .with_balance(limit)
        .with_public(limit);
    let client = builder(&exchange)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let three = json!({ "orders": [{}, {}, {}] });
    let get = |path: &str| client.request(Method::GET, path);
    let delete = |path: &str| client.request(Method::DELETE, path);
    let left = || {
        let now = client.rate_limiter().snapshot();
        [now.read, now.write, now.balance, now.public].map(|bucket| bucket.tokens)
    };
    for (request, expected) in [
        (get("/portfolio/balance"), [0, 0, 10, 0]),
        (get("/portfolio/balance").cost(5), [0, 0, 5, 0]),
        (get("/portfolio/orders/a"), [2, 0, 0, 0]),
        (delete("/portfolio/events/orders/a"), [0, 2, 0, 0]),
        (
            delete("/portfolio/events/orders/batched").json(&three),
            [0, 6, 0, 0],
        ),
        // A public operation, signed and unsigned.
        (get("/markets/a"), [10, 0, 0, 0]),
        (get("/markets/a").unsigned(), [0, 0, 0, 10]),
        // Paths that are not operations.
        (get("/portfolio/balance/a"), [10, 0, 0, 0]),
        (delete("/portfolio/balance"), [0, 10, 0, 0]),
    ] {
        let (shown, before) = (format!("{request:?}"), left());
        request.send::<Perk>().await.unwrap();
        for ((before, after), cost) in before.into_iter().zip(left()).zip(expected) {
            // A token may have been refilled since.
            assert!(
                (0..=1).contains(&(after + cost - before)),
                "{shown}: {before} {after}"
            );
        }
    }
    client.discover_limits().await.unwrap();
    let [before, ..] = left();
    get("/portfolio/orders/a").send::<Perk>().await.unwrap();
    let [after, ..] = left();
    assert!((6..=7).contains(&(before - after)), "{before} {after}");
}

#[tokio::test]
async fn reads_are_retried_and_writes_only_if_not_processed() {
    let faults: [(&str, Make); 4] = [
        ("503", || Reply::status(503)),
        ("dropped", || Reply::Drop),
        ("half", || Reply::Half(200, b"{\"name\":\"a\"}".to_vec())),
        ("no response", || Reply::Hang),
    ];
    for (name, fault) in faults {
        let exchange = failing(2, fault).await;
        let policy = RetryPolicy::default()
            .with_initial_backoff(Duration::from_millis(2))
            .with_attempt_timeout(Some(Duration::from_secs(1)));
        let client = builder(&exchange).retry(policy).build().unwrap();
        let read = client.request(Method::GET, "/perks").send::<Perk>().await;
        assert_eq!(read.unwrap().name, "early", "{name}");
        let received = exchange.received();
        assert_eq!(received.len(), 3, "{name}");
        received.iter().for_each(assert_signed);

        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let exchange = failing(1, fault).await;
            // Long enough for the request to arrive on a busy machine.
            let client = builder(&exchange).timeout(Duration::from_secs(2));
            let client = client.build().unwrap();
            let error = client
                .request(method.clone(), "/perks")
                .send::<Perk>()
                .await;
            let error = error.unwrap_err();
            assert_eq!((exchange.count(), error.attempts()), (1, 1), "{name}");
            assert!(!error.was_not_processed(), "{name} {method}: {error}");
            assert!(error.may_have_reached_exchange());
        }
    }
    let exchange = failing(2, Reply::rate_limited).await;
    let client = builder(&exchange).build().unwrap();
    let write = client.request(Method::POST, "/perks").send::<Perk>().await;
    assert_eq!(write.unwrap().name, "early");
    assert_eq!(exchange.count(), 3);
}

#[tokio::test]
async fn request_never_leaves_the_base_url() {
    let exchange = failing(0, perk).await;
    let client = builder(&exchange).build().unwrap();
    for path in [
        "",
        "perks",
        "/../perks",
        "/a/%2E%2e/perks",
        "/a%2F..%2F..%2Fperks",
        "/./perks",
        "//127.0.0.1:1/perks",
        "/\\127.0.0.1:1/perks",
        "http://127.0.0.1:1/perks",
        "@127.0.0.1:1/",
        ".example.com/",
        ":1/",
        "/perks?limit=5",
        "/perks#top",
        "/perks\r\nhost: example.com",
        "/perks/a b",
        "/perks/%0a",
        "/perks/%4",
        "/perks/\u{e9}",
        "/perks/\0",
    ] {
        for signed in [true, false] {
            let mut request = client.request(Method::GET, path);
            if !signed {
                request = request.unsigned();
            }
            let error = request.send::<Value>().await.unwrap_err();
            assert!(error.is_invalid_request(), "{path:?}: {error}");
            assert!(!error.may_have_reached_exchange() && error.attempts() == 0);
            let text = error.to_string();
            assert!(text.starts_with("GET "), "{text}");
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
    for (name, value) in [
        ("host", "example.com"),
        ("Kalshi-Access-Key", "other"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("X-HTTP-Method-Override", "POST"),
        ("x-a", "a\r\nb: c"),
        ("x a", "a"),
    ] {
        let request = client.request(Method::GET, "/perks").header(name, value);
        let error = request.send::<Value>().await.unwrap_err();
        assert!(error.is_invalid_request(), "{name}: {error}");
    }
    // Name and value in the wrong order.
    let request = client.request(Method::GET, "/perks");
    let swapped = request.header("Bearer hunter2", "authorization");
    let error = swapped.send::<Value>().await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    let request = client.request(Method::GET, "/perks");
    let request = request.header("authorization", "Bearer hunter2").build();
    assert!(!format!("{request:?}").contains("hunter2"), "{request:?}");
    assert_eq!(exchange.count(), 0);
}

#[tokio::test]
async fn unsigned_requests_need_no_credentials() {
    let exchange = failing(0, perk).await;
    let client = Client::builder().environment(exchange.environment());
    let client = client.build().unwrap();
    let error = client.request(Method::GET, "/perks").send::<Perk>().await;
    let error = error.unwrap_err();
    assert!(
        error.is_auth() && error.to_string().contains("`unsigned()`"),
        "{error}"
    );
    assert_eq!(exchange.count(), 0);
    for client in [client, builder(&exchange).build().unwrap()] {
        let request = client.request(Method::GET, "/perks").unsigned();
        request.send::<Perk>().await.unwrap();
        let received = exchange.received().pop().unwrap();
        for name in ["kalshi-access-key", "kalshi-access-signature"] {
            assert!(!received.headers.contains_key(name));
        }
    }
}

#[tokio::test]
async fn responses_decode_like_those_of_operations() {
    let bodies = [
        json!([{ "name": "a" }, { "name": "b" }]),
        json!([{ "name": "a" }, { "name": 7 }]),
        json!([]),
        json!({ "perks": [{ "name": "a" }, { "level": 300 }] }),
        json!({ "error": { "code": "not_yet" } }),
        json!({}),
    ];
    let exchange = Exchange::start(move |request: &Received| {
        let number: usize = request.path.rsplit('/').next().unwrap().parse().unwrap();
        Reply::json(200, &bodies[number])
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let request = |number: usize| client.request(Method::GET, format!("/perks/{number}"));
    let perks = request(0).send::<Vec<Perk>>().await.unwrap();
    assert_eq!(perks[1].name, "b");
    let error = request(1).send::<Vec<Perk>>().await.unwrap_err();
    assert_eq!(error.decode_path(), Some("$[1].name"));
    let text = error.to_string();
    assert!(
        text.starts_with("GET /perks/1: the response (200) does not decode at $[1].name: "),
        "{text}"
    );
    assert!(format!("{error:?}").contains("GET /perks/1"));
    assert_eq!(error.operation().id, "CustomRequest");

    #[derive(Debug, Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct AllDefaults {
        _level: u8,
    }
    let error = request(2).send::<AllDefaults>().await.unwrap_err();
    assert!(error.is_decode(), "{error}");
    assert!(request(2).send::<Vec<Perk>>().await.unwrap().is_empty());
    assert_eq!(request(0).send::<Value>().await.unwrap()[0]["name"], "a");

    #[derive(Debug, Deserialize)]
    struct Perks {
        #[allow(dead_code)]
        perks: Vec<Perk>,
    }
    let error = request(3).send::<Perks>().await.unwrap_err();
    assert!(
        error.decode_path().unwrap().starts_with("$.perks[1]"),
        "{error}"
    );
    let error = request(4).send::<Value>().await.unwrap_err();
    assert_eq!(error.code(), Some("not_yet"));
    let text = error.to_string();
    assert!(text.starts_with("GET /perks/4: "), "{text}");
    request(5).send_empty().await.unwrap();
    let error = request(0).send_empty().await.unwrap_err();
    assert!(error.is_decode() && error.to_string().starts_with("GET /perks/0: "));
}

#[tokio::test]
async fn text_is_returned_as_received() {
    const TEXT: &str = "{ \"strike\": 0.10000000000000000000001,\n\"a\":1e400}";
    let exchange = Exchange::start(|request: &Received| match request.number {
        0 => text(200, TEXT),
        1 => text(200, ""),
        _ => text(409, "{\"code\":\"taken\"}"),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let request = || client.request(Method::POST, "/perks");
    assert_eq!(request().send_text().await.unwrap().into_inner(), TEXT);
    assert_eq!(request().send_text().await.unwrap().into_inner(), "");
    let error = request().send_text().await.unwrap_err();
    assert_eq!(error.code(), Some("taken"));
    assert!(error.may_have_reached_exchange() && !error.may_have_taken_effect());
}

#[tokio::test]
async fn write_without_a_conclusive_response_may_have_taken_effect() {
    let exchange = Exchange::start(|request: &Received| match request.number {
        0 => text(500, "{\"code\":\"internal_error\"}"),
        1 => text(400, "<html>proxy</html>"),
        _ => Reply::Hang,
    })
    .await;
    let client = builder(&exchange).timeout(Duration::from_millis(200));
    let client = client.build().unwrap();
    for case in 0..3 {
        let error = client.request(Method::POST, "/perks").send_text().await;
        assert!(error.unwrap_err().may_have_taken_effect(), "{case}");
    }
    let error = client.request(Method::POST, "perks").send_text().await;
    assert!(!error.unwrap_err().may_have_taken_effect());
}

#[tokio::test]
async fn built_request_has_what_would_be_sent() {
    let exchange = failing(0, perk).await;
    let client = builder(&exchange).build().unwrap();
    let request = client
        .request(Method::POST, "/perks/a%20b")
        .query(&[("name", "c d")])
        .json(&json!({ "level": 1 }))
        .build()
        .unwrap();
    assert_eq!(request.method(), Method::POST);
    let url = request.url().as_str();
    assert!(url.ends_with("/trade-api/v2/perks/a%20b?name=c+d"), "{url}");
    let body = request.body().and_then(|body| body.as_bytes());
    assert_eq!(body, Some(&br#"{"level":1}"#[..]));
    assert_eq!(request.headers()["accept"], "application/json");
    let error = client.request(Method::GET, "/perks/%2e%2e").build();
    assert!(error.unwrap_err().is_invalid_request());
    assert_eq!(exchange.count(), 0);
    let csv = || {
        let request = client.request(Method::GET, "/perks");
        request.header("accept", "text/csv")
    };
    assert_eq!(csv().build().unwrap().headers()["accept"], "text/csv");
    csv().send_text().await.unwrap();
    assert_eq!(exchange.received()[0].headers["accept"], "text/csv");
}

#[tokio::test]
async fn secret_of_an_operation_is_withheld_from_errors() {
    let exchange =
        Exchange::start(|_: &Received| text(201, "{\"api_key_id\":7,\"private_key\":\"hunter2\"}"))
            .await;
    let client = builder(&exchange).build().unwrap();
    let operation = operation::GENERATE_API_KEY;
    assert!(operation.returns_secret);
    let request = || client.request(operation.method.clone(), operation.path);
    let error = request().send::<Vec<String>>().await.unwrap_err();
    assert!(error.is_decode() && error.body().is_none());
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let response = request().send_text().await.unwrap();
    assert!(response.contains("hunter2"));
}

/// An error without a code shows a part of the body, but not of such an operation.
#[tokio::test]
async fn secret_beside_a_reported_error_is_withheld() {
    for body in [
        r#"{"error":{"reason":"partial"},"key":"hunter2"}"#,
        r#"{"error":{"message":"hunter2"}}"#,
        "hunter2",
    ] {
        let exchange = Exchange::start(move |_: &Received| text(400, body)).await;
        let client = builder(&exchange).build().unwrap();
        let operation = operation::GENERATE_API_KEY;
        let request = client.request(operation.method.clone(), operation.path);
        let error = request.send::<Vec<String>>().await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
