//! Runs the bot, and cancels its orders when it ends.

use std::{
    cell::Cell,
    io::{self, IsTerminal},
    path::Path,
    process::{Command, Stdio},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rustix::process::Signal;
use tokio::{select, time::Instant};

use super::{
    Guard,
    bot::{Bot, BotExit},
    cancel::{Canceller, Outcome},
    heartbeat,
    messages::MessageWriter,
    signals::{self, Signals},
    target::{CheckedTarget, Target},
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{self, Format, Record},
};

/// Variable with the path of the heartbeat file.
const HEARTBEAT: &str = "KALSHI_GUARD_HEARTBEAT";

/// Fields of the report, in order.
const FIELDS: [&str; 11] = [
    "exchange",
    "group",
    "subaccount",
    "reason",
    "exit_code",
    "signal",
    "bot_stopped",
    "proven",
    "resting_orders",
    "rounds",
    "new_orders_may_be_cancelled_until",
];

/// Reason for stopping the bot.
enum StopReason {
    Ended,
    NoHeartbeat,
    Signal(Signal),
}

pub(super) async fn run(guard: Guard, context: &Context) -> Result<Exit, Failure> {
    if !context.is_explicit() {
        return Err(Failure::usage(
            "guard requires an explicit exchange, because it must be the one that the bot trades on: \
             pass --production, --demo, --profile NAME or --mock",
        ));
    }
    if guard.timeout <= guard.settle {
        return Err(Failure::usage(
            "--timeout must be longer than --settle: the proof takes two reads that are --settle apart",
        ));
    }
    context.output.check_fields(FIELDS, [])?;
    let client = context.client()?;
    let CheckedTarget { target, notes } = Target::check(&guard, &client, context).await?;
    let output = &context.output;
    for note in notes {
        output.note(&format!("guard: {note}"));
    }
    let action = match &target {
        Target::Group(group) => format!("trigger the order group {}", group.order_group_id),
        Target::Subaccount(number) => format!("cancel all orders of subaccount {number}"),
    };
    let exchange = context.exchange();
    if context.dry_run {
        output.note(&format!(
            "guard: dry run: would run the bot on {exchange}, and {action} when it ends"
        ));
        return Ok(Exit::Success);
    }
    if !context.confirm(&format!(
        "Run the bot on {exchange}, and {action} when it ends?"
    ))? {
        return Ok(Exit::Failure);
    }
    let heartbeat = match &guard.heartbeat {
        Some(path) => Some(heartbeat::create(path).map_err(|error| {
            Failure::usage(format!(
                "cannot create the heartbeat file {}: {error}",
                path.display()
            ))
        })?),
        None => None,
    };
    let mut signals = Signals::new()?;
    let messages = MessageWriter::start()?;
    let mut command = command(&guard, context, &target, heartbeat.as_deref())?;
    let mut bot = Bot::start(&mut command).map_err(|error| {
        let program = guard.command.first().map(|name| name.to_string_lossy());
        format!(
            "cannot start {}: {error}; nothing was cancelled",
            program.unwrap_or_default()
        )
    })?;
    messages.note(&format!("the bot runs on {exchange}"));

    let reason = {
        let heartbeat_lost = async {
            match heartbeat {
                Some(path) => heartbeat::wait_for_timeout(path, guard.heartbeat_timeout).await,
                None => std::future::pending().await,
            }
        };
        supervise(&mut bot, heartbeat_lost, &mut signals).await
    };
    // From here on nothing may fail before the orders are cancelled.
    let exit = bot.exit();
    match (&reason, exit) {
        (_, Some(exit)) => messages.note(&format!("the bot {exit}")),
        (StopReason::Signal(signal), None) => messages.note(&format!(
            "{} received, stopping the bot",
            signals::name(*signal)
        )),
        (_, None) => messages.note("the bot did not touch its heartbeat, stopping it"),
    }
    let first = match reason {
        StopReason::Signal(signal) => Some(signal),
        _ => None,
    };
    let is_stopped = bot.stop(first, guard.grace, &mut signals).await;
    if !is_stopped {
        messages.note("processes of the bot could not be killed");
    }
    messages.note(&format!("going to {action}"));
    let canceller = Canceller {
        client: &client,
        target: &target,
        settle: guard.settle,
        deadline: Instant::now() + guard.timeout,
        has_found_group: Cell::new(false),
    };
    let outcome = {
        let report = |problem: &str| messages.note(problem);
        let cancelling = canceller.run(report);
        tokio::pin!(cancelling);
        loop {
            select! {
                outcome = &mut cancelling => break outcome,
                signal = signals.next() => messages.note(&format!(
                    "{} ignored until the orders are cancelled, in at most {} s",
                    signals::name(signal),
                    guard.timeout.as_secs()
                )),
            }
        }
    };
    let exit = match outcome.is_proven && is_stopped {
        true => Exit::Success,
        false => {
            let subaccount = match &target {
                Target::Group(group) => group.subaccount,
                Target::Subaccount(number) => *number,
            };
            messages.note(&format!(
                "NOT PROVEN that no order rests on {exchange}: check with `{} orders --all --subaccount {subaccount}`, and cancel them on the exchange's site",
                context.program()
            ));
            Exit::Unproven
        }
    };
    let report = report(context, &target, &reason, bot.exit(), is_stopped, &outcome);
    // The reader of the report may have exited; the exit code is the same.
    if output.print([report]).is_err() {
        messages.note("the report could not be written");
    }
    messages.finish();
    Ok(exit)
}

/// Passes signals on to the bot until it ends or has to be stopped.
async fn supervise(
    bot: &mut Bot,
    heartbeat_lost: impl Future<Output = ()>,
    signals: &mut Signals,
) -> StopReason {
    tokio::pin!(heartbeat_lost);
    loop {
        let signal = select! {
            _ = bot.wait_for_exit() => return StopReason::Ended,
            () = &mut heartbeat_lost => return StopReason::NoHeartbeat,
            signal = signals.next() => signal,
        };
        if signals::is_termination(signal) {
            return StopReason::Signal(signal);
        }
        bot.signal(signal);
    }
}

/// Returns the command of the bot with its environment.
fn command(
    guard: &Guard,
    context: &Context,
    target: &Target,
    heartbeat: Option<&Path>,
) -> Result<Command, Failure> {
    let (program, arguments) = guard
        .command
        .split_first()
        .ok_or_else(|| Failure::usage("there is no command"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    let environment = context.environment()?;
    command
        .env("KALSHI_GUARD_REST_URL", environment.rest_url())
        .env("KALSHI_GUARD_WEBSOCKET_URL", environment.websocket_url());
    match target {
        Target::Group(group) => {
            command.env("KALSHI_GUARD_GROUP", group.order_group_id.as_str());
        }
        Target::Subaccount(number) => {
            command.env("KALSHI_GUARD_SUBACCOUNT", number.to_string());
        }
    }
    if let Some(path) = heartbeat {
        command.env(HEARTBEAT, path);
    }
    if let Some(mock) = context.mock() {
        let user = mock.user();
        command
            .env("KALSHI_DEMO_API_KEY_ID", user.credentials().key_id())
            .env(
                "KALSHI_DEMO_PRIVATE_KEY",
                user.private_key().to_pkcs8_pem().as_str(),
            )
            // Variables of another key, which the bot would use, or reject as a contradiction.
            .env_remove("KALSHI_DEMO_PRIVATE_KEY_PATH")
            .env_remove("KALSHI_DEMO_PRIVATE_KEY_PASSPHRASE");
    }
    // The bot is in a background process group: reading from the terminal would stop it.
    if io::stdin().is_terminal() {
        command.stdin(Stdio::null());
    }
    // With JSON and comma-separated values, standard output contains only the report.
    if context.output.format != Format::Text {
        command.stdout(io::stderr());
    }
    Ok(command)
}

fn report(
    context: &Context,
    target: &Target,
    reason: &StopReason,
    exit: Option<BotExit>,
    is_stopped: bool,
    outcome: &Outcome,
) -> Record {
    let (group, subaccount) = match target {
        Target::Group(group) => (
            Some(group.order_group_id.as_str().to_owned()),
            group.subaccount,
        ),
        Target::Subaccount(number) => (None, *number),
    };
    let (code, signal) = match exit {
        Some(BotExit::Exited(code)) => (Some(code), None),
        Some(BotExit::Killed(signal)) => (None, Some(signal)),
        _ => (None, None),
    };
    // A minute, rounded up to whole seconds.
    let until = |at: DateTime<Utc>| (at + TimeDelta::seconds(61)).trunc_subsecs(0);
    let may_cancel_until = match target {
        Target::Subaccount(_) => outcome.requests.last_ended.map(until),
        Target::Group(_) => None,
    };
    let reason = match reason {
        StopReason::Ended => "ended".to_owned(),
        StopReason::NoHeartbeat => "no heartbeat".to_owned(),
        StopReason::Signal(signal) => signals::name(*signal),
    };
    let resting = outcome
        .resting
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    let values: [output::Cell; FIELDS.len()] = [
        context.exchange().into(),
        group.into(),
        subaccount.get().into(),
        reason.into(),
        code.map(i64::from).into(),
        signal.map(i64::from).into(),
        is_stopped.into(),
        outcome.is_proven.into(),
        resting.into(),
        outcome.requests.count.into(),
        may_cancel_until.into(),
    ];
    FIELDS
        .into_iter()
        .zip(values)
        .fold(Record::new("guard"), |record, (name, value)| {
            record.field(name, value)
        })
}
