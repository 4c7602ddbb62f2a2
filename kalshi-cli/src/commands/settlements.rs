//! `kalshi settlements`: lists the payouts of settled markets.

use chrono::{DateTime, Utc};
use clap::Args;
use kalshi_sdk::{Dollars, types::Settlement};

use super::{
    listing::{ListOptions, sum},
    time_args::past_time,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record, Table},
};

#[derive(Args)]
pub(crate) struct Settlements {
    /// Only the settlement of this market.
    #[arg(long, value_name = "TICKER")]
    ticker: Option<String>,
    /// Only settlements of markets of this event.
    #[arg(long, value_name = "TICKER")]
    event: Option<String>,
    /// Only settlements of this subaccount [default: all].
    #[arg(long, value_name = "N")]
    subaccount: Option<i64>,
    /// Only settlements since this time, or in this duration before now, such as 7d.
    #[arg(long, value_name = "TIME", value_parser = past_time)]
    since: Option<DateTime<Utc>>,
    #[command(flatten)]
    list: ListOptions,
}

impl Settlements {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut request = client.get_settlements().limit(self.list.page_size());
        if let Some(ticker) = self.ticker {
            request = request.ticker(ticker);
        }
        if let Some(event) = self.event {
            request = request.event_ticker(event);
        }
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        if let Some(since) = self.since {
            request = request.min_ts(since);
        }
        let rows = self.list.read(context, "settlements", request.by_item());
        let settlements = rows.await?;
        let mut table = Table::new(
            "settlements",
            [
                "settled_time",
                "ticker",
                "result",
                "yes_count",
                "no_count",
                "cost",
                "revenue",
                "fees",
                "profit",
            ],
        );
        for row in &settlements {
            table.push([
                row.settled_time.into(),
                row.ticker.as_str().into(),
                row.market_result.as_str().into(),
                row.yes_count_fp.into(),
                row.no_count_fp.into(),
                cost(row).into(),
                row.revenue_dollars().into(),
                row.fee_cost.into(),
                profit(row).into(),
            ]);
        }
        let totals = Record::new("totals")
            .field("cost", sum(settlements.iter().map(cost)))
            .field(
                "revenue",
                sum(settlements.iter().map(Settlement::revenue_dollars)),
            )
            .field(
                "fees",
                sum(settlements.iter().map(|row| Some(row.fee_cost))),
            )
            .field("profit", sum(settlements.iter().map(profit)));
        context.output.print([Part::from(table), totals.into()])?;
        Ok(Exit::Success)
    }
}

/// Returns the cost of the contracts of both outcomes.
fn cost(row: &Settlement) -> Option<Dollars> {
    row.yes_total_cost_dollars
        .checked_add(row.no_total_cost_dollars)
}

/// Returns the revenue less cost and fees.
fn profit(row: &Settlement) -> Option<Dollars> {
    row.revenue_dollars()?
        .checked_sub(cost(row)?)?
        .checked_sub(row.fee_cost)
}
