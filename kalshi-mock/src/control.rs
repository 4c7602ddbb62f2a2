//! The control interface: the handles of this crate as JSON over HTTP, under `/mock/`.

mod access;
mod events;
mod exchange;
mod markets;
mod requests;
mod routes;
#[cfg(test)]
mod tests;
mod users;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, request::Parts};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::routes::{Reply, RouteKind};
use crate::{MockExchange, body, connection::Connection, sync::lock};

pub(crate) use access::Access;

/// Size limit of a request body, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Size limit of the message of an error, in characters.
const MAX_MESSAGE: usize = 1000;
/// Time limit for a client to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });
/// Content security policy: the page may load only itself and the events.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

/// The control interface of an exchange.
pub(crate) struct Control {
    exchange: MockExchange,
    access: Access,
    /// Held while a request is executed, so that its checks stay valid.
    request_lock: Mutex<()>,
}

/// An error response of the control interface.
#[derive(Debug)]
struct ControlError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Allowed methods of the path, if the method is not one of them.
    allowed: Option<String>,
}

/// A request to a handler.
struct Input {
    /// True if the path is one of the margin exchange.
    margin: bool,
    /// Values of the path parameters, in order.
    parameters: Vec<String>,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl Control {
    pub(crate) fn new(exchange: MockExchange, access: Access) -> Self {
        Self {
            exchange,
            access,
            request_lock: Mutex::default(),
        }
    }

    pub(crate) fn router(self) -> Router {
        let control = Arc::new(self);
        let serve = move |ConnectInfo(connection): ConnectInfo<Connection>, request: Request| {
            let control = Arc::clone(&control);
            async move {
                let (parts, body) = request.into_parts();
                let served = control.serve(&connection, &parts, body).await;
                served.unwrap_or_else(|error| error.response())
            }
        };
        Router::new()
            .route("/mock", any(serve.clone()))
            .route("/mock/", any(serve.clone()))
            .route("/mock/{*path}", any(serve))
    }

    async fn serve(
        self: Arc<Self>,
        connection: &Connection,
        parts: &Parts,
        body: Body,
    ) -> Result<Response, ControlError> {
        let found = routes::find(&parts.method, parts.uri.path());
        // Files reveal nothing about the exchange, and a browser cannot send a token before it has loaded the page.
        let is_open = matches!(&found, Ok((route, _)) if matches!(route.kind, RouteKind::File(..)));
        self.access.check(connection, &parts.headers, is_open)?;
        let (route, parameters) = found?;
        let handler = match route.kind {
            RouteKind::Redirect(target) => return Ok(redirect(target)),
            RouteKind::File(kind, text) => return Ok(response(StatusCode::OK, kind, text)),
            RouteKind::Events => {
                let events = Body::from_stream(events::stream(self.exchange.clone()));
                return Ok(response(StatusCode::OK, "text/event-stream", events));
            }
            RouteKind::Json(handler) => handler,
        };
        let query = parts.uri.query().unwrap_or_default();
        let input = Input {
            margin: route.path.starts_with("/mock/margin/"),
            parameters,
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body: self.read(body).await?,
        };
        // Clock jumps and the generation of RSA keys can take long.
        let task = tokio::task::spawn_blocking(move || {
            let _guard = lock(&self.request_lock);
            handler(&self.exchange, &input)
        });
        let value = task
            .await
            .map_err(|_| ControlError::internal("the handler panicked"))??;
        let text = value.to_string();
        Ok(response(StatusCode::OK, "application/json", text))
    }

    async fn read(&self, body: Body) -> Result<Bytes, ControlError> {
        let error = |status, code, message: String| ControlError {
            status,
            code,
            message,
            allowed: None,
        };
        let body = tokio::select! {
            biased;
            body = tokio::time::timeout(BODY_TIMEOUT, body::read(body, MAX_BODY)) => body,
            () = self.exchange.shared.stopped() => {
                let message = "the exchange is shutting down".to_owned();
                return Err(error(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", message));
            }
        };
        match body {
            Ok(Some(body)) if body.len() <= MAX_BODY => Ok(body),
            Ok(Some(_)) => Err(error(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                format!("the body is larger than {MAX_BODY} bytes"),
            )),
            Ok(None) => Err(ControlError::bad_request("the body is incomplete")),
            Err(_) => Err(error(
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                format!(
                    "the body took longer than {} seconds",
                    BODY_TIMEOUT.as_secs()
                ),
            )),
        }
    }
}

fn redirect(target: &'static str) -> Response {
    let mut response = response(StatusCode::PERMANENT_REDIRECT, "text/plain", "");
    let target = HeaderValue::from_static(target);
    response.headers_mut().insert(header::LOCATION, target);
    response
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

impl ControlError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            allowed: None,
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    fn internal(message: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal_error", message)
    }

    fn response(self) -> Response {
        // It may quote what the client sent.
        let message: String = self.message.chars().take(MAX_MESSAGE).collect();
        let body = json!({ "error": { "code": self.code, "message": message } });
        let mut response = response(self.status, "application/json", body.to_string());
        let headers = response.headers_mut();
        if let Some(allowed) = self.allowed.and_then(|methods| methods.parse().ok()) {
            headers.insert(header::ALLOW, allowed);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl Input {
    /// Parses the body. An empty one is an empty object.
    fn body<T: DeserializeOwned>(&self) -> Result<T, ControlError> {
        let body: &[u8] = match self.body.is_empty() {
            true => b"{}",
            false => &self.body,
        };
        serde_json::from_slice(body)
            .map_err(|error| ControlError::bad_request(format!("body: {error}")))
    }

    fn parameter(&self, index: usize) -> &str {
        self.parameters.get(index).map_or("", String::as_str)
    }
}

/// Returns an empty object.
fn empty() -> Reply {
    Ok(json!({}))
}

fn to_json(value: impl serde::Serialize) -> Reply {
    serde_json::to_value(value).map_err(|error| ControlError::internal(error.to_string()))
}

/// Decodes a part of a path.
fn percent_decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}
