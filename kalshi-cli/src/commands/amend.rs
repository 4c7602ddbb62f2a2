//! `kalshi amend`: changes the price, the count or the expiry of an order.

use std::time::{Duration, SystemTime};

use clap::{Args, builder::NonEmptyStringValueParser};
use kalshi_sdk::{
    Client, Contracts, Dollars, Error, OutcomeSide, operation,
    orders::{ChangeOutcome, ChangeReconciliation, InvalidExpiry, OffGrid, OrderRef, PriceGrid},
    types::{AmendOrderV2Request, AmendOrderV2Response, ExchangeIndex, Order},
};

use super::{
    estimate::Estimator,
    interrupt::unless_interrupted,
    listing::describe_unresolved,
    preview::Preview,
    price::{count, price},
    tables::{request_row, requests_table},
    time_args::{TimeArg, duration},
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record},
};

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 amended, 10 not amended, 11 unknown whether it was amended, 1 or 2 not sent."
)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Amend {
    /// The exchange's id of the order.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// New price of YES, in dollars (0.45) or cents (45c).
    #[arg(long, value_name = "PRICE", value_parser = price, conflicts_with = "no_price", group = "change")]
    yes_price: Option<Dollars>,
    /// New price of NO, in dollars (0.45) or cents (45c).
    #[arg(long, value_name = "PRICE", value_parser = price, group = "change")]
    no_price: Option<Dollars>,
    /// New count of the whole order, including the contracts already filled.
    #[arg(long, value_name = "COUNT", value_parser = count, group = "change")]
    count: Option<Contracts>,
    /// New expiry: a duration from now, such as 15m, or a time.
    #[arg(
        long,
        value_name = "TIME",
        conflicts_with = "no_expiry",
        group = "change"
    )]
    expires: Option<TimeArg>,
    /// Remove the expiry, so that the order rests until it is filled or cancelled.
    #[arg(long, group = "change")]
    no_expiry: bool,
    /// Maximum time to read the price and the count that the order keeps, and to resolve an unknown outcome.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

/// Fields of the outcome, in order.
const OUTCOME_FIELDS: [&str; 6] = [
    "outcome",
    "order_id",
    "client_order_id",
    "filled",
    "remaining",
    "error",
];

impl Amend {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let order = self.read_order(context, &client).await?;
        let subaccount = order.subaccount_number.map(|number| number.get());
        let estimator = Estimator::load(context, &client, &order.ticker, subaccount).await?;
        let change = self.change(&estimator, &order)?;
        let preview = preview(context, &estimator, &order, &change)?;
        if context.dry_run {
            let mut table = requests_table();
            let subaccount = subaccount.map(|number| ("subaccount", number.to_string()));
            let query: Vec<_> = subaccount.into_iter().collect();
            let operation = operation::AMEND_ORDER_V2;
            table.push(request_row(operation, &self.id, &query, Some(&change))?);
            context.output.print([Part::from(preview), table.into()])?;
            return Ok(Exit::Success);
        }
        let question = format!("Amend this order on {}?", context.exchange());
        let Some(preview) = Preview::confirm(context, preview, &OUTCOME_FIELDS, &question)? else {
            return Ok(Exit::Failure);
        };
        let amended = amend(context, &client, &order, change, self.timeout);
        let (exit, record) = match unless_interrupted(amended).await {
            Some(ended) => ended?,
            None => (
                Exit::Unknown,
                outcome_with_error(
                    "unknown",
                    &order,
                    "interrupted before the outcome was known",
                ),
            ),
        };
        preview.print_outcome(context, record);
        Ok(exit)
    }

    /// Reads the order. The terms of the order that the change keeps are sent again, so they come from reads that reflect everything
    /// written before this command: an older price or count would undo an earlier change.
    async fn read_order(&self, context: &Context, client: &Client) -> Result<Order, Failure> {
        let names_terms = self.yes_price.or(self.no_price).is_some() && self.count.is_some();
        let read = match client.get_order().order_id(&self.id).send().await {
            Ok(read) if read.order.order_id == self.id.as_str() => Some(read.into_inner().order),
            // Reads may not show a new order yet.
            Err(error) if names_terms && !error.is_not_found() => return Err(error.into()),
            _ => None,
        };
        let mut list = client.orders().resting().timeout(self.timeout);
        match read {
            Some(order) if names_terms => return Ok(order),
            // The list of one market is shorter.
            Some(order) => list = list.ticker(order.ticker),
            None => {}
        }
        let spinner = context.output.spinner("reading the order");
        let resting = list.await;
        spinner.finish();
        let orders = resting.map_err(|unresolved| {
            let error = describe_unresolved(&unresolved);
            match names_terms {
                true => format!("the order was not found: {error}; try again later"),
                false => format!(
                    "the price and the count of the order are unknown: {error}; name a price and --count, or try again later"
                ),
            }
        })?;
        let mut orders = orders.into_iter();
        if let Some(order) = orders.find(|order| order.order_id == self.id.as_str()) {
            return Ok(order);
        }
        let read = client.get_order().order_id(&self.id).send().await?;
        match read.order.order_id == self.id.as_str() {
            true => Ok(read.into_inner().order),
            false => Err("the response is about another order: run the command again".into()),
        }
    }

    /// Returns the validated change. Values that are not given are those of the order.
    fn change(&self, estimator: &Estimator, order: &Order) -> Result<AmendOrderV2Request, Failure> {
        let side = order
            .book_side
            .or(order.outcome_side.and_then(OutcomeSide::book_side))
            .ok_or("the exchange does not say which side the order is on")?;
        let new_price = match self.no_price {
            Some(price) => price.checked_complement(),
            None => self.yes_price,
        };
        if let Some(price) = new_price {
            let for_outcome = |error: OffGrid| match self.no_price {
                Some(_) => error.complement(),
                None => error,
            };
            PriceGrid::from(&estimator.market)
                .check(price)
                .map_err(|error| Failure::usage(for_outcome(error)))?;
        }
        let mut change = AmendOrderV2Request::builder()
            .ticker(order.ticker.as_str())
            .side(side)
            .price(new_price.unwrap_or(order.yes_price_dollars))
            .count(self.count.unwrap_or(order_size(order)));
        if let Some(index) = order.exchange_index {
            change = change.exchange_index(ExchangeIndex(index.0));
        }
        if let Some(expires) = self.expires {
            let time = expires
                .after_now()
                .ok_or_else(|| Failure::usage("--expires is too far ahead"))?;
            InvalidExpiry::check(time.timestamp(), SystemTime::now()).map_err(Failure::usage)?;
            change = change.expiration_time(time);
        }
        if self.no_expiry {
            change = change.expiration_time(0);
        }
        let change = AmendOrderV2Request::try_from(change)?;
        if change.count <= order.fill_count_fp {
            return Err(Failure::usage(format!(
                "the count {} is not above the {} contracts that are filled: cancel the order instead",
                change.count, order.fill_count_fp
            )));
        }
        Ok(change)
    }
}

/// Returns the size of an order: what is filled and what rests. `initial_count_fp` does not include earlier changes, so sending it
/// would undo them.
fn order_size(order: &Order) -> Contracts {
    let (filled, rests) = (order.fill_count_fp, order.remaining_count_fp);
    match filled.checked_add(rests) {
        Some(order_size) if !rests.is_zero() => order_size,
        _ => order.initial_count_fp,
    }
}

fn preview(
    context: &Context,
    estimator: &Estimator,
    order: &Order,
    change: &AmendOrderV2Request,
) -> Result<Record, Failure> {
    let (outcome, price) = order
        .bought()
        .ok_or("the exchange does not say which side the order is on")?;
    let new_price = match outcome {
        OutcomeSide::No => change.price.checked_complement(),
        _ => Some(change.price),
    };
    let new_price = new_price.ok_or("the price is out of range")?;
    let remaining = change
        .count
        .checked_sub(order.fill_count_fp)
        .ok_or("the count is out of range")?;
    let expires = match change.expiration_time {
        None => order.expiration_time,
        Some(0) => None,
        Some(seconds) => chrono::DateTime::from_timestamp(seconds, 0),
    };
    let record = Record::new("preview")
        .field("exchange", context.exchange())
        .field("ticker", order.ticker.as_str())
        .field("order_id", order.order_id.as_str())
        .field("buys", outcome.as_str())
        .field("status", order.status.as_str())
        .field("price", price)
        .field("new_price", new_price)
        .field("count", order_size(order))
        .field("new_count", change.count)
        .field("filled", order.fill_count_fp)
        .field("new_remaining", remaining)
        .field("expiration_time", order.expiration_time)
        .field("new_expiration_time", expires);
    Ok(estimator.estimate(record, outcome, new_price, remaining, false))
}

/// Sends the change once, and reads the order if the outcome is unknown.
async fn amend(
    context: &Context,
    client: &Client,
    order: &Order,
    change: AmendOrderV2Request,
    timeout: Duration,
) -> Result<(Exit, Record), Failure> {
    let spinner = context.output.spinner("amending the order");
    let sent: Result<ChangeOutcome<AmendOrderV2Response>, Error> = client
        .orders()
        .amend(OrderRef::from(order), change)
        .confirm_timeout(timeout)
        .await;
    spinner.finish();
    let rejected = |error: &str| (Exit::Rejected, outcome_with_error("rejected", order, error));
    let unknown = match sent? {
        ChangeOutcome::Done(response) => {
            let record = Record::new("outcome")
                .field("outcome", "amended")
                .field("order_id", response.order_id.as_str())
                .field("client_order_id", response.client_order_id.as_deref())
                .field("filled", response.fill_count)
                .field("remaining", response.remaining_count)
                .field("error", None::<String>);
            return Ok((Exit::Success, record));
        }
        ChangeOutcome::AlreadyGone(order) => {
            let error = "the order had already ended";
            return Ok((
                Exit::Rejected,
                outcome_from_order("already_gone", &order, Some(error)),
            ));
        }
        ChangeOutcome::NotApplied(_) => {
            return Ok(rejected(
                "the exchange did not find the order, although it rests",
            ));
        }
        ChangeOutcome::Rejected(error) => return Ok(rejected(&error.to_string())),
        ChangeOutcome::Unknown(unknown) => unknown,
        other => {
            let error = format!("{other:?}");
            return Ok((Exit::Unknown, outcome_with_error("unknown", order, &error)));
        }
    };
    context.output.note(&format!(
        "the outcome is unknown: {}\nreading the order for up to {timeout:?}; the change is not sent again",
        unknown.error()
    ));
    let spinner = context.output.spinner("looking at the order");
    let reconciled = unknown.reconcile(timeout).await;
    spinner.finish();
    Ok(match reconciled {
        ChangeReconciliation::Done(order) => {
            (Exit::Success, outcome_from_order("amended", &order, None))
        }
        ChangeReconciliation::NotDone(order) => {
            let error = "the response was lost, and the order does not have the change";
            (
                Exit::Rejected,
                outcome_from_order("not_amended", &order, Some(error)),
            )
        }
        ChangeReconciliation::NotFound => rejected("there is no such order"),
        ChangeReconciliation::Unclear(order) => {
            let error = "the order does not show whether it was amended";
            (
                Exit::Unknown,
                outcome_from_order("unknown", &order, Some(error)),
            )
        }
        _ => {
            let error = unknown.error().to_string();
            (Exit::Unknown, outcome_with_error("unknown", order, &error))
        }
    })
}

/// Returns the outcome with the state of the order that a read returned.
fn outcome_from_order(outcome: &str, order: &Order, error: Option<&str>) -> Record {
    Record::new("outcome")
        .field("outcome", outcome)
        .field("order_id", order.order_id.as_str())
        .field("client_order_id", order.client_order_id.as_str())
        .field("filled", order.fill_count_fp)
        .field("remaining", order.remaining_count_fp)
        .field("error", error)
}

fn outcome_with_error(outcome: &str, order: &Order, error: &str) -> Record {
    Record::new("outcome")
        .field("outcome", outcome)
        .field("order_id", order.order_id.as_str())
        .field("client_order_id", order.client_order_id.as_str())
        .field("filled", None::<Contracts>)
        .field("remaining", None::<Contracts>)
        .field("error", error)
}
