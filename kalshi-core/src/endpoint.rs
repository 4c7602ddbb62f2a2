//! Validation of an environment's URLs: scheme, plaintext and user information.

use std::net::IpAddr;

use reqwest::Url;

use crate::config_error::ConfigError;

/// Parses the URL of an environment.
///
/// # Errors
///
/// Returns an error if `url` is not a URL. The error does not show a password in it.
pub(crate) fn parse_endpoint(url: &str) -> Result<Url, ConfigError> {
    Url::parse(url).map_err(|error| ConfigError::Url {
        url: redacted(url),
        reason: error.to_string(),
    })
}

/// Checks the URL of an environment. Its scheme must be `secure` (`https` or `wss`), or `plain` (`http` or `ws`)
/// on a loopback address.
///
/// # Errors
///
/// Returns an error if the scheme is a different one, if the URL has a user, a query or a fragment, or if it is
/// plaintext to another host.
pub(crate) fn check_endpoint(url: &Url, secure: &str, plain: &str) -> Result<(), ConfigError> {
    let fault = |reason: String| {
        Err(ConfigError::Url {
            url: redacted(url.as_str()),
            reason,
        })
    };
    if !url.username().is_empty() || url.password().is_some() {
        return fault("a base URL must not contain a user or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fault("a base URL must not contain a query or a fragment".to_owned());
    }
    if url.scheme() == secure {
        return Ok(());
    }
    if url.scheme() != plain {
        return fault(format!(
            "the scheme must be {secure}, or {plain} on a loopback address"
        ));
    }
    if is_loopback(url) {
        Ok(())
    } else {
        fault(format!(
            "plaintext is allowed on loopback addresses only; use {secure}"
        ))
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Returns the URL without user and password, for errors and `Debug`.
pub(crate) fn redacted(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) => format!("..@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn plaintext_is_allowed_on_loopback_only() {
        for host in ["127.0.0.1:8080", "localhost", "[::1]:99", "127.9.9.9"] {
            let url = parse_endpoint(&format!("http://{host}/v2")).unwrap();
            check_endpoint(&url, "https", "http").unwrap();
        }
        for host in [
            "example.com",
            "10.0.0.1",
            "localhost.example.com",
            "[::2]",
            "127.0.0.1.example.com",
        ] {
            let url = parse_endpoint(&format!("http://{host}/v2")).unwrap();
            let error = check_endpoint(&url, "https", "http").unwrap_err();
            assert!(error.to_string().contains("use https"), "{error}");
        }
        let url = parse_endpoint("https://user:hunter2@example.com").unwrap();
        let error = check_endpoint(&url, "https", "http").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
