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
        /// Clones share connections, the rate limiter and the measured clock skew. Operations that need no
        /// signature work without credentials.
        #[derive(Clone)]
        pub struct Client {
            pub(crate) core: #sdk::Core,
            environment: ::std::sync::Arc<Environment>,
        }

        /// A builder that configures and creates a [`Client`].
        pub type ClientBuilder = #sdk::ClientBuilder<#marker>;

        /// # Configuration
        impl Client {
            pub(crate) fn from_core(core: #sdk::Core, environment: Environment) -> Self {
                Self {
                    core,
                    environment: ::std::sync::Arc::new(environment),
                }
            }

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
                Self {
                    core: self.core.with_retry(policy),
                    environment: self.environment.clone(),
                }
            }

            /// Returns the same client with a different maximum wait for rate limit tokens. With zero, a request that
            /// cannot be sent immediately fails with an error that reports the required wait: see
            /// [`Error::local_rate_limit`](::kalshi_core::Error::local_rate_limit).
            #[must_use]
            pub fn with_max_wait(&self, max_wait: ::std::time::Duration) -> Self {
                Self {
                    core: self.core.with_max_wait(max_wait),
                    environment: self.environment.clone(),
                }
            }

            /// Returns the rate limiter that this client and its clones share.
            #[must_use]
            pub fn rate_limiter(&self) -> &::std::sync::Arc<#sdk::limits::RateLimiter> {
                self.core.rate_limiter()
            }

            /// Returns how far the exchange's clock is ahead of the local clock. Negative if it is behind.
            ///
            /// The skew is measured from the `Date` headers of the last 16 signed responses, as far as they arrived in the
            /// last 30 minutes. Returns `None` unless at least three of them, and more than half, agree. A step of the local
            /// clock discards earlier measurements.
            #[must_use]
            pub fn clock_skew(&self) -> ::std::option::Option<::chrono::TimeDelta> {
                self.core.clock_skew()
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
