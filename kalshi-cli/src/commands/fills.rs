//! `kalshi fills`: lists executed trades of the account.

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::TryStreamExt;
use kalshi_sdk::{Client, Contracts, Dollars, types::Fill};

use super::{
    listing::{ListOptions, sum},
    tables::bought_cells,
    time_args::past_time,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record, Table},
};

#[derive(Args)]
pub(crate) struct Fills {
    /// Only fills in this market.
    #[arg(long, value_name = "TICKER", conflicts_with = "event")]
    ticker: Option<String>,
    /// Only fills in markets of this event.
    #[arg(long, value_name = "TICKER")]
    event: Option<String>,
    /// Only fills of this order.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Only fills of this subaccount [default: all].
    #[arg(long, value_name = "N")]
    subaccount: Option<i64>,
    /// Only fills since this time, or in this duration before now, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = past_time)]
    since: Option<DateTime<Utc>>,
    #[command(flatten)]
    list: ListOptions,
}

/// Maximum number of markets in one request.
const MAX_TICKERS: usize = 100;

impl Fills {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut request = client.get_fills().limit(self.list.page_size());
        if let Some(ticker) = self.ticker {
            request = request.ticker(ticker);
        }
        if let Some(event) = &self.event {
            request = request.tickers(markets_of(&client, event).await?);
        }
        if let Some(order) = self.order {
            request = request.order_id(order);
        }
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        if let Some(since) = self.since {
            request = request.min_ts(since);
        }
        let rows = self.list.read(context, "fills", request.by_item());
        let fills = rows.await?;
        let mut table = Table::new(
            "fills",
            [
                "created_time",
                "ticker",
                "bought",
                "price",
                "count",
                "cost",
                "fee",
                "role",
                "subaccount",
                "order_id",
                "fill_id",
            ],
        );
        for fill in &fills {
            let [bought, price] = bought_cells(fill.bought());
            table.push([
                fill.created_time.into(),
                fill.ticker.as_str().into(),
                bought,
                price,
                fill.count_fp.into(),
                cost(fill).into(),
                fill.fee_cost.into(),
                if fill.is_taker { "taker" } else { "maker" }.into(),
                fill.subaccount_number.map(|number| number.get()).into(),
                fill.order_id.as_str().into(),
                fill.fill_id.as_str().into(),
            ]);
        }
        let count = Contracts::checked_sum(fills.iter().map(|fill| fill.count_fp));
        let totals = Record::new("totals")
            .field("count", count)
            .field("cost", sum(fills.iter().map(cost)))
            .field("fee", sum(fills.iter().map(|fill| Some(fill.fee_cost))));
        context.output.print([Part::from(table), totals.into()])?;
        Ok(Exit::Success)
    }
}

/// Returns the cost of a fill: price of the outcome bought times count.
fn cost(fill: &Fill) -> Option<Dollars> {
    fill.bought()?.1.checked_mul(fill.count_fp)
}

/// Returns the tickers of an event's markets. The exchange does not filter fills by event.
async fn markets_of(client: &Client, event: &str) -> Result<Vec<String>, Failure> {
    let mut tickers = Vec::new();
    let mut markets = client
        .get_markets()
        .event_ticker(event)
        .limit(1_000)
        .by_item();
    while let Some(market) = markets.try_next().await? {
        tickers.push(market.ticker);
    }
    match tickers.len() {
        0 => Err(Failure::usage(format!(
            "the event {event:?} does not exist or has no markets"
        ))),
        count if count > MAX_TICKERS => Err(Failure::usage(format!(
            "the event {event:?} has {count} markets, and the exchange lists fills of at most {MAX_TICKERS}: use --ticker"
        ))),
        _ => Ok(tickers),
    }
}
