//! The server side of a WebSocket connection, scripted by the test.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::HeaderMap,
        protocol::{CloseFrame, Role},
    },
};

use crate::ws_target::{
    Client, ClientBuilder, Credentials, Environment, PrivateKey, WEBSOCKET_PATH, auth::PublicKey,
};
pub(crate) use crate::ws_target::{delta, snapshot};

/// Returns new credentials and their public key.
pub(crate) fn credentials() -> (Credentials, PublicKey) {
    let key = PrivateKey::generate_ed25519().unwrap();
    let public = key.public_key();
    (Credentials::new("key-1", key).unwrap(), public)
}

/// A listener, and a client whose requests go to it.
pub(crate) struct Exchange {
    listener: TcpListener,
    pub(crate) public_key: PublicKey,
    pub(crate) client: Client,
}

impl Exchange {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (credentials, public_key) = credentials();
        let environment = Environment::custom(
            &format!("http://{address}/trade-api/v2"),
            &format!("ws://{address}{WEBSOCKET_PATH}"),
        );
        let builder = Client::builder()
            .environment(environment.unwrap())
            .credentials(credentials);
        let client = set(builder).build().unwrap();
        Self {
            listener,
            public_key,
            client,
        }
    }

    /// Accepts a TCP connection without a handshake.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let (tcp, _) = self.listener.accept().await.unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp
    }

    /// Accepts the next WebSocket connection.
    pub(crate) async fn accept(&self) -> Peer {
        self.accept_or_reject(None).await.unwrap()
    }

    /// Accepts the next WebSocket connection and `count` subscriptions.
    pub(crate) async fn accept_subscribed(&self, count: usize) -> Peer {
        let mut peer = self.accept().await;
        for _ in 0..count {
            peer.acknowledge().await;
        }
        peer
    }

    /// Rejects the next handshake with `status` and returns its request headers.
    pub(crate) async fn reject(&self, status: u16) -> HeaderMap {
        self.accept_or_reject(Some(status)).await.err().unwrap()
    }

    #[allow(clippy::result_large_err, reason = "the type is tungstenite's own")]
    async fn accept_or_reject(&self, rejection: Option<u16>) -> Result<Peer, HeaderMap> {
        let tcp = self.accept_tcp().await;
        let mut headers = HeaderMap::new();
        let callback = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), WEBSOCKET_PATH);
            headers = request.headers().clone();
            let Some(status) = rejection else {
                return Ok(response);
            };
            let body = r#"{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}"#;
            let mut rejected = ErrorResponse::new(Some(body.to_owned()));
            *rejected.status_mut() = status.try_into().unwrap();
            let length = body.len().into();
            rejected.headers_mut().insert("content-length", length);
            Err(rejected)
        };
        let socket = tokio_tungstenite::accept_hdr_async(tcp, callback).await;
        match socket {
            Ok(socket) => Ok(Peer {
                socket,
                headers,
                next_sid: 1,
            }),
            Err(_) => Err(headers),
        }
    }
}

/// The server side of one connection.
pub(crate) struct Peer {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Request headers of the handshake.
    pub(crate) headers: HeaderMap,
    next_sid: u64,
}

impl Peer {
    /// Wraps a socket whose handshake is already complete.
    pub(crate) async fn over(tcp: TcpStream) -> Self {
        Self {
            socket: WebSocketStream::from_raw_socket(tcp, Role::Server, None).await,
            headers: HeaderMap::new(),
            next_sid: 1,
        }
    }

    /// Returns the next command.
    pub(crate) async fn command(&mut self) -> Value {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Returns a command that has already arrived, or `None`.
    pub(crate) async fn try_command(&mut self) -> Option<Value> {
        loop {
            let next = std::future::poll_fn(|context| {
                use std::task::Poll;
                Poll::Ready(match self.socket.poll_next_unpin(context) {
                    Poll::Ready(next) => next,
                    Poll::Pending => None,
                })
            });
            match next.await?.ok()? {
                Message::Text(text) => return serde_json::from_str(&text).ok(),
                _ => continue,
            }
        }
    }

    pub(crate) async fn try_send(&mut self, frame: Value) -> Result<(), Error> {
        self.socket.send(Message::text(frame.to_string())).await
    }

    pub(crate) async fn socket_ping(&mut self) -> Result<(), Error> {
        self.socket.send(Message::Ping("heartbeat".into())).await
    }

    /// Returns the next non-text frame, or `None` if the connection is closed.
    pub(crate) async fn control(&mut self) -> Option<Message> {
        match self.socket.next().await? {
            Ok(Message::Text(text)) => panic!("{text}"),
            Ok(message) => Some(message),
            Err(_) => None,
        }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(frame.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn socket_binary(&mut self, bytes: &[u8]) {
        let data = Message::binary(bytes.to_vec());
        self.socket.send(data).await.unwrap();
    }

    pub(crate) async fn ping(&mut self) {
        let ping = Message::Ping("heartbeat".into());
        self.socket.send(ping).await.unwrap();
    }

    pub(crate) async fn close(&mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "because".into(),
        };
        self.socket.close(Some(frame)).await.unwrap();
    }

    /// Receives a `subscribe` command and acknowledges it. Returns its parameters and the new `sid`.
    pub(crate) async fn acknowledge(&mut self) -> (Value, u64) {
        let command = self.command().await;
        assert_eq!(command["cmd"], "subscribe", "{command}");
        let sid = self.next_sid;
        self.next_sid += 1;
        let channel = &command["params"]["channels"][0];
        self.send(json!({"id": command["id"], "type": "subscribed", "msg": {"channel": channel, "sid": sid}}))
            .await;
        (command["params"].clone(), sid)
    }

    /// Returns the raw socket, to break the protocol.
    pub(crate) fn into_tcp(self) -> TcpStream {
        self.socket.into_inner()
    }
}

/// Resets a connection, with half a frame instead of a closing handshake.
pub(crate) async fn reset(mut tcp: TcpStream, partial_frame: &[u8]) {
    tcp.write_all(partial_frame).await.unwrap();
    #[allow(deprecated, reason = "a zero linger does not block")]
    tcp.set_linger(Some(std::time::Duration::ZERO)).unwrap();
}
