//! The way of a call: request -> credentials -> deadline -> (tokens -> middleware -> exchange -> uniform errors), as often as the
//! retry policy has it -> a decoded answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Extensions;
use kalshi_auth::{Clock, ClockOffset, Unsigned};
use reqwest::{
    Method, Request, RequestBuilder, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use reqwest_middleware::ClientWithMiddleware;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument, Span, field::Empty};

use crate::{
    ApiError, Client, ClockCorrection, Error, Operation, ResponseValue, json_path,
    limits::{self, RateLimiter},
    retry,
    server_time::ServerTime,
    wire::Attempts,
};

/// What all clones of a client share.
#[derive(Debug)]
pub(crate) struct Transport {
    /// The base of the REST interface, without a slash at its end.
    pub(crate) base_url: String,
    /// Makes requests; what sends them is `stack`.
    pub(crate) http: reqwest::Client,
    pub(crate) stack: ClientWithMiddleware,
    pub(crate) has_credentials: bool,
    /// How long a whole call may take; unbounded where an HTTP client of the user's decides.
    pub(crate) timeout: Option<Duration>,
    pub(crate) limiter: Arc<RateLimiter>,
    pub(crate) correction: ClockCorrection,
    pub(crate) server_time: ServerTime,
    /// What stamps signatures.
    pub(crate) clock: Arc<dyn Clock>,
    /// What signs the handshake of a stream.
    #[cfg(feature = "ws")]
    pub(crate) credentials: Option<kalshi_auth::Credentials>,
    /// How `http` was set up; none for an HTTP client of the user's.
    #[cfg(feature = "ws")]
    pub(crate) own_options: Option<crate::client::HttpOptions>,
}

#[cfg(feature = "ws")]
impl Transport {
    /// What asks for sockets: a client that speaks HTTP/1.1, or the user's own.
    pub(crate) fn upgrading_client(&self) -> Result<reqwest::Client, crate::ConfigError> {
        match &self.own_options {
            Some(options) => options.build_upgrading(),
            None => Ok(self.http.clone()),
        }
    }
}

/// An answer that arrived whole.
struct Answer {
    operation: &'static Operation,
    attempts: Attempts,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// Sends a request and decodes the answer.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<ResponseValue<T>, Error> {
        let answer = self.fetch(operation, request?).await?;
        if answer.body.trim_ascii_start().starts_with(b"[") {
            // Serde would read a list as an object, by position.
            return Err(answer.unlike("a list where an object belongs"));
        }
        let value = decode(&answer)?;
        Ok(ResponseValue::new(value, answer.status, answer.headers))
    }

    /// Sends a request and decodes an answer that is a list.
    #[allow(
        dead_code,
        reason = "for contracts with such answers; the vendored one has none"
    )]
    pub(crate) async fn call_list<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<ResponseValue<T>, Error> {
        let answer = self.fetch(operation, request?).await?;
        let value = decode(&answer)?;
        Ok(ResponseValue::new(value, answer.status, answer.headers))
    }

    /// Sends a request whose answer carries nothing.
    pub(crate) async fn call_without_answer(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Result<ResponseValue<()>, Error> {
        let answer = self.fetch(operation, request?).await?;
        // Nothing, or an object with nothing we know: but not a page of something else.
        let body = answer.body.trim_ascii();
        if !body.is_empty() && serde_json::from_slice::<Map<String, Value>>(body).is_err() {
            return Err(answer.unlike("a body where none belongs"));
        }
        Ok(ResponseValue::new((), answer.status, answer.headers))
    }

    /// Sends a request; what is no success is an error.
    async fn fetch(
        &self,
        operation: &'static Operation,
        request: Request,
    ) -> Result<Answer, Error> {
        let span = tracing::debug_span!(
            "kalshi",
            operation = operation.id,
            method = %operation.method,
            path = operation.path,
            status = Empty,
            duration_ms = Empty,
        );
        let started = Instant::now();
        async {
            let result = self.within_deadline(operation, request).await;
            let span = Span::current();
            let status = match &result {
                Ok(answer) => Some(answer.status),
                Err(error) => error.status(),
            };
            if let Some(status) = status {
                span.record("status", status.as_u16());
            }
            span.record(
                "duration_ms",
                u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            );
            tracing::trace!("finished");
            result
        }
        .instrument(span)
        .await
    }

    /// Sends a request, and gives up when the time for the whole call, waits and all attempts included, is over.
    async fn within_deadline(
        &self,
        operation: &'static Operation,
        request: Request,
    ) -> Result<Answer, Error> {
        if operation.auth && !self.transport.has_credentials {
            return Err(Error::no_credentials(operation));
        }
        let attempts = Attempts::default();
        let trying = self.try_again(operation, request, &attempts);
        let result = match self.transport.timeout {
            Some(longest) => timeout(longest, trying)
                .await
                .unwrap_or_else(|_| Err(Error::deadline(operation, longest))),
            None => trying.await,
        };
        result.map_err(|error| error.after(&attempts))
    }

    /// Sends a request as often as the policy allows, each time with tokens and a signature of its own.
    async fn try_again(
        &self,
        operation: &'static Operation,
        request: Request,
        attempts: &Attempts,
    ) -> Result<Answer, Error> {
        let Transport {
            limiter,
            server_time,
            ..
        } = &*self.transport;
        let corrects = match self.transport.correction {
            ClockCorrection::Off => false,
            ClockCorrection::Reads => retry::is_safe(operation),
            ClockCorrection::All => true,
        };
        if operation.auth && limiter.take_discovery() {
            self.discover_or_warn().await;
        }
        let items = limits::items(operation, request.body().and_then(reqwest::Body::as_bytes));
        let max_wait = self.max_wait.unwrap_or(limits::MAX_WAIT);
        let (mut offset, mut before) = (None, None);
        loop {
            if let Err(error) = limiter.acquire(operation, items, max_wait).await {
                // What the exchange said before counts for more.
                return Err(before.unwrap_or_else(|| Error::no_tokens(operation, error)));
            }
            // Bodies are bytes, so there is always a copy.
            let Some(copy) = request.try_clone() else {
                return Err(Error::invalid(
                    operation,
                    "the body is a stream, which cannot be sent",
                ));
            };
            let made = attempts.begin();
            let exchange = self.exchange(operation, copy, offset, attempts.clone());
            let result = match self.retry.timeout_of(operation, made) {
                Some(longest) => timeout(longest, exchange)
                    .await
                    .unwrap_or_else(|_| Err(Error::deadline(operation, longest))),
                None => exchange.await,
            };
            let error = match result.and_then(Answer::check) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if error.is_rate_limited() {
                limiter.refused(operation);
            }
            let behind = server_time.behind_that_matters();
            if let (Some(behind), None, Some(StatusCode::UNAUTHORIZED), true) =
                (behind, offset, error.status(), corrects)
                && (retry::is_safe(operation) || attempts.processed() <= 1)
            {
                // A signature that is not accepted is found before anything is done.
                attempts.was_refused();
                offset = Some(ClockOffset(behind));
                before = Some(error.with_clock(Some(behind)));
                continue;
            }
            // What a middleware sent before this attempt may have been processed, whatever became of this one.
            let retriable = retry::may_retry(operation, &error)
                && (retry::is_safe(operation) || attempts.processed() == 0);
            let retry_after = error.api().and_then(ApiError::retry_after);
            let pause = retriable
                .then(|| self.retry.pause(made, attempts.elapsed(), retry_after))
                .flatten();
            let Some(pause) = pause else {
                return Err(error.with_clock(behind));
            };
            tracing::debug!(%error, pause_ms = pause.as_millis(), "tried again");
            before = Some(error);
            sleep(pause).await;
        }
    }

    /// One attempt.
    async fn exchange(
        &self,
        operation: &'static Operation,
        request: Request,
        offset: Option<ClockOffset>,
        attempts: Attempts,
    ) -> Result<Answer, Error> {
        let mut extensions = Extensions::new();
        if !operation.auth {
            extensions.insert(Unsigned);
        }
        if let Some(offset) = offset {
            extensions.insert(offset);
        }
        extensions.insert(operation);
        extensions.insert(attempts.clone());
        let now = || self.transport.clock.now_ms().ok();
        let sent = now();
        let mut response = self
            .transport
            .stack
            .execute_with_extensions(request, &mut extensions)
            .await
            .map_err(|error| Error::middleware(operation, error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        self.transport.server_time.learn(&headers, sent, now());
        let body = response
            .bytes()
            .await
            .map_err(|error| Error::transport(operation, error))?;
        Ok(Answer {
            operation,
            attempts,
            status,
            headers,
            body,
        })
    }
}

impl Answer {
    /// Tells refusals from successes, also those that come as a success.
    fn check(self) -> Result<Self, Error> {
        if self.status.is_success() && !refuses(&self.body) {
            return Ok(self);
        }
        let refusal = ApiError::read(self.status, &self.headers, &self.body);
        Err(Error::api_error(self.operation, refusal).after(&self.attempts))
    }

    /// The error for an answer that is another kind of thing than the contract says.
    fn unlike(&self, message: &str) -> Error {
        let error = <serde_json::Error as serde::de::Error>::custom(message);
        Error::decode(
            self.operation,
            self.status,
            "$".to_owned(),
            &self.body,
            error,
        )
        .after(&self.attempts)
    }
}

/// Whether the body of a success is `{"error": ..}`, as the exchange has refused orders before.
fn refuses(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(default)]
        error: Value,
    }
    // Nearly every answer is settled by the search; only one with the word in it is read twice.
    let mentions = memchr::memmem::find(body, b"\"error\"").is_some();
    mentions
        && serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| match refusal.error {
            Value::String(text) => !text.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => false,
        })
}

fn decode<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    // Checking the text once and reading it as such is 1.4 times as fast as having every string checked by itself.
    let decoded = match std::str::from_utf8(&answer.body) {
        Ok(text) => serde_json::from_str(text),
        Err(error) => Err(serde::de::Error::custom(error)),
    };
    decoded.map_err(|error| undecodable(answer, error))
}

/// The error for an answer that does not decode. Its path is found by a second pass over the text: failures only, and one
/// for all types.
fn undecodable(answer: &Answer, error: serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    let path = match missing {
        Some((member, _)) => json_path::missing(&answer.body, line, column, member),
        None => json_path::at(&answer.body, line, column),
    };
    Error::decode(answer.operation, answer.status, path, &answer.body, error)
        .after(&answer.attempts)
}

/// A parameter as it was given to the builder of a call.
pub(crate) fn given<T>(
    operation: &'static Operation,
    value: Result<T, String>,
) -> Result<T, Error> {
    value.map_err(|message| Error::invalid(operation, message))
}

/// A parameter as a segment of the path, percent-encoded. What would make the path another one is refused.
pub(crate) fn segment(
    operation: &'static Operation,
    name: &str,
    value: &impl ToString,
) -> Result<String, Error> {
    let value = value.to_string();
    match value.as_str() {
        "" => Err(Error::invalid(operation, format!("`{name}` is empty"))),
        "." | ".." => Err(Error::invalid(
            operation,
            format!("`{name}` must not be `{value}`"),
        )),
        _ => Ok(encode(&value)),
    }
}

/// Percent-encodes all but unreserved characters, which no server and no URL library reads in two ways.
fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)]));
            out.push('%');
            out.extend(digits);
        }
    }
    out
}

/// The finished request. A POST, PUT or PATCH without a body gets `{}`: the exchange refuses it bare.
pub(crate) fn built(
    operation: &'static Operation,
    request: RequestBuilder,
) -> Result<Request, Error> {
    let mut request = request
        .build()
        .map_err(|error| Error::transport(operation, error))?;
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    let carries = [Method::POST, Method::PUT, Method::PATCH].contains(&operation.method);
    if carries && request.body().is_none() {
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some("{}".into());
    }
    Ok(request)
}

/// Adds a header parameter, when it is set.
#[allow(
    dead_code,
    reason = "for contracts with header parameters; the vendored one has none"
)]
pub(crate) fn header(
    request: RequestBuilder,
    name: &str,
    value: Option<&impl ToString>,
) -> RequestBuilder {
    match value {
        Some(value) => request.header(name, value.to_string()),
        None => request,
    }
}

/// Adds a list to the query as one text joined by commas, when it is set.
#[allow(
    dead_code,
    reason = "for contracts with such lists; the vendored one repeats the parameter"
)]
pub(crate) fn joined(
    request: RequestBuilder,
    name: &str,
    items: Option<&Vec<impl ToString>>,
) -> RequestBuilder {
    let joined = items.map(|items| {
        items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    });
    request.query(&joined.map(|joined| [(name, joined)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded_and_cannot_change_the_path() {
        assert_eq!(
            encode("KXBTCD-26MAY3017-T73499.99"),
            "KXBTCD-26MAY3017-T73499.99"
        );
        assert_eq!(encode("a/b?c#d %\u{e9}"), "a%2Fb%3Fc%23d%20%25%C3%A9");
        let operation = crate::operation::GET_MARKET;
        for bad in ["", ".", ".."] {
            assert!(segment(operation, "ticker", &bad).is_err());
        }
    }

    #[test]
    fn a_refusal_inside_a_success_is_seen() {
        assert!(refuses(br#"{"error":{"code":"x"}}"#));
        assert!(refuses(br#" {"a":1,"error":"no"}"#));
        assert!(!refuses(br#"{"error":null,"orders":[]}"#));
        assert!(!refuses(br#"{"orders":[{"error":{"code":"x"}}]}"#));
        assert!(!refuses(br#"{"title":"\"error\""}"#));
        // What Go writes for an error that is not set.
        assert!(!refuses(br#"{"order_id":"a","error":""}"#));
        assert!(!refuses(br#"{"order_id":"a","error":{}}"#));
    }

    #[test]
    fn lists_are_joined_by_commas() {
        let query = |items: Option<&Vec<String>>| {
            let request =
                joined(reqwest::Client::new().get("http://localhost/"), "t", items).build();
            request
                .ok()
                .and_then(|request| request.url().query().map(str::to_owned))
        };
        assert_eq!(
            query(Some(&vec!["a".to_owned(), "b,c".to_owned()])).as_deref(),
            Some("t=a%2Cb%2Cc")
        );
        assert_eq!(query(None), None);
    }
}
