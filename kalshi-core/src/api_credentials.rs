//! Credentials as clients use them: signatures or a bearer token.

use std::sync::Arc;

use kalshi_auth::{BearerCredentials, BearerMiddleware, Clock, Credentials, SigningMiddleware};
use reqwest::Url;
use reqwest_middleware::Middleware;

/// Credentials of an API's requests: [`Credentials`] sign each request, [`BearerCredentials`] add a token to it.
///
/// API crates name one of them as [`Api::Credentials`](crate::Api::Credentials). The trait cannot be implemented for other types.
pub trait ApiCredentials: Clone + Send + Sync + sealed::Sealed + 'static {
    /// `true` if requests are signed with a timestamp, so that this machine's clock matters.
    #[doc(hidden)]
    const SIGNS: bool;

    /// Returns the middleware that adds the credentials to requests to one origin.
    #[doc(hidden)]
    fn middleware(self, origin: &Url, clock: Arc<dyn Clock>) -> Arc<dyn Middleware>;

    /// Returns the credentials that sign WebSocket handshakes, or `None` if these sign nothing.
    #[doc(hidden)]
    fn signing(&self) -> Option<&Credentials>;
}

impl ApiCredentials for Credentials {
    const SIGNS: bool = true;

    fn middleware(self, origin: &Url, clock: Arc<dyn Clock>) -> Arc<dyn Middleware> {
        Arc::new(SigningMiddleware::new(self, origin).with_clock(clock))
    }

    fn signing(&self) -> Option<&Credentials> {
        Some(self)
    }
}

impl ApiCredentials for BearerCredentials {
    const SIGNS: bool = false;

    fn middleware(self, origin: &Url, _: Arc<dyn Clock>) -> Arc<dyn Middleware> {
        Arc::new(BearerMiddleware::new(self, origin))
    }

    fn signing(&self) -> Option<&Credentials> {
        None
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for kalshi_auth::Credentials {}
    impl Sealed for kalshi_auth::BearerCredentials {}
}
