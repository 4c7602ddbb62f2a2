//! `kalshi markets`, `--fields` and `--mock`.

use kalshi_sdk::Dollars;

use crate::harness::{Setup, TestResult};

#[tokio::test]
async fn markets_are_listed_with_exact_prices() -> TestResult {
    let setup = Setup::new().await?;
    setup
        .exchange
        .market("KXTEST-26-A")
        .bid(Dollars::from_cents(41), 10)
        .ask(Dollars::from_cents(43), 5);
    let document = setup.json("markets KXTEST-26").await?;
    assert_eq!(document["version"], 1);
    let markets = document["markets"].as_array().ok_or("a list")?;
    assert_eq!(markets.len(), 1);
    assert_eq!(markets[0]["ticker"], "KXTEST-26-A");
    assert_eq!(markets[0]["yes_bid"], "0.4100");
    Ok(())
}

#[tokio::test]
async fn unknown_fields_are_a_usage_error_that_names_the_known_ones() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("markets --fields ticker,prize").await?;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("there is no field \"prize\"; fields are: close_time, status"),
        "{}",
        run.stderr
    );
    let run = setup
        .run("markets --fields volume,ticker --csv --limit 1")
        .await?;
    assert!(run.stdout.starts_with("volume,ticker\n"), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 2);
    Ok(())
}

#[tokio::test]
async fn mock_needs_no_account() -> TestResult {
    let run =
        crate::harness::Run::capture(crate::harness::program("--mock balance --json")).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let document: serde_json::Value = serde_json::from_str(&run.stdout)?;
    assert_eq!(document["balance"]["cash"], "10000.0000");
    Ok(())
}
