//! Rate limits: token buckets as the exchange counts them, so that requests wait locally instead of being rejected.
//!
//! A client keeps to the limits of this API's Basic tier (reads 400 tokens a second, writes 100) unless others are set. The numbers
//! of [`Tier`] are those of the Trade API, whose reads are fewer: for an account of a higher tier use
//! [`RateLimits::Discovered`] or [`Client::discover_limits`](crate::Client::discover_limits).

#[doc(inline)]
pub use kalshi_core::limits::*;
