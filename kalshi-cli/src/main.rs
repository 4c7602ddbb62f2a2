//! `kalshi`: a command-line program for the Kalshi exchange.

mod api;
mod commands;
mod context;
mod failure;
mod market_data;
mod options;
mod output;
mod profile;
mod recording;
mod shell;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    context::Context,
    failure::{Exit, Failure},
    options::Options,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let code = match runtime.block_on(run(options)) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    };
    // Dropping the runtime would wait for tasks that still read from the terminal.
    runtime.shutdown_background();
    code
}

async fn run(options: Options) -> Result<Exit, Failure> {
    let context = Context::new(&options.global).await?;
    let handles_interrupts = options.command.handles_interrupts();
    tokio::select! {
        result = options.command.run(&context) => result,
        Ok(()) = tokio::signal::ctrl_c(), if !handles_interrupts => Ok(Exit::Interrupted),
    }
}
