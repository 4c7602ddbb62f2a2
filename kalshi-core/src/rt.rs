//! Interface between this crate and the API crates, called by generated code and by their hand-written modules.
//!
//! Not part of the public API. This module and the output of kalshi-gen are versioned together: a breaking change to either bumps both.

pub mod orders;

use std::{
    borrow::Borrow,
    fmt,
    time::{Duration, SystemTime},
};

use kalshi_auth::CredentialsError;
use reqwest::{
    Method, Request, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
#[cfg(feature = "ws")]
use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "ws")]
use serde_json::{Map, Value};

pub use crate::compact::from_str as from_json;
pub use crate::copy_enum::deserialize as copy_enum;
pub use crate::de::{
    decimal_text, dollars_or_none, null_is_empty, null_items_are_empty, null_values_are_empty,
    open_enum, optional_decimal_text, optional_time, time,
};
pub use crate::outcome::{Evidence, Moment, Outcome, Write};
#[cfg(feature = "ws")]
pub use crate::ws::frame::discriminates;
use crate::{
    api::Api,
    api_error::{ApiError, ErrorResponse},
    body::Body,
    client::Core,
    client_builder::ClientBuilder,
    config_error::ConfigError,
    custom_request::CustomRequest,
    error::Error,
    json_path,
    limits::{BucketLimit, Costs, EndpointCosts},
    operation::Operation,
    outcome::is_rejection_of_read,
    pages::{Items, List, Page, Pages},
    response::Response,
    unix_time::{UnixMillis, UnixSeconds},
    wire::Attempts,
};

/// Builds a client of an environment with these credentials.
pub fn client<A: Api>(
    environment: A::Environment,
    credentials: Result<A::Credentials, CredentialsError>,
) -> Result<A::Client, ConfigError> {
    let builder = ClientBuilder::<A>::default().environment(environment);
    builder.credentials(credentials?).build()
}

/// Converts the error message for an invalid parameter of a request builder to an error of the operation.
pub fn check_param<T>(operation: &'static Operation, value: Result<T, String>) -> Result<T, Error> {
    value.map_err(|message| Error::invalid(operation, message))
}

/// Converts the argument of the setter `name` to Unix seconds. A time before 1970 or after the year 9999 is an error.
pub fn unix_seconds(name: &str, seconds: impl Into<UnixSeconds>) -> Result<i64, String> {
    seconds.into().checked(name)
}

/// Converts the argument of the setter `name` to Unix milliseconds. A time before 1970 or after the year 9999 is an error.
pub fn unix_millis(name: &str, millis: impl Into<UnixMillis>) -> Result<i64, String> {
    millis.into().checked(name)
}

/// Collects the strings passed to a setter.
pub fn texts(items: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let items = items.into_iter();
    items.map(|item| item.as_ref().to_owned()).collect()
}

/// Collects the numbers passed to a setter.
pub fn numbers<T: Copy>(items: impl IntoIterator<Item = impl Borrow<T>>) -> Vec<T> {
    items.into_iter().map(|item| *item.borrow()).collect()
}

/// Converts the values passed to the setter `name`.
pub fn values<T, V>(name: &str, items: impl IntoIterator<Item = V>) -> Result<Vec<T>, String>
where
    V: TryInto<T>,
    V::Error: fmt::Display,
{
    let items = items.into_iter().map(TryInto::try_into);
    let items: Result<_, V::Error> = items.collect();
    items.map_err(|error| {
        format!("`{name}` was set to a value that does not convert to its type: {error}")
    })
}

/// Checks a list that is sent in the query. An empty list is an error, because the exchange would read it as no list.
pub fn query_list<T>(name: &str, items: Vec<T>) -> Result<Vec<T>, String> {
    if items.is_empty() {
        return Err(format!("`{name}` is an empty list"));
    }
    Ok(items)
}

/// Returns a parameter as a percent-encoded path segment. A value that would change the path is an error.
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

/// Percent-encodes everything except unreserved characters, which all servers and URL libraries treat alike.
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

/// Builds a request for an operation; `path` is relative to the base URL.
pub fn request(
    core: &Core,
    operation: &'static Operation,
    path: fmt::Arguments<'_>,
) -> RequestBuilder {
    let url = core.shared.url(path);
    core.shared.http.request(operation.method.clone(), url)
}

/// Builds a request to an endpoint that is not in the spec; `path` is relative to the base URL.
pub fn custom_request(core: &Core, method: Method, path: String) -> CustomRequest {
    CustomRequest::new(core, method, path)
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

/// Adds a list to the query as one comma-separated value if it is set. An item that contains a comma is an error, because the exchange
/// would read it as two.
pub fn comma_separated(
    operation: &'static Operation,
    request: RequestBuilder,
    name: &str,
    items: Option<&Vec<impl ToString>>,
) -> Result<RequestBuilder, Error> {
    let Some(items) = items else {
        return Ok(request);
    };
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if let Some(item) = items.iter().find(|item| item.contains(',')) {
        let message = format!(
            "`{name}` contains the item `{item}`, which has a comma; pass each item separately"
        );
        return Err(Error::invalid(operation, message));
    }
    Ok(request.query(&[(name, items.join(","))]))
}

/// Builds the request. A POST, PUT or PATCH without a body gets `{}`, because the exchange rejects an empty body.
pub fn finish_request(
    operation: &'static Operation,
    request: RequestBuilder,
) -> Result<Request, Error> {
    let mut request = request
        .build()
        .map_err(|error| Error::transport(operation, error))?;
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
) -> impl Future<Output = Result<Response<T>, Error>> {
    core.call(operation, request)
}

/// Sends the request of an operation without parameters and decodes the response as `T`.
pub async fn read<T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
) -> Result<Response<T>, Error> {
    let request = request(core, operation, format_args!("{}", operation.path));
    send(core, operation, finish_request(operation, request)).await
}

/// Sends a request and decodes a response that is a list.
pub fn send_list<T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> impl Future<Output = Result<Response<T>, Error>> {
    core.call_list(operation, request)
}

/// Sends a request whose response has no content.
pub async fn send_empty(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> Result<Response<()>, Error> {
    core.call_empty(operation, request, &Attempts::default())
        .await
}

/// Returns the pages of a paginated operation.
pub fn pages<T: Page>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> Pages<T> {
    Pages::new(core.clone(), operation, request)
}

/// Returns the items of the list `field` of a paginated operation.
pub fn items<T: Page, I: DeserializeOwned>(
    pages: Pages<T>,
    field: &'static str,
    into_items: fn(T) -> Vec<I>,
) -> Items<T, I> {
    Items::new(pages, List { field, into_items })
}

/// Returns the error for parameters that do not make a valid request.
pub fn invalid(operation: &'static Operation, message: impl Into<String>) -> Error {
    Error::invalid(operation, message)
}

/// Returns the error for a response that decodes but contradicts itself or the request.
pub fn unexpected_response(
    operation: &'static Operation,
    status: StatusCode,
    message: String,
) -> Error {
    Error::unexpected_response(operation, status, message)
}

/// Returns `true` if an error object has any field set.
pub fn is_set(response: &ErrorResponse) -> bool {
    response.is_set()
}

/// Sends a write and records the evidence of its outcome. `earlier` is `true` if a previous write of the same order may have been
/// processed.
pub fn write<T: DeserializeOwned>(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
    earlier: bool,
) -> impl Future<Output = Write<T>> {
    core.write(operation, request, earlier)
}

/// Sends a write whose response has no content, like [`write`].
pub fn write_empty(
    core: &Core,
    operation: &'static Operation,
    request: Result<Request, Error>,
) -> impl Future<Output = Write<()>> {
    core.write_empty(operation, request)
}

/// Returns `true` if the error is a rejection by the exchange, which is a definite result of a read.
pub fn is_rejection(error: &Error) -> bool {
    is_rejection_of_read(error)
}

/// Returns `true` if the code of a rejection up to the first colon is this one, in any case.
pub fn matches_code(error: &ApiError, code: &str) -> bool {
    error.matches_code(code)
}

/// Returns the timeout of the lookup that follows a duplicate order.
pub fn lookup_timeout(core: &Core) -> Duration {
    core.shared.lookup_timeout
}

/// Returns the rejection of a duplicate order after a lookup that did not finish within `timeout`.
pub fn after_lookup(error: &Error, timeout: Duration) -> Error {
    error.after_lookup(timeout)
}

/// Returns a client for reads that serve as evidence. Each read opens its own connection, on which no response to another request can
/// arrive, unless the HTTP client is the user's: then it uses the pooled connections. Cached responses are errors, and so are incomplete
/// pages if the API [requires a cursor](orders::Reader::REQUIRES_CURSOR).
pub fn for_evidence<C: orders::Reader>(client: &C) -> C {
    client.with_core(client.core().for_evidence(C::REQUIRES_CURSOR))
}

/// Returns `true` if reads for evidence do not use the pooled connections: see [`for_evidence`].
pub fn has_evidence_connections(core: &Core) -> bool {
    core.shared.http_options.is_some()
}

/// Returns `true` if recent responses agree on the exchange's time, so that the local clock is not needed to know it.
pub fn knows_exchange_time(core: &Core) -> bool {
    core.shared.server_time.is_known()
}

/// Parses a rejection from a response body, complete or truncated. For fuzzing.
pub fn parse_rejection(
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    is_complete: bool,
) -> ApiError {
    let bytes = body.into();
    let body = Body { bytes, is_complete };
    ApiError::read(status, headers, &body, SystemTime::UNIX_EPOCH)
}

/// Returns the JSON path at a line and column, both counted from 1. For fuzzing.
pub fn json_path(text: &[u8], line: usize, column: usize) -> String {
    json_path::at(text, line, column)
}

/// Converts a bucket as the exchange reports it in a response with `status`.
///
/// # Errors
///
/// Returns an error if a number is negative or too large.
pub fn bucket_limit(
    operation: &'static Operation,
    status: StatusCode,
    refill_rate: i64,
    bucket_capacity: i64,
) -> Result<BucketLimit, Error> {
    let number = |number: i64, field: &str| {
        u32::try_from(number)
            .map_err(|_| unexpected_response(operation, status, format!("`{field}` is {number}")))
    };
    Ok(BucketLimit::new(
        number(refill_rate, "refill_rate")?,
        number(bucket_capacity, "bucket_capacity")?,
    ))
}

/// Builds the parameters of a WebSocket command.
///
/// # Errors
///
/// Returns an error if a value passed to the builder is invalid.
#[cfg(feature = "ws")]
pub fn command_params<P: Serialize>(
    builder: impl TryInto<P, Error: fmt::Display>,
) -> Result<Map<String, Value>, String> {
    let params = builder.try_into().map_err(|error| error.to_string())?;
    match serde_json::to_value(params) {
        Ok(Value::Object(params)) => Ok(params),
        _ => Ok(Map::new()),
    }
}

/// Applies the token costs that the exchange reports for the account. Call it after setting the account's limits: limits too small for
/// some operation are replaced.
pub fn set_endpoint_costs(core: &Core, costs: &EndpointCosts) {
    let shared = &core.shared;
    let costs = Costs::new(costs, shared.operations);
    shared.limiter.set_costs(costs, shared.operations);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{http_options::HttpOptions, operation::Bucket};

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
        let client = HttpOptions::default().build().unwrap();
        let query = |items: Option<&Vec<String>>| {
            let request = client.get("http://localhost/");
            let request = comma_separated(&OPERATION, request, "t", items)
                .ok()?
                .build();
            let request = request.ok()?;
            Some(request.url().query().unwrap_or_default().to_owned())
        };
        assert_eq!(
            query(Some(&vec!["a".to_owned(), "b&c".to_owned()])).as_deref(),
            Some("t=a%2Cb%26c")
        );
        assert_eq!(query(None).as_deref(), Some(""));
        // It would be two items on the wire.
        assert_eq!(query(Some(&vec!["a".to_owned(), "b,c".to_owned()])), None);
    }
}
