//! Requests to endpoints that are not in the spec.

use std::{borrow::Cow, cell::Cell, fmt};

use http::{HeaderName, HeaderValue};
use kalshi_auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP};
use reqwest::{
    Method, Request, RequestBuilder, Url,
    header::{ACCEPT, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE},
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
    received::Received,
    response::Response,
    rt,
};

/// Headers that make servers treat a request as one with another method. With them, a retried read could be a write.
const METHOD_OVERRIDES: [&str; 3] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Defines the operations that represent custom requests in retries, middleware and errors. The variants are, in this order: signed,
/// unsigned, signed with a secret in the response, unsigned with a secret in the response.
macro_rules! operations {
    ($method:ident, $bucket:ident $(, $priority:ident)?) => {{
        const SIGNED: Operation = Operation::new(
            "CustomRequest",
            Method::$method,
            "/{path}",
            "",
            Bucket::$bucket,
        )
        $(.$priority())?;
        [
            SIGNED,
            SIGNED.public(),
            SIGNED.returns_secret(),
            SIGNED.public().returns_secret(),
        ]
    }};
}

/// The operations of each method.
static OPERATIONS: [[Operation; 4]; 5] = [
    operations!(GET, Read),
    operations!(POST, Write),
    operations!(PUT, Write),
    operations!(PATCH, Write),
    operations!(DELETE, Write, priority),
];

/// Method, path and cost of a custom request. Its [`Operation`] is shared with other custom requests.
#[derive(Debug)]
pub(crate) struct Route {
    method: Method,
    /// The path as given by the caller.
    pub(crate) path: String,
    /// The operation of the spec with this method and path, if any. The rate limiter then counts the request as that operation.
    pub(crate) operation: Option<&'static Operation>,
    /// Explicit cost in tokens, or `None` to use that of the operation.
    pub(crate) cost: Option<u32>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path may contain anything if it was rejected.
        write!(f, "{} {}", self.method, self.path.escape_debug())
    }
}

/// A request to an endpoint that is not in the spec, created by the client's `request` method.
///
/// It is handled like an operation: it is signed, takes tokens from the rate limiter, is subject to the client's timeout, and is
/// retried according to the client's [`RetryPolicy`](crate::RetryPolicy). A GET counts as a read. Any other method counts as a
/// write, which is sent again only if it certainly was not processed.
#[must_use = "a request does nothing until `send` is called"]
pub struct CustomRequest {
    core: Core,
    route: Route,
    is_unsigned: bool,
    /// The request so far, or the first mistake in it.
    request: Result<RequestBuilder, Cow<'static, str>>,
}

impl CustomRequest {
    /// Creates a request to `path` below the base URL.
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

    /// Adds query parameters, which are percent-encoded: pairs such as `&[("limit", "5")]`, a map or a struct.
    /// May be called repeatedly.
    pub fn query(self, parameters: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.query(parameters))
    }

    /// Adds a header.
    ///
    /// `send` returns an error if the name or value is invalid, if the client sets the header itself (signature headers, `host` and
    /// connection headers), or if the header would override the method.
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
                    "the header `{name}` would override the method; set the method of the request instead"
                )
            }
            (Ok(name), Ok(_)) if own.contains(&name) => {
                format!("the client sets the header `{name}` itself")
            }
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                return self.with(|request| request.header(name, value));
            }
            (Ok(name), Err(_)) => format!("the value of `{name}` cannot be sent as a header"),
            // It is not printed, because it may be a secret value whose place was swapped with the name's.
            (Err(_), _) => "a header name is invalid".to_owned(),
        };
        self.invalid(fault)
    }

    /// Sets the body to a value serialized as JSON. A POST, PUT or PATCH without a body sends `{}`, because the exchange
    /// rejects an empty body.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.json(body))
    }

    /// Sets the number of tokens that the request takes. 0 counts as 1. If the cost exceeds the capacity of the bucket, `send`
    /// returns a local rate limit error.
    ///
    /// By default, a request with the method and path of an operation has the bucket and cost of that operation. Any other request
    /// takes 10 tokens, the cost of most operations, from the read bucket for GET and from the write bucket otherwise.
    pub fn cost(mut self, tokens: u32) -> Self {
        self.route.cost = Some(tokens.max(1));
        self
    }

    /// Sends the request without a signature, for a public endpoint. Its tokens are taken from the bucket of unsigned requests.
    ///
    /// Without this, a client without credentials returns an error, as for any signed operation.
    pub fn unsigned(mut self) -> Self {
        self.is_unsigned = true;
        self
    }

    /// Sends the request and decodes the response, which may be an object or a list. Use `serde_json::Value` to accept any JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid, could not be sent or was rejected, or if the response does not decode. The error
    /// contains the method and path, and reports whether the exchange may have acted.
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

    /// Sends a request whose response has no body. An object is accepted and ignored.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`send`](Self::send), and if the response has any other body.
    pub async fn send_empty(self) -> Result<Response<()>, Error> {
        self.fetch(Received::into_empty).await
    }

    /// Sends the request and returns the body of the response as received. It may be empty.
    ///
    /// Numbers keep all their digits, and fields that no type declares are not lost.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`send`](Self::send), except that the body only needs to be UTF-8.
    pub async fn send_text(self) -> Result<Response<String>, Error> {
        self.fetch(Received::into_text).await
    }

    fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Records a mistake, unless an earlier one was recorded.
    fn invalid(mut self, fault: String) -> Self {
        self.request = self.request.and(Err(fault.into()));
        self
    }

    /// Builds the request without sending it, for example to show it. The headers with the credentials are missing: they are added
    /// when a request is sent.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is invalid.
    pub fn build(self) -> Result<Request, Error> {
        let (.., request) = self.into_parts();
        request
    }

    /// Returns the client, the route, the operation that represents the request, and the request itself.
    fn into_parts(self) -> (Core, Route, &'static Operation, Result<Request, Error>) {
        let (core, route) = (self.core, self.route);
        let pair = OPERATIONS
            .iter()
            .find(|variants| variants[0].method == route.method);
        let request = match pair {
            Some(_) => self.request,
            None => Err("the method must be GET, POST, PUT, PATCH or DELETE".into()),
        };
        let returns_secret = route
            .operation
            .is_some_and(|operation| operation.returns_secret);
        let variant = usize::from(self.is_unsigned) + 2 * usize::from(returns_secret);
        let operation = &pair.unwrap_or(&OPERATIONS[1])[variant];
        let request = request
            .map_err(|fault| Error::invalid(operation, fault))
            .and_then(|request| rt::finish_request(operation, request))
            .and_then(|mut request| {
                // Every request is sent with it. Here it is added so that `build` shows it.
                let json = HeaderValue::from_static("application/json");
                request.headers_mut().entry(ACCEPT).or_insert(json);
                // A second check, in case `check_path` misses something: URL parsing must not have changed the path.
                if is_below(request.url(), &core.shared.base_url, &route.path) {
                    Ok(request)
                } else {
                    let fault = "the path is not below the base URL";
                    Err(Error::invalid(operation, fault))
                }
            })
            .map_err(|error| error.with_route(&route));
        (core, route, operation, request)
    }

    /// Sends the request and decodes the response.
    async fn fetch<T>(
        self,
        decode: impl FnOnce(Received) -> Result<Response<T>, Error>,
    ) -> Result<Response<T>, Error> {
        let (core, route, operation, request) = self.into_parts();
        let result = core.call_custom(operation, &request?, &route).await;
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

/// Returns the operation with this method and path. If several match, the one with the fewest parameters wins, such
/// as `/things/recent` before `/things/{id}`.
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

/// Returns `true` if `url` is `path` below the base URL. The query is ignored.
fn is_below(url: &Url, base_url: &Url, path: &str) -> bool {
    let whole = url.as_str();
    let end = whole.find('?').unwrap_or(whole.len());
    let base = base_url.as_str().trim_end_matches('/');
    whole[..end].strip_prefix(base) == Some(path)
}

/// Checks a path and returns an error message. A valid path is signed and sent unchanged.
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
    // Servers and proxies may interpret encoded dot segments.
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

/// Decodes a percent-encoded path. Returns `None` if it has an invalid character or escape.
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            // The characters that RFC 3986 allows in a path, which URL libraries do not change.
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) => byte,
            _ => return None,
        });
    }
    Some(decoded)
}

/// Returns `true` if a type deserializes as a struct, which serde also accepts as a list of its fields.
fn is_struct<T: DeserializeOwned>() -> bool {
    let found = Cell::new(false);
    let probe = Probe {
        found: &found,
        depth: 0,
    };
    _ = T::deserialize(probe);
    found.get()
}

/// A deserializer without a value. It detects types that deserialize as a struct, including inside a newtype or option.
struct Probe<'a> {
    found: &'a Cell<bool>,
    /// Number of newtypes and options around it.
    depth: u32,
}

impl Probe<'_> {
    /// Returns the probe for the next level. The depth is limited because a type may be recursive.
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
