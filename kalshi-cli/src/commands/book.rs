//! `kalshi book`: shows the order book of a market.

use clap::Args;
use kalshi_sdk::ws::OrderBook;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    market_data,
    output::{Part, Record},
};

#[derive(Args)]
pub(crate) struct Book {
    /// Ticker of the market.
    ticker: String,
    /// Show this many levels of each side, or all with 0.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    depth: u16,
}

impl Book {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let response = client
            .get_market_orderbook()
            .ticker(&self.ticker)
            .depth(self.depth)
            .send()
            .await?;
        let levels = &response.orderbook_fp;
        let book = OrderBook::from_bids(&levels.yes_dollars, &levels.no_dollars);
        let mut table = market_data::levels_table();
        market_data::push_levels(&mut table, &self.ticker, &book, usize::MAX);
        let summary = market_data::with_quote(
            Record::new("book").field("market_ticker", self.ticker),
            Some(&book),
        );
        context.output.print([Part::from(table), summary.into()])?;
        Ok(Exit::Success)
    }
}
