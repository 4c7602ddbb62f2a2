//! Rate limits: token buckets that mirror those of the exchange, so that requests wait locally instead of being rejected.
//!
//! The default limits are those of this API's Basic tier: 400 tokens a second for reads and 100 for writes. The limits of [`Tier`] are
//! those of the Trade API, which allows fewer reads. For an account of a higher tier, use [`RateLimits::Discovered`] or
//! [`Client::discover_limits`](crate::Client::discover_limits).

#[doc(inline)]
pub use kalshi_core::limits::*;
