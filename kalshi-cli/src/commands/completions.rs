//! `kalshi completions`: prints a completion script.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    options::Options,
};

#[derive(Args)]
pub(crate) struct Completions {
    /// Shell to print the script for.
    shell: Shell,
}

impl Completions {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Options::command(), "kalshi", &mut script);
        context.output.line(String::from_utf8(script)?.trim_end())?;
        Ok(Exit::Success)
    }
}
