//! `kalshi balance`, `positions`, `orders`, `fills` and `settlements`.

use std::error::Error;

use kalshi_mock::{MockExchange, Settlement};
use kalshi_sdk::{Dollars, OutcomeSide, orders::NewOrder};

use crate::harness::{Setup, TestResult, golden};

/// An exchange on which the user has 4 YES in market A, 5 NO in market B, a resting order, and a settled market.
async fn setup() -> Result<Setup, Box<dyn Error>> {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    let client = setup.exchange.client()?;
    let cents = Dollars::from_cents;
    let buy = async |market: &str, outcome, price, count: i32| -> TestResult {
        let order = NewOrder::buy(market, outcome, price, count);
        drop(client.orders().place(order).await?);
        Ok(())
    };
    let book = |market: &str| {
        let market = setup.exchange.market(market);
        market.bid(cents(40), 20).ask(cents(45), 20)
    };
    book("KXTEST-26-A");
    book("KXOTHER-26-B");
    book("KXTEST-26-C");
    buy("KXTEST-26-A", OutcomeSide::Yes, cents(45), 4).await?;
    buy("KXOTHER-26-B", OutcomeSide::No, cents(60), 5).await?;
    buy("KXTEST-26-C", OutcomeSide::Yes, cents(45), 2).await?;
    buy("KXTEST-26-A", OutcomeSide::No, cents(50), 3).await?;
    setup.exchange.market("KXTEST-26-C").settle(Settlement::Yes);
    Ok(setup)
}

#[tokio::test]
async fn balance_has_cash_value_and_shards() -> TestResult {
    let setup = setup().await?;
    golden("balance", &setup.json("balance").await?)?;
    golden("balance_all", &setup.json("balance --all").await?)
}

#[tokio::test]
async fn positions_are_marked_to_the_book() -> TestResult {
    let setup = setup().await?;
    let document = setup.json("positions").await?;
    golden("positions", &document)?;
    // 4 YES at the bid of 40 cents; 5 NO at one dollar less the ask of 45 cents.
    assert_eq!(document["positions"][0]["value"], "1.6000");
    assert_eq!(document["positions"][1]["value"], "2.7500");
    assert_eq!(document["totals"]["value"], "4.3500");
    let document = setup.json("positions --event KXOTHER-26").await?;
    assert_eq!(document["positions"].as_array().map(Vec::len), Some(1));
    let document = setup.json("positions --status all --closed").await?;
    assert_eq!(document["positions"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test]
async fn worthless_positions_count_in_the_totals() -> TestResult {
    let setup = setup().await?;
    setup.exchange.market("KXTEST-26-A").clear();
    let document = setup.json("positions").await?;
    assert_eq!(document["positions"][0]["mark"], "0.0000");
    assert_eq!(document["positions"][0]["unrealized_profit"], "-1.8000");
    Ok(())
}

#[tokio::test]
async fn orders_lists_resting_orders_by_default() -> TestResult {
    let setup = setup().await?;
    golden("orders", &setup.json("orders").await?)?;
    for (arguments, count) in [
        ("orders --status any", 4),
        ("orders --status executed", 3),
        ("orders --status any --ticker KXTEST-26-A", 2),
        ("orders --status any --event KXOTHER-26", 1),
        ("orders --status any --since 1h", 4),
        ("orders --status any --since 2099-01-01", 0),
        ("orders --subaccount 0", 1),
    ] {
        let document = setup.json(arguments).await?;
        let orders = document["orders"].as_array().ok_or("a list")?;
        assert_eq!(orders.len(), count, "{arguments}");
    }
    Ok(())
}

#[tokio::test]
async fn fills_show_the_outcome_bought() -> TestResult {
    let setup = setup().await?;
    golden("fills", &setup.json("fills").await?)?;
    for (arguments, count) in [
        ("fills --ticker KXTEST-26-A", 1),
        ("fills --event KXTEST-26", 2),
        ("fills --since 1h", 3),
    ] {
        let document = setup.json(arguments).await?;
        let fills = document["fills"].as_array().ok_or("a list")?;
        assert_eq!(fills.len(), count, "{arguments}");
    }
    let run = setup.run("fills --event KXNONE").await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn settlements_include_the_profit() -> TestResult {
    let setup = setup().await?;
    golden("settlements", &setup.json("settlements").await?)?;
    let document = setup.json("settlements --event KXOTHER-26").await?;
    assert_eq!(document["settlements"], serde_json::json!([]));
    Ok(())
}

#[tokio::test]
async fn truncated_lists_note_that_there_are_more() -> TestResult {
    let setup = setup().await?;
    let run = setup.run("fills --limit 2").await?;
    assert!(
        run.stderr.contains("there are more fills: pass --all"),
        "{}",
        run.stderr
    );
    let run = setup.run("fills --limit 3").await?;
    assert_eq!(run.stderr, "");
    let document = setup.json("fills --all").await?;
    assert_eq!(document["totals"]["count"], "11.00");
    Ok(())
}

#[tokio::test]
async fn first_part_is_printed_as_comma_separated_values() -> TestResult {
    let setup = setup().await?;
    let run = setup
        .run("positions --csv --fields ticker,count,unrealized_profit")
        .await?;
    assert_eq!(
        run.stdout,
        "ticker,count,unrealized_profit\nKXTEST-26-A,4.00,-0.2000\nKXOTHER-26-B,5.00,-0.2500\n"
    );
    Ok(())
}

#[tokio::test]
async fn since_out_of_range_is_a_usage_error() -> TestResult {
    let setup = Setup::new().await?;
    for command in ["orders", "fills", "settlements"] {
        let run = setup.run(&format!("{command} --since 9999999999d")).await?;
        assert_eq!(run.code, Some(2), "{command}: {}", run.stdout);
    }
    Ok(())
}
