//! `kalshi guard`: bots that crash, hang, resist or quote again, and an exchange that fails or lags.

mod bot;
mod messages;

use std::{fs, path::PathBuf, process::Stdio, time::Duration};

use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Contracts, Dollars, OutcomeSide,
    limits::Tier,
    operation,
    orders::{NewOrder, OrderOutcome},
    types::{CreateOrderGroupRequest, OrderStatus},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::harness::{Run, Setup, TestResult, program};
use bot::TICKER;

const SUBACCOUNT: &str = "--profile test --yes guard --subaccount 0 --settle 0.2 --grace 0.5";

impl Setup {
    /// Returns `kalshi guard` with these arguments and the test bot in a mode.
    fn guard(&self, arguments: &str, mode: &str) -> Command {
        let mut command = self.command(&format!("{arguments} --json --"));
        let user = self.exchange.user();
        command
            .args(bot::command())
            .env(bot::MODE, mode)
            .env(bot::PIDS, self.pids())
            .env(bot::KEY_ID, user.credentials().key_id())
            .env(bot::KEY, user.private_key().to_pkcs8_pem().as_str())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Directory in which each process of the bot creates a file named by its id.
    fn pids(&self) -> PathBuf {
        self.directory.path().join("pids")
    }

    fn resting(&self) -> usize {
        let orders = self.exchange.user().orders();
        let resting = orders
            .iter()
            .filter(|order| order.status == OrderStatus::Resting);
        resting.count()
    }

    /// Waits until the bot has at least `count` resting orders.
    async fn wait_until_quoted(&self, count: usize) -> TestResult {
        self.wait_until(|| self.resting() >= count).await
    }

    async fn wait_until(&self, condition: impl Fn() -> bool) -> TestResult {
        let wait = async {
            while !condition() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        Ok(timeout(Duration::from_secs(20), wait).await?)
    }

    /// Returns the ids of the processes of the bot.
    fn bot_processes(&self) -> Vec<Pid> {
        let names = fs::read_dir(self.pids()).into_iter().flatten().flatten();
        names
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .collect()
    }

    /// Asserts that neither orders nor processes of the bot are left.
    fn assert_nothing_left(&self) {
        assert_eq!(self.resting(), 0, "resting orders");
        assert!(!self.bot_processes().is_empty(), "the bot has run");
        for process in self.bot_processes() {
            assert!(test_kill_process(process).is_err(), "{process:?} is left");
        }
    }
}

async fn setup() -> Result<Setup, Box<dyn std::error::Error>> {
    let setup = Setup::with(MockExchange::builder().seed(7).tier(Tier::Prestige)).await?;
    setup.exchange.market(TICKER).clear();
    fs::create_dir(setup.pids())?;
    Ok(setup)
}

async fn finish(guard: Child) -> Result<Run, Box<dyn std::error::Error>> {
    let output = timeout(Duration::from_secs(30), guard.wait_with_output()).await??;
    Ok(Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

fn report(run: &Run) -> Result<Value, Box<dyn std::error::Error>> {
    let document: Value = serde_json::from_str(&run.stdout)?;
    Ok(document["guard"].clone())
}

#[tokio::test]
async fn bot_that_is_killed_leaves_no_orders() -> TestResult {
    let setup = setup().await?;
    let guard = setup.guard(SUBACCOUNT, "quote").spawn()?;
    setup.wait_until_quoted(2).await?;
    kill_process(setup.bot_processes()[0], Signal::KILL)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    let mut document: Value = serde_json::from_str(&run.stdout)?;
    let until = &mut document["guard"]["new_orders_may_be_cancelled_until"];
    assert!(until.is_string());
    *until = "TIME".into();
    setup.golden("guard", &document)
}

#[tokio::test]
async fn bot_that_exits_leaves_no_orders() -> TestResult {
    let setup = setup().await?;
    let run = finish(setup.guard(SUBACCOUNT, "quote-and-exit").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    assert_eq!(report(&run)?["exit_code"], 3);
    assert_eq!(setup.exchange.user().orders().len(), 2);
    Ok(())
}

#[tokio::test]
async fn bot_that_hangs_is_stopped_after_its_last_heartbeat() -> TestResult {
    let setup = setup().await?;
    let heartbeat = setup.directory.path().join("heartbeat");
    let arguments = format!(
        "{SUBACCOUNT} --heartbeat {} --heartbeat-timeout 0.6",
        heartbeat.display()
    );
    // The bot touches the file for three times the timeout before it quotes.
    let guard = setup.guard(&arguments, "hang").spawn()?;
    setup.wait_until_quoted(2).await?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    assert_eq!(report(&run)?["reason"], "no heartbeat");
    Ok(())
}

#[tokio::test]
async fn bot_that_never_touches_its_heartbeat_is_stopped() -> TestResult {
    let setup = setup().await?;
    let heartbeat = setup.directory.path().join("heartbeat");
    fs::write(&heartbeat, "")?;
    let arguments = format!(
        "{SUBACCOUNT} --heartbeat {} --heartbeat-timeout 0.5",
        heartbeat.display()
    );
    let run = finish(setup.guard(&arguments, "quote").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    Ok(())
}

#[tokio::test]
async fn bot_that_ignores_sigterm_and_quotes_again_is_killed_first() -> TestResult {
    let setup = setup().await?;
    let guard = setup.guard(SUBACCOUNT, "resist").spawn()?;
    setup.wait_until_quoted(2).await?;
    let id = guard.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    kill_process(id.ok_or("an id")?, Signal::TERM)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    let report = report(&run)?;
    assert_eq!(report["reason"], "SIGTERM");
    assert_eq!(report["signal"], 9);
    // Nothing was cancelled while the bot could quote again.
    assert_eq!(setup.exchange.user().orders().len(), 2);
    Ok(())
}

#[tokio::test]
async fn signals_are_passed_on_to_the_bot() -> TestResult {
    let setup = setup().await?;
    let heartbeat = setup.directory.path().join("heartbeat");
    let arguments = format!("{SUBACCOUNT} --heartbeat {}", heartbeat.display());
    let guard = setup.guard(&arguments, "obey").spawn()?;
    let id = guard.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let id = id.ok_or("an id")?;
    setup
        .wait_until(|| fs::read(&heartbeat).is_ok_and(|text| !text.is_empty()))
        .await?;
    kill_process(id, Signal::TSTP)?;
    kill_process(id, Signal::USR1)?;
    setup.wait_until_quoted(2).await?;
    kill_process(id, Signal::INT)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    let report = report(&run)?;
    assert_eq!(report["reason"], "SIGINT");
    assert_eq!(report["exit_code"], 5);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn process_that_left_the_group_and_requotes_is_killed() -> TestResult {
    let setup = setup().await?;
    let run = finish(setup.guard(SUBACCOUNT, "daemon").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    assert_eq!(setup.bot_processes().len(), 2);
    Ok(())
}

#[tokio::test]
async fn orders_that_arrive_after_the_first_proof_are_cancelled() -> TestResult {
    let setup = setup().await?;
    let arguments = SUBACCOUNT.replace("--settle 0.2", "--settle 1");
    let guard = setup.guard(&arguments, "quote-and-exit").spawn()?;
    // The first proof has read the orders.
    setup
        .wait_until(|| {
            !setup
                .exchange
                .requests_to(operation::CANCEL_ALL_ORDERS)
                .is_empty()
        })
        .await?;
    let reads = || setup.exchange.requests_to(operation::GET_ORDERS).len();
    let before = reads();
    setup.wait_until(|| reads() > before).await?;
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(9), 1);
    let outcome = setup.exchange.client()?.orders().place(order).await?;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("orders still rest"), "{}", run.stderr);
    setup.assert_nothing_left();
    Ok(())
}

#[tokio::test]
async fn cancelling_is_repeated_through_failures_and_reads_that_lag() -> TestResult {
    let setup = setup().await?;
    for fault in [Fault::ServerError(503), Fault::DropBefore, Fault::DropAfter] {
        setup
            .exchange
            .fault(fault.on(operation::CANCEL_ALL_ORDERS).times(1));
    }
    setup.exchange.fault(
        Fault::ServerError(500)
            .on(operation::GET_ORDERS)
            .probability(0.3),
    );
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_millis(700)));
    let run = finish(setup.guard(SUBACCOUNT, "quote-and-exit").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    setup.assert_nothing_left();
    assert!(run.stderr.contains("cancelling failed"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn failed_cancel_is_repeated_while_reads_lag() -> TestResult {
    let setup = setup().await?;
    let arguments = format!("{SUBACCOUNT} --timeout 5");
    let guard = setup.guard(&arguments, "quote").spawn()?;
    setup.wait_until_quoted(2).await?;
    setup.exchange.fault(
        Fault::ServerError(503)
            .on(operation::CANCEL_ALL_ORDERS)
            .times(1),
    );
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_secs(3_600)));
    kill_process(setup.bot_processes()[0], Signal::KILL)?;
    setup.wait_until(|| setup.resting() == 0).await?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(20), "{}", run.stderr);
    assert_eq!(setup.count(operation::CANCEL_ALL_ORDERS), 2);
    assert_eq!(report(&run)?["rounds"], 2);
    assert!(
        run.stderr.contains("orders --all --subaccount 0"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("`kalshi --profile test --config /"),
        "{}",
        run.stderr
    );
    Ok(())
}

#[tokio::test]
async fn orders_are_cancelled_one_by_one_if_cancel_all_is_rejected() -> TestResult {
    let setup = setup().await?;
    setup
        .exchange
        .fault(Fault::Html(403).on(operation::CANCEL_ALL_ORDERS));
    let client = setup.exchange.client()?;
    for batch in 0..11 {
        let orders = (0..100).map(|number| {
            let cents = 1 + (batch * 100 + number) % 40;
            NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(cents), 1)
        });
        client.orders().place_batch(orders).await?;
    }
    assert_eq!(setup.resting(), 1100);
    let run = finish(setup.guard(SUBACCOUNT, "quote-and-exit").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("1000 or more orders rest in subaccount 0"),
        "{}",
        run.stderr
    );
    setup.assert_nothing_left();
    Ok(())
}

#[tokio::test]
async fn unproven_cancel_exits_with_20() -> TestResult {
    let setup = setup().await?;
    let arguments = format!("{SUBACCOUNT} --timeout 2");
    let guard = setup.guard(&arguments, "quote").spawn()?;
    setup.wait_until_quoted(2).await?;
    setup
        .exchange
        .fault(Fault::ServerError(503).on(operation::CANCEL_ALL_ORDERS));
    setup
        .exchange
        .fault(Fault::ServerError(503).on(operation::BATCH_CANCEL_ORDERS_V2));
    kill_process(setup.bot_processes()[0], Signal::KILL)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(20), "{}", run.stderr);
    assert!(run.stderr.contains("NOT PROVEN"), "{}", run.stderr);
    let report = report(&run)?;
    assert_eq!(
        (&report["proven"], &report["resting_orders"]),
        (&false.into(), &2.into())
    );
    Ok(())
}

#[tokio::test]
async fn group_is_triggered_even_if_responses_are_lost() -> TestResult {
    let setup = setup().await?;
    let client = setup.exchange.client()?;
    let body = CreateOrderGroupRequest::builder().contracts_limit_fp(Contracts::from(100));
    let group = client.create_order_group().body(body).send().await?;
    let group = group.into_inner().order_group_id;
    // An order outside the group is not cancelled.
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(5), 1);
    let outcome = client.orders().place(order).await?;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    setup
        .exchange
        .fault(Fault::DropAfter.on(operation::TRIGGER_ORDER_GROUP).times(1));
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_millis(500)));
    // Reads show the group only now.
    while client
        .get_order_group()
        .order_group_id(&group)
        .send()
        .await
        .is_err()
    {
        sleep(Duration::from_millis(20)).await;
    }
    let arguments = SUBACCOUNT.replace("--subaccount 0", &format!("--group {group}"));
    let run = finish(setup.guard(&arguments, "quote-and-exit").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(setup.resting(), 1);
    let report = report(&run)?;
    assert_eq!(report["group"], group.as_str());
    assert!(report["new_orders_may_be_cancelled_until"].is_null());
    setup.exchange.clear_faults();
    let group_state = client
        .get_order_group()
        .order_group_id(&group)
        .send()
        .await?;
    assert!(!group_state.is_auto_cancel_enabled);
    assert!(
        setup
            .exchange
            .requests_to(operation::CANCEL_ALL_ORDERS)
            .is_empty()
    );
    Ok(())
}

/// Reads show the orders, but fail before they are up to date.
#[tokio::test]
async fn orders_that_were_seen_are_cancelled_although_nothing_is_proven() -> TestResult {
    let setup = setup().await?;
    let arguments = format!("{SUBACCOUNT} --timeout 4");
    let guard = setup.guard(&arguments, "quote").spawn()?;
    setup.wait_until_quoted(2).await?;
    setup
        .exchange
        .fault(Fault::Html(403).on(operation::CANCEL_ALL_ORDERS));
    kill_process(setup.bot_processes()[0], Signal::KILL)?;
    setup
        .wait_until(|| setup.count(operation::GET_USER_DATA_TIMESTAMP) > 0)
        .await?;
    setup
        .exchange
        .fault(Fault::Html(403).on(operation::GET_ORDERS));
    setup.wait_until(|| setup.resting() == 0).await?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(20), "{}", run.stderr);
    Ok(())
}

/// Reads do not show a new group for seconds.
#[tokio::test]
async fn group_that_is_not_found_is_not_proven_closed() -> TestResult {
    let setup = setup().await?;
    let client = setup.exchange.client()?;
    let body = CreateOrderGroupRequest::builder().contracts_limit_fp(Contracts::from(100));
    let group = client.create_order_group().body(body).send().await?;
    let group = group.into_inner().order_group_id;
    let arguments = SUBACCOUNT.replace("--subaccount 0", &format!("--group {group}"));
    let guard = setup
        .guard(&format!("{arguments} --timeout 4"), "quote")
        .spawn()?;
    setup.wait_until_quoted(2).await?;
    client.cancel_all_orders().send().await?;
    setup
        .exchange
        .fault(Fault::ServerError(500).on(operation::TRIGGER_ORDER_GROUP));
    let hidden = Fault::StaleReads(Duration::from_secs(3_600));
    setup.exchange.fault(hidden.on(operation::GET_ORDER_GROUP));
    kill_process(setup.bot_processes()[0], Signal::KILL)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(20), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn bot_is_not_started_unless_guard_can_protect_it() -> TestResult {
    let setup = setup().await?;
    let guard = |arguments: &str| setup.guard(arguments, "quote");
    for (arguments, message) in [
        (
            "--yes guard --subaccount 0",
            "requires an explicit exchange",
        ),
        ("--profile test --yes guard", "--subaccount"),
        (
            "--profile test --yes guard --subaccount 7",
            "there is no subaccount 7; there are: 0",
        ),
        (
            "--profile test --yes guard --group 4c5ae0a4-14bb-4dc3-8d44-b5ac3c28c8a5",
            "there is no order group",
        ),
        ("--profile test guard --subaccount 0", "pass --yes"),
        (
            "--profile test --yes guard --subaccount 0 --heartbeat /nonexistent/file",
            "heartbeat file",
        ),
        (
            "--profile test --yes guard --subaccount 0 --settle 5 --timeout 5",
            "--timeout must be longer than --settle",
        ),
    ] {
        let run = finish(guard(arguments).spawn()?).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{arguments}: {}", run.stderr);
    }
    // A variable that was exported for something else is no choice.
    let mut from_variable = guard("--yes guard --subaccount 0");
    let run = finish(from_variable.env("KALSHI_PROFILE", "test").spawn()?).await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    let run = finish(guard("--profile test --dry-run guard --subaccount 0").spawn()?).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // A key that no exchange accepts.
    fs::write(
        setup.key_path(),
        kalshi_sdk::PrivateKey::generate_ed25519()?
            .to_pkcs8_pem()
            .as_bytes(),
    )?;
    let run = finish(guard(SUBACCOUNT).spawn()?).await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("private key does not belong to it"),
        "{}",
        run.stderr
    );
    assert!(setup.bot_processes().is_empty());
    Ok(())
}

#[tokio::test]
async fn key_that_may_not_cancel_is_rejected() -> TestResult {
    let setup = setup().await?;
    let key = kalshi_sdk::PrivateKey::generate_ed25519()?;
    let body = kalshi_sdk::types::CreateApiKeyRequest::builder()
        .name("reader")
        .public_key(key.public_key().to_pem())
        .scopes(["read"]);
    let id = setup
        .exchange
        .client()?
        .create_api_key()
        .body(body)
        .send()
        .await?;
    fs::write(setup.key_path(), key.to_pkcs8_pem().as_bytes())?;
    let config = fs::read_to_string(setup.config_path())?;
    let own = setup.exchange.user().credentials();
    fs::write(
        setup.config_path(),
        config.replace(own.key_id(), &id.api_key_id),
    )?;
    let run = finish(setup.guard(SUBACCOUNT, "quote").spawn()?).await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("may not cancel orders"),
        "{}",
        run.stderr
    );
    assert!(setup.bot_processes().is_empty());
    Ok(())
}

#[tokio::test]
async fn bot_runs_on_the_local_exchange() -> TestResult {
    let mut command = crate::harness::program("--mock --yes guard --subaccount 0 --settle 0 --");
    command
        .args(bot::command())
        .env(bot::MODE, "quote-and-exit")
        .stdout(Stdio::piped());
    let run = Run::capture(command).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("exit code"), "{}", run.stdout);
    Ok(())
}

#[tokio::test]
async fn unknown_field_is_rejected_before_the_bot_starts() -> TestResult {
    let setup = setup().await?;
    let arguments = format!("{SUBACCOUNT} --fields nothing");
    let run = finish(setup.guard(&arguments, "quote").spawn()?).await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(setup.bot_processes().is_empty());
    Ok(())
}

/// The bot could not read the key of the local exchange beside another one.
#[tokio::test]
async fn bot_of_the_local_exchange_gets_only_its_key() -> TestResult {
    let mut guard = program("--mock --yes guard --subaccount 0 --settle 0.2 --json -- /bin/sh -c");
    guard
        .arg(r#"test -n "$KALSHI_DEMO_PRIVATE_KEY" && test -z "$KALSHI_DEMO_PRIVATE_KEY_PATH$KALSHI_DEMO_PRIVATE_KEY_PASSPHRASE""#)
        .env("KALSHI_DEMO_PRIVATE_KEY_PATH", "/key.pem")
        .env("KALSHI_DEMO_PRIVATE_KEY_PASSPHRASE", "words");
    let run = Run::capture(guard).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(report(&run)?["exit_code"], 0);
    Ok(())
}
