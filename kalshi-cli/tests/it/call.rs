//! `kalshi call` and `kalshi operations`: requests, output, prompts and exit codes.

use std::{process::Stdio, time::Duration};

use kalshi_mock::Fault;
use kalshi_sdk::{Dollars, operation};
use serde_json::{Value, json};

use crate::{
    harness::{Run, Setup, TestResult, golden_text, program},
    order::send_signal,
};

#[tokio::test]
async fn response_is_printed_as_received() -> TestResult {
    let setup = Setup::new().await?;
    setup
        .exchange
        .market("KXTEST-26-A")
        .bid(Dollars::from_cents(41), 10);
    let run = setup.run("call get-market --ticker KXTEST-26-A").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stdout
            .starts_with("{\n  \"market\": {\n    \"can_close_early\": true,\n"),
        "{}",
        run.stdout
    );
    let document: Value = serde_json::from_str(&run.stdout)?;
    assert_eq!(document["market"]["yes_bid_dollars"], "0.4100");
    Ok(())
}

#[tokio::test]
async fn operations_of_all_apis_are_called() -> TestResult {
    let setup = Setup::new().await?;
    for (operation, field) in [
        ("GetBalance", "balance"),
        ("get_margin_balance", "settled_funds"),
        ("get-settlement-balance", "balance_available_centicents"),
    ] {
        let run = setup.run(&format!("call {operation}")).await?;
        assert_eq!(run.code, Some(0), "{operation}: {}", run.stderr);
        let document: Value = serde_json::from_str(&run.stdout)?;
        assert!(document.get(field).is_some(), "{operation}: {document}");
    }
    let run = Run::capture(program("--mock call get-settlement-balance")).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn public_operation_needs_no_key_and_is_not_signed() -> TestResult {
    let setup = Setup::new().await?;
    let config = std::fs::read_to_string(setup.config_path())?;
    let lines = config.lines().filter(|line| !line.contains("key"));
    // `klear_url` goes with the key.
    std::fs::write(setup.config_path(), lines.collect::<Vec<_>>().join("\n"))?;
    for command in ["call get-exchange-status", "call get-margin-markets"] {
        let run = setup.run(command).await?;
        assert_eq!(run.code, Some(0), "{command}: {}", run.stderr);
    }
    let requests = setup.exchange.requests();
    let signed = |name: &str| requests.iter().any(|it| it.headers.contains_key(name));
    assert!(requests.len() == 2 && !signed("kalshi-access-key"));
    let run = setup.run("call get-balance").await?;
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("KALSHI_DEMO_API_KEY_ID"),
        "{}",
        run.stderr
    );
    Ok(())
}

#[tokio::test]
async fn each_page_is_a_separate_document() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("call get-markets --limit 1000 --all").await?;
    let complete: Value = serde_json::from_str(&run.stdout)?;
    let listed = |page: &Value| page["markets"].as_array().cloned().unwrap_or_default();
    let limit = listed(&complete).len() / 3;
    let run = setup
        .run(&format!("call get-markets --all --limit {limit}"))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let pages = serde_json::Deserializer::from_str(&run.stdout).into_iter::<Value>();
    let pages = pages.collect::<Result<Vec<_>, _>>()?;
    assert!(pages.len() >= 3, "{} pages", pages.len());
    let markets: Vec<Value> = pages.iter().flat_map(listed).collect();
    assert_eq!(markets.len(), listed(&complete).len());
    let run = setup
        .run(&format!("call get-markets --limit {limit}"))
        .await?;
    let first: Value = serde_json::from_str(&run.stdout)?;
    assert_eq!(listed(&first).len(), limit);
    Ok(())
}

fn order(client_order_id: &str) -> String {
    json!({
        "ticker": "KXTEST-26-A",
        "client_order_id": client_order_id,
        "side": "bid",
        "count": "1",
        "price": "0.0100",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    })
    .to_string()
}

#[tokio::test]
async fn writes_ask_first_and_dry_run_sends_nothing() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXTEST-26-A");
    let body = order("a");
    let call = format!("call create-order-v2 --body {body}");
    let run = setup.run(&call).await?;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    let document = setup.json(&format!("{call} --dry-run")).await?;
    let request = &document["request"];
    assert_eq!(request["method"], "POST");
    let url = format!("{}/portfolio/events/orders", setup.exchange.rest_url());
    assert_eq!(request["url"], url);
    assert_eq!(request["body"], body);
    assert!(setup.exchange.requests().is_empty());

    let file = setup.directory.path().join("order.json");
    std::fs::write(&file, &body)?;
    let run = setup
        .run(&format!(
            "call CreateOrderV2 --yes --body @{}",
            file.display()
        ))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let received = setup.exchange.requests_to(operation::CREATE_ORDER_V2);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].body, body);
    // A rejection is a certain outcome.
    let run = setup.run(&format!("{call} --yes")).await?;
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn call_with_unknown_effect_exits_with_11() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXTEST-26-A");
    setup.exchange.fault(Fault::DropAfter);
    let body = order("a");
    let run = setup
        .run(&format!("call create-order-v2 --yes --body {body}"))
        .await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert!(
        run.stderr.contains("the effect of the request is unknown"),
        "{}",
        run.stderr
    );
    assert_eq!(setup.exchange.requests().len(), 1);
    // A read has no effect.
    setup.exchange.clear_faults();
    setup.exchange.fault(Fault::ServerError(500));
    let run = setup.run("call get-balance").await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn interrupted_write_has_an_unknown_effect() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXTEST-26-A");
    let latency = Duration::from_secs(60);
    setup.exchange.fault(Fault::Latency(latency));
    let write = format!("call create-order-v2 --yes --body {}", order("a"));
    for (command, signal, code) in [
        (&*write, "INT", 11),
        (&*write, "TERM", 11),
        (&*write, "HUP", 11),
        ("call get-balance", "INT", 130),
    ] {
        setup.exchange.clear_requests();
        let child = setup.command(command).stderr(Stdio::piped()).spawn()?;
        while setup.exchange.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        send_signal(signal, child.id().ok_or("a running process")?)?;
        let output = child.wait_with_output().await?;
        let status = output.status.code();
        assert_eq!(status, Some(code), "{command} {signal}: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn hostile_values_stay_in_their_path_segment() -> TestResult {
    let setup = Setup::new().await?;
    for value in ["%2e%2e", "a b", "\u{e9}\u{4e1c}", "a/b?c#d", "-x", "..a"] {
        setup.exchange.clear_requests();
        let mut command = setup.command("call get-market");
        command.arg(format!("--ticker={value}"));
        let run = Run::capture(command).await?;
        assert_eq!(run.code, Some(1), "{value}: {}", run.stderr);
        let requests = setup.exchange.requests();
        assert_eq!(requests.len(), 1, "{value}: {}", run.stderr);
        assert!(requests[0].is("GetMarket"), "{value}: {}", requests[0].path);
    }
    setup.exchange.clear_requests();
    for value in ["", ".", "..", "../balance", "a/../b", "a\\..\\b", "a\nb"] {
        let mut command = setup.command("call get-market");
        command.arg(format!("--ticker={value}"));
        let run = Run::capture(command).await?;
        assert_eq!(run.code, Some(2), "{value}: {}", run.stderr);
    }
    assert!(setup.exchange.requests().is_empty());
    let run = setup
        .run("call get-markets --status=a&b=c --limit 1")
        .await?;
    let requests = setup.exchange.requests();
    assert_eq!(requests.len(), 1, "{}", run.stderr);
    assert!(
        requests[0].query.contains("status=a%26b%3Dc"),
        "{}",
        requests[0].query
    );
    for mistake in [
        "call get-markets --limit many",
        "call get-market",
        "call create-order-v2",
        "call create-order-v2 --yes --body {",
        "call get-markets --csv",
        "call get-markets --fields ticker",
        "call no-such-operation",
    ] {
        let run = setup.run(mistake).await?;
        assert_eq!(run.code, Some(2), "{mistake}: {}", run.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn secret_is_printed() -> TestResult {
    let setup = Setup::new().await?;
    let body = json!({ "name": "bot" }).to_string();
    let run = setup
        .run(&format!("call generate-api-key --yes --body {body}"))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("PRIVATE KEY"), "{}", run.stdout);
    assert!(!run.stderr.contains("PRIVATE KEY"), "{}", run.stderr);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn write_whose_response_cannot_be_printed_is_a_success() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXTEST-26-A");
    let run_without_output = async |arguments: &str| {
        let child = setup
            .command(arguments)
            .stdout(std::fs::File::create("/dev/full")?)
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.wait_with_output().await?;
        let stderr = String::from_utf8(output.stderr)?;
        Ok::<_, Box<dyn std::error::Error>>((output.status.code(), stderr))
    };
    let create = format!("call create-order-v2 --yes --body {}", order("a"));
    let (code, stderr) = run_without_output(&create).await?;
    assert_eq!(code, Some(0), "{stderr}");
    let id = &setup.exchange.user().orders()[0].order_id;
    assert!(stderr.contains(id.as_str()), "{stderr}");
    assert!(stderr.contains("the request was executed"), "{stderr}");

    let body = json!({ "name": "bot" }).to_string();
    let generate = format!("call generate-api-key --yes --body {body}");
    let (code, stderr) = run_without_output(&generate).await?;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("a secret, which is lost"), "{stderr}");
    assert!(!stderr.contains("PRIVATE KEY"), "{stderr}");

    let (code, stderr) = run_without_output("call get-balance").await?;
    assert_eq!(code, Some(1), "{stderr}");
    Ok(())
}

#[tokio::test]
async fn help_of_an_operation_lists_its_parameters() -> TestResult {
    let run = Run::capture(program("call get-market-candlesticks --help")).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    golden_text("call_help.txt", &run.stdout)?;
    let run = Run::capture(program("call --help")).await?;
    assert!(
        run.stdout
            .contains("perps:intra-exchange-instance-transfer")
    );
    Ok(())
}

#[tokio::test]
async fn operations_are_searched() -> TestResult {
    let setup = Setup::new().await?;
    let document = setup.json("operations --search orderbook").await?;
    golden_text("operations.json", &format!("{document:#}\n"))?;
    let run = setup
        .run("operations --api klear --csv --fields operation")
        .await?;
    assert_eq!(
        run.stdout.lines().count(),
        1 + kalshi_klear::operation::ALL.len()
    );
    Ok(())
}
