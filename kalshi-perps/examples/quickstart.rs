//! Trades perpetual futures on a local exchange: `cargo run -p kalshi-perps --example quickstart`.
//!
//! Reads markets and a book, places, amends and cancels an order, trades once, and prints position, margin and funding.

use std::error::Error;

use kalshi_mock::MockExchange;
use kalshi_perps::{
    BookSide, Client, Contracts, Dollars,
    types::{
        AmendMarginOrderRequest, CreateMarginOrderRequest, SelfTradePreventionType, TimeInForce,
    },
};

const TICKER: &str = "KXBTCPERP";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A local exchange with a few margin markets. On the demo exchange, a client is built with `Client::builder()` and credentials.
    let exchange = MockExchange::start().await?;
    let client = exchange.perps_client()?;

    for market in &client.get_margin_markets().send().await?.markets {
        println!(
            "{:<10} {:<11} last {}",
            market.ticker,
            market.title,
            market.price.unwrap_or_default()
        );
    }
    let book = client
        .get_margin_market_orderbook()
        .ticker(TICKER)
        .send()
        .await?;
    // The exchange sends the worst level first.
    let bids = book.orderbook.bids.iter();
    let bid = bids.map(|level| level.price).max().ok_or("no bids")?;
    let asks = book.orderbook.asks.iter();
    let ask = asks.map(|level| level.price).min().ok_or("no asks")?;
    println!("\n{TICKER} is bid at {bid} and offered at {ask}");

    // An order below the best bid rests in the book.
    let below = |ticks: i64| Dollars::from_micros(bid.micros() - 100 * ticks);
    let price = below(50);
    let placed = client
        .create_margin_order()
        .body(order(
            "quickstart-1",
            price,
            2,
            TimeInForce::GoodTillCanceled,
        )?)
        .send()
        .await?;
    println!(
        "placed {}: {} contracts at {price}",
        placed.order_id, placed.remaining_count
    );
    let amended: AmendMarginOrderRequest = AmendMarginOrderRequest::builder()
        .ticker(TICKER)
        .side(BookSide::Bid)
        .price(below(40))
        .count(Contracts::from(2))
        .try_into()?;
    let amend = client
        .amend_margin_order()
        .order_id(placed.order_id.clone());
    amend.body(amended).send().await?;
    let cancel = client
        .cancel_margin_order()
        .order_id(placed.order_id.clone());
    println!("cancelled {} contracts", cancel.send().await?.reduced_by);

    // An order at the best ask trades at once.
    let traded = client
        .create_margin_order()
        .body(order(
            "quickstart-2",
            ask,
            1,
            TimeInForce::ImmediateOrCancel,
        )?)
        .send()
        .await?;
    println!(
        "bought {} at {}",
        traded.fill_count,
        traded.average_fill_price.unwrap_or_default()
    );

    print_account(&client).await
}

/// Returns an order to buy.
fn order(
    client_order_id: &str,
    price: Dollars,
    count: u32,
    time_in_force: TimeInForce,
) -> Result<CreateMarginOrderRequest, Box<dyn Error>> {
    let order = CreateMarginOrderRequest::builder()
        .ticker(TICKER)
        .client_order_id(client_order_id)
        .side(BookSide::Bid)
        .price(price)
        .count(Contracts::from(count))
        .time_in_force(time_in_force)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross);
    Ok(order.try_into()?)
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
        "funding: estimated rate {:?}, paid at {}",
        estimate.funding_rate, estimate.next_funding_time
    );
    Ok(())
}
