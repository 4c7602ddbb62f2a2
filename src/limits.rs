//! Rate limits: token buckets that mirror those of the exchange, so that requests wait locally instead of being rejected.
//!
//! A client has a [`RateLimiter`] with the limits of [`Tier::Basic`].
//! [`ClientBuilder::rate_limits`](crate::ClientBuilder::rate_limits) sets others: a [`Tier`], [`AccountLimits`], or what the exchange reports,
//! [`RateLimits::Discovered`]. The [guide](crate::guide::rate_limits) explains buckets, waits and costs.
//!
//! ```
//! use std::sync::Arc;
//! use kalshi_sdk::{Client, limits::{RateLimiter, Tier}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The exchange counts the requests of an account together, so its clients share a limiter.
//! let limiter = Arc::new(RateLimiter::new(Tier::Advanced));
//! let quotes = Client::builder().rate_limiter(limiter.clone()).build()?;
//! let orders = Client::builder().rate_limiter(limiter.clone()).build()?;
//! assert_eq!(limiter.snapshot().write.tokens, 600);
//! # Ok(())
//! # }
//! ```
//!
//! With a maximum wait of zero, a request fails instead of waiting:
//!
//! ```no_run
//! # async fn example(client: kalshi_sdk::Client) {
//! use std::time::Duration;
//!
//! if let Err(error) = client.with_max_wait(Duration::ZERO).get_balance().send().await {
//!     match error.local_rate_limit().and_then(|limit| limit.wait()) {
//!         Some(wait) => println!("not before {wait:?} from now"),
//!         None => println!("{error}"),
//!     }
//! }
//! # }
//! ```

#[doc(inline)]
pub use kalshi_core::limits::*;
