//! `kalshi orders`: lists orders, by default those that rest.

use chrono::{DateTime, Utc};
use clap::Args;
use kalshi_sdk::{Contracts, orders::OrderLookup, types::Order};

use super::{
    listing::{ListOptions, sum},
    tables::orders_table,
    time_args::past_time,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record},
};

#[derive(Args)]
pub(crate) struct Orders {
    /// Only orders in this market.
    #[arg(long, value_name = "TICKER")]
    ticker: Option<String>,
    /// Only orders in markets of this event.
    #[arg(long, value_name = "TICKER")]
    event: Option<String>,
    /// Only orders in this status: resting, canceled, executed or any.
    #[arg(long, default_value = "resting", value_parser = ["resting", "canceled", "executed", "any"])]
    status: String,
    /// Only orders of this subaccount [default: all].
    #[arg(long, value_name = "N")]
    subaccount: Option<i64>,
    /// Only orders placed since this time, or in this duration before now, such as 2h.
    #[arg(long, value_name = "TIME", value_parser = past_time)]
    since: Option<DateTime<Utc>>,
    /// Find the order with this client order id, in any status. Waits until reads are up to date before it reports that there is none.
    #[arg(long, value_name = "ID", conflicts_with_all = ["event", "status", "since", "limit", "all"])]
    client_order_id: Option<String>,
    #[command(flatten)]
    list: ListOptions,
}

impl Orders {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        if let Some(id) = &self.client_order_id {
            return self.find(context, id).await;
        }
        let mut request = client.get_orders().limit(self.list.page_size());
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
        if self.status != "any" {
            request = request.status(self.status);
        }
        let rows = self.list.read(context, "orders", request.by_item());
        context.output.print(parts(&rows.await?))?;
        Ok(Exit::Success)
    }

    async fn find(&self, context: &Context, id: &str) -> Result<Exit, Failure> {
        let mut find = context.client()?.orders().find(id);
        if let Some(ticker) = &self.ticker {
            find = find.ticker(ticker);
        }
        if let Some(subaccount) = self.subaccount {
            find = find.subaccount(subaccount);
        }
        let spinner = context.output.spinner("looking for the order");
        let found = find.await;
        spinner.finish();
        match found {
            OrderLookup::Found(order) => {
                context.output.print(parts(std::slice::from_ref(&order)))?;
                Ok(Exit::Success)
            }
            OrderLookup::NotFound => {
                note_failure(context, context.output.print(parts(&[])));
                context.output.note("no order has this client order id");
                Ok(Exit::Rejected)
            }
            OrderLookup::Unknown(unresolved) => {
                let parts = match unresolved.candidates() {
                    [] => parts(&[]).map(Part::unknown),
                    candidates => parts(candidates),
                };
                note_failure(context, context.output.print(parts));
                let reason = unresolved.error().map(ToString::to_string);
                context.output.note(&format!(
                    "it is unknown which order has this client order id: {}",
                    reason.as_deref().unwrap_or("try again later")
                ));
                Ok(Exit::Unknown)
            }
            _ => Err("the lookup ended in a way that this program does not support".into()),
        }
    }
}

/// Prints a note if the output could not be written. The exit code still reports the result of the lookup.
fn note_failure(context: &Context, printed: Result<(), Failure>) {
    if let Err(failure) = printed {
        context.output.note(&failure.to_string());
    }
}

/// Returns orders and their totals.
fn parts(orders: &[Order]) -> [Part; 2] {
    let value = |order: &Order| order.bought()?.1.checked_mul(order.remaining_count_fp);
    let fees = |order: &Order| {
        order
            .taker_fees_dollars
            .checked_add(order.maker_fees_dollars)
    };
    let count = |count: fn(&Order) -> Contracts| Contracts::checked_sum(orders.iter().map(count));
    let totals = Record::new("totals")
        .field("filled", count(|order| order.fill_count_fp))
        .field("remaining", count(|order| order.remaining_count_fp))
        .field("remaining_cost", sum(orders.iter().map(value)))
        .field("fees", sum(orders.iter().map(fees)));
    [orders_table(orders).into(), totals.into()]
}
