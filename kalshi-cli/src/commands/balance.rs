//! `kalshi balance`: shows cash and portfolio value.

use chrono::DateTime;
use clap::Args;

use super::listing::sum;
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Part, Record, Table},
};

#[derive(Args)]
pub(crate) struct Balance {
    /// Only this subaccount [default: the primary one].
    #[arg(long, value_name = "N", conflicts_with = "all")]
    subaccount: Option<i64>,
    /// List the cash of all subaccounts.
    #[arg(long)]
    all: bool,
}

impl Balance {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let parts = match self.all {
            true => subaccounts(context).await?,
            false => self.account(context).await?,
        };
        context.output.print(parts)?;
        Ok(Exit::Success)
    }

    async fn account(&self, context: &Context) -> Result<Vec<Part>, Failure> {
        let client = context.client()?;
        let mut request = client.get_balance();
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        let balance = request.send().await?;
        let value = balance.portfolio_value_dollars();
        let record = Record::new("balance")
            .field("exchange", context.exchange())
            .field("subaccount", self.subaccount.unwrap_or_default())
            .field("cash", balance.balance_dollars)
            .field("portfolio_value", value)
            .field("total", sum([Some(balance.balance_dollars), value]))
            .field(
                "changed_time",
                DateTime::from_timestamp(balance.updated_ts, 0),
            );
        let mut shards = Table::new("shards", ["exchange_index", "cash"]);
        for shard in &balance.balance_breakdown {
            shards.push([shard.exchange_index.0.into(), shard.balance.into()]);
        }
        Ok(vec![record.into(), shards.into()])
    }
}

/// Returns the cash of each subaccount, and the total.
async fn subaccounts(context: &Context) -> Result<Vec<Part>, Failure> {
    let client = context.client()?;
    let balances = client.get_subaccount_balances().send().await?;
    let mut table = Table::new(
        "subaccounts",
        ["subaccount", "exchange_index", "cash", "changed_time"],
    );
    let mut cash = Vec::new();
    for row in &balances.subaccount_balances {
        cash.push(Some(row.balance));
        table.push([
            row.subaccount_number.get().into(),
            row.exchange_index.into(),
            row.balance.into(),
            DateTime::from_timestamp(row.updated_ts, 0).into(),
        ]);
    }
    let totals = Record::new("totals")
        .field("exchange", context.exchange())
        .field("cash", sum(cash));
    Ok(vec![table.into(), totals.into()])
}
