//! The request pipeline: faults, signature, validation, tokens, handler, and the response with its faults.

use std::time::Duration;

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use kalshi_sdk::auth::ACCESS_KEY;
use serde_json::{Value, json};

use crate::{
    Rejection,
    body::{self, MAX_BODY},
    call::{Call, Caller},
    connection::Connection,
    fault::{self, Fault},
    handlers, legacy,
    parse::Parameters,
    rejection::ErrorEnvelope,
    requests::ReceivedRequest,
    shared::Shared,
    spec::Endpoint,
    sync::lock,
    time::{to_datetime, to_micros},
    validate,
};

/// Path of order writes before June 2026.
const V1_ORDERS: &str = "/trade-api/v2/portfolio/orders";

/// The operation of a path and its path parameters, or `None` if no operation matches.
pub(crate) type Target = Option<(&'static Endpoint, Vec<(String, String)>)>;

/// A request that has not been authenticated and validated yet.
struct RequestContext<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    parts: &'a Parts,
    body: &'a Bytes,
    faults: &'a [Fault],
}

/// A response before faults are applied.
struct Reply {
    status: StatusCode,
    body: Value,
}

impl From<Rejection> for Reply {
    fn from(rejection: Rejection) -> Self {
        Self {
            status: rejection.status,
            body: rejection.body(),
        }
    }
}

/// Serves one HTTP request, including its faults and its entry in the request log.
pub(crate) async fn serve(
    shared: &Shared,
    target: Target,
    connection: &Connection,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = tokio::select! {
        // A complete request gets a response, even during shutdown.
        biased;
        body = body::read(body, MAX_BODY) => body,
        () = shared.stopped() => None,
    };
    let body = match body {
        Some(body) if body.len() <= MAX_BODY => body,
        Some(_) => {
            let details = format!("the body has more than {MAX_BODY} bytes");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            let mut response = reject(
                shared,
                &parts,
                Rejection::new(status, "request_too_large", details),
            );
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            return response;
        }
        None => {
            // The client disconnected, or the exchange is shutting down.
            connection.close();
            return Response::new(Body::empty());
        }
    };
    let faults = target.as_ref().map_or_else(Vec::new, |(endpoint, _)| {
        shared.faults_for(endpoint.operation)
    });
    let context = RequestContext {
        shared,
        connection,
        parts: &parts,
        body: &body,
        faults: &faults,
    };
    let endpoint = target.as_ref().map(|(endpoint, _)| *endpoint);
    let is_dropped = faults.contains(&Fault::DropBefore);
    let mut reply = match target {
        _ if is_dropped => Reply {
            status: StatusCode::OK,
            body: Value::Null,
        },
        None => unknown_operation(&parts),
        Some((endpoint, parameters)) => context.reply(endpoint, &parameters),
    };
    for fault in &faults {
        fault::corrupt(
            fault,
            endpoint.and_then(Endpoint::response_schema),
            &mut reply.body,
        );
    }
    let request = ReceivedRequest {
        at: shared.time.now(),
        operation: endpoint.map(|endpoint| endpoint.operation),
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.clone(),
        body: body.clone(),
        status: (!is_dropped).then_some(reply.status),
    };
    lock(&shared.log).push(request, &reply.body);
    let latency = faults.iter().filter_map(|fault| match fault {
        Fault::Latency(latency) => Some(*latency),
        _ => None,
    });
    let latency = latency.fold(Duration::ZERO, Duration::saturating_add);
    if !latency.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(latency) => {}
            () = shared.stopped() => connection.close(),
        }
    }
    if is_dropped || faults.contains(&Fault::DropAfter) {
        connection.close();
    }
    if faults.contains(&Fault::ExtraResponse) {
        connection.send_extra_response();
    }
    respond(shared, &parts, &reply, &faults)
}

/// Responds to a path without an operation: with a redirect if it has a trailing slash, otherwise with 404.
fn unknown_operation(parts: &Parts) -> Reply {
    let path = parts.uri.path();
    if parts.method != Method::GET && path.starts_with(V1_ORDERS) {
        let details = "order writes are at /portfolio/events/orders";
        return Rejection::new(StatusCode::GONE, "deprecated_v1_order_endpoint", details).into();
    }
    let supported = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    if !supported.contains(&parts.method.as_str()) {
        let details = format!("{} is not supported", parts.method);
        return Rejection::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            details,
        )
        .into();
    }
    if path.ends_with('/') && !path.trim_end_matches('/').is_empty() {
        return Reply {
            status: StatusCode::MOVED_PERMANENTLY,
            body: Value::Null,
        };
    }
    Rejection::not_found(format!("no operation {} {path}", parts.method)).into()
}

impl RequestContext<'_> {
    fn reply(&self, endpoint: &'static Endpoint, path: &[(String, String)]) -> Reply {
        for fault in self.faults {
            let rejection = match fault {
                Fault::TooManyRequests => Rejection::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many_requests",
                    "injected fault",
                ),
                Fault::ServerError(status) => server_error(*status),
                Fault::Html(status) => Rejection {
                    status: status_of(*status),
                    ..server_error(*status)
                },
                _ => continue,
            };
            return rejection.into();
        }
        let result = self.execute(endpoint, path);
        let failed = self.faults.iter().find_map(|fault| match fault {
            Fault::ServerErrorAfter(status) => Some(server_error(*status)),
            _ => None,
        });
        let envelope = self.faults.iter().find_map(|fault| match fault {
            Fault::ErrorEnvelope(envelope) => Some(*envelope),
            _ => None,
        });
        match (failed, result) {
            (Some(rejection), _) | (None, Err(rejection)) => Rejection {
                envelope: envelope.unwrap_or(rejection.envelope),
                ..rejection
            }
            .into(),
            (None, Ok(body)) => Reply {
                status: status_of(endpoint.status()),
                // A success without a body is an empty object, unless it is 204.
                body: match body {
                    Value::Null if endpoint.status() == 200 => json!({}),
                    body => body,
                },
            },
        }
    }

    fn execute(
        &self,
        endpoint: &'static Endpoint,
        path: &[(String, String)],
    ) -> Result<Value, Rejection> {
        let operation = endpoint.operation;
        let caller = self.caller(endpoint)?;
        let query: Vec<(String, String)> = url_pairs(self.parts.uri.query().unwrap_or_default());
        let body =
            require_json(endpoint, &self.parts.headers).and_then(|()| endpoint.body(self.body));
        let parameters = endpoint.parameters(path, &query);
        // Key generation is slow, so it happens before the state is locked.
        let generated_key = body
            .as_ref()
            .ok()
            .filter(|_| operation.id == "GenerateApiKey")
            .map(handlers::new_private_key);

        let mut state = self.shared.state();
        let now = state.now;
        let exchange_active = state.exchange_active;
        let items = |body: &Value| {
            body["orders"]
                .as_array()
                .map_or(1, |items| items.len().max(1))
        };
        let items = u32::try_from(body.as_ref().map_or(1, items)).unwrap_or(u32::MAX);
        let tokens = match operation.token_cost_per_item {
            Some(cost) => cost.saturating_mul(items),
            None => match operation.token_cost_with {
                Some((name, cost)) if is_set(parameters.as_ref().ok(), name) => cost,
                _ => operation.token_cost,
            },
        };
        match &caller {
            Some(caller) => {
                let buckets = state
                    .instances()
                    .get_mut(endpoint.api.instance())
                    .user_mut(caller.user)
                    .and_then(|user| user.buckets.as_mut());
                buckets.map_or(Ok(()), |buckets| {
                    buckets.get_mut(operation.bucket).take(tokens, now)
                })?;
            }
            None => self
                .shared
                .take_unsigned_tokens(self.connection.peer(), tokens, now)?,
        }
        let lag = self.faults.iter().find_map(|fault| match fault {
            Fault::StaleReads(by) => Some(to_micros(*by)),
            _ => None,
        });
        let call = Call {
            endpoint,
            parameters: parameters?,
            body: body?,
            caller: caller.unwrap_or(Caller {
                user: 0,
                key_id: String::new(),
                subaccount: None,
            }),
            generated_key,
            as_of: lag
                .filter(|_| operation.method == Method::GET)
                .map(|by| now.saturating_sub(by)),
        };
        let is_status = ["GetExchange", "GetMarginExchange"]
            .iter()
            .any(|prefix| operation.id.starts_with(prefix));
        if !exchange_active && operation.tag == "orders" && operation.method != Method::GET {
            return Err(Rejection::conflict("exchange_is_paused", ""));
        }
        if !exchange_active && !is_status {
            return Err(Rejection::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "exchange_unavailable",
                "the exchange is closed",
            ));
        }
        let mut body = handlers::dispatch(state.instances(), &self.shared.keys, &call)?;
        drop(state);
        check_response(endpoint, &body)?;
        let schema = endpoint.response_schema();
        if let Some(schema) = schema.filter(|_| self.shared.legacy_fields) {
            legacy::add(schema, &mut body);
        }
        Ok(body)
    }

    /// Returns the caller, or `None` if the request is public and not signed. A signed public request takes tokens of its user. An
    /// invalid signature of a public request is ignored.
    fn caller(&self, endpoint: &Endpoint) -> Result<Option<Caller>, Rejection> {
        #[cfg(feature = "klear")]
        if endpoint.api == crate::spec::Api::Klear {
            self.shared.klear.authenticate(&self.parts.headers)?;
            return Ok(None);
        }
        let needed = endpoint.operation.auth;
        let signed = needed || self.parts.headers.contains_key(ACCESS_KEY);
        match signed.then(|| self.authenticate(endpoint)) {
            Some(Err(rejection)) if needed => Err(rejection),
            caller => Ok(caller.and_then(Result::ok)),
        }
    }

    fn authenticate(&self, endpoint: &Endpoint) -> Result<Caller, Rejection> {
        // Includes the query, to detect a signature that wrongly covers it.
        let uri = &self.parts.uri;
        let path = uri
            .path_and_query()
            .map_or(uri.path(), |path| path.as_str());
        let method = self.parts.method.as_str();
        let skew = skew(self.faults);
        let skew = (!skew.is_zero()).then(|| skew.num_microseconds().unwrap_or(0));
        self.shared.keys.authenticate(
            &self.parts.headers,
            (method, path),
            endpoint.operation,
            &self.shared.time,
            skew,
        )
    }
}

/// Returns true if a boolean parameter, which changes the token cost, is set.
fn is_set(parameters: Option<&Parameters>, name: &str) -> bool {
    parameters.is_some_and(|parameters| parameters.get(name) == Some(&true.into()))
}

/// Checks a response against the spec, in debug builds. A mismatch is a bug of this crate.
fn check_response(endpoint: &Endpoint, body: &Value) -> Result<(), Rejection> {
    match endpoint
        .response_schema()
        .filter(|_| cfg!(debug_assertions))
    {
        Some(schema) => validate::check(schema, body, "").map_err(|rejection| {
            Rejection::new(
                StatusCode::NOT_IMPLEMENTED,
                "response_violates_spec",
                rejection.details,
            )
        }),
        None => Ok(()),
    }
}

/// Returns the total clock skew of the faults.
fn skew(faults: &[Fault]) -> TimeDelta {
    faults
        .iter()
        .filter_map(|fault| match fault {
            Fault::ClockSkew(skew) => Some(*skew),
            _ => None,
        })
        .fold(TimeDelta::zero(), |sum, skew| {
            sum.checked_add(&skew).unwrap_or(sum)
        })
}

fn server_error(status: u16) -> Rejection {
    Rejection::new(status_of(status), "internal_server_error", "injected fault")
}

pub(crate) fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Rejects a request with a body, even an empty one, unless its content type is JSON.
fn require_json(endpoint: &Endpoint, headers: &HeaderMap) -> Result<(), Rejection> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    match content_type.eq_ignore_ascii_case("application/json") || !endpoint.has_request_body() {
        true => Ok(()),
        false => Err(Rejection {
            envelope: ErrorEnvelope::Flat,
            ..Rejection::bad_request("invalid_content_type", "")
        }),
    }
}

/// Decodes a query. Invalid percent encoding is kept unchanged.
fn url_pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

/// Responds with a rejection to a request that did not pass the pipeline.
pub(crate) fn reject(shared: &Shared, parts: &Parts, rejection: Rejection) -> Response {
    respond(shared, parts, &rejection.into(), &[])
}

/// Responds with the status of a rejection and an HTML page.
pub(crate) fn reject_with_html(shared: &Shared, parts: &Parts, rejection: Rejection) -> Response {
    let html = Fault::Html(rejection.status.as_u16());
    respond(shared, parts, &rejection.into(), &[html])
}

fn respond(shared: &Shared, parts: &Parts, reply: &Reply, faults: &[Fault]) -> Response {
    let html = faults.iter().any(|fault| matches!(fault, Fault::Html(_)));
    let (body, content_type) = match &reply.body {
        _ if html => {
            let page = format!(
                "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\r\n",
                reply.status
            );
            (Bytes::from(page), "text/html")
        }
        Value::Null => (Bytes::new(), ""),
        body => (Bytes::from(body.to_string()), "application/json"),
    };
    let length = body.len();
    let truncated = faults.contains(&Fault::TruncatedBody) && length > 1;
    let mut response = Response::new(if truncated {
        truncated_body(&body)
    } else {
        Body::from(body)
    });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if truncated {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(date) = date(shared, faults) {
        headers.insert(header::DATE, date);
    }
    if reply.status == StatusCode::MOVED_PERMANENTLY {
        let location = parts.uri.path().trim_end_matches('/');
        let query = parts
            .uri
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        if let Ok(location) = HeaderValue::from_str(&format!("{location}{query}")) {
            headers.insert(header::LOCATION, location);
        }
    }
    response
}

/// Returns the `Date` header, or `None` before 1970, which HTTP dates cannot express.
fn date(shared: &Shared, faults: &[Fault]) -> Option<HeaderValue> {
    let skew = skew(faults).num_microseconds().unwrap_or(0);
    let date = to_datetime(shared.time.micros().saturating_add(skew));
    let date = (date.timestamp() >= 0).then(|| httpdate::fmt_http_date(date.into()));
    HeaderValue::from_str(&date?).ok()
}

/// Returns a body that fails after its first half.
fn truncated_body(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let rest = stream::once(async {
        // Let the first half be sent before the error.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::once(async move { Ok(half) }).chain(rest))
}
