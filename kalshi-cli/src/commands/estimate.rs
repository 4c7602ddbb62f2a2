//! Estimates for an order: cost, fee, worst case, and the position after it.

use chrono::Utc;
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
        let worst_case_loss = self
            .fees
            .and_then(|fees| worst_case_loss(fees, price, count));
        let waiver = self.market.fee_waiver_expiration_time;
        let waiver = waiver.filter(|expiration| *expiration > Utc::now());
        let after = change.and_then(|change| self.position.checked_add(change));
        record
            .field("cost", cost)
            .field("proceeds", proceeds)
            .field("taker_fee", fee)
            .field("fee_waiver_expiration_time", waiver)
            .field("worst_case_loss", worst_case_loss)
            .field("position", self.position)
            .field("position_after", after)
    }
}

/// Returns what is paid, with fees, if each hundredth of a contract is filled on its own. The total of each fill is rounded up, so no
/// other fills at this price or better ones cost more.
fn worst_case_loss(fees: FeeSchedule, price: Dollars, count: Contracts) -> Option<Dollars> {
    let fill = Contracts::from_hundredths(1);
    let paid = price
        .checked_mul(fill)?
        .checked_add(fees.taker(price, fill)?)?;
    let micros = paid.micros().checked_mul(count.hundredths())?;
    Some(Dollars::from_micros(micros))
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

#[cfg(test)]
mod tests {
    use std::error::Error;

    use chrono::TimeDelta;
    use kalshi_mock::MockExchange;

    use super::*;
    use crate::output::Cell;

    #[tokio::test]
    async fn preview_bounds_the_loss_and_shows_a_fee_waiver() -> Result<(), Box<dyn Error>> {
        let exchange = MockExchange::builder().without_markets().start().await?;
        exchange.market("KXTEST-26-A");
        let client = exchange.client()?;
        let market = client.get_market().ticker("KXTEST-26-A").send().await?;
        let market = market.into_inner().market;
        let fees = fees(&client, &market).await.ok();
        let position = Contracts::ZERO;
        let mut estimator = Estimator {
            market,
            fees,
            position,
        };
        let preview = |estimator: &Estimator| {
            let record = Record::new("preview");
            let (cent, one) = (Dollars::from_cents(1), Contracts::from(1));
            let record = estimator.estimate(record, OutcomeSide::Yes, cent, one, false);
            ["taker_fee", "worst_case_loss", "fee_waiver_expiration_time"].map(|name| {
                let mut fields = record.fields.iter();
                let field = fields.find(|(field, _)| *field == name);
                field.map_or(Cell::Absent, |(_, cell)| cell.clone())
            })
        };
        // A hundred fills of a hundredth of a contract cost 0.0001 and a fee of 0.0001 each.
        let fee: Dollars = "0.0007".parse()?;
        let loss = Dollars::from_cents(2);
        let amounts = [Cell::from(fee), Cell::from(loss)];
        let [fee, loss, waiver] = preview(&estimator);
        assert_eq!((&[fee, loss], waiver), (&amounts, Cell::Absent));
        let now = Utc::now();
        for (expiration, is_shown) in [
            (now + TimeDelta::hours(1), true),
            (now - TimeDelta::hours(1), false),
        ] {
            estimator.market.fee_waiver_expiration_time = Some(expiration);
            let [fee, loss, waiver] = preview(&estimator);
            let expected = Cell::from(is_shown.then_some(expiration));
            assert_eq!((&[fee, loss], waiver), (&amounts, expected));
        }
        Ok(())
    }
}
