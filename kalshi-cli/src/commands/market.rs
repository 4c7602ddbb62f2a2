//! `kalshi market`: shows a market.

use clap::Args;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Cell, Record},
};

#[derive(Args)]
pub(crate) struct Market {
    /// Ticker of the market.
    ticker: String,
}

impl Market {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let market = client.get_market().ticker(self.ticker).send().await?;
        let market = market.into_inner().market;
        let event = client
            .get_event()
            .event_ticker(&market.event_ticker)
            .exclude_markets(true)
            .send()
            .await?
            .into_inner()
            .event;
        let steps = market
            .price_ranges
            .iter()
            .map(|range| format!("{} from {} to {}", range.step, range.start, range.end));
        let steps = steps.collect::<Vec<_>>().join(", ");
        let unless_empty = |text: String| match text.is_empty() {
            true => Cell::Absent,
            false => text.into(),
        };
        let record = Record::new("market")
            .field("ticker", market.ticker)
            .field("title", event.title)
            .field("yes_means", market.yes_sub_title)
            .field("no_means", market.no_sub_title)
            .field("status", market.status.as_str())
            .field("yes_bid", market.yes_bid_dollars)
            .field("yes_bid_count", market.yes_bid_size_fp)
            .field("yes_ask", market.yes_ask_dollars)
            .field("yes_ask_count", market.yes_ask_size_fp)
            .field("last_price", market.last_price_dollars)
            .field("volume", market.volume_fp)
            .field("volume_24h", market.volume_24h_fp)
            .field("open_interest", market.open_interest_fp)
            .field("open_time", market.open_time)
            .field("close_time", market.close_time)
            .field("expected_expiration_time", market.expected_expiration_time)
            .field("result", unless_empty(market.result.as_str().to_owned()))
            .field("settlement_value", market.settlement_value_dollars)
            .field("price_steps", unless_empty(steps))
            .field("event", market.event_ticker)
            .field("series", event.series_ticker)
            .field("rules", market.rules_primary)
            .field("further_rules", unless_empty(market.rules_secondary));
        context.output.print([record])?;
        Ok(Exit::Success)
    }
}
