//! Signs the requests of a `reqwest_middleware` client.

use std::pin::Pin;
use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use crate::origin::Origin;
use crate::{
    ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, Clock, Credentials, SigningMiddlewareError,
    SystemClock,
};

/// Marks a request that is sent without credentials, for operations that need none: put it into the request's extensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsigned;

/// Offset in milliseconds that is added to the timestamp of one request, to correct a wrong clock. Put it into the request's
/// extensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockOffset(
    /// Milliseconds to add: positive if the clock is behind, negative if it is ahead.
    pub i64,
);

/// Signs every request to one origin and stops requests to any other.
///
/// Each attempt of a request gets its own timestamp and signature. For that, add this after (that is, inside) a retrying
/// middleware. The path is signed exactly as the request's URL has it.
///
/// Turn redirects off in the `reqwest::Client` below (`redirect(Policy::none())`). `reqwest` follows redirects beneath
/// the middleware: it would send the headers on to another host, and the signature does not fit the new path anyway.
///
/// ```
/// use kalshi_auth::{Credentials, PrivateKey, SigningMiddleware};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = Credentials::new("my-key-id", PrivateKey::generate_ed25519()?)?;
/// let origin = "https://external-api.demo.kalshi.co".parse()?;
/// let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = reqwest_middleware::ClientBuilder::new(http)
///     .with(SigningMiddleware::new(credentials, &origin))
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SigningMiddleware {
    credentials: Credentials,
    origin: Origin,
    clock: Arc<dyn Clock>,
}

impl SigningMiddleware {
    /// Signs requests to the scheme, host and port of `origin`. The rest of that URL is ignored. Plaintext is accepted for loopback
    /// addresses only, because a signature does not cover the query and the body.
    #[must_use]
    pub fn new(credentials: Credentials, origin: &Url) -> Self {
        Self {
            credentials,
            origin: Origin::new(origin),
            clock: Arc::new(SystemClock),
        }
    }

    /// Takes timestamps from `clock` instead of the [`SystemClock`].
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    async fn prepare(
        &self,
        request: &mut Request,
        unsigned: bool,
        offset: ClockOffset,
    ) -> std::result::Result<(), SigningMiddlewareError> {
        self.origin.check(request.url())?;
        if unsigned {
            for name in [ACCESS_KEY, ACCESS_TIMESTAMP, ACCESS_SIGNATURE] {
                request.headers_mut().remove(name);
            }
            return Ok(());
        }
        self.origin.check_encrypted()?;
        let now_ms = self.clock.now_ms()?.saturating_add_signed(offset.0);
        let headers = self
            .credentials
            .headers(now_ms, request.method().as_str(), request.url().path())
            .await?;
        headers.insert_into(request.headers_mut());
        Ok(())
    }
}

impl Middleware for SigningMiddleware {
    // Written without `async_trait`, which would store a second copy of the request in the future.
    fn handle<'a, 'b, 'c, 'd>(
        &'a self,
        mut request: Request,
        extensions: &'b mut Extensions,
        next: Next<'c>,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'd>>
    where
        'a: 'd,
        'b: 'd,
        'c: 'd,
    {
        Box::pin(async move {
            let unsigned = extensions.get::<Unsigned>().is_some();
            let offset = extensions.get::<ClockOffset>().copied().unwrap_or_default();
            self.prepare(&mut request, unsigned, offset)
                .await
                .map_err(Error::middleware)?;
            next.run(request, extensions).await
        })
    }
}
