//! Reconnecting: which failures are retried, how often, and which handshakes are valid.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    common::{self, SkewedClock, exchange::Reply},
    scripted_server::{Exchange, Peer, credentials},
};
use kalshi_sdk::{
    Client, Credentials, Environment, PrivateKey,
    auth::{FixedClock, Signature, Signer, SignerError},
    ws::{Connection, ConnectionError, Event, ReconnectPolicy},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep},
};

/// Returns a policy without jitter.
pub(crate) fn exact(first: Duration) -> ReconnectPolicy {
    ReconnectPolicy::default()
        .with_initial_backoff(first)
        .with_jitter(0.0)
}

/// Connects without subscriptions. Returns the connection and its server side.
pub(crate) async fn connected(exchange: &Exchange, policy: ReconnectPolicy) -> (Connection, Peer) {
    let connecting = exchange.client.websocket().reconnect(policy).connect();
    let (connection, peer) = tokio::join!(connecting, exchange.accept());
    let mut connection = connection.unwrap();
    assert!(matches!(event(&mut connection).await, Event::Connected));
    (connection, peer)
}

pub(crate) async fn event(connection: &mut Connection) -> Event {
    connection.next().await.unwrap().unwrap()
}

/// Returns the cause of the next event, which must be a disconnection.
pub(crate) async fn failure(connection: &mut Connection) -> Arc<ConnectionError> {
    match event(connection).await {
        Event::Disconnected { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// Reads the next handshake and sends a raw response. Returns the request.
async fn respond(exchange: &Exchange, response: &str) -> String {
    let mut tcp = exchange.accept_tcp().await;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        tcp.read_buf(&mut request).await.unwrap();
    }
    tcp.write_all(response.as_bytes()).await.unwrap();
    tcp.shutdown().await.unwrap();
    String::from_utf8(request).unwrap()
}

fn response(status: &str, date: Option<&str>, body: &str) -> String {
    let date = date.map_or_else(String::new, |date| format!("date: {date}\r\n"));
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{date}content-length: {length}\r\n\r\n{body}")
}

const EXPIRED: &str = r#"{"error":{"code":"header_timestamp_expired"}}"#;
const UNKNOWN_KEY: &str = r#"{"error":{"code":"authentication_error","details":"NOT_FOUND"}}"#;

#[tokio::test(start_paused = true)]
async fn every_close_code_is_retried() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange, ReconnectPolicy::default()).await;
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 3000, 4000, 4999,
    ] {
        peer.close(code).await;
        match &*failure(&mut connection).await {
            ConnectionError::Closed {
                code: closed,
                reason,
            } => assert_eq!((*closed, reason.as_str()), (Some(code), "because")),
            other => panic!("{other:?}"),
        }
        peer = exchange.accept().await;
        assert!(matches!(event(&mut connection).await, Event::Connected));
    }
}

#[tokio::test]
async fn invalid_close_code_is_reported_as_unknown() {
    let exchange = Exchange::new().await;
    let (mut connection, peer) = connected(&exchange, ReconnectPolicy::default()).await;
    // A close frame must not have code 1006.
    let mut tcp = peer.into_tcp();
    tcp.write_all(&[0x88, 2, 0x03, 0xee]).await.unwrap();
    let reason = failure(&mut connection).await;
    assert!(
        matches!(&*reason, ConnectionError::Closed { code: None, .. }),
        "{reason:?}"
    );
    assert!(reason.to_string().contains("unknown code"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn every_rejected_handshake_is_retried_and_reported() {
    let exchange = Exchange::new().await;
    let (mut connection, peer) = connected(&exchange, ReconnectPolicy::default()).await;
    drop(peer);
    failure(&mut connection).await;
    for (status, body) in [
        ("401 Unauthorized", UNKNOWN_KEY),
        ("403 Forbidden", "<html>blocked at the edge</html>"),
        ("404 Not Found", ""),
        ("400 Bad Request", r#"{"code":"bad_request"}"#),
        ("409 Conflict", r#"{"code":"exchange_is_paused"}"#),
        ("200 OK", "<html>Scheduled maintenance</html>"),
        ("302 Found", ""),
        ("503 Service Unavailable", ""),
    ] {
        respond(&exchange, &response(status, None, body)).await;
        match &*failure(&mut connection).await {
            ConnectionError::Rejected { error, .. } => {
                assert_eq!(error.status().as_str(), &status[..3]);
            }
            other => panic!("{other:?}"),
        }
    }
    // To another protocol, and with the key of another handshake.
    for upgrade in [
        "h2c",
        "websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] {
        let mut tcp = exchange.accept_tcp().await;
        let mut request = [0; 4_096];
        _ = tcp.read(&mut request).await.unwrap();
        let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade";
        let response = format!("{switching}\r\nupgrade: {upgrade}\r\n\r\n");
        tcp.write_all(response.as_bytes()).await.unwrap();
        let reason = failure(&mut connection).await;
        assert!(
            matches!(&*reason, ConnectionError::Handshake(_)),
            "{reason:?}"
        );
    }
    let _peer = exchange.accept().await;
    assert!(matches!(event(&mut connection).await, Event::Connected));
}

#[tokio::test]
async fn expired_timestamp_is_corrected_by_date_of_the_response() {
    let date = |ms: u64| httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_millis(ms));
    // Responses that confirm that the clock is right.
    for confirmations in [0, 3] {
        let clock = Arc::new(FixedClock(1_700_000_000_000));
        let exchange = Exchange::with(|builder| builder.clock(clock)).await;
        for _ in 0..confirmations {
            let unavailable = response("503 No", Some(&date(1_700_000_000_000)), "");
            let connecting = exchange.client.websocket().connect();
            let (result, _) = tokio::join!(connecting, respond(&exchange, &unavailable));
            result.unwrap_err();
        }
        let expired = response("401 No", Some(&date(1_700_000_060_000)), EXPIRED);
        let (result, peer) = tokio::join!(exchange.client.websocket().connect(), async {
            let first = respond(&exchange, &expired).await;
            let signed = "kalshi-access-timestamp: 1700000000000\r\n";
            assert!(first.contains(signed), "{first}");
            exchange.accept().await
        });
        let _connection = result.unwrap();
        let signed = peer.headers["kalshi-access-timestamp"].to_str().unwrap();
        let signed: u64 = signed.parse().unwrap();
        assert!(
            (1_700_000_059_000..=1_700_000_061_000).contains(&signed),
            "{signed}"
        );
    }
}

/// The body takes longer than the clock would have to be set for the measured skew to be invalid.
#[tokio::test]
async fn clock_is_blamed_for_a_401_with_a_slow_body() {
    let slow = Reply::Slow(Duration::from_millis(350), 401, b"<html>".to_vec());
    let exchange = common::exchange::Exchange::start(move |_| slow.clone()).await;
    let client = Client::builder()
        .environment(exchange.environment())
        .credentials(credentials().0)
        .clock(Arc::new(SkewedClock(chrono::TimeDelta::seconds(-30))))
        .build()
        .unwrap();
    match client.websocket().connect().await.unwrap_err() {
        ConnectionError::Rejected {
            clock_behind_ms: Some(behind_ms),
            ..
        } => assert!((behind_ms - 30_000).abs() < 1_000, "{behind_ms}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn clock_is_not_blamed_for_a_401_with_another_reason() {
    let exchange = Exchange::new().await;
    // The exchange's clock is ahead by more than it tolerates.
    let ahead = std::time::SystemTime::now() + Duration::from_secs(30);
    let unknown_key = response("401 No", Some(&httpdate::fmt_http_date(ahead)), UNKNOWN_KEY);
    let second = async {
        respond(&exchange, &unknown_key).await;
        exchange.accept_tcp().await
    };
    let result = tokio::select! {
        result = exchange.client.websocket().connect() => result,
        _ = second => panic!("a second handshake"),
    };
    match result.unwrap_err() {
        ConnectionError::Rejected {
            clock_behind_ms, ..
        } => assert_eq!(clock_behind_ms, None),
        other => panic!("{other:?}"),
    }
}

/// A remote signer that can fail once.
struct Throttled {
    key: PrivateKey,
    fails: Arc<AtomicBool>,
}

impl Signer for Throttled {
    async fn sign(&self, text: &[u8]) -> Result<Signature, SignerError> {
        match self.fails.swap(false, Ordering::Relaxed) {
            true => Err(SignerError::signer("throttled")),
            false => self.key.sign(text),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failed_signer_is_retried() {
    let fails = Arc::new(AtomicBool::new(false));
    let signer = Throttled {
        key: PrivateKey::generate_ed25519().unwrap(),
        fails: fails.clone(),
    };
    let credentials = Credentials::with_signer("key-1", signer).unwrap();
    let exchange = Exchange::with(|builder| builder.credentials(credentials)).await;
    let (mut connection, peer) = connected(&exchange, ReconnectPolicy::default()).await;
    fails.store(true, Ordering::Relaxed);
    drop(peer);
    failure(&mut connection).await;
    let reason = failure(&mut connection).await;
    assert!(
        matches!(&*reason, ConnectionError::Signing(_)),
        "{reason:?}"
    );
    let _peer = exchange.accept().await;
    assert!(matches!(event(&mut connection).await, Event::Connected));
}

#[tokio::test(start_paused = true)]
async fn working_connection_is_replaced_without_long_pause() {
    let exchange = Exchange::new().await;
    let second = Duration::from_secs(1);
    let (mut connection, mut peer) = connected(&exchange, exact(second)).await;
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = connection.next().await {} });
    // The connection is lost every four seconds, after one ping.
    for _ in 0..12 {
        peer.ping().await;
        sleep(4 * second).await;
        drop(peer);
        let lost = Instant::now();
        peer = exchange.accept().await;
        let pause = lost.elapsed();
        assert!(pause <= second + second / 10, "{pause:?}");
    }
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn connection_without_messages_does_not_reset_backoff() {
    let exchange = Exchange::new().await;
    let (mut connection, peer) = connected(&exchange, exact(Duration::from_secs(1))).await;
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = connection.next().await {} });
    drop(peer);
    let mut pauses = VecDeque::new();
    for _ in 0..8 {
        let lost = Instant::now();
        drop(exchange.accept().await);
        pauses.push_back(lost.elapsed().as_secs_f64().round());
    }
    assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn connects_are_limited_to_twenty_a_minute() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange, exact(Duration::ZERO)).await;
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = connection.next().await {} });
    let mut connects = vec![Instant::now()];
    for _ in 0..60 {
        peer.ping().await;
        peer.close(1001).await;
        drop(peer);
        peer = exchange.accept().await;
        connects.push(Instant::now());
    }
    for window in connects.windows(21) {
        let took = window[20] - window[0];
        assert!(took >= Duration::from_secs(59), "{took:?}");
    }
    // It is not slower than the limit either.
    let all = connects[60] - connects[0];
    assert!(all <= Duration::from_secs(190), "{all:?}");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn connection_ends_with_last_error_after_max_elapsed() {
    let exchange = Exchange::new().await;
    let policy = ReconnectPolicy::default().with_max_elapsed(Some(Duration::from_secs(30)));
    let (mut connection, peer) = connected(&exchange, policy).await;
    drop(peer);
    let lost = Instant::now();
    failure(&mut connection).await;
    respond(&exchange, &response("503 No", None, "")).await;
    failure(&mut connection).await;
    // Nothing accepts connections from here on.
    let error = loop {
        match connection.next().await.unwrap() {
            Ok(Event::Disconnected { .. }) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            error,
            ConnectionError::Rejected { .. } | ConnectionError::HandshakeTimeout(_)
        ),
        "{error:?}"
    );
    let took = lost.elapsed().as_secs_f64();
    assert!((29.9..30.5).contains(&took), "{took}");
    assert!(connection.next().await.is_none());
    let error = connection.handle().list_subscriptions().await;
    assert!(matches!(error, Err(ConnectionError::Ended)), "{error:?}");
}

#[tokio::test]
async fn policy_never_ends_at_first_disconnection() {
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange, ReconnectPolicy::never()).await;
    peer.close(1001).await;
    failure(&mut connection).await;
    let error = connection.next().await.unwrap().unwrap_err();
    assert!(
        matches!(
            &error,
            ConnectionError::Closed {
                code: Some(1001),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(connection.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn first_connection_is_retried_if_enabled() {
    let exchange = Exchange::new().await;
    let unavailable = response("503 No", None, "");
    let connecting = exchange.client.websocket().connect();
    let (result, _) = tokio::join!(connecting, respond(&exchange, &unavailable));
    assert!(matches!(result, Err(ConnectionError::Rejected { .. })));

    let policy = ReconnectPolicy::default().with_retry_first(true);
    let connecting = exchange.client.websocket().reconnect(policy).connect();
    let (result, _peer) = tokio::join!(connecting, async {
        for _ in 0..3 {
            respond(&exchange, &unavailable).await;
        }
        exchange.accept().await
    });
    let _connection = result.unwrap();
    // An unknown key is not retried.
    let unknown_key = response("401 No", None, UNKNOWN_KEY);
    let connecting = exchange.client.websocket().reconnect(policy).connect();
    let (result, _) = tokio::join!(connecting, respond(&exchange, &unknown_key));
    assert!(result.unwrap_err().is_auth());

    let began = Instant::now();
    let policy = policy.with_max_elapsed(Some(Duration::from_secs(5)));
    let connecting = exchange.client.websocket().reconnect(policy).connect();
    let (result, _) = tokio::join!(connecting, respond(&exchange, &unavailable));
    result.unwrap_err();
    let took = began.elapsed().as_secs_f64();
    assert!((4.9..5.5).contains(&took), "{took}");
}

#[tokio::test]
async fn redirected_handshake_is_rejected() {
    let following = reqwest::Client::new();
    let exchange = Exchange::with(|builder| builder.http_client(following)).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = elsewhere.local_addr().unwrap();
    let found = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{address}/trade-api/ws/v2\r\ncontent-length: 0\r\n\r\n"
    );
    let serving = tokio::spawn(async move {
        let (tcp, _) = elsewhere.accept().await.unwrap();
        tokio_tungstenite::accept_async(tcp).await
    });
    let connecting = exchange.client.websocket().connect();
    let (result, _) = tokio::join!(connecting, respond(&exchange, &found));
    let error = result.unwrap_err();
    assert!(matches!(error, ConnectionError::Redirected), "{error:?}");
    serving.await.unwrap().unwrap();
    // The default HTTP client does not follow redirects.
    let exchange = Exchange::new().await;
    let connecting = exchange.client.websocket().connect();
    let (result, _) = tokio::join!(connecting, respond(&exchange, &found));
    match result.unwrap_err() {
        ConnectionError::Rejected { error, .. } => assert_eq!(error.status().as_u16(), 302),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plaintext_bypasses_proxy_of_the_environment() {
    const CHILD_VARIABLE: &str = "KALSHI_TEST_PROXIED";
    if std::env::var_os(CHILD_VARIABLE).is_none() {
        let name = "reconnect::plaintext_bypasses_proxy_of_the_environment";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD_VARIABLE, "1")
            // An address without a listener.
            .env("http_proxy", "http://127.0.0.1:9")
            .env("all_proxy", "http://127.0.0.1:9")
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (credentials, _) = credentials();
    // The REST URL uses TLS, so it may go through a proxy.
    let environment = Environment::custom(
        "https://example.com/trade-api/v2",
        &format!("ws://{address}/trade-api/ws/v2"),
    );
    let client = Client::builder()
        .environment(environment.unwrap())
        .credentials(credentials)
        .build()
        .unwrap();
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(tcp).await
    });
    let _connection = client.websocket().connect().await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn failures_are_logged_at_warn() {
    use tracing_subscriber::{Layer, layer::SubscriberExt};

    // The subscriber is per thread, but its interest in an event is cached for the whole process.
    if !crate::common::is_alone("reconnect::failures_are_logged_at_warn") {
        return;
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<(tracing::Level, String)>>>);

    impl<S: tracing::Subscriber> Layer<S> for Log {
        fn on_event(
            &self,
            event: &tracing::Event<'_>,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            struct Text(String);
            impl tracing::field::Visit for Text {
                fn record_debug(
                    &mut self,
                    field: &tracing::field::Field,
                    value: &dyn std::fmt::Debug,
                ) {
                    self.0.push_str(&format!("{}={value:?};", field.name()));
                }
            }
            if event.metadata().target().starts_with("kalshi_core") {
                let mut text = Text(String::new());
                event.record(&mut text);
                let entry = (*event.metadata().level(), text.0);
                self.0.lock().unwrap().push(entry);
            }
        }
    }

    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber);
    let exchange = Exchange::new().await;
    let (mut connection, mut peer) = connected(&exchange, exact(Duration::ZERO)).await;
    peer.close(1001).await;
    failure(&mut connection).await;
    respond(&exchange, &response("503 No", None, "")).await;
    failure(&mut connection).await;
    let log = log.0.lock().unwrap();
    let warned = |message: &str, cause: &str| {
        log.iter().any(|(level, text)| {
            *level == tracing::Level::WARN && text.contains(message) && text.contains(cause)
        })
    };
    assert!(warned("connection lost", "1001"), "{log:?}");
    assert!(warned("connection attempt failed", "503"), "{log:?}");
    let all = format!("{log:?}");
    assert!(
        !all.contains("key-1") && !all.contains("127.0.0.1"),
        "{all}"
    );
}
