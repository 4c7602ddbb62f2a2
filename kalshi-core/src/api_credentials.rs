//! Credentials as used by clients: a signing key or a bearer token.

use std::sync::Arc;

use kalshi_auth::{BearerCredentials, BearerMiddleware, Clock, Credentials, SigningMiddleware};
use reqwest::Url;
use reqwest_middleware::Middleware;

/// The credentials of an API: [`Credentials`] sign each request, [`BearerCredentials`] add a token to it.
///
/// An API crate chooses one of them as [`Api::Credentials`](crate::Api::Credentials). The trait is sealed.
pub trait ApiCredentials: Clone + Send + Sync + sealed::Sealed + 'static {
    /// `true` if requests are signed with a timestamp, which makes the local clock relevant.
    #[doc(hidden)]
    const SIGNS: bool;

    /// Returns the middleware that adds the credentials to requests to `origin`.
    #[doc(hidden)]
    fn middleware(self, origin: &Url, clock: Arc<dyn Clock>) -> Arc<dyn Middleware>;

    /// Returns the credentials that sign WebSocket handshakes, or `None` for bearer credentials.
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
