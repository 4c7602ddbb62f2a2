//! `kalshi cancel`: cancels orders, one by one or all at once.

mod all;

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, builder::NonEmptyStringValueParser};
use kalshi_sdk::{
    Client, operation,
    orders::{ChangeOutcome, ChangeReconciliation, OrderRef},
    types::{CancelOrderV2Response, Order, OrderStatus},
};

use super::{
    interrupt::unless_interrupted,
    listing::ListOptions,
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
    /// Maximum time to resolve the outcome of each cancel.
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
        let mut refs = Vec::new();
        let orders = match self.ids.is_empty() {
            true => self.list_orders(context, &client).await?,
            false => {
                let (orders, unlisted) = read_orders(context, &client, &self.ids).await?;
                refs.extend(unlisted);
                orders
            }
        };
        refs.extend(orders.iter().map(OrderRef::from));
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
            return Ok(Exit::Success);
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
        self.cancel_each(context, &client, refs).await
    }

    /// Lists the resting orders of a market or a group, because the exchange's cancel-all has neither filter.
    async fn list_orders(&self, context: &Context, client: &Client) -> Result<Vec<Order>, Failure> {
        let in_group = match &self.group {
            None => None,
            Some(group) => {
                let mut request = client.get_order_group().order_group_id(group);
                if let Some(subaccount) = self.subaccount {
                    request = request.subaccount(subaccount);
                }
                Some(request.send().await?.into_inner().orders)
            }
        };
        let mut orders =
            list_resting(context, client, self.market.as_deref(), self.subaccount).await?;
        if let (Some(group), Some(ids)) = (&self.group, in_group) {
            orders.retain(|order| {
                order.order_group_id.as_deref() == Some(group) || ids.contains(&order.order_id)
            });
        }
        Ok(orders)
    }

    async fn cancel_each(
        &self,
        context: &Context,
        client: &Client,
        orders: Vec<OrderRef>,
    ) -> Result<Exit, Failure> {
        let mut table = Table::new("cancels", FIELDS);
        let (mut exit, mut is_interrupted) = (Exit::Success, false);
        let progress = context.output.progress("cancels");
        for order in orders {
            let result = match is_interrupted {
                true => CancelResult::failed("not_sent", Exit::Interrupted, "interrupted"),
                false => {
                    let result = unless_interrupted(cancel(client, &order, self.timeout)).await;
                    is_interrupted = result.is_none();
                    result.unwrap_or_else(|| {
                        let error = "interrupted before the outcome was known";
                        CancelResult::failed("unknown", Exit::Unknown, error)
                    })
                }
            };
            exit = more_severe(exit, result.exit);
            table.push([
                order.order_id().as_str().into(),
                order.market_ticker().into(),
                result.outcome.into(),
                result.cancelled,
                result.filled,
                result.error.into(),
            ]);
            progress.increment();
        }
        progress.finish();
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

/// Lists all resting orders of a market and a subaccount, or of all if they are `None`.
async fn list_resting(
    context: &Context,
    client: &Client,
    market: Option<&str>,
    subaccount: Option<i64>,
) -> Result<Vec<Order>, Failure> {
    let list = ListOptions::unlimited();
    let mut request = client
        .get_orders()
        .status(OrderStatus::Resting)
        .limit(list.page_size());
    if let Some(market) = market {
        request = request.ticker(market);
    }
    if let Some(subaccount) = subaccount {
        request = request.subaccount(subaccount);
    }
    list.read(context, "orders", request.by_item()).await
}

/// Reads orders by id. An order that is not found is returned as a bare reference, because reads lag behind writes.
async fn read_orders(
    context: &Context,
    client: &Client,
    ids: &[String],
) -> Result<(Vec<Order>, Vec<OrderRef>), Failure> {
    let (mut orders, mut unlisted) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    // An id that is given twice is cancelled once.
    for id in ids.iter().filter(|id| seen.insert(id.as_str())) {
        match client.get_order().order_id(id).send().await {
            Ok(response) => orders.push(response.into_inner().order),
            Err(error) if error.is_not_found() => {
                context.output.note(&format!(
                    "the order {id} was not found, perhaps because reads lag behind: the cancel is sent anyway"
                ));
                unlisted.push(OrderRef::new(id.as_str()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((orders, unlisted))
}

/// The outcome of one cancel.
struct CancelResult {
    outcome: &'static str,
    exit: Exit,
    cancelled: Cell,
    filled: Cell,
    error: Option<String>,
}

impl CancelResult {
    fn failed(outcome: &'static str, exit: Exit, error: impl ToString) -> Self {
        Self {
            outcome,
            exit,
            cancelled: Cell::Absent,
            filled: Cell::Absent,
            error: Some(error.to_string()),
        }
    }

    fn succeeded(outcome: &'static str, order: &Order) -> Self {
        Self {
            outcome,
            exit: Exit::Success,
            cancelled: Cell::Absent,
            filled: order.fill_count_fp.into(),
            error: None,
        }
    }
}

async fn cancel(client: &Client, order: &OrderRef, timeout: Duration) -> CancelResult {
    let outcome = client.orders().cancel(order).confirm_timeout(timeout).await;
    let not_applied = "the exchange did not find the order, although it rests: cancel it again";
    let unknown: ChangeOutcome<CancelOrderV2Response> = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return CancelResult::failed("not_sent", Exit::Failure, error),
    };
    let unknown = match unknown {
        ChangeOutcome::Done(response) => {
            return CancelResult {
                outcome: "cancelled",
                exit: Exit::Success,
                cancelled: response.reduced_by.into(),
                filled: Cell::Absent,
                error: None,
            };
        }
        ChangeOutcome::AlreadyGone(order) => {
            return CancelResult::succeeded("already_gone", &order);
        }
        ChangeOutcome::NotApplied(_) => {
            return CancelResult::failed("rejected", Exit::Rejected, not_applied);
        }
        ChangeOutcome::Rejected(error) => {
            return CancelResult::failed("rejected", Exit::Rejected, error);
        }
        ChangeOutcome::Unknown(unknown) => unknown,
        other => return CancelResult::failed("unknown", Exit::Unknown, format!("{other:?}")),
    };
    match unknown.reconcile(timeout).await {
        ChangeReconciliation::Done(order) => CancelResult::succeeded("cancelled", &order),
        ChangeReconciliation::NotDone(order) if order.status == OrderStatus::Executed => {
            CancelResult::succeeded("already_gone", &order)
        }
        ChangeReconciliation::NotDone(_) => CancelResult::failed(
            "rejected",
            Exit::Rejected,
            "the response was lost, and the order rests: cancel it again",
        ),
        ChangeReconciliation::NotFound => {
            CancelResult::failed("rejected", Exit::Rejected, "there is no such order")
        }
        _ => CancelResult::failed("unknown", Exit::Unknown, unknown.error()),
    }
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
