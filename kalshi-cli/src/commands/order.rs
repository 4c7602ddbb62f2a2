//! `kalshi order`: places an order and reports its outcome.

use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};
use kalshi_sdk::{
    Client, ClientOrderId, Contracts, Dollars, OutcomeSide, operation,
    orders::{NewOrder, OrderOutcome, OrderRules, PlacedOrder, PriceGrid},
    types::CreateOrderV2Request,
};

use super::{
    estimate::{Estimator, yes_price},
    interrupt::unless_interrupted,
    preview::Preview,
    price::count_at_price,
    tables::{request_row, requests_table},
    time_args::{TimeArg, duration},
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record},
    shell,
};

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 placed, 10 not placed, 11 unknown whether it was placed, 12 nothing was filled and nothing rests, 1 or 2 not sent."
)]
pub(crate) struct Order {
    /// Buy or sell.
    #[arg(value_enum)]
    action: Action,
    /// Outcome to buy or sell.
    #[arg(value_enum)]
    outcome: Outcome,
    /// Ticker of the market.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    ticker: String,
    /// Number of contracts and price per contract, in dollars (10 @ 0.45) or cents (10 @ 45c).
    #[arg(value_name = "COUNT @ PRICE", num_args = 1..=3, required = true)]
    terms: Vec<String>,
    /// Reject the order if any of it would be filled immediately.
    #[arg(long, conflicts_with_all = ["ioc", "fok"])]
    post_only: bool,
    /// Immediate or cancel: fill what matches, and cancel the rest.
    #[arg(long, conflicts_with = "fok")]
    ioc: bool,
    /// Fill or kill: fill all of it immediately, or nothing.
    #[arg(long)]
    fok: bool,
    /// Reduce a position, and never open or reverse one. Requires --ioc.
    #[arg(long, requires = "ioc")]
    reduce_only: bool,
    /// Cancel the resting order after this duration, such as 15m, or at this time.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["ioc", "fok"])]
    expires: Option<TimeArg>,
    /// Add the order to this order group.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Subaccount [default: the primary one].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    subaccount: Option<i64>,
    /// Id by which the order can be found [default: a random UUID].
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    client_order_id: Option<String>,
    /// Maximum time to resolve an unknown outcome.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    Buy,
    Sell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Outcome {
    Yes,
    No,
}

impl From<Outcome> for OutcomeSide {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Yes => Self::Yes,
            Outcome::No => Self::No,
        }
    }
}

/// Fields of the outcome, in order.
const OUTCOME_FIELDS: [&str; 10] = [
    "outcome",
    "order_id",
    "client_order_id",
    "filled",
    "remaining",
    "average_fill_price",
    "average_fee_paid",
    "fee",
    "error",
    "remedy",
];

impl Order {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (count, price) = count_at_price(&self.terms).map_err(Failure::usage)?;
        let client = context.client()?;
        let estimator = Estimator::load(context, &client, &self.ticker, self.subaccount).await?;
        let client_order_id = match &self.client_order_id {
            Some(id) => ClientOrderId::from(id.as_str()),
            None => ClientOrderId::random(),
        };
        let order = self.request(&estimator, count, price, &client_order_id)?;
        let preview = self.preview(context, &estimator, &order, price);
        if context.dry_run {
            let mut table = requests_table();
            table.push(request_row(
                operation::CREATE_ORDER_V2,
                "",
                &[],
                Some(&order),
            )?);
            context.output.print([Part::from(preview), table.into()])?;
            return Ok(Exit::Success);
        }
        let question = format!("Place this order on {}?", context.exchange());
        let Some(preview) = Preview::confirm(context, preview, &OUTCOME_FIELDS, &question)? else {
            return Ok(Exit::Failure);
        };
        let sent = SentOrder {
            outcome: self.outcome.into(),
            client_order_id: client_order_id.clone(),
            lookup: format!(
                "{} orders {} {}",
                context.program(),
                shell::option("--ticker", &self.ticker),
                shell::option("--client-order-id", client_order_id.as_str())
            ),
        };
        let placed = unless_interrupted(place(context, &client, order, self.timeout)).await;
        let (exit, record) = match placed.transpose()? {
            Some(outcome) => sent.outcome(outcome),
            None => sent.unknown("interrupted before the outcome was known".to_owned()),
        };
        preview.print_outcome(context, record);
        Ok(exit)
    }

    /// Returns the validated order.
    fn request(
        &self,
        estimator: &Estimator,
        count: Contracts,
        price: Dollars,
        client_order_id: &ClientOrderId,
    ) -> Result<CreateOrderV2Request, Failure> {
        let outcome = self.outcome.into();
        let mut order = match self.action {
            Action::Buy => NewOrder::buy(&self.ticker, outcome, price, count),
            Action::Sell => NewOrder::sell(&self.ticker, outcome, price, count),
        }
        .on_grid(PriceGrid::from(&estimator.market))
        .client_order_id(client_order_id.clone());
        if self.post_only {
            order = order.post_only();
        }
        if self.ioc {
            order = order.immediate_or_cancel();
        }
        if self.fok {
            order = order.fill_or_kill();
        }
        if self.reduce_only {
            order = order.reduce_only();
        }
        if let Some(expires) = self.expires {
            let time = expires
                .after_now()
                .ok_or_else(|| Failure::usage("--expires is too far ahead"))?;
            order = order.expires_at(time);
        }
        if let Some(group) = &self.group {
            order = order.group(group.as_str());
        }
        if let Some(subaccount) = self.subaccount {
            order = order.subaccount(subaccount);
        }
        let order = CreateOrderV2Request::try_from(order).map_err(Failure::usage)?;
        OrderRules::new()
            .check(&order, SystemTime::now())
            .map_err(Failure::usage)?;
        Ok(order)
    }

    fn preview(
        &self,
        context: &Context,
        estimator: &Estimator,
        order: &CreateOrderV2Request,
        price: Dollars,
    ) -> Record {
        let outcome = OutcomeSide::from(self.outcome);
        let market = &estimator.market;
        let (verb, bought, bought_price) = match self.action {
            Action::Buy => ("buy", outcome, Some(price)),
            Action::Sell => ("sell", outcome.opposite(), price.checked_complement()),
        };
        let level = |level: Option<kalshi_sdk::PriceLevel>| level.map(|level| level.price);
        let expires = order
            .expiration_time
            .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        let record = Record::new("preview")
            .field("exchange", context.exchange())
            .field("ticker", self.ticker.as_str())
            .field("yes_means", market.yes_sub_title.clone())
            .field(
                "order",
                format!(
                    "{verb} {} {} at {price}",
                    order.count,
                    outcome.as_str().to_uppercase()
                ),
            )
            .field("best_bid", level(market.best_bid(outcome)))
            .field("best_ask", level(market.best_ask(outcome)))
            .field("time_in_force", order.time_in_force.as_str())
            .field("post_only", self.post_only)
            .field("reduce_only", self.reduce_only)
            .field("expiration_time", expires)
            .field("order_group_id", self.group.clone())
            .field("subaccount", self.subaccount.unwrap_or_default())
            .field("client_order_id", order.client_order_id.as_deref());
        estimator.estimate(
            record,
            bought,
            bought_price.unwrap_or(price),
            order.count,
            self.reduce_only,
        )
    }
}

/// Places an order, and looks for it if its outcome is unknown.
async fn place(
    context: &Context,
    client: &Client,
    order: CreateOrderV2Request,
    timeout: Duration,
) -> Result<OrderOutcome, Failure> {
    let spinner = context.output.spinner("placing the order");
    let outcome = client.orders().place(order).await;
    spinner.finish();
    let outcome = outcome?;
    if let OrderOutcome::Unknown(unknown) = &outcome {
        context.output.note(&format!(
            "the outcome is unknown: {}\nlooking for the order for up to {timeout:?}; it is not sent again",
            unknown.error()
        ));
    }
    let spinner = context.output.spinner("looking for the order");
    let outcome = outcome.reconciled(timeout).await;
    spinner.finish();
    Ok(outcome)
}

/// An order that was sent.
struct SentOrder {
    /// The outcome that the order buys or sells.
    outcome: OutcomeSide,
    client_order_id: ClientOrderId,
    /// The command that looks for the order.
    lookup: String,
}

impl SentOrder {
    /// Returns the exit code and the record of the outcome.
    fn outcome(&self, outcome: OrderOutcome) -> (Exit, Record) {
        let is_unfilled =
            |placed: &PlacedOrder| placed.fill_count.is_zero() && placed.remaining_count.is_zero();
        match outcome {
            OrderOutcome::Placed(placed) if is_unfilled(&placed) => {
                (Exit::Unfilled, self.placed("unfilled", &placed))
            }
            OrderOutcome::Placed(placed) => (Exit::Success, self.placed("placed", &placed)),
            OrderOutcome::AlreadyExists(placed) => {
                let exit = match is_unfilled(&placed) {
                    true => Exit::Unfilled,
                    false => Exit::Success,
                };
                (exit, self.placed("already_exists", &placed))
            }
            OrderOutcome::Rejected(rejection) => {
                let (exit, outcome) = match rejection.error().is_fill_or_kill_unfilled() {
                    true => (Exit::Unfilled, "unfilled"),
                    false => (Exit::Rejected, "rejected"),
                };
                (exit, self.failed(outcome, rejection.to_string(), None))
            }
            OrderOutcome::NotPlaced => (
                Exit::Rejected,
                self.failed(
                    "not_placed",
                    "the response was lost, and reads that are up to date do not have the order"
                        .to_owned(),
                    None,
                ),
            ),
            OrderOutcome::Unknown(unknown) => self.unknown(unknown.error().to_string()),
            _ => self.unknown(
                "the SDK reported an outcome that this program does not support".to_owned(),
            ),
        }
    }

    fn unknown(&self, error: String) -> (Exit, Record) {
        let remedy = format!(
            "the order may have been placed; to find out, run: {}",
            self.lookup
        );
        (Exit::Unknown, self.failed("unknown", error, Some(remedy)))
    }

    fn failed(&self, outcome: &str, error: String, remedy: Option<String>) -> Record {
        Record::new("outcome")
            .field("outcome", outcome)
            .field("order_id", None::<String>)
            .field("client_order_id", self.client_order_id.as_str())
            .field("filled", None::<Contracts>)
            .field("remaining", None::<Contracts>)
            .field("average_fill_price", None::<Dollars>)
            .field("average_fee_paid", None::<Dollars>)
            .field("fee", None::<Dollars>)
            .field("error", error)
            .field("remedy", remedy)
    }

    fn placed(&self, outcome: &str, placed: &PlacedOrder) -> Record {
        let price = placed.average_fill_price;
        // The average is rounded, so its product with the count is not the fee.
        let fees = placed.order.as_ref().and_then(|order| {
            order
                .taker_fees_dollars
                .checked_add(order.maker_fees_dollars)
        });
        Record::new("outcome")
            .field("outcome", outcome)
            .field("order_id", placed.order_id.as_str())
            .field("client_order_id", placed.client_order_id.as_str())
            .field("filled", placed.fill_count)
            .field("remaining", placed.remaining_count)
            // The exchange reports the price of YES.
            .field(
                "average_fill_price",
                price.and_then(|price| yes_price(self.outcome, price)),
            )
            .field("average_fee_paid", placed.average_fee_paid)
            .field("fee", fees)
            .field("error", None::<String>)
            .field("remedy", None::<String>)
    }
}
