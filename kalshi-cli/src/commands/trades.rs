//! `kalshi trades`: lists the trades of a market.

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::TryStreamExt;

use crate::{
    commands::time_args,
    context::Context,
    failure::{Exit, Failure},
    output::Table,
};

#[derive(Args)]
pub(crate) struct Trades {
    /// Ticker of the market.
    ticker: String,
    /// Only trades since this time: a duration before now such as 6h, a date, or a time in RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time_args::past_time)]
    since: Option<DateTime<Utc>>,
    /// List at most this many, latest first.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// List all trades, with progress.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Trades {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.public_client()?;
        let limit = if self.all { usize::MAX } else { self.limit };
        let page = i64::try_from(limit.clamp(1, 1000))?;
        let mut request = client.get_trades().ticker(self.ticker).limit(page);
        if let Some(since) = self.since {
            request = request.min_ts(since);
        }
        let progress = context.output.progress("trades");
        let mut trades = request.by_item();
        let mut table = Table::new(
            "trades",
            [
                "time",
                "yes_price",
                "no_price",
                "count",
                "taker_side",
                "block",
                "trade_id",
            ],
        );
        while table.len() < limit
            && let Some(trade) = trades.try_next().await?
        {
            progress.increment();
            table.push([
                trade.created_time.into(),
                trade.yes_price_dollars.into(),
                trade.no_price_dollars.into(),
                trade.count_fp.into(),
                trade
                    .taker_outcome_side
                    .map(|side| side.as_str().to_owned())
                    .into(),
                trade.is_block_trade.into(),
                trade.trade_id.to_string().into(),
            ]);
        }
        progress.finish();
        context.output.print([table])?;
        Ok(Exit::Success)
    }
}
