//! Paginated lists as streams: fills, orders and public trades.
//!
//! ```no_run
//! # async fn example(client: kalshi_perps::Client) -> Result<(), kalshi_perps::Error> {
//! use futures_util::TryStreamExt;
//!
//! let mut fills = client.get_margin_fills().by_item();
//! while let Some(fill) = fills.try_next().await? {
//!     println!("{} {} at {}", fill.ticker, fill.count, fill.price);
//! }
//! # Ok(())
//! # }
//! ```

#[doc(inline)]
pub use kalshi_core::pages::*;
