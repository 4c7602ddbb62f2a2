//! The signing middleware against a local server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Extensions;
use kalshi_auth::{
    ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, Clock, ClockError, ClockOffset, Credentials,
    FixedClock, Signature, Signer, SignerError, SigningMiddleware, SigningMiddlewareError,
    Unsigned, Verifier,
};
use reqwest::{Method, Request, Response, Url};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::common::{KEY_ID, error_chain, private, public};

const NOW: u64 = 1_700_000_000_000;

pub(crate) async fn server(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status))
        .mount(&server)
        .await;
    server
}

fn signing(server: &MockServer) -> SigningMiddleware {
    let credentials = Credentials::new(KEY_ID, private("ed25519.pem")).unwrap();
    SigningMiddleware::new(credentials, &url(server, "/")).with_clock(Arc::new(FixedClock(NOW)))
}

fn client(middleware: SigningMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(plain_client()).with(middleware).build()
}

fn plain_client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) fn url(server: &MockServer, path: &str) -> Url {
    format!("{}{path}", server.uri()).parse().unwrap()
}

fn verifier() -> Verifier {
    Verifier::new(KEY_ID, public("ed25519.pub.pem"))
}

/// Returns the path and query of a received request.
fn target(request: &wiremock::Request) -> &str {
    &request.url[url::Position::BeforePath..]
}

pub(crate) fn signing_error(error: &reqwest_middleware::Error) -> &SigningMiddlewareError {
    match error {
        reqwest_middleware::Error::Middleware(error) => {
            error.downcast_ref().expect("a SigningMiddlewareError")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn signed_requests_verify_with_the_path_as_sent() {
    let server = server(200).await;
    let client = client(signing(&server));
    let paths = [
        "/trade-api/v2/portfolio/balance",
        "/trade-api/v2/markets?limit=5&cursor=a%2Fb",
        "/trade-api/v2/markets/KXBTCD-26MAY3017-T73499.99",
        "/trade-api/v2/series/a%20b%2Fc%3F/%E2%82%AC?status=open",
        "/trade-api/v2/odd/?",
        "/",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            client
                .request(method, url(&server, path))
                .send()
                .await
                .unwrap();
        }
    }
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 4 * paths.len());
    for (request, path) in received.iter().zip(paths.iter().flat_map(|path| [path; 4])) {
        assert_eq!(&target(request), path);
        let verified = verifier().verify(
            &request.headers,
            request.method.as_str(),
            target(request),
            NOW,
        );
        assert_eq!(verified, Ok(()), "{path}");
        assert_eq!(request.headers[ACCESS_TIMESTAMP], NOW.to_string());
    }
}

#[tokio::test]
async fn existing_headers_are_replaced() {
    let server = server(200).await;
    let mut request = client(signing(&server)).get(url(&server, "/trade-api/v2/markets"));
    for name in [ACCESS_KEY, ACCESS_TIMESTAMP, ACCESS_SIGNATURE] {
        request = request.header(name.clone(), "stale").header(name, "staler");
    }
    request.send().await.unwrap();
    let received = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        verifier().verify(&received.headers, "GET", "/trade-api/v2/markets", NOW),
        Ok(())
    );
}

#[tokio::test]
async fn requests_to_another_origin_are_stopped() {
    let (own, other) = (server(200).await, server(200).await);
    let client = client(signing(&own));
    let https = own.uri().replace("http://", "https://");
    let by_name = own.uri().replace("127.0.0.1", "localhost");
    let other_uri = other.uri();
    for target in [
        &https,
        &by_name,
        &other_uri,
        "http://127.0.0.1/",
        "http://example.com/",
    ] {
        for unsigned in [false, true] {
            let request = client.get(
                target
                    .parse::<Url>()
                    .unwrap()
                    .join("/trade-api/v2/markets")
                    .unwrap(),
            );
            let request = if unsigned {
                request.with_extension(Unsigned)
            } else {
                request
            };
            let error = request.send().await.unwrap_err();
            let SigningMiddlewareError::OtherOrigin { expected, found } = signing_error(&error)
            else {
                panic!("{error:?}")
            };
            assert_eq!(*expected, own.uri());
            assert!(target.starts_with(found.as_str()), "{found}");
            let message = error.to_string();
            assert!(
                message.contains(expected) && message.contains("one client for each host"),
                "{message}"
            );
        }
    }
    assert!(own.received_requests().await.unwrap().is_empty());
    assert!(other.received_requests().await.unwrap().is_empty());
}

/// The signature covers neither the query nor the body.
#[tokio::test]
async fn signed_request_is_not_sent_over_plaintext_to_another_machine() {
    let origin: Url = "http://192.0.2.1:9".parse().unwrap();
    let credentials = Credentials::new(KEY_ID, private("ed25519.pem")).unwrap();
    let client = client(SigningMiddleware::new(credentials, &origin));
    let error = client.get(origin).send().await.unwrap_err();
    let error = signing_error(&error);
    assert!(
        matches!(error, SigningMiddlewareError::Plaintext { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn secrets_in_a_stopped_url_are_not_shown() {
    let own = server(200).await;
    let request = client(signing(&own)).get("http://user:hunter2@example.com/path?token=hunter3");
    let error = request.send().await.unwrap_err();
    let output = format!("{error} {error:?} {:?}", signing_error(&error));
    assert!(!output.contains("hunter"), "{output}");
}

#[tokio::test]
async fn unsigned_requests_pass_without_headers() {
    let server = server(200).await;
    let client = client(signing(&server));
    let request = client
        .get(url(&server, "/trade-api/v2/markets"))
        .header(ACCESS_KEY, "stale");
    request.with_extension(Unsigned).send().await.unwrap();
    let received = &server.received_requests().await.unwrap()[0];
    for name in [ACCESS_KEY, ACCESS_TIMESTAMP, ACCESS_SIGNATURE] {
        assert!(!received.headers.contains_key(name));
    }
}

#[tokio::test]
async fn clock_offset_shifts_timestamp_of_one_request() {
    let server = server(200).await;
    let client = client(signing(&server));
    for offset in [30_000, -30_000, i64::MIN, 0] {
        let request = client.get(url(&server, "/trade-api/v2/markets"));
        request
            .with_extension(ClockOffset(offset))
            .send()
            .await
            .unwrap();
        let received = server.received_requests().await.unwrap().pop().unwrap();
        let timestamp = received.headers[ACCESS_TIMESTAMP].to_str().unwrap();
        assert_eq!(timestamp, NOW.saturating_add_signed(offset).to_string());
    }
}

/// A clock that advances by one second at each reading.
#[derive(Debug, Default)]
struct TickingClock(AtomicU64);

impl Clock for TickingClock {
    fn now_ms(&self) -> Result<u64, ClockError> {
        Ok(NOW + 1000 * self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// Sends every request three times.
pub(crate) struct SendThreeTimes;

#[async_trait::async_trait]
impl Middleware for SendThreeTimes {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        for _ in 0..2 {
            next.clone()
                .run(request.try_clone().unwrap(), extensions)
                .await?;
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn every_attempt_has_its_own_signature() {
    let server = server(503).await;
    let signing = signing(&server).with_clock(Arc::new(TickingClock::default()));
    let client = ClientBuilder::new(plain_client())
        .with(SendThreeTimes)
        .with(signing)
        .build();
    client
        .get(url(&server, "/trade-api/v2/portfolio/balance"))
        .send()
        .await
        .unwrap();
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 3);
    for (attempt, request) in (0..).zip(&received) {
        let timestamp = NOW + 1000 * attempt;
        assert_eq!(request.headers[ACCESS_TIMESTAMP], timestamp.to_string());
        let strict = verifier().with_tolerance(std::time::Duration::ZERO);
        assert_eq!(
            strict.verify(&request.headers, "GET", target(request), timestamp),
            Ok(())
        );
    }
}

#[derive(Debug)]
struct Broken;

impl Clock for Broken {
    fn now_ms(&self) -> Result<u64, ClockError> {
        Err(ClockError::Other("no time server responded".into()))
    }
}

impl Signer for Broken {
    async fn sign(&self, _text: &[u8]) -> Result<Signature, SignerError> {
        Err(SignerError::signer("the module is locked"))
    }
}

#[tokio::test]
async fn failed_clock_or_signer_stops_the_request() {
    let server = server(200).await;
    let origin = url(&server, "/");
    let broken_signer =
        SigningMiddleware::new(Credentials::with_signer(KEY_ID, Broken).unwrap(), &origin);
    for (middleware, source) in [
        (
            signing(&server).with_clock(Arc::new(Broken)),
            "no time server responded",
        ),
        (broken_signer, "the module is locked"),
    ] {
        let error = client(middleware)
            .get(url(&server, "/trade-api/v2/markets"))
            .send()
            .await
            .unwrap_err();
        assert!(
            error_chain(signing_error(&error)).ends_with(source),
            "{error:?}"
        );
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn clock_before_1970_error_suggests_a_fix() {
    use std::time::{Duration, UNIX_EPOCH};

    let before = UNIX_EPOCH - Duration::from_secs(1);
    let error = ClockError::BeforeUnixEpoch(before.duration_since(UNIX_EPOCH).unwrap_err());
    let message = error_chain(&error);
    assert!(
        message.contains("before 1970; set it, best with a time service"),
        "{message}"
    );
}

#[tokio::test]
async fn system_clock_is_the_default() {
    let server = server(200).await;
    let credentials = Credentials::new(KEY_ID, private("ed25519.pem")).unwrap();
    let before = kalshi_auth::SystemClock.now_ms().unwrap();
    let client = client(SigningMiddleware::new(
        credentials,
        &url(&server, "/trade-api/v2/"),
    ));
    client
        .get(url(&server, "/trade-api/v2/markets"))
        .send()
        .await
        .unwrap();
    let after = kalshi_auth::SystemClock.now_ms().unwrap();
    let received = &server.received_requests().await.unwrap()[0];
    let timestamp: u64 = received.headers[ACCESS_TIMESTAMP]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((before..=after).contains(&timestamp));
    let exact = verifier().verify(&received.headers, "GET", target(received), timestamp);
    assert_eq!(exact, Ok(()));
}
