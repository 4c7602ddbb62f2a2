//! The builder of clients: environment, credentials, timeouts, limits, middleware.

use std::{
    fmt,
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};

use kalshi_auth::{Clock, Credentials, SystemClock};
use reqwest_middleware::Middleware;

#[cfg(feature = "ws")]
use crate::client::SocketSettings;
use crate::{
    api::{Api, ApiClient, Environment},
    api_credentials::ApiCredentials,
    body,
    client::{Connections, Core, Shared},
    config_error::ConfigError,
    http_options::HttpOptions,
    limits::{RateLimiter, RateLimits},
    retry::RetryPolicy,
    server_time::{ClockCorrection, ServerTime},
    wire::Wire,
};

/// Timeout of a whole request: waits, retries and the response body included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Timeout of the look-up after an order was rejected as a duplicate.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Configures and builds an API's client.
///
/// Defaults: the demo exchange, no credentials, 5 s to connect, 15 s for a request, the rate limits of the Basic tier, and the
/// retries of [`RetryPolicy::default`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct ClientBuilder<A: Api> {
    environment: A::Environment,
    credentials: Option<A::Credentials>,
    clock: Option<Arc<dyn Clock>>,
    connect_timeout: Option<Duration>,
    timeout: Option<Duration>,
    max_body_bytes: usize,
    user_agent: Option<String>,
    proxy: Option<reqwest::Proxy>,
    http_client: Option<reqwest::Client>,
    middleware: Vec<Arc<dyn Middleware>>,
    rate_limits: RateLimits,
    rate_limiter: Option<Arc<RateLimiter>>,
    max_wait: Option<Duration>,
    retry: RetryPolicy,
    correction: ClockCorrection,
    lookup_timeout: Duration,
}

impl<A: Api> Default for ClientBuilder<A> {
    fn default() -> Self {
        Self {
            environment: A::Environment::default(),
            credentials: None,
            clock: None,
            connect_timeout: None,
            timeout: None,
            max_body_bytes: body::MAX_BODY_BYTES,
            user_agent: None,
            proxy: None,
            http_client: None,
            middleware: Vec::new(),
            rate_limits: A::default_limits(),
            rate_limiter: None,
            max_wait: None,
            retry: RetryPolicy::default(),
            correction: ClockCorrection::default(),
            lookup_timeout: LOOKUP_TIMEOUT,
        }
    }
}

impl<A: Api> ClientBuilder<A> {
    /// Sets the exchange. Defaults to the demo exchange.
    pub fn environment(mut self, environment: A::Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets the credentials that requests are sent with. They must belong to the environment: those of production and demo are
    /// not interchangeable.
    pub fn credentials(mut self, credentials: A::Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the timeout for establishing a connection, TLS handshake included. Defaults to 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sets the timeout of a whole request, from signing to the last byte of the response, with all waits, pauses and attempts.
    /// Defaults to 15 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest response body, in bytes after decompression. Defaults to 32 MiB.
    ///
    /// A longer body is an error, see [`Error::is_body_too_large`](crate::Error::is_body_too_large). At most 64 KiB are read of the body
    /// of a rejection, whatever is set here. WebSocket messages have a limit of their own.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets the rate limits that the client keeps to. Defaults to those of the API's lowest tier.
    pub fn rate_limits(mut self, limits: impl Into<RateLimits>) -> Self {
        self.rate_limits = limits.into();
        self
    }

    /// Shares the rate limiter of another client of the same account. Replaces [`rate_limits`](Self::rate_limits).
    pub fn rate_limiter(mut self, limiter: Arc<RateLimiter>) -> Self {
        self.rate_limiter = Some(limiter);
        self
    }

    /// Sets how long a request may wait for rate limit tokens before it fails. Defaults to 5 s.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Sets when a failed request is retried. Defaults to [`RetryPolicy::default`]; [`RetryPolicy::none`] turns retries off.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the timeout of the look-up that follows when the exchange rejects an order as a duplicate. It comes on top of
    /// [`timeout`](Self::timeout). Defaults to 5 s.
    pub fn lookup_timeout(mut self, timeout: Duration) -> Self {
        self.lookup_timeout = timeout;
        self
    }

    /// Sets the `User-Agent` header. Defaults to the crate's name and version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// Sends everything through this proxy. Defaults to the proxies of the process environment.
    pub fn proxy(mut self, proxy: reqwest::Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Uses an HTTP client of your own, with its proxies and TLS. [`timeout`](Self::timeout) still holds; the other HTTP options
    /// cannot be set here.
    ///
    /// Its connections cannot be replaced after a response that did not belong to its request: see the outcomes of orders.
    /// Build it with `redirect(reqwest::redirect::Policy::none())`: a client that follows redirects could carry a signature to
    /// another host. A request that was redirected fails. Build it with `retry(reqwest::retry::never())` too: what it repeats by
    /// itself is not counted, and an order could be placed although its last copy was rejected.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Adds a middleware around the one that adds the credentials; the first one added is the outermost. Request extensions hold the
    /// [`Operation`](crate::Operation) as `&'static Operation`; pass the extensions on unchanged. A
    /// request that leaves in another way than by `Next::run` is not counted, so that the outcome of a write could be wrong.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns an error if a URL cannot be used, if TLS cannot be set up, or if [`http_client`](Self::http_client) is combined
    /// with an option that it decides itself.
    pub fn build(self) -> Result<A::Client, ConfigError> {
        let base_url = crate::endpoint::parse_endpoint(self.environment.rest_url())?;
        let own_client = self.http_client.is_some();
        let options = HttpOptions {
            connect_timeout: self.connect_timeout,
            user_agent: self.user_agent,
            default_user_agent: A::Client::USER_AGENT,
            proxy: self.proxy,
            is_plaintext: base_url.scheme() == "http",
        };
        let http = match self.http_client {
            Some(client) => {
                for (set, option) in [
                    (options.connect_timeout.is_some(), "connect_timeout"),
                    (options.user_agent.is_some(), "user_agent"),
                    (options.proxy.is_some(), "proxy"),
                ] {
                    if set {
                        return Err(ConfigError::Conflict(option));
                    }
                }
                client
            }
            None => {
                if base_url.scheme() == "https"
                    && !cfg!(any(feature = "aws-lc-rs", feature = "ring"))
                {
                    return Err(ConfigError::NoTls);
                }
                options.build()?
            }
        };
        let mut middleware = self.middleware;
        let has_credentials = self.credentials.is_some();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        #[cfg(feature = "ws")]
        let socket = SocketSettings {
            url: self.environment.websocket_url().map(str::to_owned),
            credentials: self
                .credentials
                .as_ref()
                .and_then(A::Credentials::signing)
                .cloned(),
            http: std::sync::OnceLock::new(),
        };
        if let Some(credentials) = self.credentials {
            middleware.push(credentials.middleware(&base_url, clock.clone()));
        }
        middleware.push(Arc::new(Wire {
            is_users_client: own_client,
        }));
        let environment = self.environment.clone();
        let shared = Shared {
            base_url,
            connections: RwLock::new(Arc::new(Connections {
                generation: 0,
                stack: Shared::stack(http.clone(), &middleware),
            })),
            evidence_connections: OnceLock::new(),
            http,
            http_options: (!own_client).then_some(options),
            middleware,
            lookup_timeout: self.lookup_timeout,
            has_credentials,
            signs: A::Credentials::SIGNS,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            max_body_bytes: self.max_body_bytes,
            limiter: self
                .rate_limiter
                .unwrap_or_else(|| Arc::new(RateLimiter::new(self.rate_limits))),
            correction: self.correction,
            server_time: ServerTime::default(),
            clock,
            operations: A::Client::OPERATIONS,
            discover: Box::new(move |core| {
                A::discover_limits(A::Client::from_core(core, environment.clone()))
            }),
            #[cfg(feature = "ws")]
            socket,
        };
        let core = Core {
            shared: Arc::new(shared),
            retry: self.retry,
            max_wait: self.max_wait,
            reads_evidence: false,
        };
        Ok(A::Client::from_core(core, self.environment))
    }
}

/// # Signatures
///
/// Only for APIs whose requests are signed.
impl<A: Api<Credentials = Credentials>> ClientBuilder<A> {
    /// Sets the clock that signature timestamps come from. Defaults to the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets which requests are signed again when the exchange rejects their timestamp. Defaults to all.
    pub fn clock_correction(mut self, correction: ClockCorrection) -> Self {
        self.correction = correction;
        self
    }
}

impl<A: Api> fmt::Debug for ClientBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("environment", &self.environment)
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}
