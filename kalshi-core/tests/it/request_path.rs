//! Tests of the request path with the rate limiter and the clock. A middleware simulates the exchange, so that time can be paused, except
//! where the client must see a response from the network.

use std::{
    io::{Read, Write},
    marker::PhantomData,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use kalshi_core::{
    Api, ApiClient, ApiCredentials, ClientBuilder, Core, Credentials, Environment, Error,
    Operation, PrivateKey, RetryPolicy,
    auth::{BearerCredentials, FixedClock},
    limits::DEFAULT_SLACK,
    operation::Bucket,
    reqwest::{Method, Request, Response},
    reqwest_middleware::{self, Middleware, Next},
    rt,
};
use tokio::time::{Instant, sleep};

static OPERATIONS: [Operation; 3] = [
    Operation::new("GetFunds", Method::GET, "/funds", "", Bucket::Balance),
    Operation::new("GetThing", Method::GET, "/thing", "", Bucket::Read),
    Operation::new("GetStatus", Method::GET, "/status", "", Bucket::Read).public(),
];
static FUNDS: &Operation = &OPERATIONS[0];
static THING: &Operation = &OPERATIONS[1];
static STATUS: &Operation = &OPERATIONS[2];

/// An API with the given type of credentials.
struct TestApi<C>(PhantomData<C>);

impl<C: ApiCredentials> Api for TestApi<C> {
    type Client = Client;
    type Environment = Local;
    type Credentials = C;
}

#[derive(Clone)]
struct Client(Core);

impl ApiClient for Client {
    type Environment = Local;
    const USER_AGENT: &'static str = "test";
    const OPERATIONS: &'static [Operation] = &OPERATIONS;

    fn from_core(core: Core, _: Local) -> Self {
        Self(core)
    }

    fn core(&self) -> &Core {
        &self.0
    }

    fn with_core(&self, core: Core) -> Self {
        Self(core)
    }
}

/// The base URL of a local server.
#[derive(Clone, Debug)]
struct Local(String);

impl Default for Local {
    fn default() -> Self {
        Self("http://127.0.0.1:1".to_owned())
    }
}

impl Environment for Local {
    fn rest_url(&self) -> &str {
        &self.0
    }

    fn websocket_url(&self) -> Option<&str> {
        None
    }
}

/// A middleware that simulates the exchange: each request takes `delay` and gets this response, or fails.
#[derive(Clone)]
struct Exchange {
    delay: Duration,
    status: Option<u16>,
    /// The `Date` of responses.
    date: SystemTime,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Exchange {
    fn new(delay_ms: u64, status: Option<u16>) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            status,
            date: SystemTime::UNIX_EPOCH,
            arrivals: Arc::default(),
        }
    }

    fn client(&self, clock_ms: u64) -> Core {
        let key = PrivateKey::generate_ed25519().unwrap();
        self.builder(Credentials::new("key", key).unwrap())
            .clock(Arc::new(FixedClock(clock_ms)))
            .build()
            .unwrap()
            .0
    }

    fn builder<C: ApiCredentials>(&self, credentials: C) -> ClientBuilder<TestApi<C>> {
        ClientBuilder::default()
            .credentials(credentials)
            .retry(RetryPolicy::none())
            .middleware(self.clone())
    }

    /// Returns the milliseconds between arrivals.
    fn gaps(&self) -> Vec<u128> {
        let arrivals = self.arrivals.lock().unwrap();
        arrivals
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_millis())
            .collect()
    }
}

/// Starts a server that accepts one connection for each status and sends a response with it. It runs in a thread, because this package
/// does not depend on the sockets of tokio.
fn serve(date: SystemTime, body: &'static str, statuses: Vec<u16>) -> Local {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (date, length) = (httpdate::fmt_http_date(date), body.len());
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let response = format!(
                "HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(response.as_bytes()).unwrap();
        }
    });
    Local(url)
}

#[async_trait::async_trait]
impl Middleware for Exchange {
    async fn handle(
        &self,
        _: Request,
        _: &mut http::Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.arrivals.lock().unwrap().push(Instant::now());
        sleep(self.delay).await;
        let Some(status) = self.status else {
            let lost = std::io::Error::other("the connection broke");
            return Err(reqwest_middleware::Error::middleware(lost));
        };
        let response = http::Response::builder()
            .status(status)
            .header("date", httpdate::fmt_http_date(self.date))
            .body("{}");
        Ok(response.unwrap().into())
    }
}

async fn send(core: &Core, operation: &'static Operation) -> Result<(), Error> {
    let request = rt::request(core, operation, format_args!("{}", operation.path));
    let request = rt::finish_request(operation, request);
    rt::send::<serde_json::Value>(core, operation, request)
        .await
        .map(drop)
}

#[tokio::test(start_paused = true)]
async fn balance_requests_are_paced_by_responses() {
    let exchange = Exchange::new(300, Some(200));
    let client = exchange.client(0);
    for _ in 0..4 {
        send(&client, FUNDS).await.unwrap();
    }
    for gap in exchange.gaps() {
        assert!((1_300..=1_303).contains(&gap), "{gap} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_request_frees_the_bucket_of_one_request() {
    // A delay longer than the slack, and one shorter.
    for (delay, least) in [(300, 1_300), (10, 1_050)] {
        let exchange = Exchange::new(delay, None);
        let client = exchange.client(0);
        for _ in 0..3 {
            send(&client, FUNDS).await.unwrap_err();
        }
        for gap in exchange.gaps() {
            assert!((least..=least + 3).contains(&gap), "{gap} ms");
        }
    }
    // Dropped halfway, after 100 ms.
    let exchange = Exchange::new(300, Some(200));
    let client = exchange.client(0);
    let request = send(&client, FUNDS);
    let dropped = tokio::time::timeout(Duration::from_millis(100), request).await;
    assert!(dropped.is_err());
    send(&client, FUNDS).await.unwrap();
    let [gap] = exchange.gaps()[..] else {
        panic!("{:?}", exchange.gaps())
    };
    assert!((1_100..=1_103).contains(&gap), "{gap} ms");
}

#[tokio::test(start_paused = true)]
async fn rejection_with_429_widens_the_slack() {
    let exchange = Exchange::new(10, Some(429));
    let client = exchange.client(0);
    send(&client, THING).await.unwrap_err();
    let snapshot = client.rate_limiter().snapshot();
    assert_eq!((snapshot.read.rejections, snapshot.read.tokens), (1, 0));
    assert_eq!(snapshot.read.slack, DEFAULT_SLACK * 2);
    assert_eq!(snapshot.write.slack, DEFAULT_SLACK);
}

fn signed(environment: Local, clock_ms: u64) -> Core {
    let key = PrivateKey::generate_ed25519().unwrap();
    ClientBuilder::<TestApi<Credentials>>::default()
        .environment(environment)
        .credentials(Credentials::new("key", key).unwrap())
        .retry(RetryPolicy::none())
        .clock(Arc::new(FixedClock(clock_ms)))
        .build()
        .unwrap()
        .0
}

#[tokio::test]
async fn clock_is_learnt_from_signed_responses_only() {
    let now = 1_790_000_000_000;
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(now + 30_000);
    let client = signed(serve(date, "{}", vec![200; 8]), now);
    for _ in 0..5 {
        send(&client, STATUS).await.unwrap();
    }
    assert_eq!(client.clock_skew(), None);
    for _ in 0..2 {
        send(&client, THING).await.unwrap();
        assert_eq!(client.clock_skew(), None);
    }
    send(&client, THING).await.unwrap();
    let skew = client.clock_skew().unwrap().num_milliseconds();
    assert!((30_000..=31_000).contains(&skew), "{skew}");
    let moment = rt::Moment::now(&client);
    let earliest = moment.earliest_ms(&client);
    assert!((now - 200..=now).contains(&earliest), "{earliest}");
    let latest = moment.latest_ms(&client);
    assert!((now + 30_000..=now + 31_200).contains(&latest), "{latest}");
}

#[tokio::test(start_paused = true)]
async fn clock_is_not_learnt_from_responses_of_a_middleware() {
    let now = 1_790_000_000_000;
    let mut exchange = Exchange::new(10, Some(200));
    exchange.date = SystemTime::UNIX_EPOCH + Duration::from_millis(now - 3_600_000);
    let client = exchange.client(now);
    for _ in 0..5 {
        send(&client, THING).await.unwrap();
    }
    assert_eq!(client.clock_skew(), None);
}

#[tokio::test]
async fn request_with_a_bearer_token_is_not_repeated_because_of_the_clock() {
    const EXPIRED: &str = r#"{"error":{"code":"header_timestamp_expired","message":"expired"}}"#;
    let rejecting = |body| {
        let date = SystemTime::now() + Duration::from_secs(600);
        serve(date, body, vec![200, 200, 200, 401, 401])
    };
    for body in ["", "{}", EXPIRED] {
        let bearer = BearerCredentials::new("id", "token").unwrap();
        let client = ClientBuilder::<TestApi<BearerCredentials>>::default()
            .environment(rejecting(body))
            .credentials(bearer)
            .retry(RetryPolicy::none())
            .build()
            .unwrap()
            .0;
        for _ in 0..3 {
            send(&client, THING).await.ok();
        }
        assert!(client.clock_skew().is_some());
        let error = send(&client, THING).await.unwrap_err();
        assert_eq!(error.attempts(), 1, "{body}");
        assert!(error.is_auth());
        let said = error.to_string();
        assert!(said.contains("the access token may be wrong"), "{said}");
        assert!(!said.contains("clock"), "{said}");

        // Signed requests are repeated with a new signature.
        let client = signed(rejecting(body), 1_790_000_000_000);
        for _ in 0..3 {
            send(&client, THING).await.ok();
        }
        let error = send(&client, THING).await.unwrap_err();
        assert_eq!(error.attempts(), 2, "{body}");
    }
}
