//! `kalshi markets`: lists markets.

use clap::Args;
use futures_util::TryStreamExt;
use kalshi_sdk::types::MarketStatusQuery;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::Table,
};

#[derive(Args)]
pub(crate) struct Markets {
    /// Only markets whose ticker or YES title contains this.
    search: Option<String>,
    /// Only markets of this event.
    #[arg(long, value_name = "TICKER")]
    event: Option<String>,
    /// Only markets of this series.
    #[arg(long, value_name = "TICKER")]
    series: Option<String>,
    /// Only markets in this status: unopened, open, paused, closed, settled or any.
    #[arg(long, default_value = "open", value_parser = ["unopened", "open", "paused", "closed", "settled", "any"])]
    status: String,
    /// List at most this many.
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// List all markets, with progress.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Markets {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let mut request = client.get_markets().limit(1000);
        if let Some(event) = self.event {
            request = request.event_ticker(event);
        }
        if let Some(series) = self.series {
            request = request.series_ticker(series);
        }
        if self.status != "any" {
            request = request.status(MarketStatusQuery::from(self.status.as_str()));
        }
        let limit = if self.all { usize::MAX } else { self.limit };
        let search = self.search.unwrap_or_default().to_lowercase();
        let progress = context.output.progress("markets");
        let mut markets = request.by_item().with_prefetch();
        let mut table = Table::new(
            "markets",
            [
                "ticker",
                "yes_means",
                "status",
                "yes_bid",
                "yes_ask",
                "volume",
                "close_time",
            ],
        )
        .flexible("yes_means");
        while table.len() < limit
            && let Some(market) = markets.try_next().await?
        {
            progress.increment();
            let yes_means = market.yes_sub_title.unwrap_or_default();
            if !market.ticker.to_lowercase().contains(&search)
                && !yes_means.to_lowercase().contains(&search)
            {
                continue;
            }
            table.push([
                market.ticker.into(),
                yes_means.into(),
                market.status.as_str().into(),
                market.yes_bid_dollars.into(),
                market.yes_ask_dollars.into(),
                market.volume_fp.into(),
                market.close_time.into(),
            ]);
        }
        progress.finish();
        context.output.print([table])?;
        Ok(Exit::Success)
    }
}
