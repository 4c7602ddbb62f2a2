//! An HTTP server that sends the replies a function returns, including truncated responses and broken connections, which
//! HTTP libraries do not allow.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use kalshi_sdk::Environment;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A request as received.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Number of requests received before it.
    pub number: usize,
    /// Number of connections accepted before the one it came over.
    pub connection: usize,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the timestamp of the signature, in Unix milliseconds.
    pub fn timestamp(&self) -> i64 {
        self.headers["kalshi-access-timestamp"].parse().unwrap()
    }
}

/// The reaction of the server to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends a complete response, with the current `date` unless the headers have one. A header with an empty value is not sent.
    Response(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Closes the connection without a response.
    Drop,
    /// Resets the connection.
    Reset,
    /// Sends the first half of a response and closes the connection.
    Half(u16, Vec<u8>),
    /// Sends a response with fewer bytes than its `content-length`.
    Short(u16, Vec<u8>),
    /// Pauses for this duration in the middle of the body.
    Slow(Duration, u16, Vec<u8>),
    /// Sends a chunked body that begins with these bytes and never ends.
    Endless(u16, Vec<u8>),
    /// Sends this `content-length`, but only these bytes of the body.
    Announced(u16, u64, Vec<u8>),
    /// Sends nothing and keeps the connection open.
    Hang,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// Returns a response with serialized JSON.
    pub fn text(status: u16, json: String) -> Self {
        Self::Response(
            status,
            vec![("content-type", "application/json".to_owned())],
            json.into_bytes(),
        )
    }

    /// Returns a page of serialized orders.
    pub fn orders(rows: &[&str], cursor: &str) -> Self {
        let rows = rows.join(",");
        Self::text(200, format!(r#"{{"orders":[{rows}],"cursor":"{cursor}"}}"#))
    }

    pub fn status(status: u16) -> Self {
        Self::Response(status, Vec::new(), Vec::new())
    }

    /// The exchange's response to a request over the rate limit.
    pub fn rate_limited() -> Self {
        Self::json(
            429,
            &serde_json::json!({ "error": { "code": "too_many_requests" } }),
        )
    }

    /// Sets the time at which the response says that it was sent.
    pub fn dated(self, time: SystemTime) -> Self {
        self.with_header("date", httpdate::fmt_http_date(time))
    }

    pub fn with_header(self, name: &'static str, value: impl ToString) -> Self {
        match self {
            Self::Response(status, mut headers, body) => {
                headers.push((name, value.to_string()));
                Self::Response(status, headers, body)
            }
            other => other,
        }
    }
}

/// A running server. It stops when it is dropped.
pub struct Exchange {
    pub base: String,
    received: Arc<Mutex<Vec<Received>>>,
    open: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl Exchange {
    /// Starts a server that handles every request as `reply` returns.
    pub async fn start(reply: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::run(true, Arc::new(|| false), Arc::new(reply)).await
    }

    /// Like [`start`](Self::start), but does not record the requests, and closes the connection instead of reading a request whenever
    /// `closes_connection` returns `true`.
    pub async fn start_unreliable(
        closes_connection: impl Fn() -> bool + Send + Sync + 'static,
        reply: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::run(false, Arc::new(closes_connection), Arc::new(reply)).await
    }

    // Not generic: the runtime's code for tasks would be compiled for every caller.
    async fn run(
        records: bool,
        closes_connection: Arc<dyn Fn() -> bool + Send + Sync>,
        reply: Arc<dyn Fn(&Received) -> Reply + Send + Sync>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let requests = received.clone();
        let (count, open) = watch::channel(0);
        let count = Arc::new(count);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (reply, closes_connection, requests) =
                    (reply.clone(), closes_connection.clone(), requests.clone());
                count.send_modify(|open| *open += 1);
                let count = count.clone();
                connections.spawn(async move {
                    let all = records.then_some(&*requests);
                    _ = serve(stream, connection, &*closes_connection, &*reply, all).await;
                    count.send_modify(|open| *open -= 1);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            base,
            received,
            open,
            _tasks: tasks,
        }
    }

    pub fn environment(&self) -> Environment {
        super::environment(&self.base)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until every connection is closed.
    pub async fn all_closed(&self) {
        self.open.clone().wait_for(|open| *open == 0).await.unwrap();
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

/// Serves one connection until it is closed.
async fn serve(
    mut stream: TcpStream,
    connection: usize,
    closes_connection: &(dyn Fn() -> bool + Send + Sync),
    reply: &(dyn Fn(&Received) -> Reply + Send + Sync),
    all: Option<&Mutex<Vec<Received>>>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        stream.readable().await?;
        if closes_connection() {
            return Ok(());
        }
        let Some(mut request) = read(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        request.connection = connection;
        if let Some(all) = all {
            let mut all = all.lock().unwrap();
            request.number = all.len();
            all.push(request.clone());
        }
        match reply(&request) {
            Reply::Response(status, headers, body) => {
                stream
                    .write_all(&encode_response(status, &headers, &body, body.len()))
                    .await?
            }
            Reply::Drop => return Ok(()),
            Reply::Reset => {
                stream.set_zero_linger()?;
                return Ok(());
            }
            Reply::Half(status, body) => {
                let whole = encode_response(status, &[], &body, body.len());
                stream.write_all(&whole[..whole.len() / 2]).await?;
                return Ok(());
            }
            Reply::Short(status, body) => {
                stream
                    .write_all(&encode_response(status, &[], &body, body.len() + 10))
                    .await?;
                return Ok(());
            }
            Reply::Slow(duration, status, body) => {
                let whole = encode_response(status, &[], &body, body.len());
                let (first, rest) = whole.split_at(whole.len() - body.len() / 2);
                stream.write_all(first).await?;
                tokio::time::sleep(duration).await;
                stream.write_all(rest).await?;
            }
            Reply::Endless(status, start) => {
                let head = format!("HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n");
                stream.write_all(format!("{head}\r\n").as_bytes()).await?;
                let filler = vec![b' '; 100_000];
                for part in std::iter::once(&start).chain(std::iter::repeat(&filler)) {
                    stream
                        .write_all(format!("{:x}\r\n", part.len()).as_bytes())
                        .await?;
                    stream.write_all(part).await?;
                    stream.write_all(b"\r\n").await?;
                }
            }
            Reply::Announced(status, length, body) => {
                let head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
                return Ok(());
            }
            Reply::Hang => std::future::pending::<()>().await,
        }
    }
}

fn encode_response(status: u16, headers: &[(&str, String)], body: &[u8], length: usize) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n");
    if !headers.iter().any(|(name, _)| *name == "date") {
        let now = httpdate::fmt_http_date(SystemTime::now());
        out.push_str(&format!("date: {now}\r\n"));
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    [out.as_bytes(), body].concat()
}

/// Reads the next request of a connection, or returns `None` if the client closed it.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Received>> {
    loop {
        let end = buffer.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let mut lines = head.lines();
            let mut first = lines.next().unwrap_or_default().split(' ');
            let (method, target) = (
                first.next().unwrap_or_default().to_owned(),
                first.next().unwrap_or_default().to_owned(),
            );
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers
                .get("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let query = url::form_urlencoded::parse(query.as_bytes())
                    .into_owned()
                    .collect();
                return Ok(Some(Received {
                    method,
                    path: path.to_owned(),
                    query,
                    headers,
                    body,
                    number: 0,
                    connection: 0,
                }));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}
