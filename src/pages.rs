//! Paginated lists as streams: [`Pages`] of `by_page()`, and [`Items`] of `by_item()`.
//!
//! Both are streams of the `futures` crates. The [guide](crate::guide::pagination) explains errors and how to resume.
//!
//! ```no_run
//! # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
//! use futures_util::TryStreamExt;
//!
//! let mut pages = client.get_markets().series_ticker("KXHIGHNY").limit(1000).by_page();
//! while let Some(page) = pages.try_next().await? {
//!     println!("{} markets", page.markets.len());
//! }
//!
//! let mut fills = client.get_fills().by_item();
//! while let Some(fill) = fills.try_next().await? {
//!     println!("{} {}", fill.ticker, fill.count_fp);
//! }
//! # Ok(())
//! # }
//! ```

#[doc(inline)]
pub use kalshi_core::pages::*;
