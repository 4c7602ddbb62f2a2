//! Trades perpetual futures on a local exchange: `cargo run -p kalshi-perps --example quickstart`.
//!
//! Lists markets, reads an order book, places, amends and cancels an order, trades once, and prints position, margin and funding.

use std::{error::Error, fmt::Display};

use kalshi_mock::MockExchange;
use kalshi_perps::{
    Client, Dollars,
    orders::{Amendment, ChangeOutcome, NewOrder, OrderOutcome},
    ws::OrderBook,
};

const TICKER: &str = "KXBTCPERP";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A local exchange with a few margin markets. `Client::demo_from_env()` returns a client of the demo exchange instead.
    let exchange = MockExchange::start().await?;
    let client = exchange.perps_client()?;

    for market in &client.get_margin_markets().send().await?.markets {
        println!(
            "{:<10} {:<11} last {}",
            market.ticker,
            market.title,
            shown(market.price)
        );
    }
    let response = client.get_margin_market_orderbook().ticker(TICKER);
    let book = OrderBook::from(&response.send().await?.orderbook);
    let bid = book.best_bid().ok_or("no bids")?.price;
    let ask = book.best_ask().ok_or("no asks")?.price;
    println!("\n{TICKER}: best bid {bid}, best ask {ask}");

    // An order below the best bid rests.
    let tick = Dollars::from_micros(100);
    let order = NewOrder::buy(TICKER, bid - tick, 2).post_only();
    match client.orders().place(order).await? {
        OrderOutcome::Placed(placed) => {
            println!(
                "placed {}: {} contracts at {}",
                placed.order_id, placed.remaining_count, placed.price
            );
            let amendment = Amendment::buy(bid - tick - tick, 2);
            let amended = client.orders().amend(&placed, amendment).await?;
            println!("amended: {}", matches!(amended, ChangeOutcome::Done(_)));
            if let ChangeOutcome::Done(cancelled) = client.orders().cancel(&placed).await? {
                println!("cancelled {} contracts", cancelled.reduced_by);
            }
        }
        other => println!("rejected or unknown: {other:?}"),
    }

    // An order at the best ask trades immediately.
    let order = NewOrder::buy(TICKER, ask, 1).immediate_or_cancel();
    if let OrderOutcome::Placed(bought) = client.orders().place(order).await? {
        println!(
            "bought {} at {}",
            bought.fill_count,
            shown(bought.average_fill_price)
        );
    }

    print_account(&client).await
}

/// Formats a value, or `-` if the exchange omits it.
fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Prints positions, margin and funding.
async fn print_account(client: &Client) -> Result<(), Box<dyn Error>> {
    for position in &client.get_margin_positions().send().await?.positions {
        println!(
            "\nposition: {} {} from {}, unrealised {}",
            position.position,
            position.market_ticker,
            position.entry_price,
            position.unrealized_pnl
        );
    }
    let balance = client.get_margin_balance().compute_available_balance(true);
    for row in &balance.send().await?.subaccount_balances {
        println!(
            "subaccount {}: equity {}, initial margin {}, maintenance margin {}, available {}",
            row.subaccount,
            row.account_equity,
            row.initial_margin,
            row.maintenance_margin,
            row.available_balance
        );
    }
    let estimate = client.get_margin_funding_rate_estimate().ticker(TICKER);
    let estimate = estimate.send().await?;
    println!(
        "funding: estimated rate {}, next payment at {}",
        shown(estimate.funding_rate),
        estimate.next_funding_time
    );
    Ok(())
}
