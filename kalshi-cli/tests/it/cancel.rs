//! `kalshi cancel`: one by one and all at once.

use std::{error::Error, process::Stdio, time::Duration};

use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Dollars, OutcomeSide, operation,
    orders::{NewOrder, OrderOutcome},
    types::OrderStatus,
};

use crate::{
    harness::{Run, Setup, TestResult, golden},
    order::interrupt,
};

/// An exchange with three resting orders of the user, in the markets A, A and B.
async fn setup() -> Result<(Setup, Vec<String>), Box<dyn Error>> {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    let client = setup.exchange.client()?;
    let mut ids = Vec::new();
    for (market, cents) in [
        ("KXTEST-26-A", 30),
        ("KXTEST-26-A", 31),
        ("KXTEST-26-B", 32),
    ] {
        setup.exchange.market(market);
        let order = NewOrder::buy(market, OutcomeSide::Yes, Dollars::from_cents(cents), 10);
        match client.orders().place(order).await? {
            OrderOutcome::Placed(placed) => ids.push(placed.order_id.to_string()),
            other => return Err(format!("{other:?}").into()),
        }
    }
    setup.exchange.clear_requests();
    Ok((setup, ids))
}

fn resting(setup: &Setup) -> usize {
    let orders = setup.exchange.user().orders();
    orders
        .iter()
        .filter(|order| order.status == OrderStatus::Resting)
        .count()
}

#[tokio::test]
async fn second_cancel_of_an_order_reports_already_gone() -> TestResult {
    let (setup, ids) = setup().await?;
    let document = setup.json(&format!("cancel {} --yes", ids[0])).await?;
    golden("cancel", &document)?;
    assert_eq!(resting(&setup), 2);
    let document = setup.json(&format!("cancel {} --yes", ids[0])).await?;
    assert_eq!(document["cancels"][0]["outcome"], "already_gone");
    let run = setup
        .run("cancel 6a2f41a3-c54c-4a1c-9b5e-1f5ba5d1e5a7 --yes")
        .await?;
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    assert!(run.stdout.contains("rejected"), "{}", run.stdout);
    Ok(())
}

#[tokio::test]
async fn market_and_group_are_cancelled_one_by_one() -> TestResult {
    let (setup, _) = setup().await?;
    let document = setup.json("cancel --market KXTEST-26-A --yes").await?;
    assert_eq!(document["totals"]["cancelled"], 2);
    assert_eq!(resting(&setup), 1);
    let client = setup.exchange.client()?;
    let group = client
        .create_order_group()
        .body(kalshi_sdk::types::CreateOrderGroupRequest::builder().contracts_limit_fp(100));
    let group = group.send().await?.into_inner().order_group_id;
    let order = NewOrder::buy("KXTEST-26-B", OutcomeSide::No, Dollars::from_cents(20), 1);
    drop(client.orders().place(order.group(group.clone())).await?);
    let document = setup
        .json(&format!("cancel --all --group {group} --yes"))
        .await?;
    assert_eq!(document["totals"]["cancelled"], 1);
    assert_eq!(resting(&setup), 1);
    assert_eq!(setup.count(operation::CANCEL_ALL_ORDERS), 0);
    assert_eq!(setup.count(operation::CANCEL_ORDER_V2), 3);
    let document = setup.json("cancel --market KXTEST-26-A --yes").await?;
    assert_eq!(document["cancels"], serde_json::json!([]));
    Ok(())
}

/// A list that lags lacks the orders, or still has them.
#[tokio::test]
async fn orders_that_reads_do_not_show_yet_are_cancelled() -> TestResult {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    let fault = Fault::StaleReads(Duration::from_millis(700));
    setup.exchange.fault(fault);
    setup.exchange.market("KXTEST-26-A");
    let client = setup.exchange.client()?;
    let order = NewOrder::buy("KXTEST-26-A", OutcomeSide::Yes, Dollars::from_cents(30), 10);
    drop(client.orders().place(order).await?);
    let document = setup.json("cancel --market KXTEST-26-A --yes").await?;
    assert_eq!(document["totals"]["cancelled"], 1);
    assert_eq!(resting(&setup), 0);
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_secs(3_600)));
    // What is listed is cancelled again. If nothing is listed, nothing is sent.
    for (market, code) in [("A", 11), ("B", 1)] {
        let run = setup
            .run(&format!(
                "cancel --market KXTEST-26-{market} --yes --timeout 1s"
            ))
            .await?;
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(run.stderr.contains("not up to date"), "{}", run.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn listed_orders_are_cancelled_although_reads_are_not_proven_up_to_date() -> TestResult {
    let (setup, _) = setup().await?;
    let client = setup.exchange.client()?;
    let group = client
        .create_order_group()
        .body(kalshi_sdk::types::CreateOrderGroupRequest::builder().contracts_limit_fp(100));
    let group = group.send().await?.into_inner().order_group_id;
    let order = NewOrder::buy("KXTEST-26-B", OutcomeSide::No, Dollars::from_cents(20), 1);
    drop(client.orders().place(order.group(group.clone())).await?);
    for operation in [
        operation::GET_USER_DATA_TIMESTAMP,
        operation::GET_ORDER_GROUP,
    ] {
        setup.exchange.fault(Fault::Html(403).on(operation));
    }
    for (filter, left) in [
        ("--market KXTEST-26-A".to_owned(), 2),
        (format!("--group {group}"), 1),
    ] {
        let run = setup
            .run(&format!("cancel {filter} --yes --timeout 1s"))
            .await?;
        assert_eq!(run.code, Some(11), "{}", run.stderr);
        assert!(
            run.stderr.contains("other orders may rest"),
            "{}",
            run.stderr
        );
        assert_eq!(resting(&setup), left);
    }
    Ok(())
}

/// The exchange looks for an order in the primary account unless a cancel names its subaccount.
#[tokio::test]
async fn orders_that_only_their_group_shows_are_cancelled_in_its_subaccount() -> TestResult {
    let (setup, _) = setup().await?;
    let client = setup.exchange.client()?;
    let number = client.create_subaccount().send().await?.subaccount_number;
    let transfer = kalshi_sdk::types::ApplySubaccountTransferRequest::builder()
        .amount_cents(1_000)
        .client_transfer_id("3b241101-e2bb-4255-8caf-4136c566a962")
        .from_subaccount(0)
        .to_subaccount(number);
    client
        .apply_subaccount_transfer()
        .body(transfer)
        .send()
        .await?;
    let group = kalshi_sdk::types::CreateOrderGroupRequest::builder()
        .contracts_limit_fp(100)
        .subaccount(number);
    let group = client.create_order_group().body(group).send().await?;
    let group = group.into_inner().order_group_id;
    let order = NewOrder::buy("KXTEST-26-B", OutcomeSide::Yes, Dollars::from_cents(20), 1);
    let order = order.group(group.clone()).subaccount(number);
    drop(client.orders().place(order).await?);
    setup
        .exchange
        .fault(Fault::Html(403).on(operation::GET_ORDERS));
    let arguments = format!("cancel --group {group} --subaccount {number} --timeout 1s");
    let run = setup.run(&format!("{arguments} --dry-run")).await?;
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(resting(&setup), 4);
    let run = setup.run(&format!("{arguments} --yes")).await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert_eq!(resting(&setup), 3);
    Ok(())
}

#[tokio::test]
async fn lost_cancels_are_reconciled_and_not_sent_twice() -> TestResult {
    for (fault, code, outcome) in [
        (Fault::DropAfter, 0, "cancelled"),
        (Fault::ServerErrorAfter(503), 0, "cancelled"),
        (Fault::DropBefore, 10, "rejected"),
    ] {
        let (setup, ids) = setup().await?;
        setup
            .exchange
            .fault(fault.clone().on(operation::CANCEL_ORDER_V2));
        let run = setup
            .run(&format!("cancel {} --yes --json", ids[0]))
            .await?;
        assert_eq!(run.code, Some(code), "{fault:?}: {}", run.stderr);
        let document = run.document()?;
        assert_eq!(document["cancels"][0]["outcome"], outcome, "{fault:?}");
        assert_eq!(setup.count(operation::CANCEL_ORDER_V2), 1, "{fault:?}");
    }
    let (setup, ids) = setup().await?;
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_secs(3_600)));
    setup
        .exchange
        .fault(Fault::DropBefore.on(operation::CANCEL_ORDER_V2));
    let run = setup
        .run(&format!("cancel {} --yes --timeout 1s --json", ids[0]))
        .await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert_eq!(run.document()?["cancels"][0]["outcome"], "unknown");
    assert_eq!(setup.count(operation::CANCEL_ORDER_V2), 1);
    Ok(())
}

#[tokio::test]
async fn cancel_all_sends_one_request_and_warns() -> TestResult {
    let (setup, _) = setup().await?;
    let run = setup.run("cancel --all --yes --json").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("within the next minute"),
        "{}",
        run.stderr
    );
    golden("cancel_all", &run.document()?)?;
    assert_eq!(resting(&setup), 0);
    assert_eq!(setup.count(operation::CANCEL_ALL_ORDERS), 1);
    assert_eq!(setup.count(operation::CANCEL_ORDER_V2), 0);
    Ok(())
}

#[tokio::test]
async fn cancel_all_is_limited_to_a_subaccount() -> TestResult {
    let (setup, _) = setup().await?;
    let client = setup.exchange.client()?;
    let number = client.create_subaccount().send().await?.subaccount_number;
    let document = setup
        .json(&format!("cancel --all --subaccount {number} --yes"))
        .await?;
    assert_eq!(document["outcome"]["listed"], 0);
    assert_eq!(resting(&setup), 3);
    let requests = setup.exchange.requests_to(operation::CANCEL_ALL_ORDERS);
    assert_eq!(requests[0].query, format!("subaccount={number}"));
    Ok(())
}

#[tokio::test]
async fn lost_cancel_all_is_resolved_by_reads() -> TestResult {
    let (setup, _) = setup().await?;
    setup
        .exchange
        .fault(Fault::DropAfter.on(operation::CANCEL_ALL_ORDERS));
    let run = setup.run("cancel --all --yes --json").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.document()?["outcome"]["outcome"], "cancelled");
    assert_eq!(setup.count(operation::CANCEL_ALL_ORDERS), 1);

    let (setup, _) = self::setup().await?;
    setup
        .exchange
        .fault(Fault::DropBefore.on(operation::CANCEL_ALL_ORDERS));
    // Enough for a read, which takes at least a second, on a busy machine.
    let run = setup.run("cancel --all --yes --json --timeout 4s").await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    let document = run.document()?;
    assert_eq!(document["outcome"]["left"], 3);
    assert_eq!(document["orders"].as_array().map(Vec::len), Some(3));
    assert_eq!(setup.count(operation::CANCEL_ALL_ORDERS), 1);

    // An empty list of stale reads proves nothing.
    let (setup, _) = self::setup().await?;
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_secs(3_600)));
    let run = setup.run("cancel --all --yes --json --timeout 2s").await?;
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    let document = run.document()?;
    assert!(document["outcome"]["left"].is_null());
    assert!(document["orders"].is_null());
    assert_eq!(resting(&setup), 0);
    Ok(())
}

#[tokio::test]
async fn cancels_of_which_one_was_not_sent_exit_with_10() -> TestResult {
    let (setup, ids) = setup().await?;
    // As many as the client sends before it gives up.
    let rejected = Fault::TooManyRequests.on(operation::CANCEL_ORDER_V2);
    setup.exchange.fault(rejected.times(3));
    let run = setup
        .run(&format!("cancel {} {} --yes --json", ids[0], ids[1]))
        .await?;
    let document = run.document()?;
    let outcomes = [0, 1].map(|index| &document["cancels"][index]["outcome"]);
    assert_eq!(outcomes, ["not_sent", "cancelled"]);
    assert_eq!(run.code, Some(10), "{}", run.stderr);

    setup
        .exchange
        .fault(Fault::TooManyRequests.on(operation::CANCEL_ORDER_V2));
    let run = setup
        .run(&format!("cancel {} --yes --json", ids[0]))
        .await?;
    assert_eq!(run.document()?["cancels"][0]["outcome"], "not_sent");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn interrupted_cancels_report_which_were_not_sent() -> TestResult {
    let (setup, ids) = setup().await?;
    let slow = Fault::Latency(Duration::from_secs(30));
    setup.exchange.fault(slow.on(operation::CANCEL_ORDER_V2));
    let child = setup
        .command(&format!("cancel {} --yes --json", ids.join(" ")))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    while resting(&setup) == 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    interrupt(child.id().ok_or("a process")?)?;
    let output = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await??;
    assert_eq!(output.status.code(), Some(11));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let outcomes: Vec<_> = (0..3)
        .map(|index| &document["cancels"][index]["outcome"])
        .collect();
    assert_eq!(outcomes, ["unknown", "not_sent", "not_sent"]);
    assert_eq!(resting(&setup), 2);
    Ok(())
}

#[tokio::test]
async fn nothing_is_cancelled_without_consent() -> TestResult {
    let (setup, ids) = setup().await?;
    for arguments in [
        &*format!("cancel {}", ids[0]),
        "cancel --all",
        "cancel --market KXTEST-26-A",
    ] {
        let run = setup.run(arguments).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains("pass --yes"), "{}", run.stderr);
        let document = setup.json(&format!("{arguments} --dry-run")).await?;
        let requests = document["requests"].as_array().ok_or("a list")?;
        assert!(!requests.is_empty());
        assert_eq!(requests[0]["method"], "DELETE");
    }
    assert_eq!(resting(&setup), 3);
    let run = setup.run("cancel --yes").await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    Ok(())
}

/// A variable that is unset in a script must not widen what is done.
#[tokio::test]
async fn empty_arguments_are_rejected() -> TestResult {
    let (setup, _) = setup().await?;
    for arguments in [
        "cancel --market= --yes",
        "cancel --group= --yes",
        "cancel --all --subaccount=-1 --yes",
        "order buy yes KXTEST-26-A 1 @ 0.45 --group= --yes",
        "order buy yes KXTEST-26-A 1 @ 0.45 --client-order-id= --yes",
        "order buy yes KXTEST-26-A 1 @ 0.45 --subaccount=-1 --yes",
        "order buy yes KXTEST-26-A 90000000000000 @ 0.45 --yes",
        "--mock --yes guard --group= -- true",
    ] {
        let run = setup.run(arguments).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
    }
    let mut cancel = setup.command("cancel --yes");
    cancel.arg("");
    assert_eq!(Run::capture(cancel).await?.code, Some(2));
    assert_eq!(resting(&setup), 3);
    assert!(setup.exchange.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn id_that_is_given_twice_is_cancelled_once() -> TestResult {
    let (setup, ids) = setup().await?;
    let id = &ids[0];
    let document = setup.json(&format!("cancel {id} {id} --yes")).await?;
    assert_eq!(document["totals"]["cancelled"], 1);
    assert_eq!(document["totals"]["already_gone"], 0);
    assert_eq!(setup.count(operation::CANCEL_ORDER_V2), 1);
    Ok(())
}

/// The orders are read only to show them.
#[tokio::test]
async fn cancels_are_sent_although_reads_fail() -> TestResult {
    let (setup, ids) = setup().await?;
    setup
        .exchange
        .fault(Fault::ServerError(503).on(operation::GET_ORDER));
    let document = setup
        .json(&format!("cancel {} {} --yes", ids[0], ids[1]))
        .await?;
    assert_eq!(document["totals"]["cancelled"], 2);
    for fault in [
        Fault::MissingField("order_id".to_owned()),
        Fault::ServerError(503),
    ] {
        setup.exchange.clear_faults();
        setup.exchange.clear_requests();
        setup.exchange.fault(fault.on(operation::GET_ORDERS));
        let run = setup.run("cancel --all --yes --timeout 1s --json").await?;
        assert_eq!(
            setup.count(operation::CANCEL_ALL_ORDERS),
            1,
            "{}",
            run.stderr
        );
        assert!(run.document()?["outcome"]["listed"].is_null());
        assert!(
            run.stderr.contains("cannot list the orders"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(resting(&setup), 0);
    Ok(())
}

#[tokio::test]
async fn unknown_outcomes_do_not_delay_other_cancels() -> TestResult {
    let (setup, ids) = setup().await?;
    for fault in [Fault::DropAfter, Fault::Latency(Duration::from_secs(30))] {
        setup.exchange.clear_requests();
        setup
            .exchange
            .fault(fault.clone().on(operation::CANCEL_ORDER_V2));
        // The orders cannot be read.
        setup
            .exchange
            .fault(Fault::ServerError(503).on(operation::GET_USER_DATA_TIMESTAMP));
        let mut cancel = setup
            .command(&format!("cancel {} --yes", ids.join(" ")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let all_sent = async {
            while setup.count(operation::CANCEL_ORDER_V2) < 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let is_sent = tokio::time::timeout(Duration::from_secs(10), all_sent).await;
        assert!(is_sent.is_ok(), "{fault:?}");
        cancel.kill().await?;
        setup.exchange.clear_faults();
    }
    Ok(())
}

#[tokio::test]
async fn fields_that_csv_lacks_are_rejected_before_cancels() -> TestResult {
    let (setup, ids) = setup().await?;
    for arguments in [
        &*format!("cancel {} --fields not_sent --yes", ids[0]),
        "cancel --all --fields ticker --yes",
        "orders --fields fees",
    ] {
        let run = setup.run(&format!("{arguments} --csv")).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains("there is no field"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert_eq!(resting(&setup), 3);
    Ok(())
}
