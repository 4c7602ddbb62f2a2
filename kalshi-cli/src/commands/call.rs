//! `kalshi call`.

use clap::Args;

use crate::{
    context::Context,
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(crate) struct Call {}

impl Call {
    pub(crate) async fn run(self, _context: &Context) -> Result<Exit, Failure> {
        Err("this command does not exist yet".into())
    }
}
