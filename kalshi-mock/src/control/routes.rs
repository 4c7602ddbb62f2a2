//! All routes of the control interface, and the match of a path against them.

use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    ControlError, Input, empty, exchange, markets, percent_decode, requests, to_json, users,
};
use crate::MockExchange;

pub(super) type Reply = Result<Value, ControlError>;
pub(super) type Handler = fn(&MockExchange, &Input) -> Reply;

/// A method and a path, with parameters in braces.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) kind: RouteKind,
}

/// The response of a route.
#[derive(Clone, Copy)]
pub(super) enum RouteKind {
    Json(Handler),
    /// A file of this media type.
    File(&'static str, &'static str),
    Redirect(&'static str),
    /// The events of the page.
    Events,
}

const fn json(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        kind: RouteKind::Json(handler),
    }
}

const fn get(path: &'static str, kind: RouteKind) -> Route {
    Route {
        method: "GET",
        path,
        kind,
    }
}

/// The description of all routes.
pub(super) const SPEC: &str = include_str!("../../control.yaml");
const PAGE: RouteKind = RouteKind::File("text/html; charset=utf-8", include_str!("page.html"));

/// All routes that are served.
pub(super) const ROUTES: &[Route] = &[
    get("/mock", RouteKind::Redirect("/mock/")),
    get("/mock/", PAGE),
    get(
        "/mock/openapi.yaml",
        RouteKind::File("application/yaml", SPEC),
    ),
    get("/mock/events", RouteKind::Events),
    json("GET", "/mock/state", |exchange, _| {
        to_json(exchange.snapshot())
    }),
    json("POST", "/mock/reset", |exchange, _| {
        exchange.reset();
        empty()
    }),
    json("GET", "/mock/time", |exchange, _| exchange::time(exchange)),
    json("POST", "/mock/time/stop", exchange::stop),
    json("POST", "/mock/time/advance", exchange::advance),
    json("POST", "/mock/time/resume", |exchange, _| {
        exchange.time().resume();
        exchange::time(exchange)
    }),
    json("PUT", "/mock/exchange", exchange::put),
    json("POST", "/mock/schedule", exchange::schedule),
    json("POST", "/mock/faults", exchange::fault),
    json("DELETE", "/mock/faults", |exchange, _| {
        exchange.clear_faults();
        empty()
    }),
    json("POST", "/mock/websocket/faults", exchange::websocket_fault),
    json("GET", "/mock/requests", requests::list),
    json("DELETE", "/mock/requests", |exchange, _| {
        exchange.clear_requests();
        empty()
    }),
    json("POST", "/mock/sign", requests::sign),
    json("PUT", "/mock/markets/{ticker}", markets::put),
    json("GET", "/mock/markets/{ticker}", markets::get),
    json("POST", "/mock/markets/{ticker}/quotes", markets::quote),
    json("DELETE", "/mock/markets/{ticker}/quotes", markets::clear),
    json("POST", "/mock/markets/{ticker}/trades", markets::trade),
    json("POST", "/mock/markets/{ticker}/pause", markets::pause),
    json("POST", "/mock/markets/{ticker}/resume", markets::resume),
    json("POST", "/mock/markets/{ticker}/close", markets::close),
    json("POST", "/mock/markets/{ticker}/settle", markets::settle),
    #[cfg(feature = "perps")]
    json("PUT", "/mock/margin/markets/{ticker}", markets::put_margin),
    #[cfg(feature = "perps")]
    json("GET", "/mock/margin/markets/{ticker}", markets::get),
    #[cfg(feature = "perps")]
    json(
        "POST",
        "/mock/margin/markets/{ticker}/quotes",
        markets::quote,
    ),
    #[cfg(feature = "perps")]
    json(
        "DELETE",
        "/mock/margin/markets/{ticker}/quotes",
        markets::clear,
    ),
    #[cfg(feature = "perps")]
    json(
        "POST",
        "/mock/margin/markets/{ticker}/trades",
        markets::trade,
    ),
    #[cfg(feature = "perps")]
    json(
        "POST",
        "/mock/margin/markets/{ticker}/pause",
        markets::pause,
    ),
    #[cfg(feature = "perps")]
    json(
        "POST",
        "/mock/margin/markets/{ticker}/resume",
        markets::resume,
    ),
    json("POST", "/mock/users", users::add),
    json("GET", "/mock/users/{user_id}", users::get),
    #[cfg(feature = "perps")]
    json("PUT", "/mock/users/{user_id}", users::put),
    json("POST", "/mock/users/{user_id}/deposits", users::deposit),
    json("POST", "/mock/users/{user_id}/keys", users::add_key),
    json(
        "DELETE",
        "/mock/users/{user_id}/keys/{key_id}",
        users::remove_key,
    ),
];

/// Returns the route of a request and the parameters of its path. A HEAD request has the route of GET; the server omits the body.
pub(super) fn find(
    method: &Method,
    path: &str,
) -> Result<(&'static Route, Vec<String>), ControlError> {
    let method_served = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let matching: Vec<(&Route, Vec<String>)> = ROUTES
        .iter()
        .filter_map(|route| Some((route, path_parameters(route.path, path)?)))
        .collect();
    if matching.is_empty() {
        let message = format!("no path {path}: see /mock/openapi.yaml");
        return Err(ControlError::not_found(message));
    }
    let methods: Vec<&str> = matching.iter().map(|(route, _)| route.method).collect();
    let mut error = ControlError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{path} allows {}, not {method}", methods.join(", ")),
    );
    error.allowed = Some(methods.join(", "));
    let same = matching
        .into_iter()
        .find(|(route, _)| route.method == method_served.as_str());
    same.ok_or(error)
}

/// Returns the parameters of a path, if it matches.
fn path_parameters(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut parameters, mut parts) = (Vec::new(), path.split('/'));
    for expected in template.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            parameters.push(percent_decode(part));
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(parameters)
}
