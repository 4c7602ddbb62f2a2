//! Bearer credentials, and their middleware against a local server.

use std::ffi::OsString;

use http::header::AUTHORIZATION;
use kalshi_auth::{
    BearerCredentials, BearerMiddleware, CredentialsError, SigningMiddlewareError, Unsigned,
};
use reqwest::{Request, Response, redirect::Policy};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::common::{error_chain, text};
use crate::middleware::{server, signing_error, url};

const ID: &str = "7d9f1a34-admin-user";
const TOKEN: &str = "tok_4Zk1:with.a-colon~and/more==";
const HEADER: &str = "Bearer 7d9f1a34-admin-user:tok_4Zk1:with.a-colon~and/more==";

fn credentials() -> BearerCredentials {
    BearerCredentials::new(ID, TOKEN).unwrap()
}

fn client_with(policy: Policy, own: &MockServer) -> ClientWithMiddleware {
    let http = reqwest::Client::builder().redirect(policy).build().unwrap();
    let bearer = BearerMiddleware::new(credentials(), &url(own, "/klear-api/v1"));
    ClientBuilder::new(http).with(bearer).build()
}

fn client(own: &MockServer) -> ClientWithMiddleware {
    client_with(Policy::none(), own)
}

fn lookup(variables: &[(&str, &str)]) -> Result<BearerCredentials, CredentialsError> {
    BearerCredentials::from_lookup("X_", |name| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

/// Returns the headers that a server receives from these credentials.
async fn received(credentials: BearerCredentials) -> http::HeaderMap {
    let server = server(200).await;
    let bearer = BearerMiddleware::new(credentials, &url(&server, "/"));
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(bearer)
        .build();
    client.get(url(&server, "/")).send().await.unwrap();
    server.received_requests().await.unwrap()[0].headers.clone()
}

#[tokio::test]
async fn header_holds_id_and_token_however_they_are_given() {
    let combined = format!("{ID}:{TOKEN}");
    let quoted = (format!("'{ID}'"), format!("\"{TOKEN}\""));
    for credentials in [
        BearerCredentials::new(ID, TOKEN),
        BearerCredentials::from_text(combined),
        lookup(&[("X_ADMIN_USER_ID", ID), ("X_ACCESS_TOKEN", TOKEN)]),
        lookup(&[
            ("X_ADMIN_USER_ID", &quoted.0),
            ("X_ACCESS_TOKEN", &quoted.1),
        ]),
    ] {
        let credentials = credentials.unwrap();
        assert_eq!(credentials.admin_user_id(), ID);
        assert_eq!(received(credentials).await[AUTHORIZATION], HEADER);
    }
}

#[test]
fn unusable_parts_are_rejected() {
    let bad = ["", " ", " a", "a ", "a b", "a\n", "a\r\nx: y", "a\0", "ä"];
    let key = text("ed25519.pem");
    let line = text("rsa2048.pem").lines().nth(1).unwrap().to_owned();
    for id in bad.into_iter().chain(["a:b", ":", &key, &line]) {
        let error = BearerCredentials::new(id, TOKEN).unwrap_err();
        assert!(
            matches!(error, CredentialsError::InvalidAdminUserId),
            "{id:?}"
        );
        assert!(error.to_string().contains("klearing.kalshi.com"));
    }
    for token in bad.into_iter().chain([key.as_str()]) {
        let error = BearerCredentials::new(ID, token).unwrap_err();
        assert!(
            matches!(error, CredentialsError::InvalidAccessToken),
            "{token:?}"
        );
    }
    let from_text = |text: &str| BearerCredentials::from_text(text).unwrap_err();
    assert!(matches!(
        from_text(TOKEN.split(':').next().unwrap()),
        CredentialsError::NoColon
    ));
    assert!(matches!(
        from_text(":token"),
        CredentialsError::InvalidAdminUserId
    ));
    assert!(matches!(
        from_text("id:"),
        CredentialsError::InvalidAccessToken
    ));
    assert!(matches!(
        from_text(HEADER),
        CredentialsError::InvalidAdminUserId
    ));
}

#[test]
fn missing_variables_are_named() {
    for (variables, missing) in [
        (vec![], "X_ADMIN_USER_ID"),
        (vec![("X_ADMIN_USER_ID", ID)], "X_ACCESS_TOKEN"),
        (
            vec![("X_ADMIN_USER_ID", ""), ("X_ACCESS_TOKEN", TOKEN)],
            "X_ADMIN_USER_ID",
        ),
        (
            vec![("X_ADMIN_USER_ID", ID), ("X_ACCESS_TOKEN", "")],
            "X_ACCESS_TOKEN",
        ),
    ] {
        let message = error_chain(&lookup(&variables).unwrap_err());
        assert!(
            message.starts_with(&format!("{missing} is not set; set it")),
            "{message}"
        );
    }
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_named() {
    use std::os::unix::ffi::OsStringExt;
    for broken in ["ADMIN_USER_ID", "ACCESS_TOKEN"] {
        let error = BearerCredentials::from_lookup("", |name| {
            let bytes = if name == broken {
                vec![b'a', 0xff]
            } else {
                b"a".to_vec()
            };
            Some(OsString::from_vec(bytes))
        })
        .unwrap_err();
        assert!(matches!(error, CredentialsError::NotUtf8 { variable } if variable == broken));
    }
}

/// This test only reads the environment of the process.
#[test]
fn each_environment_has_its_own_variables() {
    for (read, variable) in [
        (
            BearerCredentials::from_env as fn() -> _,
            "KALSHI_KLEAR_ADMIN_USER_ID",
        ),
        (
            BearerCredentials::demo_from_env,
            "KALSHI_KLEAR_DEMO_ADMIN_USER_ID",
        ),
    ] {
        if std::env::var_os(variable).is_none() {
            let error = read().unwrap_err();
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }
}

/// Keeps the request instead of sending it.
struct Capture(std::sync::Arc<std::sync::Mutex<Option<Request>>>);

#[async_trait::async_trait]
impl Middleware for Capture {
    async fn handle(
        &self,
        request: Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        *self.0.lock().unwrap() = Some(request);
        Ok(http::Response::new("").into())
    }
}

#[tokio::test]
async fn header_is_sensitive_and_replaces_others() {
    let captured = std::sync::Arc::default();
    let origin = "https://demo-api.kalshi.co".parse().unwrap();
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(BearerMiddleware::new(credentials(), &origin))
        .with(Capture(std::sync::Arc::clone(&captured)))
        .build();
    let request = client.get("https://demo-api.kalshi.co/klear-api/v1/margin/reports");
    let request = request
        .header(AUTHORIZATION, "stale")
        .header(AUTHORIZATION, "staler");
    request.send().await.unwrap();
    let request = captured.lock().unwrap().take().unwrap();
    let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, [HEADER]);
    assert!(values[0].is_sensitive());
    assert!(!format!("{request:?}").contains(ID));
}

#[tokio::test]
async fn requests_to_another_origin_are_stopped() {
    let (own, other) = (server(200).await, server(200).await);
    let client = client(&own);
    let https = own.uri().replace("http://", "https://");
    let by_name = own.uri().replace("127.0.0.1", "localhost");
    for target in [
        &https,
        &by_name,
        &other.uri(),
        "http://127.0.0.1",
        "http://example.com",
    ] {
        for unsigned in [false, true] {
            let mut request = client.get(format!("{target}/klear-api/v1/margin/reports"));
            if unsigned {
                request = request.with_extension(Unsigned);
            }
            let error = request.send().await.unwrap_err();
            let SigningMiddlewareError::OtherOrigin { expected, found } = signing_error(&error)
            else {
                panic!("{error:?}")
            };
            assert_eq!((expected, found.as_str()), (&own.uri(), target));
        }
    }
    assert!(own.received_requests().await.unwrap().is_empty());
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn unsigned_requests_have_no_header() {
    let server = server(200).await;
    let request = client(&server)
        .get(url(&server, "/"))
        .header(AUTHORIZATION, "stale");
    request.with_extension(Unsigned).send().await.unwrap();
    let received = &server.received_requests().await.unwrap()[0];
    assert!(!received.headers.contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn redirect_does_not_carry_the_token_to_another_host() {
    let (own, other) = (MockServer::start().await, server(200).await);
    let redirect = ResponseTemplate::new(307).insert_header("location", other.uri());
    Mock::given(any()).respond_with(redirect).mount(&own).await;

    let response = client(&own).get(url(&own, "/")).send().await.unwrap();
    assert_eq!(response.status(), 307);
    assert!(other.received_requests().await.unwrap().is_empty());

    // A client that follows redirects loses the header on the way.
    let following = client_with(Policy::default(), &own);
    following.get(url(&own, "/")).send().await.unwrap();
    let received = &other.received_requests().await.unwrap()[0];
    assert!(!received.headers.contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn every_attempt_carries_the_header() {
    let server = server(503).await;
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(crate::middleware::SendThreeTimes)
        .with(BearerMiddleware::new(credentials(), &url(&server, "/")))
        .build();
    client.get(url(&server, "/")).send().await.unwrap();
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 3);
    assert!(
        received
            .iter()
            .all(|request| request.headers[AUTHORIZATION] == HEADER)
    );
}

#[tokio::test]
async fn token_is_not_sent_over_plaintext_to_another_machine() {
    for (host, is_sent) in [
        ("http://192.0.2.1:9", false),
        ("http://localhost.example.com:9", false),
        ("http://127.0.0.1:9", true),
        ("http://[::1]:9", true),
    ] {
        let origin = host.parse().unwrap();
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_millis(200))
            .build()
            .unwrap();
        let client = ClientBuilder::new(http)
            .with(BearerMiddleware::new(credentials(), &origin))
            .build();
        let error = client.get(origin.clone()).send().await.unwrap_err();
        let is_stopped = matches!(
            &error,
            reqwest_middleware::Error::Middleware(error)
                if matches!(error.downcast_ref(), Some(SigningMiddlewareError::Plaintext { .. }))
        );
        assert_eq!(is_stopped, !is_sent, "{host}: {error}");
    }
}

#[test]
fn password_of_an_origin_is_not_kept() {
    let origin = "https://user:hunter2@example.com/path?x=1".parse().unwrap();
    let debug = format!("{:?}", BearerMiddleware::new(credentials(), &origin));
    assert!(!debug.contains("hunter2"), "{debug}");
}
