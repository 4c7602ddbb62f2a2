//! Emits the API's client: a newtype around the runtime's core, with the methods that all APIs share.

use proc_macro2::TokenStream;
use quote::quote;

use crate::runtime;

/// Emits the client of the API whose marker type and `Environment` are in the parent module of the generated code.
pub(super) fn emit(marker: &syn::Ident) -> TokenStream {
    let sdk = runtime::root();
    let parent = runtime::parent();
    quote! {
        use #parent::{#marker, Environment};

        /// A client of the exchange. It has one method per operation; each returns a request builder, sent with `send`.
        ///
        /// [`builder`](Self::builder) configures a client, and [`from_env`](Self::from_env) reads its key from environment variables.
        /// The methods that belong to no operation come first on this page, and those of the operations follow.
        /// [`request`](Self::request) sends requests to endpoints that are newer than this version of the crate.
        ///
        /// Clones share connections, the rate limiter and the measured clock skew. Operations that need no
        /// signature work without credentials.
        #[derive(Clone)]
        pub struct Client {
            pub(crate) core: #sdk::Core,
            environment: ::std::sync::Arc<Environment>,
        }

        /// A builder that configures and creates a [`Client`], returned by [`Client::builder`].
        pub type ClientBuilder = #sdk::ClientBuilder<#marker>;

        /// # Configuration
        impl Client {
            /// Returns a builder with the defaults: the demo exchange, no credentials, a connect
            /// timeout of 5 s, a request timeout of 15 s, the rate limits of the Basic tier and
            /// the retries of [`RetryPolicy::default`](::kalshi_core::RetryPolicy).
            pub fn builder() -> ClientBuilder {
                ClientBuilder::default()
            }

            /// Returns the environment that the client sends requests to.
            #[must_use]
            pub fn environment(&self) -> &Environment {
                &self.environment
            }

            /// Returns the same client with a different retry policy, for example
            /// for one request: `client.with_retry(RetryPolicy::none())`.
            #[must_use]
            pub fn with_retry(&self, policy: #sdk::RetryPolicy) -> Self {
                #sdk::ApiClient::with_core(self, self.core.with_retry(policy))
            }

            /// Returns the same client with a different maximum wait for rate limit tokens. With zero, a request that
            /// cannot be sent immediately fails with an error that reports the required wait: see
            /// [`Error::local_rate_limit`](::kalshi_core::Error::local_rate_limit).
            #[must_use]
            pub fn with_max_wait(&self, max_wait: ::std::time::Duration) -> Self {
                #sdk::ApiClient::with_core(self, self.core.with_max_wait(max_wait))
            }

            /// Returns the rate limiter that this client and its clones share.
            #[must_use]
            pub fn rate_limiter(&self) -> &::std::sync::Arc<#sdk::limits::RateLimiter> {
                self.core.rate_limiter()
            }

            /// Returns how far the exchange's clock is ahead of the local clock. Negative if it is behind.
            ///
            /// The skew is measured from the `Date` headers of the last 16 signed responses that arrived within the last 30 minutes.
            /// Returns `None` unless at least three of them, and more than half, agree. Also returns `None` if the local clock fails or
            /// was set since the last of them. A step of the local clock discards the measurements before it, and so does suspending the
            /// machine.
            #[must_use]
            pub fn clock_skew(&self) -> ::std::option::Option<::chrono::TimeDelta> {
                self.core.clock_skew()
            }

            /// Returns a request to any path of the API, for an endpoint that is newer than this version of the crate.
            ///
            /// It carries the client's credentials, and is rate limited and retried like an operation: a GET takes tokens
            /// from the read bucket and is retried as reads are; any other method takes tokens from the write bucket, and
            /// is sent again only if it certainly was not processed. The cost is 10 tokens unless
            /// [`cost`](::kalshi_core::CustomRequest::cost) sets another. With the method and path of an operation, it
            /// takes the cost of that operation from the operation's bucket. A public endpoint needs
            /// [`unsigned`](::kalshi_core::CustomRequest::unsigned) if the client has no credentials.
            ///
            /// `path` begins with `/`, is below the base URL of the [environment](Self::environment), and is sent
            /// exactly as given. Parts that come from user input must already be percent-encoded. `send` returns
            /// an error without sending anything if the path would not survive URL parsing unchanged: with `.` and `..`
            /// segments (encoded ones too), empty segments, another origin, a query, a fragment, or characters that are
            /// invalid in a path.
            pub fn request(
                &self,
                method: #sdk::reqwest::Method,
                path: impl ::std::convert::Into<::std::string::String>,
            ) -> #sdk::CustomRequest {
                #sdk::rt::custom_request(&self.core, method, path.into())
            }
        }

        impl #sdk::ApiClient for Client {
            type Environment = Environment;

            const USER_AGENT: &'static str =
                concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
            const OPERATIONS: &'static [#sdk::Operation] = &operations::ALL;

            fn from_core(core: #sdk::Core, environment: Environment) -> Self {
                Self {
                    core,
                    environment: ::std::sync::Arc::new(environment),
                }
            }

            fn core(&self) -> &#sdk::Core {
                &self.core
            }

            fn with_core(&self, core: #sdk::Core) -> Self {
                Self {
                    core,
                    environment: self.environment.clone(),
                }
            }
        }

        impl ::std::fmt::Debug for Client {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct("Client")
                    .field("environment", &self.environment)
                    .field("has_credentials", &self.core.has_credentials())
                    .finish_non_exhaustive()
            }
        }
    }
}
