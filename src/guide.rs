//! The guide: one page for each task.
//!
//! | Page | Content |
//! |---|---|
//! | [`getting_started`] | The first requests, the examples, environments, money, Cargo features |
//! | [`keys`] | API keys: formats, environment variables, what the crate does to protect them |
//! | [`orders_and_outcomes`] | Placing, changing and finding orders; what proves each outcome; fees |
//! | [`errors_and_retries`] | What an error says, and how each kind of failure is handled |
//! | [`rate_limits`] | Token buckets, tiers, waits, priorities |
//! | [`pagination`] | Lists by page and by item |
//! | [`websocket`] | Connections that reconnect, order books, and what to do after a reconnect |
//! | [`testing`] | Tests against `kalshi-mock`, a local exchange |
//! | [`compatibility`] | Responses that deviate from the spec, and versions of this crate |
//! | [`performance`] | What the crate costs, and how to keep requests fast |
//! | [`operations`] | All operations by topic |

#[doc = include_str!("guide/compatibility.md")]
pub mod compatibility {}
#[doc = include_str!("guide/errors_and_retries.md")]
pub mod errors_and_retries {}
#[doc = include_str!("guide/getting_started.md")]
pub mod getting_started {}
#[doc = include_str!("guide/keys.md")]
pub mod keys {}
#[doc = include_str!("guide/operations.md")]
pub mod operations {}
#[doc = include_str!("guide/orders_and_outcomes.md")]
pub mod orders_and_outcomes {}
#[doc = include_str!("guide/pagination.md")]
pub mod pagination {}
#[doc = include_str!("guide/performance.md")]
pub mod performance {}
#[doc = include_str!("guide/rate_limits.md")]
pub mod rate_limits {}
#[doc = include_str!("guide/testing.md")]
pub mod testing {}
#[doc = include_str!("guide/websocket.md")]
pub mod websocket {}
