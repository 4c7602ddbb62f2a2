//! Runs the same steps on the local exchange and, if `KALSHI_DEMO_API_KEY_ID` and `KALSHI_DEMO_PRIVATE_KEY_PATH` are set, on the
//! demo exchange: reads, and orders that cannot trade. The orders are cancelled afterwards, even if the test fails.

use std::{
    env,
    error::Error,
    future::Future,
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use futures_util::FutureExt;

use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, Contracts, Dollars,
    orders::PriceGrid,
    types::{
        BookSide, CreateOrderV2Request, Market, MarketStatusQuery, OrderStatus,
        SelfTradePreventionType, TimeInForce,
    },
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Maximum time by which reads of the demo exchange may lag behind writes.
const LAG: Duration = Duration::from_secs(15);

#[tokio::test]
async fn local_exchange_conforms() {
    let exchange = MockExchange::start().await.unwrap();
    conforms(&exchange.client().unwrap()).await.unwrap();
    let own = exchange.client().unwrap();
    assert!(
        own.get_orders()
            .status("resting")
            .send()
            .await
            .unwrap()
            .orders
            .is_empty(),
        "orders are left resting"
    );
    assert!(
        own.get_order_groups()
            .send()
            .await
            .unwrap()
            .order_groups
            .is_empty()
    );
}

#[tokio::test]
async fn demo_exchange_conforms() {
    if env::var_os("KALSHI_DEMO_API_KEY_ID").is_none() {
        println!("skipped: KALSHI_DEMO_API_KEY_ID is not set");
        return;
    }
    conforms(&Client::demo_from_env().unwrap()).await.unwrap();
}

async fn conforms(client: &Client) -> Outcome<()> {
    let market = reads(client).await?;
    let limit = Contracts::from(5);
    let created = client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(limit))
        .send()
        .await?;
    assert_eq!(created.status(), 201);
    let group = created.into_inner().order_group_id;
    let orders = AssertUnwindSafe(orders(client, &market, &group))
        .catch_unwind()
        .await;
    // All orders were placed in the group, so deleting it cancels them.
    let deleted = client
        .delete_order_group()
        .order_group_id(&group)
        .send()
        .await?;
    assert_eq!(deleted.status(), 200);
    orders.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Reads public data and the account, and returns a market to place orders in.
async fn reads(client: &Client) -> Outcome<Market> {
    let status = client.get_exchange_status().send().await?;
    assert!(
        status.exchange_active,
        "the exchange is closed: try again later"
    );
    client.get_exchange_schedule().send().await?;

    let page = client
        .get_markets()
        .status(MarketStatusQuery::Open)
        .limit(50)
        .send()
        .await?
        .into_inner();
    assert!(
        page.markets
            .iter()
            .all(|market| market.status.as_str() == "active"),
        "the filter `open` must return active markets"
    );
    // The market must allow an order below the best ask, and be on the funded shard.
    let fits = |market: &&Market| {
        market
            .exchange_index
            .as_ref()
            .is_none_or(|index| index.0 == 0)
            && lowest(market).is_some_and(|price| price < market.yes_ask_dollars)
    };
    let market = page
        .markets
        .iter()
        .find(fits)
        .ok_or("no market to place an order in")?
        .clone();
    let same = client
        .get_market()
        .ticker(&market.ticker)
        .send()
        .await?
        .into_inner()
        .market;
    assert_eq!(
        (&same.ticker, &same.event_ticker),
        (&market.ticker, &market.event_ticker)
    );
    let event = client
        .get_event()
        .event_ticker(&market.event_ticker)
        .send()
        .await?
        .into_inner();
    assert!(
        event
            .markets
            .iter()
            .any(|other| other.ticker == market.ticker)
    );

    let book = client
        .get_market_orderbook()
        .ticker(&market.ticker)
        .send()
        .await?
        .into_inner()
        .orderbook_fp;
    for levels in [&book.yes_dollars, &book.no_dollars] {
        assert!(
            levels.is_sorted_by(|one, next| one.price < next.price),
            "levels must be in ascending order of price"
        );
    }

    let many = client.get_markets().limit(1001).send().await.unwrap_err();
    assert_eq!(
        many.status().map(|status| status.as_u16()),
        Some(400),
        "{many}"
    );
    let unknown = client
        .get_market()
        .ticker("KXNOSUCH-00-MARKET")
        .send()
        .await
        .unwrap_err();
    assert!(
        unknown.is_not_found() && unknown.code().is_some(),
        "{unknown}"
    );

    let balance = client.get_balance().send().await?.into_inner();
    assert_eq!(
        balance.balance,
        balance.balance_dollars.micros().div_euclid(10_000)
    );
    client.get_account_api_limits().send().await?;
    client.get_positions().send().await?;
    client.get_fills().send().await?;
    client.get_settlements().send().await?;
    Ok(market)
}

/// Returns the lowest valid price of an order.
fn lowest(market: &Market) -> Option<Dollars> {
    PriceGrid::from(market).round_up(Dollars::from_micros(1))
}

fn order(market: &Market, group: &str, client_order_id: &str) -> Outcome<CreateOrderV2Request> {
    Ok(CreateOrderV2Request::builder()
        .ticker(&market.ticker)
        .client_order_id(client_order_id)
        .side(BookSide::Bid)
        .price(lowest(market).ok_or("no price")?)
        .count("1")
        .time_in_force(TimeInForce::GoodTillCanceled)
        .self_trade_prevention_type(SelfTradePreventionType::TakerAtCross)
        .post_only(true)
        .order_group_id(group)
        .try_into()?)
}

async fn orders(client: &Client, market: &Market, group: &str) -> Outcome<()> {
    let group_of = || client.get_order_group().order_group_id(group);
    let read = read_new(|| group_of().send()).await?;
    assert!(read.is_auto_cancel_enabled && read.orders.is_empty());

    let client_order_id = uuid::Uuid::from_u128(fastrand::u128(..)).to_string();
    let placed = client
        .create_order_v2()
        .body(order(market, group, &client_order_id)?)
        .send()
        .await?;
    assert_eq!(placed.status(), 201);
    assert_eq!(
        (placed.fill_count, placed.remaining_count),
        (Contracts::ZERO, Contracts::from(1))
    );
    let id = placed.order_id.clone();
    let read = read_new(|| client.get_order().order_id(&id).send())
        .await?
        .into_inner()
        .order;
    assert_eq!(
        (read.status, read.client_order_id.as_str()),
        (OrderStatus::Resting, client_order_id.as_str())
    );
    assert_eq!(read.order_group_id.as_deref(), Some(group));
    let listed = client
        .get_orders()
        .ticker(&market.ticker)
        .status("resting")
        .send()
        .await?
        .into_inner()
        .orders;
    assert!(listed.iter().any(|order| order.order_id == id));
    client
        .get_order_queue_position()
        .order_id(&id)
        .send()
        .await?;

    let again = client
        .create_order_v2()
        .body(order(market, group, &client_order_id)?)
        .send()
        .await;
    let status = again.unwrap_err().status().map(|status| status.as_u16());
    assert_eq!(status, Some(409), "a client order id cannot be reused");

    let amended = client
        .amend_order_v2()
        .order_id(&id)
        .body_map(|body| {
            let price = lowest(market).unwrap_or_default();
            body.ticker(&market.ticker)
                .side(BookSide::Bid)
                .price(price)
                .count("3")
        })
        .send()
        .await?;
    assert!(
        amended
            .remaining_count
            .is_none_or(|remaining| remaining == Contracts::from(3))
    );
    let decreased = client.decrease_order_v2().order_id(&id).body_map(|body| {
        body.reduce_to(Contracts::from(2))
            .market_ticker(&market.ticker)
    });
    assert_eq!(decreased.send().await?.remaining_count, Contracts::from(2));

    let cancel = || {
        client
            .cancel_order_v2()
            .order_id(&id)
            .market_ticker(&market.ticker)
            .send()
    };
    assert_eq!(cancel().await?.reduced_by, Contracts::from(2));
    assert!(
        cancel().await.unwrap_err().is_not_found(),
        "a cancelled order cannot be cancelled again"
    );

    client
        .trigger_order_group()
        .order_group_id(group)
        .send()
        .await?;
    let rejected = client
        .create_order_v2()
        .body(order(market, group, "")?)
        .send()
        .await;
    assert!(rejected.is_err(), "a triggered group must reject orders");
    let reset = client
        .reset_order_group()
        .order_group_id(group)
        .send()
        .await?;
    assert_eq!(reset.status(), 200);
    client
        .create_order_v2()
        .body(order(market, group, "")?)
        .send()
        .await?;
    Ok(())
}

/// Reads a new record. Retries while it is not found, because reads may lag.
async fn read_new<T, F: Future<Output = Result<T, kalshi_sdk::Error>>>(
    read: impl Fn() -> F,
) -> Outcome<T> {
    let began = tokio::time::Instant::now();
    loop {
        match read().await {
            // The exchange does not report when reads have caught up.
            Err(error) if error.is_not_found() && began.elapsed() < LAG => {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            other => return Ok(other?),
        }
    }
}
