//! `kalshi positions`: lists positions, marked to the book.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::TryStreamExt;
use kalshi_sdk::{
    Client, Contracts, Dollars, OutcomeSide,
    types::{Market, MarketPosition, PositionCountFilter, SettlementStatus},
};

use super::listing::{ListOptions, sum};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record, Table},
};

#[derive(Args)]
pub(crate) struct Positions {
    /// Only the position in this market.
    #[arg(long, value_name = "TICKER")]
    ticker: Option<String>,
    /// Only positions in markets of this event.
    #[arg(long, value_name = "TICKER")]
    event: Option<String>,
    /// Only positions in this status: unsettled, settled or all.
    #[arg(long, default_value = "unsettled", value_parser = ["unsettled", "settled", "all"])]
    status: String,
    /// Only this subaccount [default: the primary one].
    #[arg(long, value_name = "N")]
    subaccount: Option<i64>,
    /// Include markets whose position is closed.
    #[arg(long)]
    closed: bool,
    #[command(flatten)]
    list: ListOptions,
}

/// Number of markets in one request.
const MARKETS_PER_REQUEST: usize = 100;

impl Positions {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut request = client
            .get_positions()
            .limit(self.list.page_size())
            .settlement_status(SettlementStatus::from(self.status.as_str()));
        if let Some(ticker) = self.ticker {
            request = request.ticker(ticker);
        }
        if let Some(event) = self.event {
            request = request.event_ticker(event);
        }
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        if !self.closed {
            request = request.count_filter([PositionCountFilter::Position]);
        }
        let rows = request.by_market_position();
        let positions = self.list.read(context, "positions", rows).await?;
        let markets = markets(&client, &positions).await?;
        let mut table = Table::new(
            "positions",
            [
                "ticker",
                "holds",
                "count",
                "cost",
                "average_price",
                "mark",
                "value",
                "unrealized_profit",
                "realized_profit",
                "fees",
            ],
        );
        let mut totals = Totals::default();
        for position in &positions {
            let count = position.position_fp;
            let holds = match count {
                count if count.is_zero() => None,
                count if count.is_negative() => Some(OutcomeSide::No),
                _ => Some(OutcomeSide::Yes),
            };
            let market = markets.get(position.ticker.as_str());
            // The value of one contract, from the same price as `value`.
            let contract = Contracts::from(if count.is_negative() { -1 } else { 1 });
            let mark = holds.and(market).and_then(|market| market.mark(contract));
            let cost = position.market_exposure_dollars;
            let value = market.and_then(|market| market.mark(count));
            let unrealized = value.and_then(|value| value.checked_sub(cost));
            totals.cost.push(Some(cost));
            totals.realized.push(Some(position.realized_pnl_dollars));
            totals.fees.push(Some(position.fees_paid_dollars));
            totals.value.push(value);
            totals.unrealized.push(unrealized);
            table.push([
                position.ticker.as_str().into(),
                holds.as_ref().map(OutcomeSide::as_str).into(),
                count.checked_abs().into(),
                cost.into(),
                average_price(position).into(),
                mark.into(),
                value.into(),
                unrealized.into(),
                position.realized_pnl_dollars.into(),
                position.fees_paid_dollars.into(),
            ]);
        }
        let totals = totals.record();
        context
            .output
            .print([Part::from(table), Part::from(totals)])?;
        Ok(Exit::Success)
    }
}

/// Amounts of all positions, from which the totals are computed.
#[derive(Default)]
struct Totals {
    cost: Vec<Option<Dollars>>,
    value: Vec<Option<Dollars>>,
    unrealized: Vec<Option<Dollars>>,
    realized: Vec<Option<Dollars>>,
    fees: Vec<Option<Dollars>>,
}

impl Totals {
    /// Returns the sums. A sum is absent if one of its amounts is absent.
    fn record(self) -> Record {
        Record::new("totals")
            .field("cost", sum(self.cost))
            .field("value", sum(self.value))
            .field("unrealized_profit", sum(self.unrealized))
            .field("realized_profit", sum(self.realized))
            .field("fees", sum(self.fees))
    }
}

/// Returns the average cost per contract, rounded to a hundredth of a cent, or `None` without a position.
fn average_price(position: &MarketPosition) -> Option<Dollars> {
    let count = i128::from(position.position_fp.hundredths()).abs();
    // Hundredths of contracts, and hundredths of a cent of 100 micros each: both factors cancel out.
    let micros = i128::from(position.market_exposure_dollars.micros());
    let centicents = (micros * 2 + count).checked_div(count * 2)?;
    Dollars::checked_from_centicents(i64::try_from(centicents).ok()?)
}

/// Reads the markets of positions.
async fn markets(
    client: &Client,
    positions: &[MarketPosition],
) -> Result<BTreeMap<String, Market>, Failure> {
    let mut markets = BTreeMap::new();
    for positions in positions.chunks(MARKETS_PER_REQUEST) {
        let tickers = positions.iter().map(|position| &position.ticker);
        let mut rows = client.get_markets().tickers(tickers).limit(1_000).by_item();
        while let Some(market) = rows.try_next().await? {
            markets.insert(market.ticker.clone(), market);
        }
    }
    Ok(markets)
}
