//! Commands that show market data: markets, events, series, market, book, candles, trades; and `--fields`.

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Dollars, OutcomeSide, operation,
    orders::{NewOrder, OrderOutcome},
};

use crate::harness::{Run, Setup, TestResult, golden, program};

const TICKER: &str = "KXTEST-26-A";
/// Time of the exchange's clock.
const NOW: &str = "2026-11-28T10:00:00Z";

/// An exchange with a stopped clock.
async fn setup_with_stopped_clock() -> Result<Setup, Box<dyn std::error::Error>> {
    let builder = MockExchange::builder().seed(7).time(NOW.parse()?);
    let setup = Setup::with(builder.without_limits()).await?;
    setup.exchange.time().stop();
    Ok(setup)
}

/// An exchange with a stopped clock, and a market with a book and a trade.
async fn setup_with_trade() -> Result<Setup, Box<dyn std::error::Error>> {
    let setup = setup_with_stopped_clock().await?;
    setup
        .exchange
        .market(TICKER)
        .bid(Dollars::from_cents(41), 10)
        .bid(Dollars::from_cents(40), 20)
        .ask(Dollars::from_cents(43), 5)
        .ask(Dollars::from_cents(44), 6);
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(43), 3);
    let outcome = setup.exchange.client()?.orders().place(order).await?;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    Ok(setup)
}

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
async fn markets_are_searched_and_filtered() -> TestResult {
    let setup = setup_with_stopped_clock().await?;
    golden(
        "markets",
        &setup.json("markets --series KXBTCD --status any").await?,
    )?;
    let none = setup.json("markets nothing-like-this").await?;
    assert_eq!(none["markets"].as_array().map(Vec::len), Some(0));
    Ok(())
}

#[tokio::test]
async fn events_are_searched_and_filtered() -> TestResult {
    let setup = setup_with_stopped_clock().await?;
    golden("events", &setup.json("events").await?)?;
    let settled = setup.json("events KXBTCD --status settled").await?;
    let events = settled["events"].as_array().ok_or("a list")?;
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event["series"], "KXBTCD");
    }
    let one = setup.json("events --status any --limit 1").await?;
    assert_eq!(one["events"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn series_are_searched() -> TestResult {
    let setup = setup_with_stopped_clock().await?;
    golden("series", &setup.json("series").await?)?;
    let one = setup.json("series kxbtcd").await?;
    assert_eq!(one["series"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn all_reads_every_page() -> TestResult {
    let setup = Setup::with(MockExchange::builder().seed(7).without_markets()).await?;
    for index in 0..1_050 {
        setup.exchange.market(&format!("KXTEST-26-{index}"));
    }
    let all = setup.json("markets --all").await?;
    assert_eq!(all["markets"].as_array().map(Vec::len), Some(1_050));
    assert!(setup.count(operation::GET_MARKETS) > 1);
    Ok(())
}

#[tokio::test]
async fn market_has_quotes_event_and_rules() -> TestResult {
    let setup = setup_with_trade().await?;
    golden("market", &setup.json(&format!("market {TICKER}")).await?)
}

#[tokio::test]
async fn unknown_market_is_an_error() -> TestResult {
    let setup = setup_with_stopped_clock().await?;
    let run = setup.run("market KXNONE").await?;
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("404"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn book_shows_levels_with_totals_up_to_a_depth() -> TestResult {
    let setup = setup_with_trade().await?;
    golden("book", &setup.json(&format!("book {TICKER}")).await?)?;
    let best = setup.run(&format!("book {TICKER} --depth 1 --csv")).await?;
    assert_eq!(
        best.stdout,
        format!(
            "market_ticker,side,yes_price,count,total\n\
             {TICKER},ask,0.4300,2.00,2.00\n\
             {TICKER},bid,0.4100,10.00,10.00\n"
        )
    );
    Ok(())
}

#[tokio::test]
async fn trades_are_listed_latest_first() -> TestResult {
    let setup = setup_with_trade().await?;
    let document = setup.json(&format!("trades {TICKER}")).await?;
    golden("trades", &document)?;
    assert_eq!(document["trades"][0]["time"], NOW);
    let none = setup
        .json(&format!("trades {TICKER} --since 2026-11-29"))
        .await?;
    assert_eq!(none["trades"].as_array().map(Vec::len), Some(0));
    Ok(())
}

#[tokio::test]
async fn candles_are_drawn_or_listed() -> TestResult {
    let setup = setup_with_trade().await?;
    let range = "--period 1m --since 2026-11-28T09:50:00Z --until 2026-11-28T10:10:00Z";
    let document = setup.json(&format!("candles {TICKER} {range}")).await?;
    golden("candles", &document)?;
    assert_eq!(document["candles"][0]["end_time"], "2026-11-28T10:01:00Z");
    let run = setup
        .run(&format!("candles {TICKER} {range} --csv"))
        .await?;
    assert!(
        run.stdout.starts_with("end_time,open,high,low,close"),
        "{}",
        run.stdout
    );
    let run = setup
        .run(&format!("candles {TICKER} {range} --height 4"))
        .await?;
    assert_eq!(run.stdout.lines().count(), 6, "{}", run.stdout);
    let is_braille = |c: char| ('\u{2800}'..='\u{28ff}').contains(&c);
    assert!(run.stdout.contains(is_braille), "{}", run.stdout);
    let run = setup
        .run(&format!("candles {TICKER} --since yesterday"))
        .await?;
    assert_eq!(run.code, Some(2));
    Ok(())
}

#[tokio::test]
async fn control_characters_of_tickers_are_not_printed() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXEVIL-26-\u{1b}[2J\u{9b}A");
    for command in [
        "markets KXEVIL",
        "markets KXEVIL --json",
        "markets KXEVIL --csv",
    ] {
        let run = setup.run(command).await?;
        assert!(
            run.stdout.contains("KXEVIL-26-\u{fffd}[2J\u{fffd}A"),
            "{command}: {}",
            run.stdout
        );
        assert!(
            !run.stdout.contains(|c: char| c.is_control() && c != '\n'),
            "{command}"
        );
    }
    let run = setup.run("market KXEVIL-26-\u{1b}[2J").await?;
    assert!(!run.stderr.contains('\u{1b}'), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn candles_before_the_earliest_time_are_a_usage_error() -> TestResult {
    let run = Run::capture(program("--mock candles KXTEST-26-A --until=-262143-01-01")).await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("--until is out of range"),
        "{}",
        run.stderr
    );
    Ok(())
}
