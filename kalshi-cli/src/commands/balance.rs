//! `kalshi balance`: the cash and the value of the portfolio.

use clap::Args;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::Record,
};

#[derive(Args)]
pub(crate) struct Balance {
    /// Only this subaccount [default: the primary one].
    #[arg(long, value_name = "N")]
    subaccount: Option<i64>,
}

impl Balance {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let client = context.client()?;
        let mut request = client.get_balance();
        if let Some(subaccount) = self.subaccount {
            request = request.subaccount(subaccount);
        }
        let balance = request.send().await?;
        let record = Record::new("balance")
            .field("exchange", context.exchange())
            .field("cash", balance.balance_dollars)
            .field("portfolio_value", balance.portfolio_value_dollars());
        context.output.print([record])?;
        Ok(Exit::Success)
    }
}
