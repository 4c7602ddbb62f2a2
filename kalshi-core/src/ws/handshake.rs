//! The signed handshake that upgrades an HTTP request to a WebSocket.

use std::time::Duration;

use reqwest::{
    StatusCode, Upgraded,
    header::{
        CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{backoff::ConnectLimit, error::ConnectionError, options::Options};
use crate::{
    api_error::ApiError,
    body,
    client::Core,
    server_time::{ClockCorrection, ServerTime},
};

/// An open WebSocket over an upgraded HTTP connection.
pub(super) type Socket = WebSocketStream<Upgraded>;

/// Timeout for reading the body of a rejection.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A failed handshake, with the clock offset for another attempt.
struct Failure {
    error: ConnectionError,
    /// Milliseconds by which this machine's clock is behind the exchange's, if that may be the cause.
    behind_ms: Option<i64>,
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        Self {
            error,
            behind_ms: None,
        }
    }
}

/// Opens a socket through the client's own HTTP stack, so that the same TLS, proxy and certificate settings apply to REST and WebSocket.
///
/// A handshake rejected for its timestamp is signed again with the exchange's time, if the rate limit allows an immediate second attempt.
pub(super) async fn connect(
    core: &Core,
    options: &Options,
    limit: &mut ConnectLimit,
) -> Result<Socket, ConnectionError> {
    let opening = async {
        limit.count(Instant::now());
        let failure = match open(core, options, 0).await {
            Ok(socket) => return Ok(socket),
            Err(failure) => failure,
        };
        let now = Instant::now();
        match failure.behind_ms {
            Some(behind_ms)
                if core.shared.correction != ClockCorrection::Off && limit.next_at(now) == now =>
            {
                limit.count(now);
                let result = open(core, options, behind_ms).await;
                result.map_err(|failure| failure.error)
            }
            _ => Err(failure.error),
        }
    };
    let longest = options.command_timeout;
    timeout(longest, opening)
        .await
        .unwrap_or(Err(ConnectionError::HandshakeTimeout(longest)))
}

async fn open(core: &Core, options: &Options, offset_ms: i64) -> Result<Socket, Failure> {
    let shared = &core.shared;
    let credentials = shared
        .socket
        .credentials
        .as_ref()
        .ok_or(ConnectionError::NoCredentials)?;
    let http = shared
        .upgrading_client()
        .map_err(|error| ConnectionError::Config(error.into()))?;
    // `ws` uses `http`, and `wss` uses `https`.
    let url = shared.socket.url.as_deref();
    let url = url.ok_or_else(|| ConnectionError::Invalid("the API has no WebSocket".to_owned()))?;
    let url = url.replacen("ws", "http", 1);
    let key = generate_key();
    let mut request = http.get(&url).build().map_err(ConnectionError::connect)?;
    let url = request.url().clone();
    let sent = shared.clock.now_ms().map_err(ConnectionError::clock)?;
    let timestamp = sent.saturating_add_signed(offset_ms);
    let signed = credentials
        .headers(timestamp, "GET", request.url().path())
        .await
        .map_err(ConnectionError::signing)?;
    let headers = request.headers_mut();
    signed.insert_into(headers);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(
        SEC_WEBSOCKET_KEY,
        HeaderValue::from_str(&key)
            .map_err(|_| ConnectionError::Handshake("the key is not a valid header"))?,
    );
    let mut response = http
        .execute(request)
        .await
        .map_err(ConnectionError::connect)?;
    let received = shared.clock.now_ms().ok();
    if *response.url() != url {
        return Err(ConnectionError::Redirected.into());
    }
    shared
        .server_time
        .learn(true, response.headers(), Some(sent), received);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (status, headers) = (response.status(), response.headers().clone());
        let reading = body::read(&mut response, body::MAX_ERROR_BODY_BYTES);
        let body = timeout(ERROR_BODY_TIMEOUT, reading).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let error = ApiError::read(status, &headers, &body, shared.exchange_time());
        let received = received.filter(|_| error.may_be_clock());
        // Reading the body took time, so `received` is no longer the current time.
        let now = received.and_then(|_| shared.clock.now_ms().ok());
        let learned = now.and_then(|now| shared.server_time.skew_to_correct(now));
        let behind_ms = match error.is_expired_timestamp() {
            // This uses the date of the rejection itself. If that is wrong, the only consequence is another 401.
            true => received
                .and_then(|received| ServerTime::date_offset(&headers, sent, received))
                .or(learned),
            false => learned,
        };
        return Err(Failure {
            error: ConnectionError::Rejected {
                error: Box::new(error),
                clock_behind_ms: behind_ms.filter(|behind_ms| *behind_ms != 0),
            },
            behind_ms,
        });
    }
    check(response.headers(), &key)?;
    let upgraded = response.upgrade().await.map_err(ConnectionError::connect)?;
    let max = Some(options.max_message_bytes);
    let limits = WebSocketConfig::default()
        .max_message_size(max)
        .max_frame_size(max);
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(limits)).await)
}

/// Checks that a response accepts the handshake with this key (RFC 6455, section 4.1).
fn check(headers: &HeaderMap, key: &str) -> Result<(), ConnectionError> {
    let has_token = |name, token: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    if !has_token(UPGRADE, "websocket") || !has_token(CONNECTION, "upgrade") {
        return Err(ConnectionError::Handshake(
            "it switched to another protocol",
        ));
    }
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    match accept
        .is_some_and(|accept| accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes())
    {
        true => Ok(()),
        false => Err(ConnectionError::Handshake(
            "its `Sec-WebSocket-Accept` does not match the key",
        )),
    }
}
