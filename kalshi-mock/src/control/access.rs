//! Who may use the control interface.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::ControlError;
use crate::connection::Connection;

/// Who may use the control interface.
#[derive(Clone)]
pub(crate) enum Access {
    /// Programs on this machine, but no web pages of others.
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

impl Access {
    /// Rejects a request that is not allowed. A token is not required where `is_open`.
    pub(super) fn check(
        &self,
        connection: &Connection,
        headers: &HeaderMap,
        is_open: bool,
    ) -> Result<(), ControlError> {
        let allowed = match self {
            Self::Token(token) => {
                if is_open || has_token(headers, token) {
                    return Ok(());
                }
                return Err(ControlError::new(
                    StatusCode::UNAUTHORIZED,
                    "unauthorized",
                    "send Authorization: Bearer and the control token",
                ));
            }
            Self::Loopback => is_local(connection, headers),
        };
        allowed.map_err(|message| ControlError::new(StatusCode::FORBIDDEN, "forbidden", message))
    }
}

/// Compares the token in a time that does not depend on its content.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let given = text(headers, header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let differs = given
        .bytes()
        .zip(token.bytes())
        .fold(0, |all, (left, right)| all | (left ^ right));
    !token.is_empty() && given.len() == token.len() && differs == 0
}

/// Rejects requests of other computers, and those that a page of another website makes: by its name (`Host`, for a name that was made to
/// point here) or from its script (`Origin`, `Sec-Fetch-Site`).
fn is_local(connection: &Connection, headers: &HeaderMap) -> Result<(), &'static str> {
    if !connection.peer().to_canonical().is_loopback() {
        return Err("only programs on this machine may connect: start with a control token");
    }
    let host = text(headers, header::HOST).unwrap_or_default();
    let is_local = host.parse::<http::uri::Authority>().is_ok_and(|authority| {
        let name = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let address = name.parse::<std::net::IpAddr>();
        // What comes before an @ is no part of the name.
        !host.contains('@')
            && (name.eq_ignore_ascii_case("localhost")
                || address.is_ok_and(|address| address.is_loopback()))
    });
    if !is_local {
        return Err("the Host must be localhost or a loopback address");
    }
    let origin = text(headers, header::ORIGIN);
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_same = origin
        .is_none_or(|origin| origin.eq_ignore_ascii_case(&format!("http://{host}")))
        && site.is_none_or(|site| site == b"same-origin" || site == b"none");
    match is_same {
        true => Ok(()),
        false => Err("a page of another origin may not connect"),
    }
}

/// Returns a header, the empty string if it is not ASCII.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap_or_default())
}
