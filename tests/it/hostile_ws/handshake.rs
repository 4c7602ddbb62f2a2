//! Handshakes and their faults.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::accept_async;

use super::{
    kind::{Kind, Occasion},
    peer::{Mute, Peer},
    server::Server,
};

/// Time limit for a client to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

impl Server {
    pub async fn greet(&mut self, tcp: TcpStream) {
        tcp.set_nodelay(true).unwrap();
        // The client has only one connection, so the previous one is dead.
        if let Some(before) = self.peer.take()
            && before.mute == Mute::Everything
        {
            self.abandoned.push(before.socket.into_inner());
        }
        let fault = self.take(&[Occasion::Handshake]);
        if let Some(kind) = fault
            && ![Kind::ClosedAfterUpgrade, Kind::StalledAfterUpgrade].contains(&kind)
        {
            return self.fail_handshake(tcp, kind).await;
        }
        let Ok(Ok(socket)) = timeout(REQUEST_TIMEOUT, accept_async(tcp))
            .boxed_local()
            .await
        else {
            return;
        };
        let mut peer = Peer::new(socket);
        match fault {
            Some(Kind::ClosedAfterUpgrade) => return,
            Some(_) => peer.mute = Mute::Everything,
            None => {}
        }
        self.peer = Some(peer);
    }

    async fn fail_handshake(&mut self, mut tcp: TcpStream, kind: Kind) {
        if kind == Kind::ClosedBeforeRequest {
            return;
        }
        if timeout(REQUEST_TIMEOUT, read_request(&mut tcp))
            .await
            .is_err()
        {
            return;
        }
        let error = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"hostile"}}}}"#);
        let json = "content-type: application/json\r\n";
        let html = "content-type: text/html\r\n";
        let page = "<html><body>not today</body></html>";
        let response = match kind {
            Kind::ExpiredTimestamp => {
                let now = httpdate::fmt_http_date(std::time::SystemTime::now());
                let headers = format!("{json}date: {now}\r\n");
                response(
                    "401 Unauthorized",
                    &headers,
                    &error("header_timestamp_expired"),
                )
            }
            Kind::UnknownKey => response("401 Unauthorized", json, &error("authentication_error")),
            Kind::Forbidden => response("403 Forbidden", html, page),
            Kind::NotFound => response("404 Not Found", "", ""),
            Kind::BadRequest => response("400 Bad Request", json, &error("bad_request")),
            Kind::Conflict => response("409 Conflict", json, &error("conflict")),
            Kind::Redirect => response("302 Found", "location: http://127.0.0.1:1/\r\n", ""),
            Kind::TooManyRequests => response("429 Too Many Requests", "retry-after: 1\r\n", ""),
            Kind::BadGateway => response("502 Bad Gateway", html, page),
            Kind::Maintenance => response("503 Service Unavailable", html, page),
            Kind::NoUpgrade => response("200 OK", html, page),
            Kind::WrongAcceptKey => switching("websocket", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            Kind::OtherProtocol => switching("h2c", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            Kind::NotHttp => "+OK ready\r\n\r\n".to_owned(),
            Kind::HalfResponse => "HTTP/1.1 101 Switching Prot".to_owned(),
            Kind::ClosedBeforeResponse => return,
            _ => {
                self.abandoned.push(tcp);
                return;
            }
        };
        // The client may have closed the connection.
        _ = tcp.write_all(response.as_bytes()).await;
    }
}

async fn read_request(tcp: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if !matches!(tcp.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn switching(protocol: &str, key: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\nsec-websocket-accept: {key}\r\n\r\n"
    )
}
