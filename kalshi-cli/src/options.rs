//! Command-line options and commands.

use std::{env, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{
    commands,
    context::Context,
    failure::{Exit, Failure},
};

/// Shows markets, places orders and guards bots on the Kalshi exchange.
///
/// The default is the demo exchange, which trades play money. Real money needs --production or a profile of the production exchange.
#[derive(Parser)]
#[command(name = "kalshi", version, max_term_width = 110)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that all commands accept.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Use this profile of the config file [default: that of KALSHI_PROFILE, else its `default_profile`, else the demo exchange].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Config file with the profiles [default: that of KALSHI_CONFIG, else kalshi/config.toml in the configuration directory].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Use the production exchange, with real money, and the key that KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PATH name.
    #[arg(long, global = true)]
    pub(crate) production: bool,
    /// Use the demo exchange, and the key that KALSHI_DEMO_API_KEY_ID and KALSHI_DEMO_PRIVATE_KEY_PATH name.
    #[arg(long, global = true, conflicts_with_all = ["production", "profile"])]
    pub(crate) demo: bool,
    /// Run the command on a local exchange that is started in this process. Needs no account, key or network.
    #[arg(long, global = true, conflicts_with_all = ["production", "profile", "demo"])]
    pub(crate) mock: bool,
    // Not a doc comment, in which a URL would have to be a link.
    #[arg(
        long,
        global = true,
        help = "Print JSON. Schema: https://docs.rs/crate/kalshi-cli/latest/source/OUTPUT.md"
    )]
    pub(crate) json: bool,
    /// Print comma-separated values.
    #[arg(long, global = true, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Print only these columns or fields.
    #[arg(long, global = true, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// Skip confirmation prompts.
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Show what would be sent or written, without doing it.
    #[arg(long, global = true, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// When to use colour. Defaults to colour on a terminal unless NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) color: Color,
}

impl Global {
    /// Returns the config file that the command line or KALSHI_CONFIG names. An empty variable counts as unset.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| {
            let path = env::var_os("KALSHI_CONFIG")?;
            (!path.is_empty()).then(|| path.into())
        })
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that a bot can start: key, clock, exchange, limits, funds.
    Doctor(commands::doctor::Doctor),
    /// List markets.
    Markets(commands::markets::Markets),
    /// List events.
    Events(commands::events::Events),
    /// List series.
    Series(commands::series::Series),
    /// Show a market.
    Market(commands::market::Market),
    /// Show the order book of a market.
    Book(commands::book::Book),
    /// Draw the candlesticks of a market.
    Candles(commands::candles::Candles),
    /// List the trades of a market.
    Trades(commands::trades::Trades),
    /// Show live order books, last trades and spreads, full screen.
    Watch(commands::watch::Watch),
    /// Show the cash and the value of the portfolio.
    Balance(commands::balance::Balance),
    /// List positions, marked to the book.
    Positions(commands::positions::Positions),
    /// List orders.
    Orders(commands::orders::Orders),
    /// List fills.
    Fills(commands::fills::Fills),
    /// List settlements.
    Settlements(commands::settlements::Settlements),
    /// Place an order.
    Order(commands::order::Order),
    /// Cancel an order, or all of them.
    Cancel(commands::cancel::Cancel),
    /// Change the price or the count of an order.
    Amend(commands::amend::Amend),
    /// Run a bot, and cancel its orders when it ends.
    Guard(commands::guard::Guard),
    /// Call any operation of the three APIs.
    Call(commands::call::Call),
    /// List the operations of the three APIs.
    Operations(commands::operations::Operations),
    /// Record the WebSocket messages of markets.
    Record(commands::record::Record),
    /// Replay a recording.
    Replay(commands::replay::Replay),
    /// Generate, show and check keys.
    Keys(commands::keys::Keys),
    /// Print a completion script for a shell.
    Completions(commands::completions::Completions),
}

impl Command {
    /// Returns `true` if the command handles ctrl-C itself: an order must not be abandoned between request and outcome, and a full
    /// screen must be restored.
    pub(crate) fn handles_interrupts(&self) -> bool {
        matches!(
            self,
            Self::Watch(_)
                | Self::Order(_)
                | Self::Cancel(_)
                | Self::Amend(_)
                | Self::Guard(_)
                | Self::Call(_)
                | Self::Record(_)
        )
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Doctor(command) => command.run(context).await,
            Self::Markets(command) => command.run(context).await,
            Self::Events(command) => command.run(context).await,
            Self::Series(command) => command.run(context).await,
            Self::Market(command) => command.run(context).await,
            Self::Book(command) => command.run(context).await,
            Self::Candles(command) => command.run(context).await,
            Self::Trades(command) => command.run(context).await,
            Self::Watch(command) => command.run(context).await,
            Self::Balance(command) => command.run(context).await,
            Self::Positions(command) => command.run(context).await,
            Self::Orders(command) => command.run(context).await,
            Self::Fills(command) => command.run(context).await,
            Self::Settlements(command) => command.run(context).await,
            Self::Order(command) => command.run(context).await,
            Self::Cancel(command) => command.run(context).await,
            Self::Amend(command) => command.run(context).await,
            Self::Guard(command) => command.run(context).await,
            Self::Call(command) => command.run(context).await,
            Self::Operations(command) => command.run(context).await,
            Self::Record(command) => command.run(context).await,
            Self::Replay(command) => command.run(context).await,
            Self::Keys(command) => command.run(context).await,
            Self::Completions(command) => command.run(context).await,
        }
    }
}
