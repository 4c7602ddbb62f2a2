//! Options of the HTTP clients that this crate builds: timeouts, user agent, proxy and TLS.

use std::time::Duration;

use reqwest::redirect::Policy;

use crate::config_error::ConfigError;

/// Default timeout for establishing a connection, including the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of an HTTP client.
#[derive(Debug)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct HttpOptions {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) user_agent: Option<String>,
    pub(crate) default_user_agent: &'static str,
    pub(crate) proxy: Option<reqwest::Proxy>,
    /// `true` if the REST API is served without TLS. The WebSocket API may differ.
    pub(crate) is_plaintext: bool,
}

impl HttpOptions {
    pub(crate) fn build(&self) -> Result<reqwest::Client, ConfigError> {
        self.finish(reqwest::Client::builder(), self.is_plaintext, false)
    }

    /// Builds a client that opens a new connection for each request, so that it cannot receive the response to another request.
    pub(crate) fn build_without_pool(&self) -> Result<reqwest::Client, ConfigError> {
        self.finish(
            reqwest::Client::builder().pool_max_idle_per_host(0),
            self.is_plaintext,
            false,
        )
    }

    /// Builds a client for WebSocket handshakes, which uses HTTP/1.1 and a new connection for each.
    #[cfg(feature = "ws")]
    pub(crate) fn build_upgrading(
        &self,
        is_plaintext: bool,
    ) -> Result<reqwest::Client, ConfigError> {
        // A rejected handshake would leave its connection in the pool, where it may be dead by the time of the next handshake.
        let builder = reqwest::Client::builder()
            .http1_only()
            .pool_max_idle_per_host(0);
        self.finish(builder, is_plaintext, true)
    }

    fn finish(
        &self,
        builder: reqwest::ClientBuilder,
        is_plaintext: bool,
        is_http1_only: bool,
    ) -> Result<reqwest::Client, ConfigError> {
        let agent = self.user_agent.as_deref();
        // reqwest would repeat a request that an HTTP/2 server refuses, with the same signature and uncounted.
        let builder = builder
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout.unwrap_or(CONNECT_TIMEOUT))
            .redirect(Policy::none())
            .user_agent(agent.unwrap_or(self.default_user_agent));
        // Reading the system's root certificates takes milliseconds, and happens whenever connections are replaced.
        let builder = if is_plaintext && self.proxy.is_none() {
            without_roots(builder)
        } else {
            builder
        };
        let builder = match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            // Plaintext is only allowed to a loopback address, so it must not go through a proxy.
            None if is_plaintext => builder.no_proxy(),
            None => builder,
        };
        let builder = with_tls(builder, is_http1_only)?;
        builder.build().map_err(ConfigError::Http)
    }
}

/// Returns the protocols to offer in the TLS handshake. reqwest does not set them in a TLS configuration that is given to it, and without
/// them no server chooses HTTP/2.
#[cfg(any(test, all(feature = "ring", not(feature = "aws-lc-rs"))))]
fn alpn_protocols(is_http1_only: bool) -> Vec<Vec<u8>> {
    let protocols: &[&[u8]] = match cfg!(feature = "http2") && !is_http1_only {
        true => &[b"h2", b"http/1.1"],
        false => &[b"http/1.1"],
    };
    protocols.iter().map(|name| name.to_vec()).collect()
}

/// Makes ring the TLS provider of this client. The process-wide default is not changed.
#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn with_tls(
    builder: reqwest::ClientBuilder,
    is_http1_only: bool,
) -> Result<reqwest::ClientBuilder, ConfigError> {
    Ok(builder.tls_backend_preconfigured(tls_config(is_http1_only)?))
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn tls_config(is_http1_only: bool) -> Result<rustls::ClientConfig, ConfigError> {
    use std::sync::Arc;

    use rustls_platform_verifier::BuilderVerifierExt;

    let tls = |error: rustls::Error| ConfigError::Tls(error.into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_platform_verifier()
        .map_err(tls)?
        .with_no_client_auth();
    config.alpn_protocols = alpn_protocols(is_http1_only);
    Ok(config)
}

#[cfg(not(all(feature = "ring", not(feature = "aws-lc-rs"))))]
fn with_tls(
    builder: reqwest::ClientBuilder,
    _: bool,
) -> Result<reqwest::ClientBuilder, ConfigError> {
    Ok(builder)
}

/// Trusts no certificate authority, for a client that opens no TLS connections.
#[cfg(feature = "aws-lc-rs")]
fn without_roots(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder.tls_certs_only([])
}

#[cfg(not(feature = "aws-lc-rs"))]
fn without_roots(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http2_is_offered_except_for_handshakes() {
        let (all, http1): (Vec<&[u8]>, Vec<&[u8]>) = match cfg!(feature = "http2") {
            true => (vec![b"h2", b"http/1.1"], vec![b"http/1.1"]),
            false => (vec![b"http/1.1"], vec![b"http/1.1"]),
        };
        assert_eq!(alpn_protocols(false), all);
        assert_eq!(alpn_protocols(true), http1);
    }

    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    #[test]
    #[allow(clippy::unwrap_used)]
    fn configuration_for_ring_names_the_protocols() {
        for is_http1_only in [false, true] {
            let config = tls_config(is_http1_only).unwrap();
            assert_eq!(config.alpn_protocols, alpn_protocols(is_http1_only));
        }
    }
}
