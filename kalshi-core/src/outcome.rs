//! Outcomes of writes: determines from the response and the attempts whether a request, or an item of a batch, was executed.

use std::time::{Duration, SystemTime};

use reqwest::{Request, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    api_error::{ApiError, ErrorResponse},
    client::Core,
    error::Error,
    operation::Operation,
    response::Response,
    wire::Attempts,
};

/// The outcome of a write.
///
/// | Evidence | Outcome |
/// |---|---|
/// | Never sent, or every attempt failed with a 429 in the exchange's format | `NotProcessed` |
/// | An error in the exchange's format without other fields, with status 2xx, 400, 401, 403, 404, 409, 410 or 422, if every earlier attempt was certainly not processed | `Rejected` |
/// | A 2xx response that decodes and matches the request | `Done` |
/// | An error whose code means that the exchange itself failed; any other response; no response | `Unknown` |
#[derive(Debug)]
pub enum Outcome<T> {
    /// The exchange executed the write.
    Done(T),
    /// The exchange did not process the write.
    NotProcessed(Error),
    /// The exchange rejected the write. The `Error` describes the same rejection together with the operation and its attempts.
    Rejected(ApiError, Error),
    /// The write may have been processed.
    Unknown(Error),
}

/// Error codes, without separators and in lower case, of a server that failed while it processed a request.
const FAILURE_CODES: [&str; 9] = [
    "aborted",
    "canceled",
    "cancelled",
    "dataloss",
    "internal",
    "requesttimedout",
    "unavailable",
    "unknown",
    "unknownerror",
];

/// Parts of such codes. A code such as `anchor_order_unavailable` is a rejection, so shorter parts would match too much.
const FAILURE_CODE_PARTS: [&str; 8] = [
    "deadline",
    "gateway",
    "internalerror",
    "servererror",
    "serviceunavailable",
    "temporarilyunavailable",
    "timeout",
    "upstream",
];

/// Returns `true` if an error code leaves the outcome unknown: the exchange or a server in between failed.
fn is_failure(code: &str) -> bool {
    let letters = code.bytes().filter(u8::is_ascii_alphanumeric);
    let code: String = letters
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    FAILURE_CODES.contains(&&*code) || FAILURE_CODE_PARTS.iter().any(|part| code.contains(part))
}

/// Returns `true` if the error is a rejection by the exchange. For a read, that is a definite result.
pub(crate) fn is_rejection_of_read(error: &Error) -> bool {
    error.api().is_some_and(|error| is_rejection(error, false))
}

/// Returns `true` if a response proves that the exchange rejected the request in all its attempts.
pub(crate) fn is_rejection(error: &ApiError, earlier: bool) -> bool {
    let status = matches!(
        error.status().as_u16(),
        400 | 401 | 403 | 404 | 409 | 410 | 422
    ) || error.status().is_success();
    status
        && !is_failure(error.bare_code())
        && error.is_from_exchange()
        && !error.has_other_fields()
        && !earlier
}

/// The result of a write together with the evidence for its outcome.
#[derive(Debug)]
pub struct Write<T> {
    result: Result<Response<T>, Error>,
    evidence: Evidence,
}

/// Information about how a write was sent, which decides the outcome of its response and of the items in it.
#[derive(Clone, Debug)]
pub struct Evidence {
    core: Core,
    operation: &'static Operation,
    attempts: Attempts,
    /// Generation of the connection pool that the last attempt used.
    generation: u64,
    /// `true` if an attempt before the last one may have been processed.
    earlier: bool,
    /// Time at which the response arrived or the wait for it ended.
    ended: Moment,
}

impl<T> Write<T> {
    /// Returns how the write was sent.
    pub fn evidence(&self) -> Evidence {
        self.evidence.clone()
    }

    /// Decides the outcome. `about` returns an error message for a response that does not match the request.
    ///
    /// After such a response, and after any that does not come from the exchange, the connections are replaced: a server or proxy
    /// that once sent an extra response would send each later request the response to the previous one.
    pub fn judge(
        self,
        about: impl FnOnce(StatusCode, &T) -> Result<(), String>,
    ) -> Outcome<Response<T>> {
        let Self { result, evidence } = self;
        let error = match result {
            Ok(response) => match about(response.status(), &response) {
                Ok(()) => return Outcome::Done(response),
                Err(message) => {
                    return Outcome::Unknown(evidence.unexpected(response.status(), message));
                }
            },
            Err(error) => error,
        };
        if error.was_not_processed() {
            return Outcome::NotProcessed(error);
        }
        match error
            .api()
            .filter(|api| is_rejection(api, evidence.earlier))
        {
            Some(rejection) => Outcome::Rejected(rejection.clone(), error),
            None => {
                evidence.check_origin(&error);
                Outcome::Unknown(error)
            }
        }
    }
}

impl Evidence {
    /// Returns `true` if an attempt before the last one may have been processed.
    pub fn has_earlier(&self) -> bool {
        self.earlier
    }

    /// Returns the time at which the response arrived or the wait for it ended.
    pub fn ended(&self) -> Moment {
        self.ended
    }

    /// Returns the error of one item of a batch, and its rejection unless the item's outcome is unknown.
    pub fn judge_item(
        &self,
        status: StatusCode,
        response: ErrorResponse,
    ) -> (Error, Option<ApiError>) {
        let api = ApiError::from_item(status, response);
        let error = Error::api_error(self.operation, api.clone()).after(&self.attempts);
        let rejection = is_rejection(&api, self.earlier).then_some(api);
        if rejection.is_none() {
            self.check_origin(&error);
        }
        (error, rejection)
    }

    /// Returns the error for a response that does not match the request, and replaces the connections.
    pub fn unexpected(&self, status: StatusCode, message: String) -> Error {
        self.replace_connections();
        Error::unexpected_response(self.operation, status, message).after(&self.attempts)
    }

    /// Replaces the connections after an error that the exchange did not send, unless it shows that a server in between failed.
    fn check_origin(&self, error: &Error) {
        let is_fault = error.status().is_none_or(|status| status.is_server_error());
        let is_from_exchange = error.api().is_some_and(ApiError::is_from_exchange);
        if error.is_decode() || !is_fault && !is_from_exchange {
            self.replace_connections();
        }
    }

    fn replace_connections(&self) {
        self.core.replace_connections(self.generation);
    }
}

impl Core {
    /// Sends a write and records the evidence for its outcome. `earlier` is `true` if a previous write of the same order
    /// may have been processed.
    pub(crate) async fn write<T: DeserializeOwned>(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
        earlier: bool,
    ) -> Write<T> {
        let attempts = Attempts::default();
        let result = self.call_counted(operation, request, &attempts).await;
        self.written(operation, result, attempts, earlier)
    }

    /// Sends a write whose response has no body. Otherwise like [`write`](Self::write).
    pub(crate) async fn write_empty(
        &self,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Write<()> {
        let attempts = Attempts::default();
        let result = self.call_empty(operation, request, &attempts).await;
        self.written(operation, result, attempts, false)
    }

    fn written<T>(
        &self,
        operation: &'static Operation,
        result: Result<Response<T>, Error>,
        attempts: Attempts,
        earlier: bool,
    ) -> Write<T> {
        Write {
            result: result.map_err(|error| match earlier {
                true => error.after_earlier_write(),
                false => error,
            }),
            evidence: Evidence {
                core: self.clone(),
                operation,
                generation: attempts.generation(),
                earlier: earlier || attempts.processed() > 1,
                attempts,
                ended: Moment::now(self),
            },
        }
    }
}

/// A moment, from which bounds of the exchange's time at that moment are calculated.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    instant: Instant,
    /// The local clock at that moment, in Unix milliseconds. `None` if the clock failed.
    wall_ms: Option<u64>,
    /// Skew of the local clock at that moment in milliseconds, if it was known.
    behind_ms: Option<i64>,
}

/// Maximum time by which the local clock is assumed to be ahead of the exchange's until responses show the exchange's time.
const MAX_UNSEEN_LEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum difference in milliseconds between two measurements of the same skew. A `Date` has whole seconds.
const MAX_SKEW_ERROR_MS: u64 = 1_000;

impl Moment {
    /// Returns the current moment.
    pub fn now(core: &Core) -> Self {
        let wall_ms = core.shared.clock.now_ms().ok();
        Self {
            instant: Instant::now(),
            wall_ms,
            behind_ms: wall_ms.and_then(|ms| core.shared.server_time.behind_ms(ms)),
        }
    }

    /// Returns the earliest time that the exchange's clock may have shown, in Unix milliseconds, based on the local clock at that
    /// moment and on the skew measured since.
    pub fn earliest_ms(&self, core: &Core) -> u64 {
        let wall_ms = self.wall_ms.unwrap_or(0);
        wall_ms.min(core.earliest_ms(self.instant, false))
    }

    /// Returns the earliest time that the exchange's clock may have shown, in Unix milliseconds. Unlike [`earliest_ms`](Self::earliest_ms),
    /// it leaves out what most recent responses contradict, so that a single wrong `Date` does not move it.
    pub fn likely_earliest_ms(&self, core: &Core) -> u64 {
        let wall_ms = self.wall_ms.unwrap_or(0);
        wall_ms.min(core.earliest_ms(self.instant, true))
    }

    /// Returns the earliest time that the exchange's clock may have shown. See [`earliest_ms`](Self::earliest_ms). Until responses agree
    /// on the exchange's time, the local clock may be ahead of it by [`MAX_UNSEEN_LEAD`].
    pub fn earliest_time(&self, core: &Core) -> SystemTime {
        let mut earliest = Duration::from_millis(self.earliest_ms(core));
        if !core.shared.server_time.is_known() {
            earliest = earliest.saturating_sub(MAX_UNSEEN_LEAD);
        }
        let time = SystemTime::UNIX_EPOCH.checked_add(earliest);
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Returns the latest time that the exchange's clock may have shown, in Unix milliseconds, based on the local clock at that
    /// moment and on the skew measured since. Returns `u64::MAX` if the local clock failed.
    pub fn latest_ms(&self, core: &Core) -> u64 {
        let wall_ms = self.wall_ms.unwrap_or(u64::MAX);
        wall_ms.max(core.latest_ms(self.instant))
    }

    /// Returns the time of the exchange's clock, in Unix milliseconds and accurate to about a second, if recent responses agree on it,
    /// whatever the local clock shows. Otherwise returns the latest time that it may have shown.
    pub(crate) fn agreed_or_latest_ms(&self, core: &Core) -> u64 {
        let agreed = || {
            let now = core.shared.clock.now_ms().ok()?;
            let passed = u64::try_from(self.instant.elapsed().as_millis()).ok()?;
            let behind = core.clock_skew()?.num_milliseconds();
            let by_instant = now.checked_add_signed(behind)?.checked_sub(passed)?;
            // The monotonic clock may stop while the machine sleeps, which would make the moment appear later than it was. If the skew is
            // the same as then, the local clock's reading of that moment is as good.
            let is_same = |then: i64| then.abs_diff(behind) <= MAX_SKEW_ERROR_MS;
            let by_wall = match self.behind_ms.is_some_and(is_same) {
                true => self.wall_ms.and_then(|ms| ms.checked_add_signed(behind)),
                false => None,
            };
            Some(by_wall.map_or(by_instant, |ms| ms.min(by_instant)))
        };
        agreed().unwrap_or_else(|| self.latest_ms(core))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;

    fn rejects(status: u16, body: &str, earlier: bool) -> bool {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let error = crate::rt::parse_rejection(status, &HeaderMap::new(), body.into(), true);
        is_rejection(&error, earlier)
    }

    const CODED: &str = r#"{"error":{"code":"insufficient_balance"}}"#;

    #[test]
    fn only_listed_statuses_reject() {
        for status in 100..600 {
            let expected = [400, 401, 403, 404, 409, 410, 422].contains(&status)
                || (200..300).contains(&status);
            assert_eq!(rejects(status, CODED, false), expected, "{status}");
            assert!(
                !rejects(status, CODED, true),
                "{status} after an earlier attempt"
            );
        }
    }

    #[test]
    fn only_error_formats_of_the_exchange_reject() {
        for body in [
            "",
            "{}",
            "null",
            "[]",
            "<html><title>400</title></html>",
            r#"{"message":"Forbidden"}"#,
            r#"{"code":"","message":"x"}"#,
            r#"{"code":5,"message":"Not Found","details":[]}"#,
            r#"{"code":"403","message":"Forbidden"}"#,
            r#"{"error":"not found"}"#,
            r#"{"error":{}}"#,
            r#"{"error":{"message":"x"}}"#,
            r#"{"error":"not_found","message":"gone"}"#,
            r#""insufficient_balance""#,
            r#"{"error":{"code":"insufficient_balance""#,
            r#"{"error":{"code":"insufficient_balance"},"order_id":"o1"}"#,
            r#"{"code":"insufficient_balance","order":{"order_id":"o1"}}"#,
        ] {
            for status in [200, 400, 401, 403, 404, 409, 410, 422] {
                assert!(!rejects(status, body, false), "{status} {body}");
            }
        }
        assert!(rejects(
            400,
            r#"{"code":"bad_request","message":"x","details":"y"}"#,
            false
        ));
        assert!(rejects(
            404,
            r#"{"error":{"code":"not_found"},"trace":"7f"}"#,
            false
        ));
        let bare = r#"{"msg":"Parameter validation failed"}"#;
        assert!(rejects(400, bare, false));
        assert!(!rejects(409, bare, false));
        let gateway = r#"{"code":400,"msg":"Bad Request"}"#;
        assert!(!rejects(400, gateway, false));
    }

    #[test]
    fn failure_codes_do_not_reject() {
        for code in [
            "bad_gateway",
            "deadline_exceeded",
            "request_timed_out",
            "gateway_timeout",
            "GatewayTimeout",
            "internal",
            "internal_error",
            "internal_server_error",
            "request_timeout",
            "service-unavailable",
            "timeout",
            "unavailable",
            "unknown",
            "upstream_error",
        ] {
            for status in [200, 400, 409] {
                for code in [
                    code.to_owned(),
                    code.to_ascii_uppercase(),
                    format!("{code}: at 7"),
                    format!("{code}:_x"),
                ] {
                    let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
                    assert!(!rejects(status, &body, false), "{status} {code}");
                }
            }
        }
        for code in [
            "anchor_order_unavailable",
            "quote_timed_out",
            "internal_transfer_limit",
        ] {
            assert!(
                rejects(409, &format!(r#"{{"code":"{code}"}}"#), false),
                "{code}"
            );
        }
    }
}
