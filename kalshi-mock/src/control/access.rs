//! Access rules of the control interface.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::ControlError;
use crate::connection::Connection;

/// Clients that may use the control interface.
#[derive(Clone)]
pub(crate) enum Access {
    /// Programs on this machine, but not pages of other websites.
    Loopback,
    /// Any client that sends the token.
    Token(String),
}

/// Shows the kind of access, without the token.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Loopback => "Loopback",
            Self::Token(_) => "Token",
        })
    }
}

impl Access {
    /// Rejects a request that is not allowed. If `is_open`, no token is required.
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
            Self::Loopback => is_local(connection.peer(), headers),
        };
        allowed.map_err(|message| ControlError::new(StatusCode::FORBIDDEN, "forbidden", message))
    }
}

/// Compares the token in a time that does not depend on its content.
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let sent = text(headers, header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let differs = sent
        .bytes()
        .zip(token.bytes())
        .fold(0, |all, (left, right)| all | (left ^ right));
    !token.is_empty() && sent.len() == token.len() && differs == 0
}

/// Rejects requests from other computers and from pages of other websites. The latter are recognized by the host name (`Host`,
/// against DNS rebinding) or the origin of the script (`Origin`, `Sec-Fetch-Site`).
fn is_local(peer: IpAddr, headers: &HeaderMap) -> Result<(), &'static str> {
    if !peer.to_canonical().is_loopback() {
        return Err("only programs on this machine may connect: start with a control token");
    }
    let host = text(headers, header::HOST).unwrap_or_default();
    let is_local = host.parse::<http::uri::Authority>().is_ok_and(|authority| {
        let name = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let address = name.parse::<IpAddr>();
        // The part before an @ does not belong to the host.
        !host.contains('@')
            && (name.eq_ignore_ascii_case("localhost")
                || address.is_ok_and(|address| address.is_loopback()))
    });
    if !is_local {
        return Err("the Host must be localhost or a loopback address");
    }
    let origin = text(headers, header::ORIGIN);
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_own = |origin: &str| {
        let name = origin.strip_prefix("http://");
        let name = name.or_else(|| origin.strip_prefix("https://"));
        name.is_some_and(|name| name.eq_ignore_ascii_case(host))
    };
    let is_same = origin.is_none_or(is_own)
        && site.is_none_or(|site| site == b"same-origin" || site == b"none");
    match is_same {
        true => Ok(()),
        false => Err("a page of another origin may not connect"),
    }
}

/// Returns a header, or `None` if it is absent. A header that is not ASCII is returned as an empty string.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rejects(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        is_local(peer.parse().unwrap(), &headers.collect()).is_err()
    }

    #[test]
    fn only_local_programs_and_the_own_page_are_admitted() {
        for peer in ["127.0.0.1", "::1", "127.8.9.1", "::ffff:127.0.0.1"] {
            assert!(!rejects(peer, &[("host", "127.0.0.1:80")]), "{peer}");
        }
        for peer in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1"] {
            assert!(rejects(peer, &[("host", "127.0.0.1:80")]), "{peer}");
        }
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1",
            "[::1]:8080",
            "127.1.2.3:5",
        ] {
            assert!(!rejects("::1", &[("host", host)]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "evil.example:127",
            "localhost@evil.example",
            "user@localhost",
            "2130706433",
            "192.0.2.1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(rejects("::1", &[("host", host)]), "{host}");
        }
        assert!(rejects("::1", &[]), "no host");
        let host = ("host", "localhost:8080");
        for (name, value) in [
            ("origin", "http://localhost:8080"),
            ("origin", "https://localhost:8080"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "none"),
        ] {
            assert!(!rejects("::1", &[host, (name, value)]), "{name}: {value}");
        }
        for (name, value) in [
            ("origin", "http://localhost:8081"),
            ("origin", "ftp://localhost:8080"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert!(rejects("::1", &[host, (name, value)]), "{name}: {value}");
        }
    }
}
