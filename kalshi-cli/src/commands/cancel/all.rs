//! `kalshi cancel --all`: cancels all orders with one request, and reads until none rests.

use std::time::Duration;

use kalshi_sdk::{
    Client, operation,
    types::{Order, OrderStatus},
};
use tokio::time::timeout;

use super::{Cancel, READ_TIMEOUT};
use crate::{
    commands::{
        interrupt::unless_interrupted,
        listing::ListOptions,
        tables::{orders_table, request_row, requests_table},
    },
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record},
};

/// Pause between two reads.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

const WARNING: &str = "warning: orders that are placed within the next minute may be cancelled too";

/// Fields of the outcome, apart from those of orders.
const FIELDS: [&str; 4] = ["outcome", "listed", "left", "error"];

pub(super) async fn run(
    options: &Cancel,
    context: &Context,
    client: &Client,
) -> Result<Exit, Failure> {
    let list = list_resting(context, client, options.subaccount);
    let listed = timeout(READ_TIMEOUT, list)
        .await
        .unwrap_or_else(|_| Err("the reads took too long".into()));
    // The cancel does not depend on the list.
    let orders = match listed {
        Ok(orders) => Some(orders),
        Err(failure) => {
            context.output.note(&format!(
                "cannot list the orders: {failure}; they can be cancelled nevertheless"
            ));
            None
        }
    };
    let table = orders_part(orders.as_deref());
    context.output.note(WARNING);
    if context.dry_run {
        let subaccount = options
            .subaccount
            .map(|number| ("subaccount", number.to_string()));
        let query: Vec<_> = subaccount.into_iter().collect();
        let mut requests = requests_table();
        let row = request_row(operation::CANCEL_ALL_ORDERS, "", &query, None::<&()>)?;
        requests.push(row);
        context.output.print([table, requests.into()])?;
        return Ok(Exit::Success);
    }
    context.output.check_fields(FIELDS, table.fields())?;
    context.output.print_to_stderr(&[table]);
    let scope = match options.subaccount {
        Some(subaccount) => format!("subaccount {subaccount}"),
        None => "all subaccounts".to_owned(),
    };
    let question = format!(
        "Cancel all orders of {scope} on {}? {}",
        context.exchange(),
        match &orders {
            Some(orders) => format!("{} are listed.", orders.len()),
            None => "They could not be listed.".to_owned(),
        }
    );
    if !context.confirm(&question)? {
        context.output.note("nothing was sent");
        return Ok(Exit::Failure);
    }
    let (outcome, exit, remaining, error) =
        match unless_interrupted(cancel(options, context, client)).await {
            Some(result) => result?,
            None => {
                let error = "interrupted before the outcome was known".to_owned();
                ("unknown", Exit::Unknown, None, Some(error))
            }
        };
    let count = |orders: &Vec<Order>| i64::try_from(orders.len()).unwrap_or(i64::MAX);
    let record = Record::new("outcome")
        .field("outcome", outcome)
        .field("listed", orders.as_ref().map(count))
        .field("left", remaining.as_ref().map(count))
        .field("error", error);
    let remaining = orders_part(remaining.as_deref());
    // The exit code reports the outcome even if the output cannot be written.
    if let Err(failure) = context.output.print([Part::from(record), remaining]) {
        context.output.note(&failure.to_string());
    }
    Ok(exit)
}

/// Returns a table of orders, or an unknown part if they could not be read.
fn orders_part(orders: Option<&[Order]>) -> Part {
    match orders {
        Some(orders) => orders_table(orders).into(),
        None => Part::unknown(orders_table(&[])),
    }
}

/// Lists the resting orders of a subaccount, or of all if it is `None`. Reads may lag: the orders are only shown.
async fn list_resting(
    context: &Context,
    client: &Client,
    subaccount: Option<i64>,
) -> Result<Vec<Order>, Failure> {
    let list = ListOptions::unlimited();
    let mut request = client
        .get_orders()
        .status(OrderStatus::Resting)
        .limit(list.page_size());
    if let Some(subaccount) = subaccount {
        request = request.subaccount(subaccount);
    }
    list.read(context, "orders", request.by_item()).await
}

/// Outcome of the cancel: its name, the exit code, the remaining orders if they could be read, and an error.
type CancelAllResult = (&'static str, Exit, Option<Vec<Order>>, Option<String>);

/// Sends the cancel once, and reads until no order rests or the timeout expires.
async fn cancel(
    options: &Cancel,
    context: &Context,
    client: &Client,
) -> Result<CancelAllResult, Failure> {
    let mut request = client.cancel_all_orders();
    if let Some(subaccount) = options.subaccount {
        request = request.subaccount(subaccount);
    }
    let lost_response = match request.send().await {
        Ok(_) => None,
        Err(error) if error.was_not_processed() => return Err(error.into()),
        Err(error) if !error.may_have_taken_effect() => {
            return Ok(("rejected", Exit::Rejected, None, Some(error.to_string())));
        }
        Err(error) => {
            context.output.note(&format!(
                "the outcome is unknown: {error}\nreading the orders for up to {:?}; the cancel is not sent again",
                options.timeout
            ));
            Some(error)
        }
    };
    let mut remaining = None;
    let poll = async {
        loop {
            let mut list = client.orders().resting().timeout(options.timeout);
            if let Some(subaccount) = options.subaccount {
                list = list.subaccount(subaccount);
            }
            match list.await {
                Ok(orders) if orders.is_empty() => return,
                Ok(orders) => remaining = Some(orders),
                Err(unresolved) => {
                    if let Some(error) = unresolved.error() {
                        context.output.note(&error.to_string());
                    }
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    let is_empty = tokio::time::timeout(options.timeout, poll).await.is_ok();
    if is_empty {
        return Ok(("cancelled", Exit::Success, Some(Vec::new()), None));
    }
    let error = match lost_response {
        Some(error) => error.to_string(),
        None => {
            "the exchange accepted the cancel, but orders are still listed or reads are not up to date".to_owned()
        }
    };
    Ok(("unknown", Exit::Unknown, remaining, Some(error)))
}
