//! The log of received requests, for assertions and as a file.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION};
use kalshi_sdk::{
    Operation,
    auth::{ACCESS_KEY, ACCESS_SIGNATURE},
};
use serde_json::{Value, json};

/// Maximum total size of the request bodies that are kept, in bytes.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A request that the exchange received.
#[derive(Clone)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// Time of receipt, by the clock of the exchange.
    pub at: DateTime<Utc>,
    /// The operation, or `None` if the path matches none.
    pub operation: Option<&'static Operation>,
    /// The HTTP method of the request.
    pub method: Method,
    /// The path as it was sent, starting with `/trade-api/v2`.
    pub path: String,
    /// The query as it was sent, without its question mark; empty if there was none.
    pub query: String,
    /// All headers of the request, including the signature.
    pub headers: HeaderMap,
    /// The body as it was sent.
    pub body: Bytes,
    /// Status of the response, even if it did not arrive, or `None` if the connection was cut before.
    pub status: Option<StatusCode>,
}

impl ReceivedRequest {
    /// Returns the body as JSON, or null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Renders the request as JSON. Of the headers, it includes only the id of the key.
    pub(crate) fn describe(&self) -> Value {
        let key_id = self.headers.get(&ACCESS_KEY);
        json!({
            "at": self.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            "operation": self.operation.map(|operation| operation.id),
            "method": self.method.as_str(),
            "path": self.path,
            "query": self.query,
            "key_id": key_id.map(|id| String::from_utf8_lossy(id.as_bytes())),
            "body": self.json(),
            "status": self.status.map(|status| status.as_u16()),
        })
    }

    /// Returns true if the operation has this id, such as `CreateOrderV2`.
    #[must_use]
    pub fn is(&self, operation: &str) -> bool {
        self.operation.is_some_and(|called| called.id == operation)
    }
}

/// Omits signatures and tokens from the headers.
impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut headers = self.headers.clone();
        headers.remove(ACCESS_SIGNATURE);
        headers.remove(AUTHORIZATION);
        f.debug_struct("ReceivedRequest")
            .field("at", &self.at)
            .field("operation", &self.operation.map(|operation| operation.id))
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &headers)
            .field("body", &self.body)
            .field("status", &self.status)
            .finish()
    }
}

/// The last requests, and the file to which all requests are written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<ReceivedRequest>,
    /// Total size of their bodies.
    bytes: usize,
    max: usize,
    file: Option<File>,
}

impl Log {
    pub(crate) fn new(max: usize, path: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            requests: VecDeque::new(),
            bytes: 0,
            max,
            file: path.map(create).transpose()?,
        })
    }

    pub(crate) fn push(&mut self, request: ReceivedRequest, response: &Value) {
        if let Some(file) = &mut self.file {
            // A full disk must not stop the exchange.
            _ = writeln!(file, "{}", line(&request, response));
        }
        if self.max == 0 {
            return;
        }
        self.bytes += request.body.len();
        self.requests.push_back(request);
        while self.requests.len() > self.max || self.bytes > MAX_BYTES {
            let oldest = self.requests.pop_front();
            self.bytes -= oldest.map_or(self.bytes, |oldest| oldest.body.len());
        }
    }

    pub(crate) fn all(&self) -> Vec<ReceivedRequest> {
        self.requests.iter().cloned().collect()
    }

    /// Returns the last requests that match, oldest first.
    pub(crate) fn last(
        &self,
        limit: usize,
        matches: impl Fn(&ReceivedRequest) -> bool,
    ) -> Vec<ReceivedRequest> {
        let newest = self
            .requests
            .iter()
            .rev()
            .filter(|request| matches(request));
        let mut last: Vec<_> = newest.take(limit).cloned().collect();
        last.reverse();
        last
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
        self.bytes = 0;
    }
}

/// Opens the request file, and rejects one that is not empty. Devices and pipes have a length of zero.
fn create(path: &Path) -> io::Result<File> {
    let file = File::options().append(true).create(true).open(path)?;
    match file.metadata()?.len() {
        0 => Ok(file),
        _ => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the file is not empty: remove it or choose another one",
        )),
    }
}

/// Renders one line of the file: the request and its response, without signatures and private keys.
fn line(request: &ReceivedRequest, response: &Value) -> Value {
    let mut response = response.clone();
    if let Some(secret) = response.get_mut("private_key") {
        *secret = "(not recorded)".into();
    }
    let mut line = request.describe();
    line["response"] = response;
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn request(body: Bytes) -> ReceivedRequest {
        ReceivedRequest {
            at: DateTime::UNIX_EPOCH,
            operation: None,
            method: Method::POST,
            path: String::new(),
            query: String::new(),
            headers: HeaderMap::new(),
            body,
            status: None,
        }
    }

    #[test]
    fn large_bodies_push_out_older_requests() {
        let body = Bytes::from(vec![0; MAX_BYTES / 4]);
        let mut log = Log::new(10, None).unwrap();
        for (count, kept) in [(3, 3), (3, 4), (20, 4)] {
            for _ in 0..count {
                log.push(request(body.clone()), &Value::Null);
            }
            assert_eq!(log.all().len(), kept);
        }
        log.clear();
        assert_eq!((log.all().len(), log.bytes), (0, 0));
    }

    #[test]
    fn debug_omits_signatures_and_tokens() {
        let mut request = request(Bytes::new());
        let headers = &mut request.headers;
        headers.insert(ACCESS_SIGNATURE, "secret".parse().unwrap());
        headers.insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        headers.insert(ACCESS_KEY, "key".parse().unwrap());
        let text = format!("{request:?}");
        assert!(text.contains("key") && !text.contains("secret"), "{text}");
    }
}
