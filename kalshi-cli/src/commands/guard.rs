//! `kalshi guard`: runs a bot, and cancels its orders when it ends.

#[cfg(unix)]
mod bot;
#[cfg(unix)]
mod cancel;
#[cfg(unix)]
mod heartbeat;
#[cfg(unix)]
mod messages;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod target;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, builder::NonEmptyStringValueParser};

use crate::{
    context::Context,
    failure::{Exit, Failure},
};

/// Long help, printed below the options.
const DETAILS: &str = "\
The bot ends when it exits, crashes or is killed, or when it has not touched its heartbeat file for too long. guard then stops all \
its processes (SIGTERM, later SIGKILL), triggers the order group or cancels the orders of the subaccount, and polls until \
up-to-date reads show that no order rests. The exit code is then 0, however the bot ended. It is 20 if this is not proven \
within --timeout, or if a process of the bot is still running.

Triggering a group also blocks new orders until the group is reset. Cancelling all orders of a subaccount may also cancel orders \
that are placed within the next minute: the report says until when.

NOT COVERED: guard cannot act if it is itself killed by SIGKILL (kill -9), if its machine stops, or if the network is lost for \
longer than --timeout. Orders on the margin exchange (perps), RFQs and quotes are not cancelled. Give the bot's orders an \
expiration_time and renew them: orders then expire even if guard does not run.

SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 are passed on to the process group of the bot. The first three end it, and a \
second one skips a wait. Cancelling is not interrupted. If standard input is a terminal, the bot does not get it. On Linux, guard \
also stops processes that have left the process group; on other systems they keep running.

The environment of the bot contains KALSHI_GUARD_REST_URL and KALSHI_GUARD_WEBSOCKET_URL (the exchange), KALSHI_GUARD_GROUP or \
KALSHI_GUARD_SUBACCOUNT (the target), KALSHI_GUARD_HEARTBEAT (the absolute path of the heartbeat file), and with --mock \
KALSHI_DEMO_API_KEY_ID and KALSHI_DEMO_PRIVATE_KEY (the key of the local exchange).";

#[derive(Args)]
#[command(after_long_help = DETAILS)]
#[command(group(ArgGroup::new("guarded").required(true).args(["group", "subaccount"])))]
#[cfg_attr(not(unix), allow(dead_code, reason = "guard needs Unix"))]
pub(crate) struct Guard {
    /// Trigger this order group. Orders of the bot that are not in the group are not cancelled.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Cancel all orders of this subaccount, including those that the bot did not place. 0 is the primary account.
    #[arg(long, value_name = "N")]
    subaccount: Option<u8>,
    /// File that the bot touches while it works. It is created if it does not exist.
    #[arg(long, value_name = "FILE")]
    heartbeat: Option<PathBuf>,
    /// Maximum time until the first touch of the heartbeat file, and between touches.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, requires = "heartbeat")]
    heartbeat_timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    grace: Duration,
    /// Time between the two reads that must both find no order. A request that the bot sent may arrive after the first one.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    settle: Duration,
    /// Time limit for cancelling and for the proof that no order rests.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    timeout: Duration,
    /// The bot and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Guard {
    #[cfg(unix)]
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        run::run(self, context).await
    }

    #[cfg(not(unix))]
    pub(crate) async fn run(self, _context: &Context) -> Result<Exit, Failure> {
        Err(Failure::usage(
            "guard needs the process groups of Unix: it does not run on this system",
        ))
    }
}

/// Parses seconds, such as `2.5`, up to a day.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match seconds {
        0.0..=86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("not between 0 and 86400".to_owned()),
    }
}
