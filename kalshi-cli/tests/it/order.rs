//! `kalshi order`: prompts, outcomes and exit codes; no order is sent twice.

use std::{error::Error, process::Stdio, time::Duration};

use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{Dollars, OutcomeSide, operation, orders::NewOrder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Run, Setup, TestResult, golden};

const BUY: &str = "order buy yes KXTEST-26-A 10 @ 0.45 --yes";

/// An exchange with a market: bid 40 cents, ask 45 cents.
async fn setup() -> Result<Setup, Box<dyn Error>> {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    setup
        .exchange
        .market("KXTEST-26-A")
        .bid(Dollars::from_cents(40), 20)
        .ask(Dollars::from_cents(45), 4);
    Ok(setup)
}

async fn run(setup: &Setup, arguments: &str) -> Result<(Run, serde_json::Value), Box<dyn Error>> {
    let run = setup.run(&format!("{arguments} --json")).await?;
    let document = run.document()?;
    Ok((run, document))
}

#[tokio::test]
async fn placed_order_is_described_and_exits_with_0() -> TestResult {
    let setup = setup().await?;
    let (run, document) = run(&setup, BUY).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    golden("order", &document)?;
    assert!(
        run.stderr.contains("worst case loss  4.7000"),
        "{}",
        run.stderr
    );
    assert_eq!(setup.count(operation::CREATE_ORDER_V2), 1);
    let orders = setup.exchange.user().orders();
    assert_eq!(document["outcome"]["order_id"], orders[0].order_id.as_str());
    assert_eq!(
        document["preview"]["client_order_id"],
        orders[0].client_order_id.as_str()
    );
    Ok(())
}

/// Ten contracts at 43 cents have a fee of 0.1716. An average of four digits, 0.0172, would make it 0.1720.
#[tokio::test]
async fn fee_is_that_of_the_exchange_or_absent() -> TestResult {
    let setup = setup().await?;
    setup
        .exchange
        .market("KXTEST-26-A")
        .ask(Dollars::from_cents(43), 10);
    let (_, document) = run(&setup, BUY).await?;
    assert_eq!(document["outcome"]["filled"], "10.00");
    assert!(document["outcome"]["average_fee_paid"].is_string());
    assert_eq!(document["outcome"]["fee"], serde_json::Value::Null);
    setup
        .exchange
        .market("KXTEST-26-A")
        .ask(Dollars::from_cents(43), 10);
    setup
        .exchange
        .fault(Fault::DropAfter.on(operation::CREATE_ORDER_V2));
    let (_, document) = run(&setup, BUY).await?;
    assert_eq!(document["outcome"]["filled"], "10.00");
    assert_eq!(
        document["outcome"]["average_fee_paid"],
        serde_json::Value::Null
    );
    assert_eq!(document["outcome"]["fee"], "0.1716");
    Ok(())
}

#[tokio::test]
async fn rejected_order_exits_with_10() -> TestResult {
    let setup = setup().await?;
    let (run, document) = run(&setup, "order buy yes KXTEST-26-A 100000 45c --yes").await?;
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    assert_eq!(document["outcome"]["outcome"], "rejected");
    let error = document["outcome"]["error"].as_str().ok_or("an error")?;
    assert!(error.contains("insufficient_balance"), "{error}");
    assert_eq!(setup.count(operation::CREATE_ORDER_V2), 1);
    Ok(())
}

#[tokio::test]
async fn unfilled_ioc_and_fok_exit_with_12() -> TestResult {
    let setup = setup().await?;
    for arguments in [
        "order buy yes KXTEST-26-A 10 @ 0.44 --ioc --yes",
        "order buy yes KXTEST-26-A 10 @ 0.45 --fok --yes",
        "order sell no KXTEST-26-A 10 @ 0.57 --ioc --yes",
    ] {
        let (run, document) = run(&setup, arguments).await?;
        assert_eq!(run.code, Some(12), "{arguments}: {}", run.stderr);
        assert_eq!(document["outcome"]["outcome"], "unfilled", "{arguments}");
    }
    let (run, document) = run(&setup, "order buy yes KXTEST-26-A 10 @ 0.45 --ioc --yes").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(document["outcome"]["filled"], "4.00");
    assert_eq!(setup.count(operation::CREATE_ORDER_V2), 4);
    Ok(())
}

#[tokio::test]
async fn self_trade_exits_with_12() -> TestResult {
    let setup = setup().await?;
    let own = NewOrder::sell("KXTEST-26-A", OutcomeSide::Yes, Dollars::from_cents(43), 10);
    drop(setup.exchange.client()?.orders().place(own).await?);
    let (run, document) = run(&setup, "order buy yes KXTEST-26-A 10 @ 0.43 --yes").await?;
    assert_eq!(run.code, Some(12), "{}", run.stderr);
    assert_eq!(document["outcome"]["outcome"], "unfilled");
    Ok(())
}

#[tokio::test]
async fn lost_responses_are_reconciled_and_nothing_is_sent_twice() -> TestResult {
    for (fault, code, outcome) in [
        (Fault::DropAfter, 0, "placed"),
        (Fault::DropBefore, 10, "not_placed"),
        (Fault::ServerErrorAfter(503), 0, "placed"),
        (Fault::ServerError(500), 10, "not_placed"),
        (Fault::TruncatedBody, 0, "placed"),
    ] {
        let setup = setup().await?;
        setup
            .exchange
            .fault(fault.clone().on(operation::CREATE_ORDER_V2).times(1));
        let (run, document) = run(&setup, BUY).await?;
        assert_eq!(run.code, Some(code), "{fault:?}: {}", run.stderr);
        assert_eq!(document["outcome"]["outcome"], outcome, "{fault:?}");
        assert!(
            run.stderr.contains("it is not sent again"),
            "{fault:?}: {}",
            run.stderr
        );
        assert_eq!(setup.count(operation::CREATE_ORDER_V2), 1, "{fault:?}");
        let placed = usize::from(code == 0);
        assert_eq!(setup.exchange.user().orders().len(), placed, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn unfilled_ioc_with_a_lost_response_exits_with_12() -> TestResult {
    let setup = setup().await?;
    setup
        .exchange
        .fault(Fault::DropAfter.on(operation::CREATE_ORDER_V2));
    let (run, document) = run(&setup, "order buy yes KXTEST-26-A 10 @ 0.44 --ioc --yes").await?;
    assert_eq!(run.code, Some(12), "{}", run.stderr);
    assert_eq!(document["outcome"]["outcome"], "unfilled");
    Ok(())
}

#[tokio::test]
async fn unresolved_outcome_exits_with_11() -> TestResult {
    let setup = setup().await?;
    for fault in [Fault::DropAfter, Fault::DropBefore] {
        setup.exchange.clear_faults();
        setup.exchange.clear_requests();
        setup
            .exchange
            .fault(Fault::StaleReads(Duration::from_secs(3_600)));
        setup.exchange.fault(fault.on(operation::CREATE_ORDER_V2));
        let (run, document) = run(&setup, &format!("{BUY} --timeout 1500ms")).await?;
        assert_eq!(run.code, Some(11), "{}", run.stderr);
        assert_eq!(document["outcome"]["outcome"], "unknown");
        let remedy = document["outcome"]["remedy"].as_str().ok_or("a remedy")?;
        let id = document["outcome"]["client_order_id"]
            .as_str()
            .ok_or("an id")?;
        assert!(remedy.contains(id), "{remedy}");
        assert_eq!(setup.count(operation::CREATE_ORDER_V2), 1);
    }
    // The command in the remedy finds the order later.
    setup.exchange.clear_faults();
    let order = &setup.exchange.user().orders()[0];
    let id = &order.client_order_id;
    let found = setup
        .json(&format!(
            "orders --ticker KXTEST-26-A --client-order-id {id}"
        ))
        .await?;
    assert_eq!(found["orders"][0]["order_id"], order.order_id.as_str());
    let run = setup.run("orders --client-order-id nobody").await?;
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    Ok(())
}

/// The same command on the default exchange would prove that the order does not exist there.
#[cfg(unix)]
#[tokio::test]
async fn remedy_finds_the_order_on_its_exchange() -> TestResult {
    let (setup, default) = (setup().await?, setup().await?);
    let own = std::fs::read_to_string(setup.config_path())?;
    let (_, own) = own.split_once('\n').ok_or("lines")?;
    let own = own.replace("[profiles.test]", "[profiles.\"my bot\"]");
    let directory = setup.directory.path().join("a b");
    std::fs::create_dir(&directory)?;
    let both = std::fs::read_to_string(default.config_path())? + &own;
    std::fs::write(directory.join("config.toml"), both)?;
    for from_variable in [false, true] {
        setup
            .exchange
            .fault(Fault::StaleReads(Duration::from_secs(3_600)));
        setup
            .exchange
            .fault(Fault::DropAfter.on(operation::CREATE_ORDER_V2));
        let mut command = setup.command(&format!("{BUY} --timeout 300ms --json"));
        // The path is relative, and its directory is not that of the remedy.
        command
            .current_dir(&directory)
            .env("KALSHI_CONFIG", "config.toml");
        match from_variable {
            true => command.env("KALSHI_PROFILE", "my bot"),
            false => command.args(["--profile", "my bot"]),
        };
        let run = Run::capture(command).await?;
        assert_eq!(run.code, Some(11), "{}", run.stderr);
        let document = run.document()?;
        let remedy = document["outcome"]["remedy"].as_str().ok_or("a remedy")?;
        let (_, remedy) = remedy.split_once("run: ").ok_or("a command")?;
        setup.exchange.clear_faults();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_kalshi"));
        let mut shell = tokio::process::Command::new("/bin/sh");
        shell
            .args(["-c", &format!("{remedy} --json")])
            .env_clear()
            .env("PATH", program.parent().ok_or("a directory")?);
        let found = Run::capture(shell).await?;
        assert_eq!(found.code, Some(0), "{remedy}: {}", found.stderr);
        let order = &found.document()?["orders"][0];
        assert_eq!(
            order["client_order_id"],
            document["outcome"]["client_order_id"]
        );
    }
    assert!(default.exchange.user().orders().is_empty());
    Ok(())
}

#[tokio::test]
async fn signal_after_the_request_names_the_order_and_exits_with_11() -> TestResult {
    for signal in ["INT", "TERM", "HUP"] {
        check_signal(signal)
            .await
            .map_err(|error| format!("{signal}: {error}"))?;
    }
    Ok(())
}

async fn check_signal(signal: &str) -> TestResult {
    let setup = setup().await?;
    let slow = Fault::Latency(Duration::from_secs(30));
    setup.exchange.fault(slow.on(operation::CREATE_ORDER_V2));
    let child = setup
        .command(&format!("{BUY} --client-order-id mine --json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    while setup.exchange.user().orders().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    send_signal(signal, child.id().ok_or("a process")?)?;
    let output = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await??;
    let stdout = String::from_utf8(output.stdout)?;
    assert_eq!(output.status.code(), Some(11), "{signal}: {stdout}");
    let document: serde_json::Value = serde_json::from_str(&stdout)?;
    assert_eq!(document["outcome"]["outcome"], "unknown");
    assert_eq!(document["outcome"]["client_order_id"], "mine");
    assert_eq!(setup.exchange.user().orders().len(), 1);
    Ok(())
}

/// Sends SIGINT to a process.
pub(crate) fn interrupt(process: u32) -> TestResult {
    send_signal("INT", process)
}

pub(crate) fn send_signal(signal: &str, process: u32) -> TestResult {
    let mut kill = std::process::Command::new("kill");
    let sent = kill.args(["-s", signal, &process.to_string()]).status()?;
    assert!(sent.success());
    Ok(())
}

#[tokio::test]
async fn prices_off_the_grid_are_rejected_before_sending() -> TestResult {
    let setup = setup().await?;
    for (arguments, message) in [
        (
            "yes KXTEST-26-A 10 @ 0.455",
            "the YES price 0.4550 is not on the market's price grid; the nearest valid prices are 0.4500 and 0.4600",
        ),
        (
            "no KXTEST-26-A 10 @ 40.5c",
            "the NO price 0.4050 is not on the market's price grid; the nearest valid prices are 0.4000 and 0.4100",
        ),
        (
            "no KXTEST-26-A 10 @ 45",
            "ambiguous: write 0.45 for dollars or 45c for cents",
        ),
        (
            "yes KXTEST-26-A 10 @ 1.45",
            "not above 0 and below 1 dollar",
        ),
        ("yes KXTEST-26-A 0 @ 0.45", "not above zero"),
        ("yes KXTEST-26-A 10", "is not a count and a price"),
        (
            "yes KXTEST-26-A 10 @ 0.45 --expires 2020-01-01",
            "in the past",
        ),
    ] {
        let run = setup.run(&format!("order buy {arguments} --yes")).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{arguments}: {}", run.stderr);
    }
    assert_eq!(setup.count(operation::CREATE_ORDER_V2), 0);
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_without_consent() -> TestResult {
    let setup = setup().await?;
    let buy = BUY.trim_end_matches(" --yes");
    let run = setup.run(buy).await?;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("pass --yes"), "{}", run.stderr);
    let run = setup.run(&format!("{BUY} --fields prize")).await?;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("there is no field \"prize\""),
        "{}",
        run.stderr
    );
    // Comma-separated values contain only the outcome, which a field of the preview would hide.
    let run = setup.run(&format!("{BUY} --csv --fields cost")).await?;
    assert_eq!(run.code, Some(2), "{}", run.stdout);
    let document = setup
        .json(&format!("{buy} --dry-run --client-order-id mine"))
        .await?;
    golden("order_dry_run", &document)?;
    assert_eq!(setup.count(operation::CREATE_ORDER_V2), 0);
    Ok(())
}

#[tokio::test]
async fn prompt_names_the_exchange_and_reads_the_answer() -> TestResult {
    let setup = setup().await?;
    for (answer, code, placed) in [("n\n", 1, 0), ("\n", 1, 0), ("y\n", 0, 1)] {
        let (mut terminal, slave) = pty_process::open()?;
        terminal.resize(pty_process::Size::new(40, 100))?;
        let mut child = pty_process::Command::new(env!("CARGO_BIN_EXE_kalshi"))
            .args(BUY.trim_end_matches(" --yes").split(' '))
            .env_clear()
            .env("KALSHI_CONFIG", setup.config_path())
            .kill_on_drop(true)
            .spawn(slave)?;
        let mut screen = Vec::new();
        while !String::from_utf8_lossy(&screen).contains("[y/N]") {
            let mut buffer = [0; 4_096];
            let length = terminal.read(&mut buffer).await?;
            screen.extend_from_slice(&buffer[..length]);
        }
        let screen = String::from_utf8_lossy(&screen).into_owned();
        assert!(screen.contains("worst case loss"), "{screen}");
        assert!(
            screen.contains("Place this order on custom exchange (profile test)?"),
            "{screen}"
        );
        assert_eq!(setup.count(operation::CREATE_ORDER_V2), 0);
        terminal.write_all(answer.as_bytes()).await?;
        let status = child.wait().await?;
        assert_eq!(status.code(), Some(code), "{answer:?}");
        assert_eq!(
            setup.count(operation::CREATE_ORDER_V2),
            placed,
            "{answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn exit_code_reports_the_outcome_even_if_output_is_closed() -> TestResult {
    let setup = setup().await?;
    let mut child = setup
        .command("order buy yes KXTEST-26-A 10 @ 0.44 --ioc --yes")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    drop(child.stdout.take());
    assert_eq!(child.wait().await?.code(), Some(12));
    Ok(())
}

#[tokio::test]
async fn options_are_sent_and_a_repeated_id_places_nothing() -> TestResult {
    let setup = setup().await?;
    let client = setup.exchange.client()?;
    let group = client
        .create_order_group()
        .body(kalshi_sdk::types::CreateOrderGroupRequest::builder().contracts_limit_fp(100));
    let group = group.send().await?.into_inner().order_group_id;
    let arguments = format!(
        "order buy no KXTEST-26-A 2.5 @ 50c --post-only --expires 1h --group {group} --client-order-id mine --yes"
    );
    let document = setup.json(&arguments).await?;
    assert_eq!(document["outcome"]["outcome"], "placed");
    let sent = &setup.exchange.requests_to(operation::CREATE_ORDER_V2)[0].json();
    assert_eq!(sent["side"], "ask");
    assert_eq!(sent["price"], "0.5000");
    assert_eq!(sent["count"], "2.50");
    assert_eq!(sent["post_only"], true);
    assert_eq!(sent["order_group_id"], group.as_str());
    assert_eq!(sent["client_order_id"], "mine");
    let expires = sent["expiration_time"].as_i64().ok_or("a time")?;
    let ahead = expires - chrono::Utc::now().timestamp();
    assert!((3_500..=3_600).contains(&ahead), "{ahead}");
    // With another expiry it would be a different order.
    let time = chrono::DateTime::from_timestamp(expires, 0)
        .ok_or("a time")?
        .to_rfc3339();
    let again = arguments.replace("--expires 1h", &format!("--expires {time}"));
    let document = setup.json(&again).await?;
    assert_eq!(document["outcome"]["outcome"], "already_exists");
    assert_eq!(setup.exchange.user().orders().len(), 1);
    Ok(())
}

#[tokio::test]
async fn closing_a_position_has_proceeds_and_no_cost() -> TestResult {
    let setup = setup().await?;
    let client = setup.exchange.client()?;
    let buy = NewOrder::buy("KXTEST-26-A", OutcomeSide::Yes, Dollars::from_cents(45), 4);
    drop(client.orders().place(buy).await?);
    let document = setup
        .json("order sell yes KXTEST-26-A 6 @ 0.40 --dry-run")
        .await?;
    let preview = &document["preview"];
    assert_eq!(preview["position"], "4.00");
    assert_eq!(preview["position_after"], "-2.00");
    // Four contracts are sold for 40 cents; two become NO at 60 cents each.
    assert_eq!(preview["proceeds"], "1.6000");
    assert_eq!(preview["cost"], "1.2000");
    // 0.07 × 6 × 0.4 × 0.6, rounded up.
    assert_eq!(preview["taker_fee"], "0.1008");
    // 600 fills of a hundredth, each of 0.006 and a fee of 0.000168, rounded up to 0.0062.
    assert_eq!(preview["worst_case_loss"], "3.7200");
    let reduced = setup
        .json("order sell yes KXTEST-26-A 6 @ 0.40 --ioc --reduce-only --dry-run")
        .await?;
    assert_eq!(reduced["preview"]["position_after"], "0.00");
    assert_eq!(reduced["preview"]["cost"], "0.0000");
    Ok(())
}

#[tokio::test]
async fn help_lists_the_exit_codes() -> TestResult {
    for command in ["order", "cancel", "amend"] {
        let run = Run::capture(crate::harness::program(&format!("{command} --help"))).await?;
        assert!(run.stdout.contains("Exit codes: 0"), "{}", run.stdout);
    }
    Ok(())
}

#[tokio::test]
async fn repeated_id_of_an_order_that_ended_unfilled_exits_with_12() -> TestResult {
    let setup = setup().await?;
    let ioc = "order buy yes KXTEST-26-A 10 @ 0.44 --ioc --client-order-id mine --yes";
    for outcome in ["unfilled", "already_exists"] {
        let (run, document) = run(&setup, ioc).await?;
        assert_eq!(run.code, Some(12), "{outcome}: {}", run.stderr);
        assert_eq!(document["outcome"]["outcome"], outcome);
    }
    Ok(())
}

#[tokio::test]
async fn consent_by_option_names_the_exchange() -> TestResult {
    let setup = setup().await?;
    let run = setup.run("cancel --all --yes").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("custom exchange (profile test)"),
        "{}",
        run.stderr
    );
    Ok(())
}
