//! The client builder: environment, credentials, timeouts, rate limits and middleware.

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
    limits::{AccountLimits, RateLimiter, RateLimits, Tier},
    retry::RetryPolicy,
    server_time::{ClockCorrection, ServerTime},
};

/// Default timeout of a whole request, including waits, retries and the response body.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Default timeout of the lookup after an order is rejected as a duplicate.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Builder of an API's client.
///
/// Defaults: the demo environment, no credentials, 5 s to connect, 15 s for a request, the rate limits of the Basic tier, and
/// the retries of [`RetryPolicy::default`].
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
    /// Sets the environment, which determines the hosts. Defaults to demo.
    pub fn environment(mut self, environment: A::Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets the credentials. They must belong to the environment: production and demo have separate keys.
    pub fn credentials(mut self, credentials: A::Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the timeout for establishing a connection, including the TLS handshake. Defaults to 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Sets the timeout of a whole request, from signing to the last byte of the response, including rate limit waits and retries.
    /// Defaults to 15 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the maximum size of a response body, in bytes after decompression. Defaults to 32 MiB.
    ///
    /// A larger body is an error, see [`Error::is_body_too_large`](crate::Error::is_body_too_large). At most 64 KiB of
    /// an error response are read, regardless of this setting. WebSocket messages have a separate limit.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets the rate limits that the client observes. Defaults to those of the API's lowest tier.
    pub fn rate_limits(mut self, limits: impl Into<RateLimits>) -> Self {
        self.rate_limits = limits.into();
        self
    }

    /// Shares the rate limiter of another client of the same account. Overrides [`rate_limits`](Self::rate_limits).
    pub fn rate_limiter(mut self, limiter: Arc<RateLimiter>) -> Self {
        self.rate_limiter = Some(limiter);
        self
    }

    /// Sets the maximum time that a request waits for rate limit tokens before it fails. Defaults to 5 s.
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = Some(max_wait);
        self
    }

    /// Sets the retry policy. Defaults to [`RetryPolicy::default`]; [`RetryPolicy::none`] turns retries off.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the timeout of the lookup that follows when the exchange rejects an order as a duplicate. It is added to
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

    /// Sends all traffic through this proxy. Defaults to the proxies in the process's environment variables.
    pub fn proxy(mut self, proxy: reqwest::Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Uses a custom HTTP client with its own proxy and TLS settings. [`timeout`](Self::timeout) still applies; the other HTTP
    /// options cannot be combined with it.
    ///
    /// Build it with `redirect(reqwest::redirect::Policy::none())`: following a redirect could carry a signature to another host. A
    /// request whose response comes from another URL fails, but a redirect that ends at the same URL is not detected. Also build it with
    /// `retry(reqwest::retry::never())`: retries inside the HTTP client are not counted, so an order could have been placed even though
    /// its last attempt was rejected. The connections of a custom client cannot be replaced after a response that belongs to another
    /// request. Programs that place orders should also build it with `pool_max_idle_per_host(0)`, unless it uses HTTP/2: see the
    /// documentation of the module `orders`.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Adds a middleware outside the one that adds the credentials. The first one added is the outermost. The request extensions
    /// contain the [`Operation`](crate::Operation) as `&'static Operation`; pass the extensions on unchanged. A request that
    /// is sent without `Next::run` is not counted, so the reported outcome of a write may be wrong.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns an error if a URL is invalid, if TLS cannot be set up, or if [`http_client`](Self::http_client) is combined with an
    /// option that the custom client must set itself.
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
        let environment = self.environment.clone();
        let connections = Connections::new(0, http.clone(), &middleware, own_client);
        let shared = Shared {
            base_url,
            connections: RwLock::new(Arc::new(connections)),
            evidence_connections: OnceLock::new(),
            http,
            http_options: (!own_client).then_some(options),
            middleware,
            lookup_timeout: self.lookup_timeout,
            has_credentials,
            signs: A::Credentials::SIGNS,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            max_body_bytes: self.max_body_bytes,
            limiter: self.rate_limiter.unwrap_or_else(|| {
                let default = A::default_limits().account_or(AccountLimits::from_tier(Tier::Basic));
                Arc::new(RateLimiter::with_default(self.rate_limits, default))
            }),
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
            requires_cursor: false,
        };
        Ok(A::Client::from_core(core, self.environment))
    }
}

/// # Signatures
///
/// Only for APIs with signed requests.
impl<A: Api<Credentials = Credentials>> ClientBuilder<A> {
    /// Sets the clock for signature timestamps. Defaults to the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets which requests are signed again and resent when the exchange rejects their timestamp. Defaults to all.
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
