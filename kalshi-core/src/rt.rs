//! The interface between this crate and the API crates: what generated code and their hand-written modules call.
//!
//! Not part of the public API. This module and kalshi-gen's output are one interface: a breaking change of either bumps both.

use std::{fmt, ops::RangeInclusive, time::SystemTime};

use reqwest::{
    Method, Request, RequestBuilder, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

pub use crate::de::{
    null_is_empty, null_items_are_empty, null_values_are_empty, open_enum, optional_time, time,
};
#[cfg(feature = "ws")]
pub use crate::ws::frame::discriminates;
use crate::{
    ResponseValue,
    api_error::{ApiError, ErrorResponse},
    body::Body,
    client::Core,
    error::Error,
    json_path,
    limits::{Costs, EndpointCosts},
    operation::Operation,
    pages::{ItemPage, Items, Page, Pages},
    retry,
};

/// A parameter as it was given to a request builder.
pub fn check_param<T>(operation: &'static Operation, value: Result<T, String>) -> Result<T, Error> {
    value.map_err(|message| Error::invalid(operation, message))
}

/// A parameter as a percent-encoded path segment. A value that would change the path is an error.
pub fn segment(
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

/// Percent-encodes all but unreserved characters, which every server and URL library treats alike.
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

/// A request of an operation; `path` is below the base URL.
pub fn request(
    core: &Core,
    operation: &'static Operation,
    path: fmt::Arguments<'_>,
) -> RequestBuilder {
    let url = format!("{}{path}", core.shared.base_url);
    core.shared.http.request(operation.method.clone(), url)
}

/// Adds a header parameter if it is set.
pub fn header(
    request: RequestBuilder,
    name: &str,
    value: Option<&impl ToString>,
) -> RequestBuilder {
    match value {
        Some(value) => request.header(name, value.to_string()),
        None => request,
    }
}

/// Adds a list to the query as one comma-separated value if it is set.
pub fn comma_separated(
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

/// The finished request. A POST, PUT or PATCH without a body gets `{}`, because the exchange rejects an empty one.
pub fn finish_request(
    operation: &'static Operation,
    request: RequestBuilder,
) -> Result<Request, Error> {
    let mut request = request
        .build()
        .map_err(|error| Error::transport(operation, error))?;
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/json"));
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&operation.method);
    if has_body && request.body().is_none() {
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some("{}".into());
    }
    Ok(request)
}

/// Sends a request and decodes the response.
pub fn send<T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> impl Future<Output = Result<ResponseValue<T>, Error>> {
    core.call(operation, request)
}

/// Sends a request and decodes a response that is a list.
pub fn send_list<T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> impl Future<Output = Result<ResponseValue<T>, Error>> {
    core.call_list(operation, request)
}

/// Sends a request whose response has no content.
pub fn send_empty(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> impl Future<Output = Result<ResponseValue<()>, Error>> {
    core.call_empty(operation, request)
}

/// The pages of a paginated operation.
pub fn pages<T: Page>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> Pages<T> {
    Pages::new(core.clone(), operation, request)
}

/// The items of a paginated operation.
pub fn items<T: ItemPage>(pages: Pages<T>) -> Items<T> {
    Items::new(pages)
}

/// The error of parameters that do not make a valid request.
pub fn invalid(operation: &'static Operation, message: impl Into<String>) -> Error {
    Error::invalid(operation, message)
}

/// The error of a response that decodes and contradicts itself or the request.
pub fn unexpected_response(
    operation: &'static Operation,
    status: StatusCode,
    message: String,
) -> Error {
    Error::unexpected_response(operation, status, message)
}

/// Attempts that the exchange may have processed.
pub fn processed_attempts(error: &Error) -> u32 {
    error.processed_attempts()
}

/// Returns `true` if the failed request may be sent again, as far as its last attempt goes.
pub fn may_retry(error: &Error) -> bool {
    retry::may_retry(error.operation(), error)
}

/// The rejection of one item of a batch.
pub fn item_error(status: StatusCode, response: ErrorResponse) -> ApiError {
    ApiError::from_item(status, response)
}

/// Returns `true` if the body of a rejection has fields beyond those of an error.
pub fn has_more(error: &ApiError) -> bool {
    error.has_more()
}

/// Returns `true` if an error object has any field set.
pub fn is_set(response: &ErrorResponse) -> bool {
    response.is_set()
}

/// Returns `true` for a fault of the exchange, after which the outcome is unknown.
pub fn is_fault(response: &ErrorResponse) -> bool {
    response.is_fault()
}

/// The rejection that a response with this body is, whole or cut. For fuzzing.
pub fn parse_rejection(
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    is_whole: bool,
) -> ApiError {
    let bytes = body.into();
    let body = Body { bytes, is_whole };
    ApiError::read(status, headers, &body, SystemTime::UNIX_EPOCH)
}

/// The JSON path of a line and column, both from 1. For fuzzing.
pub fn json_path(text: &[u8], line: usize, column: usize) -> String {
    json_path::at(text, line, column)
}

/// The time of the client's clock in Unix milliseconds, or 0 if it has none.
pub fn now_ms(core: &Core) -> u64 {
    core.shared.clock.now_ms().unwrap_or_default()
}

/// How far the client's clock is behind the exchange's, in milliseconds. `None` unless most recent signed responses agree.
pub fn clock_behind_ms(core: &Core) -> Option<i64> {
    core.shared.server_time.behind_ms()
}

/// Plausible values of [`clock_behind_ms`], in milliseconds. 0 is always one of them.
pub fn clock_readings(core: &Core) -> RangeInclusive<i64> {
    core.shared.server_time.readings()
}

/// The earliest time of the exchange at a moment, in Unix milliseconds, by the client's clock now and every recent signed response.
///
/// If the client's clock may have been set since the moment, also consider what it showed then.
pub fn earliest_ms(core: &Core, instant: Instant) -> u64 {
    let wall_ms = core.shared.clock.now_ms().ok();
    core.shared.server_time.earliest_ms(instant, wall_ms)
}

/// The latest time of the exchange at a moment, like [`earliest_ms`]. `u64::MAX` if nothing is known.
pub fn latest_ms(core: &Core, instant: Instant) -> u64 {
    let wall_ms = core.shared.clock.now_ms().ok();
    core.shared.server_time.latest_ms(instant, wall_ms)
}

/// Applies the token costs that the exchange reports for the account. Call it after the limiter has the limits that the exchange
/// reports: those that do not allow every operation are replaced.
pub fn set_endpoint_costs(core: &Core, costs: &EndpointCosts) {
    let shared = &core.shared;
    let costs = Costs::new(costs, shared.operations);
    shared.limiter.set_costs(costs, shared.operations);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Bucket;

    static OPERATION: Operation =
        Operation::new("GetThing", Method::GET, "/things/{id}", "", Bucket::Read);

    #[test]
    fn segments_are_encoded_and_cannot_change_the_path() {
        assert_eq!(
            encode("KXBTCD-26MAY3017-T73499.99"),
            "KXBTCD-26MAY3017-T73499.99"
        );
        assert_eq!(encode("a/b?c#d %\u{e9}"), "a%2Fb%3Fc%23d%20%25%C3%A9");
        for bad in ["", ".", ".."] {
            assert!(segment(&OPERATION, "id", &bad).is_err());
        }
    }

    #[test]
    fn lists_are_comma_separated() {
        let query = |items: Option<&Vec<String>>| {
            let request = reqwest::Client::new().get("http://localhost/");
            let request = comma_separated(request, "t", items).build();
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
