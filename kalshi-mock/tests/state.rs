//! What follows from trades: groups, positions, settlements, subaccounts, shards, requests for quote, lists page by page.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{Raw, TICKER, contracts, dollars, exchange, once, order};
use kalshi_mock::{MockExchange, Outcome};
use kalshi_sdk::{
    Client, Contracts, Dollars,
    types::{
        BookSide::{Ask, Bid},
        CreateOrderV2Request, CreateOrderV2Response, ExchangeIndex, GetOrderGroupResponse,
        MarketStatusQuery,
    },
};
use serde_json::{Value, json};

async fn place(client: &Client, order: CreateOrderV2Request) -> CreateOrderV2Response {
    client
        .create_order_v2()
        .body(order)
        .send()
        .await
        .unwrap()
        .into_inner()
}

async fn group(client: &Client, limit: &str) -> String {
    let limit = contracts(limit);
    client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(limit))
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_group_id
}

async fn read_group(client: &Client, id: &str) -> GetOrderGroupResponse {
    client
        .get_order_group()
        .order_group_id(id)
        .send()
        .await
        .unwrap()
        .into_inner()
}

fn in_group(mut order: CreateOrderV2Request, group: &str) -> CreateOrderV2Request {
    order.order_group_id = Some(group.to_owned());
    order
}

#[tokio::test]
async fn a_group_counts_over_15_seconds_and_cancels_its_orders_at_the_limit() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER);
    let client = once(&exchange);
    let id = group(&client, "10").await;
    let low = place(&client, in_group(order(Bid, "0.30", "50"), &id))
        .await
        .order_id;
    let high = place(&client, in_group(order(Bid, "0.40", "50"), &id))
        .await
        .order_id;
    let state = read_group(&client, &id).await;
    assert!(state.is_auto_cancel_enabled);
    assert_eq!(state.contracts_limit_fp, Some(contracts("10")));
    assert_eq!(
        BTreeSet::from_iter(state.orders),
        BTreeSet::from([low, high.clone()])
    );

    // 6, and 15 seconds later 6 more: never 10 within them.
    market.ask(dollars("0.40"), 6);
    exchange.time().advance(Duration::from_secs(15));
    market.ask(dollars("0.40"), 6);
    assert!(read_group(&client, &id).await.is_auto_cancel_enabled);
    // A moment less than 15 seconds later 4 of 6 are left, and that is all.
    exchange.time().advance(Duration::from_millis(14_999));
    market.ask(dollars("0.40"), 6);
    let filled = client
        .get_order()
        .order_id(&high)
        .send()
        .await
        .unwrap()
        .into_inner()
        .order
        .fill_count_fp;
    assert_eq!(filled, contracts("16"));
    let state = read_group(&client, &id).await;
    assert!(!state.is_auto_cancel_enabled && state.orders.is_empty());
    assert!(market.bids().is_empty(), "all of the group is cancelled");
    assert_eq!(market.asks()[0].count, contracts("2"));

    let refused = client
        .create_order_v2()
        .body(in_group(order(Bid, "0.30", "1"), &id))
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("order_group_triggered"));
    exchange.time().advance(Duration::from_secs(60));
    assert!(
        client
            .create_order_v2()
            .body(in_group(order(Bid, "0.30", "1"), &id))
            .send()
            .await
            .is_err(),
        "until it is reset"
    );
    client
        .reset_order_group()
        .order_group_id(&id)
        .send()
        .await
        .unwrap();
    place(&client, in_group(order(Bid, "0.30", "1"), &id)).await;
    assert!(read_group(&client, &id).await.is_auto_cancel_enabled);
}

#[tokio::test]
async fn an_order_that_comes_in_is_held_to_the_limit_too() {
    let exchange = exchange().await;
    exchange.market(TICKER).ask(dollars("0.50"), 100);
    let client = once(&exchange);
    let id = group(&client, "7.5").await;
    let placed = place(&client, in_group(order(Bid, "0.50", "20"), &id)).await;
    assert_eq!(
        (placed.fill_count, placed.remaining_count),
        (contracts("7.5"), Contracts::ZERO)
    );
    assert!(!read_group(&client, &id).await.is_auto_cancel_enabled);
}

#[tokio::test]
async fn groups_are_triggered_limited_listed_and_deleted() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = once(&exchange);
    let (one, two) = (group(&client, "10").await, group(&client, "20").await);
    place(&client, in_group(order(Bid, "0.50", "5"), &one)).await;
    place(&client, in_group(order(Bid, "0.40", "5"), &one)).await;
    place(&client, in_group(order(Bid, "0.41", "5"), &two)).await;

    // 5 were matched just now: a limit of 5 is reached at once, and a limit of 6 is not.
    let limit = async |limit: &str| {
        let limit = contracts(limit);
        client
            .update_order_group_limit()
            .order_group_id(&one)
            .body_map(|body| body.contracts_limit_fp(limit))
            .send()
            .await
            .unwrap();
        read_group(&client, &one).await
    };
    let state = limit("6").await;
    assert_eq!(
        (state.is_auto_cancel_enabled, state.orders.len()),
        (true, 1)
    );
    let state = limit("5").await;
    assert_eq!(
        (state.is_auto_cancel_enabled, state.orders.len()),
        (false, 0)
    );

    client
        .trigger_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    assert!(!read_group(&client, &two).await.is_auto_cancel_enabled);
    assert!(market.bids().is_empty());
    let listed = client
        .get_order_groups()
        .send()
        .await
        .unwrap()
        .into_inner()
        .order_groups;
    assert_eq!(
        listed
            .iter()
            .map(|group| group.id.as_str())
            .collect::<Vec<_>>(),
        [&one, &two]
    );

    client
        .reset_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    place(&client, in_group(order(Bid, "0.41", "5"), &two)).await;
    client
        .delete_order_group()
        .order_group_id(&two)
        .send()
        .await
        .unwrap();
    assert!(market.bids().is_empty(), "deleting cancels");
    assert!(
        client
            .get_order_group()
            .order_group_id(&two)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let other = exchange.add_user().unwrap().client().unwrap();
    assert!(
        other
            .get_order_group()
            .order_group_id(&one)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let both = Raw::new(&exchange);
    let (status, _) = both
        .call(
            "POST",
            "/portfolio/order_groups/create",
            Some(json!({ "contracts_limit": 5, "contracts_limit_fp": "6.00" })),
        )
        .await;
    assert_eq!(status, 400, "the two must agree");
}

#[tokio::test]
async fn positions_and_settlements_follow_from_trades() {
    let exchange = exchange().await;
    let market = exchange
        .market(TICKER)
        .ask(dollars("0.50"), 10)
        .bid(dollars("0.45"), 100);
    let client = once(&exchange);
    place(&client, order(Bid, "0.50", "10")).await;
    let sold = place(&client, order(Ask, "0.45", "4")).await;
    assert_eq!(sold.average_fill_price, Some(dollars("0.45")));
    let positions = client.get_positions().send().await.unwrap().into_inner();
    let position = &positions.market_positions[0];
    assert_eq!(position.position_fp, contracts("6"));
    assert_eq!(
        position.market_exposure_dollars,
        dollars("3"),
        "6 of the 10 at 0.50"
    );
    assert_eq!(
        position.realized_pnl_dollars,
        dollars("-0.2"),
        "4 bought at 0.50, sold at 0.45"
    );
    // 0.1750 and 0.0693
    assert_eq!(position.fees_paid_dollars, dollars("0.2443"));
    let event = &positions.event_positions[0];
    assert_eq!(
        (event.event_ticker.as_str(), event.total_cost_shares_fp),
        ("KXTEST-26", contracts("14"))
    );

    // Through zero: 6 are closed, 4 of NO are opened at 0.55.
    place(&client, order(Ask, "0.45", "10")).await;
    let position = client
        .get_positions()
        .send()
        .await
        .unwrap()
        .into_inner()
        .market_positions[0]
        .clone();
    assert_eq!(
        (position.position_fp, position.market_exposure_dollars),
        (contracts("-4"), dollars("2.2"))
    );
    assert_eq!(position.realized_pnl_dollars, dollars("-0.5"));

    let before = client.get_balance().send().await.unwrap().balance_dollars;
    place(&client, order(Bid, "0.30", "1")).await;
    market.settle(Outcome::No);
    let balance = client.get_balance().send().await.unwrap();
    assert_eq!(
        balance.balance_dollars,
        before.checked_add(dollars("4")).unwrap(),
        "four of NO, and the order is no more"
    );
    let settlements = client
        .get_settlements()
        .send()
        .await
        .unwrap()
        .into_inner()
        .settlements;
    let settlement = &settlements[0];
    assert_eq!(
        (settlement.no_count_fp, settlement.yes_count_fp),
        (contracts("4"), Contracts::ZERO)
    );
    assert_eq!((settlement.revenue, settlement.value), (400, Some(0)));
    assert_eq!(settlement.no_total_cost_dollars, dollars("2.2"));
    assert!(
        client
            .get_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .is_empty()
    );
    let shown = client
        .get_market()
        .ticker(TICKER)
        .send()
        .await
        .unwrap()
        .into_inner()
        .market;
    assert_eq!(
        (shown.result.as_str(), shown.status.as_str()),
        ("no", "finalized")
    );
    let settled = client
        .get_markets()
        .status(MarketStatusQuery::Settled)
        .send()
        .await
        .unwrap();
    assert_eq!(settled.markets.len(), 1);
}

#[tokio::test]
async fn a_scalar_market_pays_both_sides() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let (yes, no) = (
        once(&exchange),
        exchange.add_user().unwrap().client().unwrap(),
    );
    place(&yes, order(Bid, "0.60", "10")).await;
    place(&no, order(Ask, "0.60", "10")).await;
    market.settle(Outcome::Scalar(dollars("0.25")));
    assert_eq!(
        yes.get_balance().send().await.unwrap().balance_dollars,
        dollars("9996.5")
    );
    // 10,000 - 4 - 0.168 + 7.5
    assert_eq!(
        no.get_balance().send().await.unwrap().balance_dollars,
        dollars("10003.332")
    );
}

#[tokio::test]
async fn what_a_maker_may_owe_is_set_aside() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER).maker_fees(true);
    let client = once(&exchange);
    place(&client, order(Bid, "0.50", "19")).await;
    // 9.50, and a quarter of the fee: 0.083125, which with the price is rounded up to 0.0832.
    let expected = dollars("9990.4168");
    assert_eq!(
        client.get_balance().send().await.unwrap().balance_dollars,
        expected
    );
    // In whatever parts it trades, no more is paid.
    for _ in 0..19 {
        market.ask(dollars("0.50"), 1);
    }
    assert_eq!(
        client.get_balance().send().await.unwrap().balance_dollars,
        expected
    );
    let fills = client.get_fills().send().await.unwrap().into_inner().fills;
    let fees: i64 = fills.iter().map(|fill| fill.fee_cost.micros()).sum();
    assert_eq!(
        (fills.len(), Dollars::from_micros(fees)),
        (19, dollars("0.0832"))
    );
}

#[tokio::test]
async fn subaccounts_have_their_own_money_and_orders() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER).ask(dollars("0.50"), 100);
    let client = once(&exchange);
    let number = client
        .create_subaccount()
        .body_map(|body| body)
        .send()
        .await
        .unwrap()
        .subaccount_number;
    assert_eq!(number, 1);
    let mut in_one = order(Bid, "0.50", "10");
    in_one.subaccount = Some(1);
    let refused = client
        .create_order_v2()
        .body(in_one.clone())
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("insufficient_balance"));

    let raw = Raw::new(&exchange);
    let transfer = json!({
        "client_transfer_id": "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001", "from_subaccount": 0, "to_subaccount": 1, "amount_cents": 2000,
    });
    assert_eq!(
        raw.call(
            "POST",
            "/portfolio/subaccounts/transfer",
            Some(transfer.clone())
        )
        .await
        .0,
        200
    );
    assert_eq!(
        raw.call("POST", "/portfolio/subaccounts/transfer", Some(transfer))
            .await
            .0,
        409,
        "not twice"
    );
    let balances = client
        .get_subaccount_balances()
        .send()
        .await
        .unwrap()
        .into_inner()
        .subaccount_balances;
    let shown: Vec<_> = balances
        .iter()
        .map(|balance| (balance.subaccount_number, balance.balance))
        .collect();
    assert_eq!(shown, [(0, dollars("9980")), (1, dollars("20"))]);

    place(&client, in_one).await;
    assert!(
        client
            .get_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .is_empty(),
        "of the primary account"
    );
    let of_one = client
        .get_positions()
        .subaccount(1)
        .send()
        .await
        .unwrap()
        .into_inner();
    assert_eq!(of_one.market_positions[0].position_fp, contracts("10"));
    assert_eq!(
        client
            .get_fills()
            .subaccount(1)
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        1
    );
    assert_eq!(
        client
            .get_fills()
            .subaccount(0)
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        0
    );
    let mut nowhere = order(Bid, "0.10", "1");
    nowhere.subaccount = Some(2);
    assert!(
        client
            .create_order_v2()
            .body(nowhere)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert_eq!(
        client
            .get_subaccount_transfers()
            .send()
            .await
            .unwrap()
            .transfers
            .len(),
        1
    );
}

#[tokio::test]
async fn shards_have_their_own_money_and_orders_are_looked_for_there() {
    let exchange = exchange().await;
    let _ = exchange.market(TICKER).on_shard(2);
    let client = once(&exchange);
    let unfunded = client
        .create_order_v2()
        .body(order(Bid, "0.50", "10"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (unfunded.status().unwrap().as_u16(), unfunded.code()),
        (404, Some("user_not_found"))
    );

    let raw = Raw::new(&exchange);
    let transfer = json!({
        "source": "event_contract", "destination": "event_contract", "amount": 500_000, "destination_exchange_shard": 2,
    });
    let (status, made) = raw
        .call(
            "POST",
            "/portfolio/intra_exchange_instance_transfer",
            Some(transfer),
        )
        .await;
    assert_eq!(status, 200);
    let transfer = client
        .get_intra_exchange_instance_transfer()
        .transfer_id(made["transfer_id"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(transfer.transfer.amount, dollars("50"));
    let balance = client.get_balance().send().await.unwrap().into_inner();
    let shown: Vec<_> = balance
        .balance_breakdown
        .iter()
        .map(|part| (part.exchange_index.0, part.balance))
        .collect();
    assert_eq!(shown, [(0, dollars("9950")), (2, dollars("50"))]);
    assert_eq!(balance.balance_dollars, dollars("10000"), "the sum of all");

    let mut elsewhere = order(Bid, "0.50", "10");
    elsewhere.exchange_index = Some(ExchangeIndex(0));
    assert!(
        client
            .create_order_v2()
            .body(elsewhere)
            .send()
            .await
            .unwrap_err()
            .is_not_found()
    );
    let mut anywhere = order(Bid, "0.50", "10");
    anywhere.exchange_index = Some(ExchangeIndex(-1));
    let id = place(&client, anywhere).await.order_id;
    assert!(
        client
            .cancel_order_v2()
            .order_id(&id)
            .send()
            .await
            .unwrap_err()
            .is_not_found(),
        "on shard 0"
    );
    client
        .cancel_order_v2()
        .order_id(&id)
        .market_ticker(TICKER)
        .send()
        .await
        .unwrap();
    let id = place(&client, order(Bid, "0.50", "10")).await.order_id;
    client
        .cancel_order_v2()
        .order_id(&id)
        .exchange_index(2)
        .send()
        .await
        .unwrap();
    assert_eq!(
        client
            .get_orders()
            .exchange_index(0)
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        0
    );
    assert_eq!(
        client
            .get_orders()
            .exchange_index(2)
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        2
    );
}

#[tokio::test]
async fn a_quote_is_made_accepted_confirmed_and_executed() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let requester = once(&exchange);
    let maker = exchange.add_user().unwrap().client().unwrap();
    let rfq = requester
        .create_rfq()
        .body_map(|body| {
            body.market_ticker(TICKER)
                .contracts_fp(contracts("1"))
                .rest_remainder(false)
        })
        .send()
        .await
        .unwrap()
        .into_inner()
        .id;
    assert_eq!(maker.get_rf_qs().send().await.unwrap().rfqs[0].id, rfq);
    let quote = async |yes: &str, no: &str| {
        let (yes, no) = (dollars(yes), dollars(no));
        let body = maker.create_quote().body_map(|body| {
            body.rfq_id(&rfq)
                .yes_bid(yes)
                .no_bid(no)
                .rest_remainder(false)
        });
        body.send().await.map(|made| made.into_inner().id)
    };
    assert!(
        quote("0.60", "0.50").await.is_err(),
        "together more than a dollar"
    );
    let first = quote("0.40", "0.40").await.unwrap();
    let second = quote("0.48", "0.48").await.unwrap();
    let read = async |client: &Client, id: &str| {
        client
            .get_rfq_quote()
            .rfq_id(&rfq)
            .quote_id(id)
            .send()
            .await
            .unwrap()
            .into_inner()
            .quote
    };
    assert_eq!(
        read(&maker, &first).await.status.as_str(),
        "cancelled",
        "a new one replaces it"
    );

    let accept = async |client: &Client, id: &str| {
        let body = client.accept_rfq_quote().rfq_id(&rfq).quote_id(id);
        body.body_map(|body| body.accepted_side("yes")).send().await
    };
    assert_eq!(
        accept(&maker, &second)
            .await
            .unwrap_err()
            .status()
            .unwrap()
            .as_u16(),
        403,
        "that is for the requester"
    );
    assert_eq!(accept(&requester, &second).await.unwrap().status(), 204);
    exchange.time().advance(Duration::from_secs(29));
    maker
        .confirm_rfq_quote()
        .rfq_id(&rfq)
        .quote_id(&second)
        .send()
        .await
        .unwrap();
    assert_eq!(read(&requester, &second).await.status.as_str(), "confirmed");
    exchange.time().advance(Duration::from_secs(14));
    assert_eq!(read(&requester, &second).await.status.as_str(), "confirmed");
    exchange.time().advance(Duration::from_secs(1));
    let executed = read(&maker, &second).await;
    assert_eq!(executed.status.as_str(), "executed");

    // The maker buys YES at 0.48 and pays no fee; the requester NO at 0.52 and pays one.
    let fills = maker
        .get_fills()
        .order_id(executed.creator_order_id.unwrap())
        .send()
        .await
        .unwrap()
        .into_inner()
        .fills;
    assert_eq!(
        (
            fills[0].is_taker,
            fills[0].fee_cost,
            fills[0].outcome_side.clone().unwrap().as_str()
        ),
        (false, Dollars::ZERO, "yes")
    );
    assert_eq!(
        maker.get_balance().send().await.unwrap().balance_dollars,
        dollars("9999.52")
    );
    assert_eq!(
        requester
            .get_balance()
            .send()
            .await
            .unwrap()
            .balance_dollars,
        dollars("9999.4625")
    );
    let position = requester
        .get_positions()
        .send()
        .await
        .unwrap()
        .into_inner()
        .market_positions[0]
        .clone();
    assert_eq!(
        (position.position_fp, position.market_exposure_dollars),
        (contracts("-1"), dollars("0.52"))
    );
    assert_eq!(
        requester
            .get_rfq()
            .rfq_id(&rfq)
            .send()
            .await
            .unwrap()
            .rfq
            .status
            .as_str(),
        "closed"
    );
}

#[tokio::test]
async fn a_quote_that_is_confirmed_late_has_lapsed() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let requester = Raw::new(&exchange);
    let other = exchange.add_user().unwrap();
    let maker = Raw::with_key(&exchange, other.credentials(), other.private_key().clone());
    let id = |made: (u16, Value)| made.1["id"].as_str().unwrap().to_owned();
    let rfq = id(requester
        .call(
            "POST",
            "/communications/rfqs",
            Some(json!({ "market_ticker": TICKER, "contracts": 1, "rest_remainder": false })),
        )
        .await);
    let body =
        json!({ "rfq_id": rfq, "yes_bid": "0.4800", "no_bid": "0.4800", "rest_remainder": false });
    let quote = format!(
        "/communications/quotes/{}",
        id(maker
            .call("POST", "/communications/quotes", Some(body.clone()))
            .await)
    );
    let accepted = requester
        .call(
            "PUT",
            &format!("{quote}/accept"),
            Some(json!({ "accepted_side": "yes" })),
        )
        .await;
    assert_eq!(accepted, (204, Value::Null));
    exchange.time().advance(Duration::from_secs(31));
    let (status, late) = maker
        .call("PUT", &format!("{quote}/confirm"), Some(json!({})))
        .await;
    assert_eq!(
        (status, late["error"]["code"].as_str().unwrap()),
        (400, "expired")
    );
    let (_, shown) = maker.call("GET", &quote, None).await;
    assert_eq!(shown["quote"]["status"], "accepted", "it stays so");
    assert_eq!(maker.call("DELETE", &quote, None).await.0, 404);

    assert_eq!(
        requester
            .call("DELETE", &format!("/communications/rfqs/{rfq}"), None)
            .await
            .0,
        204
    );
    let (status, closed) = maker
        .call("POST", "/communications/quotes", Some(body))
        .await;
    assert_eq!(
        (status, closed["error"]["code"].as_str().unwrap()),
        (409, "rfq_closed")
    );
}

#[tokio::test]
async fn lists_hand_out_each_item_once_while_new_ones_come() {
    let exchange = exchange().await;
    let market = exchange.market(TICKER);
    let client = once(&exchange);
    let mut placed = BTreeSet::new();
    for _ in 0..25 {
        placed.insert(place(&client, order(Bid, "0.40", "1")).await.order_id);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client
            .get_orders()
            .limit(4)
            .cursor(&cursor)
            .send()
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.orders.into_iter().map(|order| order.order_id));
        // A new order comes in front of all, and is not to shift what follows.
        place(&client, order(Bid, "0.40", "1")).await;
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(BTreeSet::from_iter(seen), placed);

    for number in 0..30 {
        let _ = exchange.market(&format!("KXMANY-26-{number}"));
    }
    market.ask(dollars("0.40"), 20);
    let markets: BTreeSet<String> = client
        .get_markets()
        .limit(7)
        .collect_all(1000)
        .await
        .unwrap()
        .into_iter()
        .map(|market| market.ticker)
        .collect();
    assert_eq!(markets.len(), 31);
    assert_eq!(
        client
            .get_fills()
            .limit(3)
            .collect_all(1000)
            .await
            .unwrap()
            .len(),
        20
    );
    assert_eq!(
        client
            .get_trades()
            .limit(3)
            .collect_all(1000)
            .await
            .unwrap()
            .len(),
        20
    );
    let first = client
        .get_events()
        .limit(1)
        .send()
        .await
        .unwrap()
        .into_inner();
    let second = client
        .get_events()
        .limit(1)
        .cursor(&first.cursor)
        .send()
        .await
        .unwrap()
        .into_inner();
    assert_ne!(first.events[0].event_ticker, second.events[0].event_ticker);
    assert_eq!(second.cursor, "", "two events, and no more");
    let raw = Raw::new(&exchange);
    assert_eq!(raw.call("GET", "/portfolio/fills", None).await.0, 200);
    let bad = common::answer(
        raw.signed("GET", "/portfolio/fills", common::now_ms())
            .query(&[("cursor", "nonsense")]),
    )
    .await;
    assert_eq!(bad.0, 400);
    let ignored =
        common::answer(raw.unsigned("GET", "/trade-api/v2/markets?cursor=nonsense&limit=1")).await;
    assert_eq!(
        (ignored.0, ignored.1["markets"].as_array().unwrap().len()),
        (200, 1),
        "as the exchange has it"
    );
}

#[tokio::test]
async fn the_universe_is_quoted_and_found_in_all_ways() {
    let exchange = MockExchange::builder()
        .without_limits()
        .with_seed(5)
        .start()
        .await
        .unwrap();
    let client = exchange.client().unwrap();
    let markets = client
        .get_markets()
        .status(MarketStatusQuery::Open)
        .send()
        .await
        .unwrap()
        .into_inner()
        .markets;
    assert_eq!(markets.len(), exchange.tickers().len());
    for market in &markets {
        assert!(
            market.yes_bid_dollars < market.yes_ask_dollars && !market.yes_bid_size_fp.is_zero(),
            "{}",
            market.ticker
        );
        let book = client
            .get_market_orderbook()
            .ticker(&market.ticker)
            .send()
            .await
            .unwrap()
            .into_inner()
            .orderbook_fp;
        assert_eq!(
            book.yes_dollars.last().unwrap().price,
            market.yes_bid_dollars,
            "the best comes last"
        );
        let no = book.no_dollars.last().unwrap().price;
        assert_eq!(Dollars::ONE.checked_sub(no), Some(market.yes_ask_dollars));
    }
    let shallow = client
        .get_market_orderbook()
        .ticker(&markets[0].ticker)
        .depth(2)
        .send()
        .await
        .unwrap();
    assert_eq!(shallow.orderbook_fp.yes_dollars.len(), 2);
    let books = client
        .get_market_orderbooks()
        .tickers(vec![markets[0].ticker.clone(), markets[1].ticker.clone()])
        .send()
        .await
        .unwrap();
    assert_eq!(books.orderbooks.len(), 2);
    let events = client
        .get_events()
        .with_nested_markets(true)
        .send()
        .await
        .unwrap()
        .into_inner()
        .events;
    assert_eq!(
        events
            .iter()
            .map(|event| event.markets.len())
            .sum::<usize>(),
        markets.len()
    );
    let event = client
        .get_event()
        .event_ticker(&events[0].event_ticker)
        .send()
        .await
        .unwrap();
    assert_eq!(event.markets.len(), events[0].markets.len());
    let series = client
        .get_series_list()
        .send()
        .await
        .unwrap()
        .into_inner()
        .series;
    assert_eq!(series.len(), 4);
    let one = client
        .get_series()
        .series_ticker("KXNBAGAME")
        .send()
        .await
        .unwrap();
    assert_eq!(one.series.fee_type.as_str(), "quadratic_with_maker_fees");
    let of_series = client
        .get_markets()
        .series_ticker("KXBTCD")
        .send()
        .await
        .unwrap()
        .into_inner()
        .markets;
    assert!(
        of_series
            .iter()
            .all(|market| market.exchange_index == Some(ExchangeIndex(1)))
            && of_series.len() == 3
    );
    let trades = client
        .get_trades()
        .ticker(&markets[0].ticker)
        .send()
        .await
        .unwrap();
    assert_eq!(trades.trades.len(), 3);
    let now = exchange.time().now().timestamp();
    let candles = async |from: i64| {
        let call = client
            .get_market_candlesticks()
            .series_ticker("KXHIGHNY")
            .ticker(&markets[0].ticker);
        call.start_ts(from)
            .end_ts(now + 60)
            .period_interval(1)
            .send()
            .await
    };
    assert_eq!(candles(now - 3600).await.unwrap().candlesticks.len(), 3);
    let refused = candles(0).await.unwrap_err();
    assert!(
        refused
            .details()
            .unwrap()
            .contains("max candlesticks: 5000"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_old_is_in_the_archive() {
    let exchange = exchange().await;
    exchange.time().stop();
    let market = exchange.market(TICKER).ask(dollars("0.50"), 5);
    let client = once(&exchange);
    place(&client, order(Bid, "0.50", "5")).await;
    market.settle(Outcome::Yes);
    exchange.time().advance(Duration::from_secs(61 * 24 * 3600));
    assert_eq!(client.get_orders().send().await.unwrap().orders.len(), 0);
    assert_eq!(
        client
            .get_historical_orders()
            .send()
            .await
            .unwrap()
            .orders
            .len(),
        1
    );
    assert_eq!(client.get_fills().send().await.unwrap().fills.len(), 0);
    assert_eq!(
        client
            .get_fills_historical()
            .send()
            .await
            .unwrap()
            .fills
            .len(),
        1
    );
    assert_eq!(
        client
            .get_historical_markets()
            .send()
            .await
            .unwrap()
            .markets
            .len(),
        1
    );
    assert_eq!(client.get_markets().send().await.unwrap().markets.len(), 0);
    assert_eq!(
        client
            .get_trades_historical()
            .send()
            .await
            .unwrap()
            .trades
            .len(),
        1
    );
    assert_eq!(
        client
            .get_historical_positions()
            .send()
            .await
            .unwrap()
            .market_positions
            .len(),
        1
    );
}
