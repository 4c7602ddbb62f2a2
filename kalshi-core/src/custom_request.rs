//! Requests to endpoints that the spec does not have yet.

use std::{borrow::Cow, cell::Cell, fmt};

use http::{HeaderName, HeaderValue};
use kalshi_auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP};
use reqwest::{
    Method, RequestBuilder, Url,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE},
};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, Visitor, value},
    forward_to_deserialize_any,
};

use crate::{
    client::Core,
    error::Error,
    operation::{Bucket, Operation},
    request::Received,
    response::Response,
    rt,
};

/// Headers by which servers take one method for another, so that a read that is retried could be a write.
const METHOD_OVERRIDES: [&str; 3] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// The operation that represents a custom request to retries, middleware and errors.
macro_rules! row {
    ($method:ident, $bucket:ident) => {
        Operation::new(
            "CustomRequest",
            Method::$method,
            "/{path}",
            "",
            Bucket::$bucket,
        )
    };
}

/// A row for each method, signed and unsigned.
static ROWS: [[Operation; 2]; 5] = [
    [row!(GET, Read), row!(GET, Read).public()],
    [row!(POST, Write), row!(POST, Write).public()],
    [row!(PUT, Write), row!(PUT, Write).public()],
    [row!(PATCH, Write), row!(PATCH, Write).public()],
    [
        row!(DELETE, Write).priority(),
        row!(DELETE, Write).priority().public(),
    ],
];

/// Method, path and cost of a custom request, beside the row that it shares with others.
#[derive(Debug)]
pub(crate) struct Route {
    method: Method,
    /// As given.
    pub(crate) path: String,
    /// The operation of the spec that has this method and path, if any. The rate limiter counts the request as this one.
    pub(crate) operation: Option<&'static Operation>,
    /// Tokens that it takes, or `None` for the cost of the operation.
    pub(crate) cost: Option<u32>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A path that is not sent may contain anything.
        write!(f, "{} {}", self.method, self.path.escape_debug())
    }
}

/// A request to an endpoint that the spec does not have, made by the client's `request`.
///
/// It passes the same stages as an operation: it is signed, takes tokens of the rate limiter, is bounded by the client's timeout, and is
/// retried by the client's [`RetryPolicy`](crate::RetryPolicy). A GET counts as a read. Any other method counts as a write, which is
/// sent again only if it certainly was not processed.
#[must_use = "a request does nothing until `send` is called"]
pub struct CustomRequest {
    core: Core,
    route: Route,
    is_unsigned: bool,
    /// Built so far, or what is wrong with it.
    request: Result<RequestBuilder, Cow<'static, str>>,
}

impl CustomRequest {
    /// A request to `path` below the base URL.
    pub(crate) fn new(core: &Core, method: Method, path: String) -> Self {
        let request = match check_path(&path) {
            Ok(()) => {
                let url = core.shared.url(format_args!("{path}"));
                Ok(core.shared.http.request(method.clone(), url))
            }
            Err(fault) => Err(fault.into()),
        };
        let operation = find(core.shared.operations, &method, &path);
        Self {
            core: core.clone(),
            route: Route {
                method,
                path,
                operation,
                cost: None,
            },
            is_unsigned: false,
            request,
        }
    }

    /// Adds parameters to the query, percent-encoded: pairs such as `&[("limit", "5")]`, a map, or a struct. Each call adds to those
    /// before.
    pub fn query(self, parameters: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.query(parameters))
    }

    /// Adds a header.
    ///
    /// `send` returns an error if the name or the value is invalid, if the client sets the header itself (those of the signature, `host` and
    /// those of the connection), or if the header would override the method.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let own = [
            ACCESS_KEY,
            ACCESS_SIGNATURE,
            ACCESS_TIMESTAMP,
            CONNECTION,
            CONTENT_LENGTH,
            HOST,
            TRANSFER_ENCODING,
            UPGRADE,
        ];
        let fault = match (
            HeaderName::try_from(name),
            HeaderValue::try_from(value.as_ref()),
        ) {
            (Ok(name), Ok(_)) if METHOD_OVERRIDES.contains(&name.as_str()) => {
                format!(
                    "the header `{name}` would make another request of a GET: use the method itself"
                )
            }
            (Ok(name), Ok(_)) if own.contains(&name) => {
                format!("the client sets the header `{name}` itself")
            }
            (Ok(name), Ok(value)) => return self.with(|request| request.header(name, value)),
            (Ok(name), Err(_)) => format!("the value of `{name}` cannot be sent as a header"),
            (Err(_), _) => format!("{name:?} is not a header name"),
        };
        self.invalid(fault)
    }

    /// Sets the body to a value as JSON. A POST, PUT or PATCH without a body sends `{}`, because the exchange rejects an empty one.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.json(body))
    }

    /// Sets the tokens that the request takes from its bucket. 0 counts as 1. If the cost exceeds the capacity of the bucket, `send`
    /// returns a local rate limit error.
    ///
    /// A request with the method and path of an operation takes from the bucket of that operation, and by default its cost. Any other
    /// takes 10 tokens, the cost of most operations, from the bucket of reads for GET and of writes otherwise.
    pub fn cost(mut self, tokens: u32) -> Self {
        self.route.cost = Some(tokens.max(1));
        self
    }

    /// Sends the request without a signature, for a public endpoint. It takes its tokens from the bucket of unsigned requests.
    ///
    /// Without this, a client without credentials returns an error, as it does for operations that need a signature.
    pub fn unsigned(mut self) -> Self {
        self.is_unsigned = true;
        self
    }

    /// Sends the request and decodes the response, an object or a list. `serde_json::Value` takes any.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid, could not be sent, was rejected, or the response does not decode. The error names
    /// method and path, and says whether the exchange may have acted.
    pub async fn send<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        self.fetch(|received| {
            if is_struct::<T>() {
                received.into_object()
            } else {
                received.into_any()
            }
        })
        .await
    }

    /// Sends a request whose response has no content. An object is accepted and ignored.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`send`](Self::send), and if the response has other content.
    pub async fn send_empty(self) -> Result<Response<()>, Error> {
        self.fetch(Received::into_empty).await
    }

    fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Records what is wrong, unless something was wrong before.
    fn invalid(mut self, fault: String) -> Self {
        self.request = self.request.and(Err(fault.into()));
        self
    }

    /// Sends the request and decodes the response.
    async fn fetch<T>(
        self,
        decode: impl FnOnce(Received) -> Result<Response<T>, Error>,
    ) -> Result<Response<T>, Error> {
        let (core, route) = (self.core, self.route);
        let row = ROWS.iter().find(|row| row[0].method == route.method);
        let request = match row {
            Some(_) => self.request,
            None => Err("the method must be GET, POST, PUT, PATCH or DELETE".into()),
        };
        let operation = &row.unwrap_or(&ROWS[1])[usize::from(self.is_unsigned)];
        let request = request
            .map_err(|fault| Error::invalid(operation, fault))
            .and_then(|request| rt::finish_request(operation, request))
            .and_then(|request| {
                // The checks of the path leave nothing that a URL changes. This holds even if they miss something.
                if is_below(request.url(), &core.shared.base_url, &route.path) {
                    Ok(request)
                } else {
                    let fault = "the path is not below the base URL";
                    Err(Error::invalid(operation, fault))
                }
            });
        let result = match request {
            Ok(request) => core.call_custom(operation, &request, &route).await,
            Err(error) => Err(error),
        };
        result
            .and_then(decode)
            .map_err(|error| error.with_route(&route))
    }
}

impl fmt::Debug for CustomRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomRequest")
            .field("route", &format_args!("{}", self.route))
            .field("cost", &self.route.cost)
            .field("is_unsigned", &self.is_unsigned)
            .finish_non_exhaustive()
    }
}

/// Returns the operation that a method and a path below the base URL belong to: of several, the one with the fewest parameters, such as
/// `/things/recent` before `/things/{id}`.
fn find(
    operations: &'static [Operation],
    method: &Method,
    path: &str,
) -> Option<&'static Operation> {
    let is_of = |operation: &&Operation| {
        let (own, given) = (operation.path.split('/'), path.split('/'));
        let fits =
            |(own, given): (&str, &str)| own == given || own.starts_with('{') && !given.is_empty();
        operation.method == *method
            && own.clone().count() == given.clone().count()
            && own.zip(given).all(fits)
    };
    let found = operations.iter().filter(is_of);
    found.min_by_key(|operation| operation.path.matches('{').count())
}

/// Returns `true` if a URL is that of the path below the base URL, whatever its query.
fn is_below(url: &Url, base_url: &Url, path: &str) -> bool {
    let whole = url.as_str();
    let end = whole.find('?').unwrap_or(whole.len());
    let base = base_url.as_str().trim_end_matches('/');
    whole[..end].strip_prefix(base) == Some(path)
}

/// Returns what is wrong with a path. One that passes is sent and signed as it is.
fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(segments) = path.strip_prefix('/') else {
        return Err("the path must begin with `/`; it is relative to the base URL");
    };
    if path.contains(['?', '#']) {
        return Err("the path must not contain a query or a fragment; use `query`");
    }
    let Some(decoded) = decode(segments) else {
        return Err(
            "the path must be percent-encoded: it contains an invalid character or an incomplete `%` escape",
        );
    };
    if decoded.iter().any(u8::is_ascii_control) {
        return Err("the path must not contain control characters");
    }
    // Encoded, a dot segment may still be one to a server or a proxy.
    let mut parts = decoded.split(|byte| b"/\\".contains(byte));
    if parts.any(|part| part == b"." || part == b"..") {
        return Err("the path must not contain the segments `.` and `..`");
    }
    let is_slash = |byte: &u8| b"/\\".contains(byte);
    let has_empty = decoded.windows(2).any(|pair| pair.iter().all(is_slash));
    if has_empty || decoded.first().is_some_and(is_slash) {
        return Err("the path must not contain empty segments");
    }
    Ok(())
}

/// Decodes a percent-encoded path, or returns `None` if it has a character that a path must not have.
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            // The characters of RFC 3986 for a path, all of which URL libraries leave alone.
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) => byte,
            _ => return None,
        });
    }
    Some(decoded)
}

/// Returns `true` if a type is read as a struct, which serde also reads from a list, by position.
fn is_struct<T: DeserializeOwned>() -> bool {
    let found = Cell::new(false);
    let probe = Probe {
        found: &found,
        depth: 0,
    };
    _ = T::deserialize(probe);
    found.get()
}

/// A deserializer without a value that detects if a type deserializes as a struct, also inside a newtype or an option.
struct Probe<'a> {
    found: &'a Cell<bool>,
    /// Newtypes and options around it.
    depth: u32,
}

impl Probe<'_> {
    /// The probe one level further inside. A recursive type has no end.
    fn inner(self) -> Result<Self, value::Error> {
        let depth = self.depth + 1;
        if depth > 16 {
            return Err(value::Error::custom("no value"));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        self.found.set(true);
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_some(self.inner()?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        visitor.visit_newtype_struct(self.inner()?)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests;
