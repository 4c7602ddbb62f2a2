//! Emits the API's client: a newtype around the runtime's core, with what is the same for every API.

use proc_macro2::TokenStream;
use quote::quote;

use crate::runtime;

/// The client of the API whose marker type and `Environment` are in the module around the generated code.
pub(super) fn emit(marker: &syn::Ident) -> TokenStream {
    let sdk = runtime::root();
    let parent = runtime::parent();
    quote! {
        use #parent::{#marker, Environment};

        /// A client of the exchange: one method for every operation, each a request builder that `send` completes.
        ///
        /// Clones share connections, the rate limiter and what is known of the exchange's clock. Operations that need no signature
        /// work without credentials.
        #[derive(Clone)]
        pub struct Client {
            pub(crate) core: #sdk::Core,
            environment: ::std::sync::Arc<Environment>,
        }

        /// Configures and builds a [`Client`].
        pub type ClientBuilder = #sdk::ClientBuilder<#marker>;

        /// # Configuration
        impl Client {
            pub(crate) fn from_core(core: #sdk::Core, environment: Environment) -> Self {
                Self {
                    core,
                    environment: ::std::sync::Arc::new(environment),
                }
            }

            /// Returns a builder with defaults: the demo exchange, no credentials, 5 s to connect, 15 s for a request, the rate
            /// limits of the Basic tier, and the retries of [`RetryPolicy::default`](::kalshi_core::RetryPolicy).
            pub fn builder() -> ClientBuilder {
                ClientBuilder::default()
            }

            /// The exchange that the client talks to.
            #[must_use]
            pub fn environment(&self) -> &Environment {
                &self.environment
            }

            /// Returns the same client with another retry policy, for one request or for some:
            /// `client.with_retry(RetryPolicy::none())`.
            #[must_use]
            pub fn with_retry(&self, policy: #sdk::RetryPolicy) -> Self {
                Self {
                    core: self.core.with_retry(policy),
                    environment: self.environment.clone(),
                }
            }

            /// Returns the same client with another longest wait for rate limit tokens. With zero, a request that cannot be sent
            /// now fails, and its error says how long it needs to wait: see
            /// [`Error::local_rate_limit`](::kalshi_core::Error::local_rate_limit).
            #[must_use]
            pub fn with_max_wait(&self, max_wait: ::std::time::Duration) -> Self {
                Self {
                    core: self.core.with_max_wait(max_wait),
                    environment: self.environment.clone(),
                }
            }

            /// The rate limiter that this client and its clones share.
            #[must_use]
            pub fn rate_limiter(&self) -> &::std::sync::Arc<#sdk::limits::RateLimiter> {
                self.core.rate_limiter()
            }

            /// How far the exchange's clock is ahead of this machine's, or `None` before the first response. Negative if it is
            /// behind, zero if nothing indicates a difference. It is measured by the dates of responses: one gives it to about half
            /// a second, several more closely.
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
