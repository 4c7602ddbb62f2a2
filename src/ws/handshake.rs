//! The signed handshake that turns a request into a socket.

use std::time::Duration;

use reqwest::{
    StatusCode, Upgraded,
    header::{
        CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::Role,
    },
};

use super::StreamError;
use crate::{ApiError, Client, ClockCorrection};

/// A socket that is open.
pub(super) type Socket = WebSocketStream<Upgraded>;

/// How much of a refusal is read.
const MOST_OF_A_REFUSAL: Duration = Duration::from_secs(2);

/// Opens a socket: by the client's own HTTP, so that TLS, proxies and certificates are the same for both.
pub(super) async fn connect(client: &Client, longest: Duration) -> Result<Socket, StreamError> {
    let opening = async {
        match open(client, 0).await {
            // A clock that is off is known from the answer.
            Err(error) if error.is_auth() => {
                let behind = client.transport.server_time.behind_that_matters();
                let corrects = client.transport.correction != ClockCorrection::Off;
                match behind {
                    Some(behind) if corrects => open(client, behind).await,
                    _ => Err(error),
                }
            }
            result => result,
        }
    };
    timeout(longest, opening)
        .await
        .unwrap_or(Err(StreamError::Timeout(longest)))
}

async fn open(client: &Client, offset_ms: i64) -> Result<Socket, StreamError> {
    let transport = &client.transport;
    let credentials = transport
        .credentials
        .as_ref()
        .ok_or(StreamError::NoCredentials)?;
    let http = transport
        .upgrading_client()
        .map_err(|error| StreamError::Config(error.into()))?;
    // `ws` is spoken over `http`, `wss` over `https`.
    let url = client
        .environment()
        .websocket_url()
        .replacen("ws", "http", 1);
    let key = generate_key();
    let mut request = http.get(&url).build().map_err(StreamError::connect)?;
    let sent = transport.clock.now_ms().map_err(StreamError::clock)?;
    let stamp = sent.saturating_add_signed(offset_ms);
    let signed = credentials
        .headers(stamp, "GET", request.url().path())
        .await
        .map_err(StreamError::signing)?;
    let headers = request.headers_mut();
    signed.insert_into(headers);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(
        SEC_WEBSOCKET_KEY,
        HeaderValue::from_str(&key).map_err(|_| StreamError::Handshake("the key is no header"))?,
    );
    let response = http.execute(request).await.map_err(StreamError::connect)?;
    let received = transport.clock.now_ms().ok();
    transport
        .server_time
        .learn(response.headers(), Some(sent), received);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = timeout(MOST_OF_A_REFUSAL, response.bytes()).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        return Err(StreamError::Refused {
            error: Box::new(ApiError::read(status, &headers, &body)),
            clock_behind_ms: match status {
                StatusCode::UNAUTHORIZED => transport.server_time.behind_that_matters(),
                _ => None,
            },
        });
    }
    check(response.headers(), &key)?;
    let upgraded = response.upgrade().await.map_err(StreamError::connect)?;
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await)
}

/// Whether an answer takes up the handshake of that key (RFC 6455, section 4.1).
fn check(headers: &HeaderMap, key: &str) -> Result<(), StreamError> {
    let says = |name, token: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    if !says(UPGRADE, "websocket") || !says(CONNECTION, "upgrade") {
        return Err(StreamError::Handshake("it switches to something else"));
    }
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    match accept
        .is_some_and(|accept| accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes())
    {
        true => Ok(()),
        false => Err(StreamError::Handshake("it accepts another key")),
    }
}
