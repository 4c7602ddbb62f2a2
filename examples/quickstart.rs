//! First steps: lists markets, trades, places a resting order in an order group, and cleans up.
//!
//! By default it runs on a local exchange in this process, which checks signatures and keeps books and money. With `KALSHI_DEMO_API_KEY_ID`
//! and `KALSHI_DEMO_PRIVATE_KEY_PATH` set it only reads from the demo exchange.

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, Contracts,
    orders::{ChangeOutcome, OrderOutcome},
    types::{
        BookSide, CreateOrderV2Request, Market, MarketStatusQuery, SelfTradePreventionType,
        TimeInForce,
    },
};

/// Prints a line. Unlike `println!` it does not panic if the reader, such as `head`, has exited.
macro_rules! say {
    ($($text:tt)*) => { writeln!(io::stdout(), $($text)*)? };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match env::var_os("KALSHI_DEMO_API_KEY_ID") {
        Some(_) => demo().await,
        None => local().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprintln!("  caused by: {error}");
                source = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Returns `true` if the reader of the output has exited.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Runs all steps on a local exchange in this process.
async fn local() -> Result<(), Box<dyn Error>> {
    say!("No KALSHI_DEMO_API_KEY_ID is set: running on a local exchange in this process.");
    let exchange = MockExchange::start().await?;
    let client = exchange.client()?;
    let market = list_markets(&client)
        .await?
        .ok_or("the exchange has no market")?;
    read_balance(&client).await?;

    say!("\nPOST /portfolio/order_groups/create, at most 50 contracts in any 15 seconds:");
    let limit = Contracts::from(50);
    let group = client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(limit))
        .send()
        .await?;
    say!("  {}: group {}", group.status(), group.order_group_id);

    let best = market.yes_ask_dollars;
    say!(
        "\nPOST /portfolio/events/orders, 2 contracts of {} at {best}, in that group:",
        market.ticker
    );
    let order = CreateOrderV2Request::builder()
        .ticker(&market.ticker)
        .side(BookSide::Bid)
        .price(best)
        .count("2")
        .time_in_force(TimeInForce::ImmediateOrCancel)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
        .order_group_id(&group.order_group_id);
    match client.orders().place(order).await? {
        OrderOutcome::Placed(placed) => {
            let fee = placed.average_fee_paid.unwrap_or_default();
            say!("  filled {} for a fee of {fee} each", placed.fill_count);
        }
        other => say!("  {other:?}"),
    }

    let low = market.yes_bid_dollars;
    say!("\nPOST /portfolio/events/orders, 10 contracts at {low}, resting:");
    let order = CreateOrderV2Request::builder()
        .ticker(&market.ticker)
        .side(BookSide::Bid)
        .price(low)
        .count("10")
        .time_in_force(TimeInForce::GoodTillCanceled)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
        .post_only(true)
        .order_group_id(&group.order_group_id);
    if let OrderOutcome::Placed(placed) = client.orders().place(order).await? {
        let ahead = client
            .get_order_queue_position()
            .order_id(&placed.order_id)
            .send()
            .await?;
        say!(
            "  {} resting, {} contracts ahead in the queue",
            placed.remaining_count,
            ahead.queue_position_fp
        );
        if let ChangeOutcome::Done(cancelled) = client.orders().cancel(&placed).await? {
            say!("  cancelled {}", cancelled.reduced_by);
        }
    }

    say!("\nGET /portfolio/positions:");
    for position in &client.get_positions().send().await?.market_positions {
        let (ticker, held) = (&position.ticker, position.position_fp);
        say!(
            "  {ticker}: {held} contracts for {} dollars",
            position.market_exposure_dollars
        );
    }
    read_balance(&client).await?;

    say!("\nDELETE /portfolio/order_groups/{}:", group.order_group_id);
    let delete = || {
        client
            .delete_order_group()
            .order_group_id(&group.order_group_id)
            .send()
    };
    say!("  {}: the group is deleted", delete().await?.status());
    say!("\nDELETE again, which the exchange rejects:");
    match delete().await {
        Ok(_) => say!("  deleted"),
        Err(error) if error.is_not_found() => say!("  {error}"),
        Err(error) => return Err(error.into()),
    }
    say!(
        "\nThe exchange received {} requests and verified the signatures of those that need one.",
        exchange.requests().len()
    );
    Ok(())
}

/// Reads from the demo exchange.
async fn demo() -> Result<(), Box<dyn Error>> {
    say!("Reading from the demo exchange with the key that KALSHI_DEMO_API_KEY_ID names.");
    let client = Client::demo_from_env()?;
    list_markets(&client).await?;
    read_balance(&client).await?;
    say!("\nGET /portfolio/order_groups:");
    let groups = client.get_order_groups().send().await?;
    say!(
        "  {}: {} order groups",
        groups.status(),
        groups.order_groups.len()
    );
    Ok(())
}

async fn read_balance(client: &Client) -> Result<(), Box<dyn Error>> {
    say!("\nGET /portfolio/balance:");
    let balance = client.get_balance().send().await?;
    say!(
        "  {}: {} dollars",
        balance.status(),
        balance.balance_dollars
    );
    Ok(())
}

/// Lists a few markets and returns the first.
async fn list_markets(client: &Client) -> Result<Option<Market>, Box<dyn Error>> {
    say!("\nGET /markets, open markets:");
    let page = client
        .get_markets()
        .status(MarketStatusQuery::Open)
        .limit(5)
        .send()
        .await?;
    say!("  {}: {} markets", page.status(), page.markets.len());
    for market in &page.markets {
        say!(
            "  {:<28} bid {:>8}  ask {:>8}  volume {:>12}",
            market.ticker,
            market.yes_bid_dollars,
            market.yes_ask_dollars,
            market.volume_fp
        );
    }
    Ok(page.into_inner().markets.into_iter().next())
}
