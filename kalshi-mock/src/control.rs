//! The control interface: the handles of this crate as JSON over HTTP, under `/mock/`.

mod handlers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{MockExchange, connection::Connection};

/// Size limit of a request body, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Who may use the control interface.
#[derive(Clone)]
pub(crate) enum Access {
    /// Programs on this machine.
    Loopback,
    /// Whoever knows the token.
    Token(String),
}

/// Omits the token.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Loopback => "Loopback",
            Self::Token(_) => "Token",
        })
    }
}

/// The control interface of an exchange.
pub(crate) struct Control {
    exchange: MockExchange,
    access: Access,
}

/// An error response.
#[derive(Debug)]
struct ControlError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// A request to a handler.
struct Input {
    /// The parts of the path in braces, in order.
    parameters: Vec<String>,
    query: Vec<(String, String)>,
    body: Bytes,
}

type Handler = fn(&MockExchange, &Input) -> Result<Value, ControlError>;

impl Control {
    pub(crate) fn new(exchange: MockExchange, access: Access) -> Self {
        Self { exchange, access }
    }

    pub(crate) fn router(self) -> Router {
        let control = Arc::new(self);
        let serve = move |ConnectInfo(connection): ConnectInfo<Connection>, request: Request| {
            let control = Arc::clone(&control);
            async move { control.serve(&connection, request).await }
        };
        Router::new()
            .route("/mock", any(serve.clone()))
            .route("/mock/", any(serve.clone()))
            .route("/mock/{*path}", any(serve))
    }

    async fn serve(&self, connection: &Connection, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let result = match self.access.check(connection, &parts.headers) {
            Err(error) => Err(error),
            Ok(()) => {
                let body = tokio::select! {
                    biased;
                    body = to_bytes(body, MAX_BODY) => body.ok(),
                    () = self.exchange.shared.stopped() => None,
                };
                match body {
                    Some(body) => self.answer(&parts, body),
                    None => Err(ControlError {
                        status: StatusCode::PAYLOAD_TOO_LARGE,
                        code: "incomplete_body",
                        message: format!("the body is incomplete or above {MAX_BODY} bytes"),
                    }),
                }
            }
        };
        let (status, body) = match result {
            Ok(body) => (StatusCode::OK, body),
            Err(error) => (
                error.status,
                json!({ "error": { "code": error.code, "message": error.message } }),
            ),
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
    }

    fn answer(&self, parts: &http::request::Parts, body: Bytes) -> Result<Value, ControlError> {
        let path = parts.uri.path();
        let mut is_path = false;
        for (method, template, handler) in handlers::ROUTES {
            let Some(parameters) = matched(template, path) else {
                continue;
            };
            is_path = true;
            if parts.method.as_str() == *method {
                let query = parts.uri.query().unwrap_or_default();
                let input = Input {
                    parameters,
                    query: form_urlencoded::parse(query.as_bytes())
                        .into_owned()
                        .collect(),
                    body,
                };
                return handler(&self.exchange, &input);
            }
        }
        Err(match is_path {
            true => ControlError {
                status: StatusCode::METHOD_NOT_ALLOWED,
                code: "method_not_allowed",
                message: format!("{path} does not allow {}", parts.method),
            },
            false => ControlError::not_found(format!("there is no {path}")),
        })
    }
}

/// Returns the parameters of a path, if it matches.
fn matched(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut parameters, mut parts) = (Vec::new(), path.split('/'));
    for expected in template.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            parameters.push(part.to_owned());
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(parameters)
}

impl Access {
    fn check(&self, connection: &Connection, headers: &HeaderMap) -> Result<(), ControlError> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let forbidden = |message: &str| ControlError {
            status: StatusCode::FORBIDDEN,
            code: "forbidden",
            message: message.to_owned(),
        };
        match self {
            Self::Token(token) => {
                let given = text(header::AUTHORIZATION)
                    .and_then(|value| value.strip_prefix("Bearer "))
                    .unwrap_or_default();
                let differs = given
                    .bytes()
                    .zip(token.bytes())
                    .fold(0, |all, (left, right)| all | (left ^ right));
                match !token.is_empty() && given.len() == token.len() && differs == 0 {
                    true => Ok(()),
                    false => Err(ControlError {
                        status: StatusCode::UNAUTHORIZED,
                        code: "unauthorized",
                        message: "send Authorization: Bearer and the control token".to_owned(),
                    }),
                }
            }
            Self::Loopback => {
                if !connection.peer().to_canonical().is_loopback() {
                    return Err(forbidden(
                        "only programs on this machine may connect: start with a control token",
                    ));
                }
                let host = text(header::HOST).unwrap_or_default();
                let is_local = host.parse::<http::uri::Authority>().is_ok_and(|host| {
                    let name = host.host().trim_start_matches('[').trim_end_matches(']');
                    let address = name.parse::<std::net::IpAddr>();
                    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
                });
                if !is_local {
                    return Err(forbidden(
                        "the Host must be localhost or a loopback address",
                    ));
                }
                let origin = text(header::ORIGIN);
                let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
                let is_same = origin.is_none_or(|origin| origin == format!("http://{host}"))
                    && site.is_none_or(|site| site == b"same-origin" || site == b"none");
                match is_same {
                    true => Ok(()),
                    false => Err(forbidden("a page of another origin may not connect")),
                }
            }
        }
    }
}

impl ControlError {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "invalid_request",
            message: message.into(),
        }
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "not_found",
            message: message.into(),
        }
    }

    fn conflict(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            code: "conflict",
            message: message.into(),
        }
    }
}

impl Input {
    /// Parses the body. An empty one is an empty object.
    fn body<T: DeserializeOwned>(&self) -> Result<T, ControlError> {
        let body: &[u8] = if self.body.is_empty() {
            b"{}"
        } else {
            &self.body
        };
        serde_json::from_slice(body).map_err(|error| ControlError::bad(format!("body: {error}")))
    }

    fn parameter(&self) -> &str {
        self.parameters.first().map_or("", String::as_str)
    }
}
