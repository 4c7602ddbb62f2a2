//! The one origin that credentials may be sent to.

use std::net::IpAddr;

use reqwest::Url;

use crate::SigningMiddlewareError;

/// Scheme, host and port of a URL. The rest, such as a password, is not kept.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    scheme: String,
    host: Option<String>,
    port: Option<u16>,
}

impl Origin {
    pub(crate) fn new(url: &Url) -> Self {
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().map(str::to_owned),
            port: url.port_or_known_default(),
        }
    }

    /// Returns an error for a URL of another origin. Compared in place: `Url::origin` copies the host.
    pub(crate) fn check(&self, url: &Url) -> Result<(), SigningMiddlewareError> {
        let is_same = url.scheme() == self.scheme
            && url.host_str() == self.host.as_deref()
            && url.port_or_known_default() == self.port;
        if is_same {
            return Ok(());
        }
        Err(SigningMiddlewareError::OtherOrigin {
            expected: self.to_string(),
            found: Self::new(url).to_string(),
        })
    }

    /// Returns an error for a plaintext origin on another machine, because requests could be read in transit.
    pub(crate) fn check_encrypted(&self) -> Result<(), SigningMiddlewareError> {
        let host = self.host.as_deref().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host == "localhost"
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if self.scheme == "https" || is_loopback {
            return Ok(());
        }
        Err(SigningMiddlewareError::Plaintext {
            origin: self.to_string(),
        })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.host.as_deref().unwrap_or_default();
        write!(f, "{}://{host}", self.scheme)?;
        match (self.scheme.as_str(), self.port) {
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => Ok(()),
            (_, Some(port)) => write!(f, ":{port}"),
        }
    }
}
