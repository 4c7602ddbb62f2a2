//! Estimates for an order: cost, fee, worst case, and the position after it.

use kalshi_sdk::{Client, Contracts, Dollars, OutcomeSide, fees::FeeSchedule, types::Market};

use crate::{context::Context, failure::Failure, output::Record};

/// A market with its fees and the current position.
pub(super) struct Estimator {
    pub(super) market: Market,
    /// `None` if the fees cannot be computed.
    fees: Option<FeeSchedule>,
    /// Contracts held: positive for YES, negative for NO.
    position: Contracts,
}

impl Estimator {
    /// Reads a market, its fees and the position in it.
    pub(super) async fn load(
        context: &Context,
        client: &Client,
        ticker: &str,
        subaccount: Option<i64>,
    ) -> Result<Self, Failure> {
        let mut positions = client.get_positions().ticker(ticker);
        if let Some(subaccount) = subaccount {
            positions = positions.subaccount(subaccount);
        }
        let (market, positions) =
            tokio::try_join!(client.get_market().ticker(ticker).send(), positions.send())?;
        let market = market.into_inner().market;
        let held = positions
            .market_positions
            .iter()
            .find(|position| position.ticker == ticker);
        let fees = match fees(client, &market).await {
            Ok(fees) => Some(fees),
            Err(failure) => {
                context
                    .output
                    .note(&format!("the fee is unknown: {failure}"));
                None
            }
        };
        Ok(Self {
            market,
            fees,
            position: held.map_or(Contracts::ZERO, |position| position.position_fp),
        })
    }

    /// Adds the estimate for buying `count` contracts of an outcome at `price`. Selling an outcome is buying the other one.
    pub(super) fn estimate(
        &self,
        record: Record,
        outcome: OutcomeSide,
        price: Dollars,
        count: Contracts,
        reduce_only: bool,
    ) -> Record {
        let is_opposite = self.position.is_negative() != (outcome == OutcomeSide::No);
        let closed = match (is_opposite, self.position.checked_abs()) {
            (true, Some(held)) => held.min(count),
            _ => Contracts::ZERO,
        };
        // The exchange reduces a reduce-only order to the size of the position.
        let count = if reduce_only { closed } else { count };
        let change = match outcome {
            OutcomeSide::No => count.checked_neg(),
            _ => Some(count),
        };
        let cost = count
            .checked_sub(closed)
            .and_then(|opened| price.checked_mul(opened));
        let proceeds = price
            .checked_complement()
            .and_then(|price| price.checked_mul(closed));
        let fee = self.fees.and_then(|fees| fees.taker(price, count));
        let worst_case_loss = price
            .checked_mul(count)
            .zip(fee)
            .and_then(|(paid, fee)| paid.checked_add(fee));
        let after = change.and_then(|change| self.position.checked_add(change));
        record
            .field("cost", cost)
            .field("proceeds", proceeds)
            .field("taker_fee", fee)
            .field("worst_case_loss", worst_case_loss)
            .field("position", self.position)
            .field("position_after", after)
    }
}

/// Converts a price of an outcome to the price of YES, and back.
pub(super) fn yes_price(outcome: OutcomeSide, price: Dollars) -> Option<Dollars> {
    match outcome {
        OutcomeSide::No => price.checked_complement(),
        _ => Some(price),
    }
}

/// Reads the fees of a market.
async fn fees(client: &Client, market: &Market) -> Result<FeeSchedule, Failure> {
    let event = client
        .get_event()
        .event_ticker(&market.event_ticker)
        .send()
        .await?
        .into_inner()
        .event;
    let series = client
        .get_series()
        .series_ticker(&event.series_ticker)
        .send()
        .await?;
    Ok(FeeSchedule::new(&series.series, Some(&event))?)
}
