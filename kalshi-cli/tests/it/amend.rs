//! `kalshi amend`: changes, rejections, and lost responses.

use std::{error::Error, time::Duration};

use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Dollars, OutcomeSide, operation,
    orders::{NewOrder, OrderOutcome},
};

use crate::harness::{Setup, TestResult, golden};

/// An exchange with a resting order of the user that sells YES at 60 cents: it buys NO at 40 cents.
async fn setup() -> Result<(Setup, String), Box<dyn Error>> {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    setup.exchange.market("KXTEST-26-A");
    let order = NewOrder::sell("KXTEST-26-A", OutcomeSide::Yes, Dollars::from_cents(60), 10);
    match setup.exchange.client()?.orders().place(order).await? {
        OrderOutcome::Placed(placed) => Ok((setup, placed.order_id.to_string())),
        other => Err(format!("{other:?}").into()),
    }
}

fn price_and_count(setup: &Setup) -> (String, String) {
    let order = &setup.exchange.user().orders()[0];
    (
        order.yes_price_dollars.to_string(),
        order.remaining_count_fp.to_string(),
    )
}

fn pair(price: &str, count: &str) -> (String, String) {
    (price.to_owned(), count.to_owned())
}

#[tokio::test]
async fn price_is_named_by_its_outcome() -> TestResult {
    let (setup, id) = setup().await?;
    let document = setup
        .json(&format!("amend {id} --no-price 41c --yes"))
        .await?;
    golden("amend", &document)?;
    assert_eq!(price_and_count(&setup), pair("0.5900", "10.00"));
    setup
        .json(&format!("amend {id} --yes-price 0.61 --count 7 --yes"))
        .await?;
    assert_eq!(price_and_count(&setup), pair("0.6100", "7.00"));
    assert_eq!(setup.count(operation::AMEND_ORDER_V2), 2);
    Ok(())
}

#[tokio::test]
async fn expiry_is_set_and_removed() -> TestResult {
    let (setup, id) = setup().await?;
    setup
        .json(&format!("amend {id} --expires 1h --yes"))
        .await?;
    assert!(setup.exchange.user().orders()[0].expiration_time.is_some());
    setup.json(&format!("amend {id} --no-expiry --yes")).await?;
    assert!(setup.exchange.user().orders()[0].expiration_time.is_none());
    assert_eq!(price_and_count(&setup), pair("0.6000", "10.00"));
    Ok(())
}

#[tokio::test]
async fn invalid_changes_are_not_sent() -> TestResult {
    let (setup, id) = setup().await?;
    for (arguments, message) in [
        (
            "--no-price 40.5c --yes",
            "the NO price 0.4050 is not on the market's price grid; the nearest valid prices are 0.4000 and 0.4100",
        ),
        (
            "--yes-price 0.605 --yes",
            "the YES price 0.6050 is not on the market's price grid; the nearest valid prices are 0.6000 and 0.6100",
        ),
        ("--yes-price 60 --yes", "ambiguous"),
        (
            "--yes-price 0.6 --no-price 0.4 --yes",
            "cannot be used with",
        ),
        ("--yes", "required"),
        ("--count 5", "pass --yes"),
    ] {
        let run = setup.run(&format!("amend {id} {arguments}")).await?;
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{arguments}: {}", run.stderr);
    }
    let document = setup
        .json(&format!("amend {id} --count 5 --dry-run"))
        .await?;
    assert_eq!(document["requests"][0]["operation"], "AmendOrderV2");
    assert_eq!(document["preview"]["new_count"], "5.00");
    assert_eq!(setup.count(operation::AMEND_ORDER_V2), 0);
    Ok(())
}

#[tokio::test]
async fn ended_order_is_not_amended() -> TestResult {
    let (setup, id) = setup().await?;
    let outcome = setup.exchange.client()?.orders().cancel(&*id).await?;
    drop(outcome);
    let run = setup
        .run(&format!("amend {id} --count 5 --yes --json"))
        .await?;
    assert_eq!(run.code, Some(10), "{}", run.stderr);
    assert_eq!(run.document()?["outcome"]["outcome"], "already_gone");
    Ok(())
}

#[tokio::test]
async fn lost_responses_are_reconciled_and_nothing_is_sent_twice() -> TestResult {
    for (fault, code, outcome) in [
        (Fault::DropAfter, 0, "amended"),
        (Fault::ServerErrorAfter(503), 0, "amended"),
        (Fault::DropBefore, 10, "not_amended"),
    ] {
        let (setup, id) = setup().await?;
        setup
            .exchange
            .fault(fault.clone().on(operation::AMEND_ORDER_V2));
        let run = setup
            .run(&format!("amend {id} --yes-price 0.62 --yes --json"))
            .await?;
        assert_eq!(run.code, Some(code), "{fault:?}: {}", run.stderr);
        assert_eq!(run.document()?["outcome"]["outcome"], outcome, "{fault:?}");
        assert_eq!(setup.count(operation::AMEND_ORDER_V2), 1, "{fault:?}");
    }
    let (setup, id) = setup().await?;
    setup
        .exchange
        .fault(Fault::DropAfter.on(operation::AMEND_ORDER_V2));
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    setup
        .exchange
        .fault(Fault::StaleReads(Duration::from_secs(2)));
    let run = setup
        .run(&format!(
            "amend {id} --yes-price 0.62 --count 10 --yes --json --timeout 1s"
        ))
        .await?;
    // Reads that show the order without the change prove nothing.
    assert_eq!(run.code, Some(11), "{}", run.stderr);
    assert_eq!(setup.count(operation::AMEND_ORDER_V2), 1);
    Ok(())
}

#[tokio::test]
async fn size_of_an_earlier_change_stays() -> TestResult {
    let (setup, id) = setup().await?;
    setup.json(&format!("amend {id} --count 7 --yes")).await?;
    // The order was placed with 10, and rests with 7.
    let document = setup
        .json(&format!("amend {id} --no-price 41c --yes"))
        .await?;
    assert_eq!(document["preview"]["count"], "7.00");
    assert_eq!(document["preview"]["new_count"], "7.00");
    assert_eq!(price_and_count(&setup), pair("0.5900", "7.00"));
    let client = setup.exchange.client()?;
    let decrease = kalshi_sdk::types::DecreaseOrderV2Request::builder().reduce_to(3);
    client
        .decrease_order_v2()
        .order_id(&id)
        .body(decrease)
        .send()
        .await?;
    setup
        .json(&format!("amend {id} --expires 1h --yes"))
        .await?;
    assert_eq!(price_and_count(&setup), pair("0.5900", "3.00"));
    Ok(())
}

/// Reads that lag show the order as it was before the last change.
#[tokio::test]
async fn terms_of_an_earlier_change_are_kept_while_reads_lag() -> TestResult {
    for (first, second, result) in [
        ("--count 4", "--no-price 41c", pair("0.5900", "4.00")),
        ("--yes-price 0.61", "--count 4", pair("0.6100", "4.00")),
    ] {
        let (setup, id) = setup().await?;
        setup
            .exchange
            .fault(Fault::StaleReads(Duration::from_millis(1_500)));
        for change in [first, second] {
            setup.json(&format!("amend {id} {change} --yes")).await?;
        }
        assert_eq!(price_and_count(&setup), result, "{first} {second}");
    }
    Ok(())
}

#[tokio::test]
async fn terms_are_not_taken_from_reads_that_are_out_of_date() -> TestResult {
    let (setup, id) = setup().await?;
    let lag = Fault::StaleReads(Duration::from_secs(3_600));
    setup
        .exchange
        .fault(lag.on(operation::GET_USER_DATA_TIMESTAMP));
    for change in ["--count 4", "--no-price 41c", "--expires 1h"] {
        let run = setup
            .run(&format!("amend {id} {change} --yes --timeout 1s"))
            .await?;
        assert_eq!(run.code, Some(1), "{change}: {}", run.stderr);
        assert!(
            run.stderr.contains("name a price and --count"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(setup.count(operation::AMEND_ORDER_V2), 0);
    // Nothing is taken from the reads.
    setup
        .json(&format!("amend {id} --count 4 --no-price 41c --yes"))
        .await?;
    assert_eq!(price_and_count(&setup), pair("0.5900", "4.00"));
    Ok(())
}
