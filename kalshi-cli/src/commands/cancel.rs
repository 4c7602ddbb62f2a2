//! `kalshi cancel`: cancels orders, one by one or all at once.

mod all;
mod each;

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, builder::NonEmptyStringValueParser};
use kalshi_sdk::{Client, OrderId, operation, orders::OrderRef, types::Order};
use tokio::time::{Instant, timeout_at};

use self::each::Cancels;
use super::{
    interrupt::unless_interrupted,
    listing::split_unresolved,
    tables::{locator_query, orders_table, request_row, requests_table},
    time_args::duration,
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Cell, Part, Record, Table},
};

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the orders no longer rest, 10 an order was not cancelled, 11 unknown whether it was cancelled, 1 or 2 not sent."
)]
pub(crate) struct Cancel {
    /// The exchange's ids of the orders.
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new(), required_unless_present_any = ["all", "market", "group"], conflicts_with_all = ["all", "market", "group", "subaccount"])]
    ids: Vec<String>,
    /// Cancel all resting orders on event markets with one request. Orders placed within the next minute may be cancelled too.
    #[arg(long)]
    all: bool,
    /// Only orders of this subaccount [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    subaccount: Option<i64>,
    /// Only orders in this market, listed and cancelled one by one.
    #[arg(long, value_name = "TICKER", value_parser = NonEmptyStringValueParser::new())]
    market: Option<String>,
    /// Only orders of this order group, listed and cancelled one by one.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Maximum time to list the orders of a market or a group, and to resolve the outcomes of the cancels.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

const FIELDS: [&str; 6] = [
    "order_id",
    "ticker",
    "outcome",
    "cancelled",
    "filled",
    "error",
];

/// Maximum time to read orders only to show them. A cancel does not wait longer for reads that fail.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time to list the orders of a market or a group. Once it has passed, those that were seen are cancelled.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// Fields of the totals: the number of cancels with each outcome.
const TOTALS: [&str; 5] = [
    "cancelled",
    "already_gone",
    "rejected",
    "unknown",
    "not_sent",
];

impl Cancel {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        if self.all && self.market.is_none() && self.group.is_none() {
            return all::run(&self, context, &client).await;
        }
        let (mut refs, mut doubt) = (Vec::new(), None);
        let orders = match self.ids.is_empty() {
            true => {
                let listed = self.list_orders(context, &client).await;
                refs.extend(listed.unlisted);
                doubt = listed.doubt;
                listed.orders
            }
            false => {
                let (orders, unlisted) = read_orders(context, &client, &self.ids).await;
                refs.extend(unlisted);
                orders
            }
        };
        refs.extend(orders.iter().map(OrderRef::from));
        if let Some(doubt) = &doubt {
            // Exit code 0 would mean that none rests.
            if refs.is_empty() {
                return Err(doubt.as_str().into());
            }
            let note = format!("{doubt}; other orders may rest");
            context.output.note(&note);
        }
        let table = orders_table(&orders);
        if context.dry_run {
            let mut requests = requests_table();
            for order in &refs {
                let query = locator_query(order);
                let row = request_row(
                    operation::CANCEL_ORDER_V2,
                    order.order_id(),
                    &query,
                    None::<&()>,
                )?;
                requests.push(row);
            }
            context.output.print([Part::from(table), requests.into()])?;
            // Other orders may need further requests.
            return Ok(match doubt {
                Some(_) => Exit::Failure,
                None => Exit::Success,
            });
        }
        context.output.check_fields(FIELDS, TOTALS)?;
        if refs.is_empty() {
            // There is nothing to confirm, and nothing is sent.
            return self.cancel_each(context, &client, refs).await;
        }
        context.output.print_to_stderr(&[table.into()]);
        let question = match refs.len() {
            1 => format!("Cancel this order on {}?", context.exchange()),
            count => format!("Cancel these {count} orders on {}?", context.exchange()),
        };
        if !context.confirm(&question)? {
            context.output.note("nothing was sent");
            return Ok(Exit::Failure);
        }
        let exit = self.cancel_each(context, &client, refs).await?;
        Ok(match doubt {
            Some(_) => more_severe(exit, Exit::Unknown),
            None => exit,
        })
    }

    /// Lists the resting orders of a market or a group, because the exchange's cancel-all has neither filter. The list is up to date, or
    /// has a doubt: an order that it lacks would not be cancelled.
    async fn list_orders(&self, context: &Context, client: &Client) -> Listed {
        let timeout = self.timeout.min(LIST_TIMEOUT);
        let mut list = client.orders().resting().timeout(timeout);
        if let Some(market) = &self.market {
            list = list.ticker(market);
        }
        if let Some(subaccount) = self.subaccount {
            list = list.subaccount(subaccount);
        }
        let spinner = context.output.spinner("listing the resting orders");
        let mut listed = list.clone().await;
        // The limit is for orders that wait to be cancelled.
        if let Err(unresolved) = &listed
            && unresolved.candidates().is_empty()
            && self.timeout > timeout
        {
            listed = list.timeout(self.timeout - timeout).await;
        }
        spinner.finish();
        let (mut orders, mut doubt) = split_unresolved(listed);
        let mut unlisted = Vec::new();
        if let Some(group) = &self.group {
            let mut request = client.get_order_group().order_group_id(group);
            if let Some(subaccount) = self.subaccount {
                request = request.subaccount(subaccount);
            }
            let mut shard = 0;
            let ids = match timeout_at(Instant::now() + READ_TIMEOUT, request.send()).await {
                Ok(Ok(response)) => {
                    let group = response.into_inner();
                    shard = group.exchange_index.map_or(0, |index| index.0);
                    group.orders
                }
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => error.to_string(),
                        _ => "the read took too long".to_owned(),
                    };
                    doubt = Some(format!("the order group cannot be read: {error}"));
                    Vec::new()
                }
            };
            orders.retain(|order| {
                order.order_group_id.as_deref() == Some(group) || ids.contains(&order.order_id)
            });
            // The group may have orders of other markets.
            if doubt.is_some() && self.market.is_none() {
                let is_unlisted = |id: &&OrderId| orders.iter().all(|order| order.order_id != **id);
                let ids = ids.iter().filter(is_unlisted);
                unlisted.extend(ids.map(|id| {
                    let order = OrderRef::new(id.as_str()).with_exchange_index(shard);
                    match self.subaccount {
                        Some(subaccount) => order.with_subaccount(subaccount),
                        None => order,
                    }
                }));
            }
        }
        Listed {
            orders,
            unlisted,
            doubt,
        }
    }

    async fn cancel_each(
        &self,
        context: &Context,
        client: &Client,
        orders: Vec<OrderRef>,
    ) -> Result<Exit, Failure> {
        let mut table = Table::new("cancels", FIELDS);
        let mut exit = Exit::Success;
        let progress = context.output.progress("cancels");
        let mut cancels = Cancels::new(orders);
        // Handlers of signals last until the process ends, so there is one wait for all cancels.
        let run = cancels.run(client, self.timeout, || progress.increment());
        unless_interrupted(run).await;
        progress.finish();
        for (order, result) in cancels.into_results() {
            exit = more_severe(exit, result.exit);
            table.push([
                order.order_id().as_str().into(),
                order.market_ticker().into(),
                result.outcome.into(),
                result.cancelled,
                result.filled,
                result.error.into(),
            ]);
        }
        let totals = TOTALS
            .into_iter()
            .fold(Record::new("totals"), |totals, outcome| {
                let rows = table
                    .rows
                    .iter()
                    .filter(|row| row[2] == Cell::from(outcome));
                totals.field(outcome, i64::try_from(rows.count()).unwrap_or(i64::MAX))
            });
        // Exit code 1 means that nothing was written.
        let not_sent = Cell::from("not_sent");
        if exit == Exit::Failure && table.rows.iter().any(|row| row[2] != not_sent) {
            exit = Exit::Rejected;
        }
        // The exit code reports the outcome even if the output cannot be written.
        if let Err(failure) = context.output.print([Part::from(table), totals.into()]) {
            context.output.note(&failure.to_string());
        }
        Ok(exit)
    }
}

/// The resting orders of a market or a group.
struct Listed {
    orders: Vec<Order>,
    /// Orders that the group names and the list lacks, if it may lack any.
    unlisted: Vec<OrderRef>,
    /// The reason why other orders may rest.
    doubt: Option<String>,
}

/// Reads orders by id, to show them. An order that cannot be read is returned as a bare reference: reads lag behind writes, and a cancel
/// must be possible while they fail.
async fn read_orders(
    context: &Context,
    client: &Client,
    ids: &[String],
) -> (Vec<Order>, Vec<OrderRef>) {
    let (mut orders, mut unlisted) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + READ_TIMEOUT;
    // An id that is given twice is cancelled once.
    for id in ids.iter().filter(|id| seen.insert(id.as_str())) {
        let problem = match timeout_at(deadline, client.get_order().order_id(id).send()).await {
            Ok(Ok(response)) if response.order.order_id == id.as_str() => {
                orders.push(response.into_inner().order);
                continue;
            }
            Ok(Ok(_)) => "cannot be read: the response is about another order".to_owned(),
            Ok(Err(error)) if error.is_not_found() => {
                "was not found, perhaps because reads lag behind".to_owned()
            }
            Ok(Err(error)) => format!("cannot be read: {error}"),
            Err(_) => "cannot be read: the reads took too long".to_owned(),
        };
        context.output.note(&format!(
            "the order {id} {problem}; it can be cancelled nevertheless"
        ));
        unlisted.push(OrderRef::new(id.as_str()));
    }
    (orders, unlisted)
}

/// Returns the more serious of two exit codes.
fn more_severe(one: Exit, other: Exit) -> Exit {
    let severity = |exit: Exit| match exit {
        Exit::Success => 0,
        Exit::Unknown => 4,
        Exit::Rejected => 3,
        Exit::Failure => 2,
        _ => 1,
    };
    std::cmp::max_by_key(one, other, |exit| severity(*exit))
}
