//! The lifecycle of a connection: handshake, reading, writing and closing.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        ConnectInfo, FromRequestParts, Request, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    response::Response,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use http::{StatusCode, header, request::Parts};
use kalshi_sdk::operation;
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::outbox::{Outbox, Outgoing};
use crate::{
    Rejection, call::Caller, connection::Connection, pipeline, requests::ReceivedRequest,
    shared::Shared, state::Instance, sync::lock,
};

/// Time limit for the client to reply to a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time to send the close frame after a protocol violation.
const CLOSE_LINGER: Duration = Duration::from_millis(250);
/// Time limit for sending the close frame when the exchange shuts down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(250);

/// Maximum interval of pings, which the timer can represent.
const MAX_PING_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);
/// Maximum size of a command: far above a list of all markets.
const MAX_COMMAND_BYTES: usize = 1 << 20;

/// Opens a connection, or rejects the handshake.
pub(crate) async fn handshake(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    open(Instance::EventContract, shared, connection, request).await
}

/// Opens a connection to the margin exchange, or rejects the handshake.
#[cfg(feature = "perps")]
pub(crate) async fn margin_handshake(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    open(Instance::Margined, shared, connection, request).await
}

async fn open(
    instance: Instance,
    shared: Arc<Shared>,
    connection: Connection,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    if let Some(injected) = shared.hub.next_rejection() {
        let code = match injected.status {
            StatusCode::UNAUTHORIZED => "header_timestamp_expired",
            _ => "handshake_rejected",
        };
        record(&shared, &parts, injected.status);
        let rejection = Rejection::new(injected.status, code, "injected fault");
        return match injected.html {
            true => pipeline::reject_with_html(&shared, &parts, rejection),
            false => pipeline::reject(&shared, &parts, rejection),
        };
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let accepted = authenticate(&shared, &parts).and_then(|caller| {
        let upgrade =
            upgrade.map_err(|error| Rejection::bad_request("bad_request", error.to_string()))?;
        check_key(&parts)?;
        Ok((caller, upgrade))
    });
    match accepted {
        Ok((caller, upgrade)) => {
            record(&shared, &parts, StatusCode::SWITCHING_PROTOCOLS);
            let opened = OpenConnection::new(shared, instance, caller, connection);
            upgrade
                .max_message_size(MAX_COMMAND_BYTES)
                .max_frame_size(MAX_COMMAND_BYTES)
                .on_upgrade(|socket| run(socket, opened))
        }
        Err(rejection) => {
            record(&shared, &parts, rejection.status);
            pipeline::reject(&shared, &parts, rejection)
        }
    }
}

/// Rejects a `Sec-WebSocket-Key` that is not 16 bytes in base64.
fn check_key(parts: &Parts) -> Result<(), Rejection> {
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY);
    let decoded = key.and_then(|key| BASE64_STANDARD.decode(key.as_bytes()).ok());
    match decoded.is_some_and(|bytes| bytes.len() == 16) {
        true => Ok(()),
        false => Err(Rejection::bad_request(
            "bad_request",
            "Sec-WebSocket-Key must be 16 bytes in base64",
        )),
    }
}

/// Authenticates the caller of a handshake.
fn authenticate(shared: &Shared, parts: &Parts) -> Result<Caller, Rejection> {
    let uri = &parts.uri;
    let path = uri
        .path_and_query()
        .map_or(uri.path(), |path| path.as_str());
    let caller = shared.keys.authenticate(
        &parts.headers,
        (parts.method.as_str(), path),
        // Requires the same access as reading orders.
        operation::GET_ORDERS,
        &shared.time,
        None,
    )?;
    match shared.state().exchange_active {
        true => Ok(caller),
        false => Err(Rejection::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "exchange_unavailable",
            "the exchange is closed",
        )),
    }
}

/// Adds the request to the log.
fn record(shared: &Shared, parts: &Parts, status: StatusCode) {
    let request = ReceivedRequest {
        at: shared.time.now(),
        operation: None,
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: Bytes::new(),
        status: Some(status),
    };
    lock(&shared.log).push(request, &Value::Null);
}

/// Registration of a connection in the hub, until dropped.
struct OpenConnection {
    shared: Arc<Shared>,
    number: u64,
    outbox: Arc<Outbox>,
}

impl OpenConnection {
    fn new(
        shared: Arc<Shared>,
        instance: Instance,
        caller: Caller,
        connection: Connection,
    ) -> Self {
        let mut state = shared.state();
        let (number, outbox) = shared
            .hub
            .open(state.instances(), instance, caller, connection);
        drop(state);
        // The timer has to run now that a connection is open.
        shared.time.wake();
        Self {
            shared,
            number,
            outbox,
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        self.shared.hub.close(state.instances(), self.number);
    }
}

/// Reads and writes until the client, the exchange or a fault ends the connection.
async fn run(socket: WebSocket, opened: OpenConnection) {
    let (sink, stream) = socket.split();
    tokio::select! {
        () = read(stream, &opened) => {}
        () = write(sink, &opened) => {}
        () = opened.outbox.ended() => {}
        () = shutdown_deadline(&opened.shared) => {}
    }
}

/// Waits until the exchange shuts down, and then for the time allowed to send the close frame.
async fn shutdown_deadline(shared: &Shared) {
    shared.stopped().await;
    sleep(SHUTDOWN_TIMEOUT).await;
}

/// Runs incoming commands. Polling the stream also replies to pings and close frames.
async fn read(
    mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    opened: &OpenConnection,
) {
    while let Some(message) = stream.next().await {
        let text = match &message {
            Ok(Message::Text(text)) => text.as_bytes(),
            Ok(Message::Binary(_)) => {
                return close(opened, 1003, "commands must be text").await;
            }
            Ok(_) => continue,
            Err(error) => match violation(error) {
                Some((code, reason)) => return close(opened, code, reason).await,
                None => return,
            },
        };
        let mut state = opened.shared.state();
        let hub = &opened.shared.hub;
        hub.command(state.instances(), opened.number, text);
    }
}

/// Returns the close code and the reason for a protocol violation, or `None` if the connection is already lost.
fn violation(error: &axum::Error) -> Option<(u16, &'static str)> {
    let source = std::error::Error::source(error)?;
    match source.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => None,
        tungstenite::Error::Protocol(_) => Some((1002, "protocol error")),
        tungstenite::Error::Utf8(_) => Some((1007, "text is not UTF-8")),
        tungstenite::Error::Capacity(_) => Some((1009, "message too large")),
        _ => None,
    }
}

/// Closes the connection. Nothing more is read from it, so the client cannot reply.
async fn close(opened: &OpenConnection, code: u16, reason: &str) {
    opened.outbox.push(Outgoing::Close {
        code,
        reason: reason.to_owned(),
    });
    sleep(CLOSE_LINGER).await;
}

/// Sends queued frames and pings.
async fn write(mut sink: impl Sink<Message, Error = axum::Error> + Unpin, opened: &OpenConnection) {
    let interval = opened.shared.hub.settings.ping_interval;
    let interval = interval.clamp(Duration::from_millis(1), MAX_PING_INTERVAL);
    let mut pings = interval_at(Instant::now() + interval, interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            biased;
            () = opened.shared.stopped() => {
                let going_away = Outgoing::Close { code: 1001, reason: "the exchange is shutting down".to_owned() };
                _ = timeout(SHUTDOWN_TIMEOUT, send(&mut sink, &opened.outbox, going_away)).await;
                return;
            }
            _ = pings.tick() => sink.send(Message::Ping(Bytes::from_static(b"heartbeat"))).await.map(|()| true),
            () = opened.outbox.filled() => drain(&mut sink, &opened.outbox).await,
        };
        match sent {
            Ok(true) => {}
            Ok(false) => {
                // `read` ends the connection when the client replies.
                sleep(CLOSE_TIMEOUT).await;
                return;
            }
            Err(_) => return,
        }
    }
}

/// Sends all queued frames. Returns false if the connection is closing.
async fn drain(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    outbox: &Outbox,
) -> Result<bool, axum::Error> {
    while let Some(frame) = outbox.pop() {
        if !send(sink, outbox, frame).await? {
            return Ok(false);
        }
    }
    sink.flush().await?;
    Ok(true)
}

/// Sends one frame. Returns false if the connection is closing.
async fn send(
    sink: &mut (impl Sink<Message, Error = axum::Error> + Unpin),
    outbox: &Outbox,
    frame: Outgoing,
) -> Result<bool, axum::Error> {
    match frame {
        Outgoing::Text { text, .. } => sink.feed(Message::Text(text.into())).await.map(|()| true),
        Outgoing::Broken(text) => {
            sink.flush().await?;
            outbox.connection.close_after(text.len() / 2 + 1);
            let sent = sink.send(Message::Text(text.into())).await;
            outbox.connection.reset();
            sent.map(|()| false)
        }
        Outgoing::Close { code, reason } => {
            let close = CloseFrame {
                code,
                reason: reason.into(),
            };
            sink.send(Message::Close(Some(close))).await.map(|()| false)
        }
    }
}
