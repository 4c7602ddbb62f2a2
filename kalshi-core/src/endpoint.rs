//! Validation of an environment's URLs: scheme, plaintext and user information.

use std::net::IpAddr;

use reqwest::Url;

use crate::config_error::ConfigError;

/// Parses the URL of an environment.
///
/// # Errors
///
/// Returns an error if `url` is not a URL. The error does not show secrets in it.
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

/// Returns the URL without user, password, query and fragment, for errors and `Debug`. Of a string that is not a URL and may contain a
/// password, only the part before `//` is returned.
pub(crate) fn redacted(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (shown, hidden) = url.split_at(end);
    if let Some((_, host)) = shown.rsplit_once('@') {
        return format!("..@{host}");
    }
    let (scheme, rest) = match shown.find("//") {
        Some(at) => shown.split_at(at + 2),
        None => ("", shown),
    };
    // A password may contain any character, even `?`.
    if hidden.contains('@') || rest.contains(':') && Url::parse(shown).is_err() {
        return format!("{scheme}..");
    }
    shown.to_owned()
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
    }

    #[test]
    fn errors_do_not_show_secrets() {
        for (url, shown) in [
            ("https://user:hunter2@example.com", "..@example.com/"),
            ("https://user:hunter2", "https://.."),
            ("https://user:hunter2/v2", "https://.."),
            ("https://user:hun?ter2@example.com", "https://.."),
            ("https://user:1?hunter2@example.com", "https://.."),
            (
                "https://a.example/v2?api_key=hunter2",
                "https://a.example/v2",
            ),
            ("https://a.example/v2#hunter2", "https://a.example/v2"),
            ("https://a b/?key=hunter2", "https://a b/"),
            ("a.example/v2?key=hunter2", "a.example/v2"),
        ] {
            let parsed = parse_endpoint(url);
            let error = parsed.and_then(|url| check_endpoint(&url, "https", "http"));
            let text = error.unwrap_err().to_string();
            assert!(text.contains(&format!("{shown:?}")), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("hun"), "{text}");
        }
    }
}
