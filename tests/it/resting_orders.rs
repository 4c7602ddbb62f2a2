//! `Orders::resting`: proof of which orders rest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use kalshi_mock::{Fault, MockExchange};
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, Dollars, OutcomeSide, SubaccountNumber,
    orders::{NewOrder, OrderOutcome, Unresolved},
    types::Order,
};
use serde_json::{Value, json};

use crate::common::{
    KEY_ID, SkewedClock,
    exchange::{Exchange, Reply},
    key,
};

const TICKER: &str = "KXTEST-26-A";

async fn place(client: &kalshi_sdk::Client, cents: i64) {
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(cents), 1);
    let outcome = client.orders().place(order).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
}

#[tokio::test]
async fn reads_that_lag_are_not_taken_for_the_present() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_millis(700)));
    place(&client, 10).await;
    place(&client, 11).await;
    let resting = client.orders().resting().await.unwrap();
    assert_eq!(resting.len(), 2);
    client.cancel_all_orders().send().await.unwrap();
    // A plain read still shows them.
    let plain = client.get_orders().status("resting").send().await.unwrap();
    assert_eq!(plain.orders.len(), 2);
    let resting = client.orders().resting().subaccount(0).await.unwrap();
    assert!(resting.is_empty(), "{resting:?}");
}

#[tokio::test]
async fn reads_that_stay_behind_prove_nothing() {
    let exchange = MockExchange::start().await.unwrap();
    let client = exchange.client().unwrap();
    exchange.fault(Fault::StaleReads(Duration::from_secs(60)));
    let resting = client.orders().resting();
    let unresolved = resting.timeout(Duration::from_secs(1)).await.unwrap_err();
    assert!(unresolved.error().is_none(), "{unresolved:?}");
}

#[tokio::test]
async fn row_that_does_not_decode_is_an_error() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    place(&client, 10).await;
    exchange.fault(Fault::MissingField("ticker".to_owned()));
    let unresolved = client.orders().resting().await.unwrap_err();
    assert!(unresolved.error().is_some_and(|error| error.is_row()));
}

#[tokio::test]
async fn other_subaccounts_are_left_out() {
    let builder = MockExchange::builder().tier(kalshi_sdk::limits::Tier::Advanced);
    let exchange = builder.start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    place(&client, 10).await;
    client.create_subaccount().send().await.unwrap();
    let one = client.orders().resting().subaccount(1).await.unwrap();
    assert!(one.is_empty(), "{one:?}");
    let all = client.orders().resting().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].subaccount_number.unwrap_or_default(),
        SubaccountNumber::PRIMARY
    );
}

fn builder(exchange: &Exchange) -> ClientBuilder {
    Client::builder()
        .environment(exchange.environment())
        .credentials(Credentials::new(KEY_ID, key()).unwrap())
}

/// Starts an exchange whose reads are up to date. `pages` returns the pages of its list, given the number of earlier lists since reads were
/// up to date.
async fn exchange(pages: impl Fn(usize) -> Vec<Vec<Value>> + Send + Sync + 'static) -> Exchange {
    let lists = AtomicUsize::new(0);
    Exchange::start(move |request| {
        if request.path.ends_with("/user_data_timestamp") {
            lists.store(0, Relaxed);
            return Reply::json(200, &json!({ "as_of_time": Utc::now() }));
        }
        let number: usize = request
            .query
            .get("cursor")
            .map_or(0, |at| at.parse().unwrap());
        let is_whole = request.query["limit"] != "1";
        let list = match is_whole && number == 0 {
            true => lists.fetch_add(1, Relaxed),
            false => lists.load(Relaxed).saturating_sub(1),
        };
        let pages = pages(list);
        let next = match number + 1 {
            end if end == pages.len() => String::new(),
            next => next.to_string(),
        };
        Reply::json(200, &json!({ "orders": pages[number], "cursor": next }))
    })
    .await
}

/// Lists the resting orders of an exchange whose list always has these pages.
async fn listed(pages: Vec<Vec<Value>>) -> Result<Vec<Order>, Unresolved> {
    let exchange = exchange(move |_| pages.clone()).await;
    builder(&exchange).build().unwrap().orders().resting().await
}

/// Returns a page with resting orders.
fn rows(ids: &[&str]) -> Vec<Value> {
    let ids = ids.iter();
    ids.map(|id| row(id, "resting", "10.00")).collect()
}

fn ids(orders: &[Order]) -> Vec<&str> {
    orders.iter().map(|order| order.order_id.as_str()).collect()
}

fn row(order_id: &str, status: &str, remaining: &str) -> Value {
    json!({
        "order_id": order_id, "client_order_id": "", "ticker": TICKER, "user_id": "u", "status": status, "type": "limit",
        "book_side": "bid", "outcome_side": "yes", "yes_price_dollars": "0.5600", "no_price_dollars": "0.4400",
        "fill_count_fp": "0.00", "remaining_count_fp": remaining, "initial_count_fp": "10.00",
        "maker_fees_dollars": "0.0000", "taker_fees_dollars": "0.0000", "maker_fill_cost_dollars": "0.0000",
        "taker_fill_cost_dollars": "0.0000", "created_time": Utc::now(), "subaccount_number": 0, "exchange_index": 0,
    })
}

#[tokio::test]
async fn order_that_moves_between_pages_is_listed_once() {
    let first = vec![row("o1", "resting", "10.00"), row("o2", "resting", "10.00")];
    let second = vec![row("o2", "resting", "4.00"), row("o3", "resting", "10.00")];
    let orders = listed(vec![first, second]).await.unwrap();
    let shown = orders.iter().map(|order| {
        let remaining = order.remaining_count_fp.to_string();
        (order.order_id.to_string(), remaining)
    });
    let expected = [("o1", "10.00"), ("o2", "4.00"), ("o3", "10.00")];
    let expected = expected.map(|(id, remaining)| (id.to_owned(), remaining.to_owned()));
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn list_with_an_ended_order_proves_nothing() {
    for status in ["canceled", "executed"] {
        let found = listed(vec![vec![row("o1", status, "0.00")]]).await;
        let unresolved = found.unwrap_err();
        let error = unresolved
            .error()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(error.contains("excluded"), "{status}: {error}");
    }
}

#[tokio::test]
async fn slow_clock_does_not_make_reads_seem_fresh() {
    let lag = TimeDelta::milliseconds(4_300);
    let exchange = Exchange::start(move |request| {
        let reply = match request.path.ends_with("/user_data_timestamp") {
            true => json!({ "as_of_time": Utc::now() - lag }),
            false => json!({ "orders": [], "cursor": "" }),
        };
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        Reply::json(200, &reply).with_header("date", date)
    })
    .await;
    let client = builder(&exchange).clock(Arc::new(SkewedClock(TimeDelta::seconds(-5))));
    let client = client.build().unwrap();
    let resting = client.orders().resting().timeout(Duration::from_secs(3));
    let unresolved = resting.await.unwrap_err();
    assert!(unresolved.error().is_none(), "{unresolved:?}");
}

#[tokio::test]
async fn order_without_its_subaccount_is_not_left_out() {
    let builder = MockExchange::builder().tier(kalshi_sdk::limits::Tier::Advanced);
    let exchange = builder.start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    client.create_subaccount().send().await.unwrap();
    let transfer = serde_json::from_value::<kalshi_sdk::types::ApplySubaccountTransferRequest>(
        serde_json::json!({
            "client_transfer_id": "0f64cbb8-4f5e-4d3a-9a47-6a7f2f3f8f8e",
            "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 500,
        }),
    );
    let transfer = client.apply_subaccount_transfer().body(transfer.unwrap());
    transfer.send().await.unwrap();
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(10), 1);
    let outcome = client.orders().place(order.subaccount(1)).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    exchange.fault(Fault::MissingField("subaccount_number".to_owned()));
    let resting = client.orders().resting().subaccount(1).await.unwrap();
    assert_eq!(resting.len(), 1);
    let others = client.orders().resting().subaccount(0).await.unwrap();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn empty_list_of_another_request_proves_nothing() {
    let exchange = exchange(|list| match list {
        0 => vec![rows(&[])],
        _ => vec![rows(&["o1", "o2"])],
    });
    let exchange = exchange.await;
    let client = builder(&exchange).http_client(kalshi_sdk::reqwest::Client::new());
    let resting = client.build().unwrap().orders().resting().await.unwrap();
    assert_eq!(ids(&resting), ["o1", "o2"]);
}

/// Otherwise an account whose orders end all the time would get no list.
#[tokio::test]
async fn list_of_one_page_is_complete_although_an_order_ended() {
    let exchange = exchange(|list| match list {
        0 => vec![rows(&["o1", "o2"])],
        _ => vec![rows(&["o2"])],
    });
    let exchange = exchange.await;
    let resting = builder(&exchange).build().unwrap().orders().resting().await;
    assert_eq!(ids(&resting.unwrap()), ["o1", "o2"]);
}

/// The first order ends after it was read, so that the first order of the second page moves to the first page.
#[tokio::test]
async fn order_that_moves_to_a_page_already_read_is_listed() {
    let exchange = exchange(|list| match list {
        0 => vec![rows(&["o1", "o2"]), rows(&["o4"])],
        _ => vec![rows(&["o2", "o3"]), rows(&["o4"])],
    });
    let exchange = exchange.await;
    let resting = builder(&exchange).build().unwrap().orders().resting().await;
    assert_eq!(ids(&resting.unwrap()), ["o2", "o3", "o4"]);
}

/// The first list is the response to another request, so the second one, from which an order is missing, is the first of the orders.
#[tokio::test]
async fn list_of_another_request_does_not_confirm_several_pages() {
    let exchange = exchange(|list| match list {
        0 => vec![rows(&[])],
        1 => vec![rows(&["o1", "o2"]), rows(&["o4"])],
        _ => vec![rows(&["o2", "o3"]), rows(&["o4"])],
    });
    let exchange = exchange.await;
    let resting = builder(&exchange).build().unwrap().orders().resting().await;
    assert_eq!(ids(&resting.unwrap()), ["o2", "o3", "o4"]);
}

/// The connection may have the response to an earlier read of the orders.
#[tokio::test]
async fn pooled_connections_are_read_twice_more() {
    let exchange = exchange(|list| match list {
        0 | 1 => vec![rows(&[])],
        _ => vec![rows(&["o1"])],
    });
    let exchange = exchange.await;
    let client = builder(&exchange).http_client(kalshi_sdk::reqwest::Client::new());
    let resting = client.build().unwrap().orders().resting().await;
    assert_eq!(ids(&resting.unwrap()), ["o1"]);
}

#[tokio::test]
async fn only_the_orders_of_a_market_are_listed() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.market(TICKER).clear();
    let client = exchange.client().unwrap();
    place(&client, 10).await;
    let of_market = client.orders().resting().ticker(TICKER).await.unwrap();
    assert_eq!(of_market.len(), 1);
    let of_other = client.orders().resting().ticker("KXTEST-26-B").await;
    assert!(of_other.unwrap().is_empty());
    let foreign = self::exchange(|_| vec![rows(&["o1"])]).await;
    let client = builder(&foreign).build().unwrap();
    let unresolved = client.orders().resting().ticker("KXTEST-26-B").await;
    let unresolved = unresolved.unwrap_err();
    assert!(unresolved.candidates().is_empty(), "{unresolved:?}");
    assert!(unresolved.error().is_some());
}

/// The second page and the time of the reads are never returned.
#[tokio::test]
async fn orders_that_were_read_are_candidates_if_nothing_is_proven() {
    let exchange = Exchange::start(|request| match request.path.rsplit('/').next() {
        Some("orders") if !request.query.contains_key("cursor") => Reply::json(
            200,
            &json!({ "orders": rows(&["o1", "o2"]), "cursor": "c" }),
        ),
        _ => Reply::status(503),
    })
    .await;
    let client = builder(&exchange).build().unwrap();
    let resting = client.orders().resting().timeout(Duration::from_secs(1));
    let unresolved = resting.await.unwrap_err();
    assert_eq!(ids(unresolved.candidates()), ["o1", "o2"]);
    assert!(unresolved.error().is_some());
}

/// An undecodable or ended order elsewhere in the list must not hide the others from a program that cancels them.
#[tokio::test]
async fn bad_row_does_not_hide_the_other_orders() {
    let undecodable = json!({ "order_id": "bad" });
    for bad in [undecodable, row("bad", "executed", "0.00")] {
        let mut first = rows(&["o1"]);
        first.push(bad);
        let unresolved = listed(vec![first, rows(&["o2"])]).await.unwrap_err();
        assert_eq!(ids(unresolved.candidates()), ["o1", "o2"]);
        assert!(unresolved.error().is_some());
    }
}

#[tokio::test]
async fn pages_whose_orders_keep_ending_prove_nothing() {
    let exchange = exchange(|list| vec![rows(&[&format!("o{list}")]), rows(&["last"])]).await;
    let client = builder(&exchange)
        .rate_limits(kalshi_sdk::limits::RateLimits::Unlimited)
        .build()
        .unwrap();
    let unresolved = client.orders().resting().await.unwrap_err();
    assert_eq!(ids(unresolved.candidates()), ["o3", "o4", "last"]);
    let error = unresolved.error().unwrap().to_string();
    assert!(error.contains("orders left the list"), "{error}");
}
