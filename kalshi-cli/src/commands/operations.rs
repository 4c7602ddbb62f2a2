//! `kalshi operations`.

use clap::Args;

use crate::{
    context::Context,
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(crate) struct Operations {}

impl Operations {
    pub(crate) async fn run(self, _context: &Context) -> Result<Exit, Failure> {
        Err("this command does not exist yet".into())
    }
}
