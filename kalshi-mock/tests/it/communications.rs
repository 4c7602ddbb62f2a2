//! Requests for quote and quotes, from creation to execution.

use std::time::Duration;

use crate::common::{Raw, TICKER, client_without_retries, contracts, dollars, exchange};
use kalshi_mock::{MockExchange, Settlement};
use kalshi_sdk::{Client, Credentials, Dollars, PrivateKey};
use serde_json::{Value, json};

#[tokio::test]
async fn quote_is_created_accepted_confirmed_and_executed() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let requester = client_without_retries(&exchange);
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
    assert_eq!(maker.get_rfqs().send().await.unwrap().rfqs[0].id, rfq);
    let quote = async |yes: &str, no: &str| {
        let (yes, no) = (dollars(yes), dollars(no));
        let body = maker.create_quote().body_map(|body| {
            body.rfq_id(&rfq)
                .yes_bid(yes)
                .no_bid(no)
                .rest_remainder(false)
        });
        body.send().await.map(|created| created.into_inner().id)
    };
    assert!(
        quote("0.60", "0.50").await.is_err(),
        "the bids exceed a dollar together"
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
        "a new quote replaces it"
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
        404,
        "only the requester can accept"
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

    // The maker buys YES at 0.48 without a fee. The requester buys NO at 0.52 and pays a fee.
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
            fills[0].outcome_side.unwrap().as_str()
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
async fn late_confirmation_is_rejected() {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let requester = Raw::new(&exchange);
    let other = exchange.add_user().unwrap();
    let maker = Raw::with_key(&exchange, other.credentials(), other.private_key().clone());
    let id = |created: (u16, Value)| created.1["id"].as_str().unwrap().to_owned();
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
    let (status, response) = maker
        .call("PUT", &format!("{quote}/confirm"), Some(json!({})))
        .await;
    assert_eq!(
        (status, response["error"]["code"].as_str().unwrap()),
        (400, "expired")
    );
    let (_, response) = maker.call("GET", &quote, None).await;
    assert_eq!(
        response["quote"]["status"], "accepted",
        "the status does not change"
    );
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

/// Starts an exchange with a market, and returns it with a requester and a maker.
async fn parties() -> (MockExchange, Raw, Raw) {
    let exchange = exchange().await;
    exchange.time().stop();
    let _ = exchange.market(TICKER);
    let other = exchange.add_user().unwrap();
    let maker = Raw::with_key(&exchange, other.credentials(), other.private_key().clone());
    let requester = Raw::new(&exchange);
    (exchange, requester, maker)
}

fn id((status, body): (u16, Value)) -> String {
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().unwrap().to_owned()
}

async fn create_rfq(requester: &Raw, more: Value) -> (u16, Value) {
    let mut body = json!({ "market_ticker": TICKER, "rest_remainder": false });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    requester
        .call("POST", "/communications/rfqs", Some(body))
        .await
}

async fn create_quote(maker: &Raw, rfq: &str, yes: &str, no: &str) -> (u16, Value) {
    let body = json!({ "rfq_id": rfq, "yes_bid": yes, "no_bid": no, "rest_remainder": false });
    maker
        .call("POST", "/communications/quotes", Some(body))
        .await
}

async fn accept(requester: &Raw, quote: &str) -> u16 {
    let body = Some(json!({ "accepted_side": "yes" }));
    requester
        .call(
            "PUT",
            &format!("/communications/quotes/{quote}/accept"),
            body,
        )
        .await
        .0
}

async fn confirm(maker: &Raw, quote: &str) -> u16 {
    maker
        .call(
            "PUT",
            &format!("/communications/quotes/{quote}/confirm"),
            Some(json!({})),
        )
        .await
        .0
}

async fn read(caller: &Raw, quote: &str) -> Value {
    let (_, mut body) = caller
        .call("GET", &format!("/communications/quotes/{quote}"), None)
        .await;
    body["quote"].take()
}

#[tokio::test]
async fn invalid_sizes_of_requests_for_quote_are_rejected() {
    let (_exchange, requester, maker) = parties().await;
    for size in [
        json!({ "contracts_fp": "92233720368547758.07" }),
        json!({ "contracts": 1_000_000_000_000_000_i64 }),
        json!({ "contracts": 0 }),
        json!({ "contracts_fp": "-1" }),
        json!({ "contracts": 5, "contracts_fp": "6" }),
        json!({ "contracts": 5, "target_cost_dollars": "1" }),
        json!({ "contracts": 5, "target_cost_excludes_fees": true }),
        json!({}),
    ] {
        assert_eq!(create_rfq(&requester, size.clone()).await.0, 400, "{size}");
    }
    let large = id(create_rfq(&requester, json!({ "target_cost_dollars": "900000000000" })).await);
    assert_eq!(
        create_quote(&maker, &large, "0.9999", "0.0001").await.1["error"]["code"],
        "insufficient_balance"
    );
}

#[tokio::test]
async fn target_cost_includes_fees_by_default() {
    let (_exchange, requester, maker) = parties().await;
    for (excludes, contracts) in [(true, "20.00"), (false, "19.32")] {
        let rfq = json!({ "target_cost_dollars": "10", "target_cost_excludes_fees": excludes });
        let rfq = id(create_rfq(&requester, rfq).await);
        let quote = id(create_quote(&maker, &rfq, "0.50", "0.30").await);
        // NO at 0.50: 20 contracts, or fewer with a fee of 0.07 x 0.25 each.
        assert_eq!(read(&maker, &quote).await["yes_contracts_fp"], contracts);
    }
}

#[tokio::test]
async fn only_one_quote_of_a_request_trades() {
    let (exchange, requester, maker) = parties().await;
    let third = exchange.add_user().unwrap();
    let third = Raw::with_key(&exchange, third.credentials(), third.private_key().clone());
    let rfq = id(create_rfq(&requester, json!({ "contracts": 10 })).await);
    let one = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    let other = id(create_quote(&third, &rfq, "0.41", "0.41").await);
    assert_eq!(accept(&requester, &one).await, 204);
    assert_eq!(
        accept(&requester, &other).await,
        400,
        "only one quote can be accepted at a time"
    );
    // Without a confirmation the acceptance expires, and another quote can be accepted.
    exchange.time().advance(Duration::from_secs(31));
    assert_eq!(accept(&requester, &other).await, 204);
    assert_eq!(
        (confirm(&maker, &one).await, confirm(&third, &other).await),
        (400, 204)
    );
    exchange.time().advance(Duration::from_secs(16));
    assert_eq!(read(&requester, &other).await["status"], "executed");
    assert_eq!(read(&requester, &one).await["status"], "accepted");
    assert_eq!(accept(&requester, &one).await, 404);
}

#[tokio::test]
async fn quotes_are_rejected_while_trading_is_stopped() {
    let (exchange, requester, maker) = parties().await;
    let rfq = id(create_rfq(&requester, json!({ "contracts": 10 })).await);
    let quote = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    assert_eq!(
        (
            accept(&requester, &quote).await,
            confirm(&maker, &quote).await
        ),
        (204, 204)
    );
    exchange.pause_trading();
    exchange.time().advance(Duration::from_secs(16));
    let cancelled = read(&requester, &quote).await;
    assert_eq!(
        (&cancelled["status"], &cancelled["cancellation_reason"]),
        (&json!("cancelled"), &json!("market_not_active"))
    );
    assert_eq!(
        create_rfq(&requester, json!({ "contracts": 10 })).await.0,
        409
    );
    exchange.resume_trading();
    exchange.market(TICKER).settle(Settlement::Yes);
    assert_eq!(
        create_rfq(&requester, json!({ "contracts": 10 })).await.0,
        400
    );
    assert_eq!(create_quote(&maker, &rfq, "0.40", "0.40").await.0, 400);
}

#[tokio::test]
async fn accepted_quote_cannot_be_deleted() {
    let (exchange, requester, maker) = parties().await;
    let rfq = id(create_rfq(&requester, json!({ "contracts": 10 })).await);
    let quote = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    assert_eq!(
        (
            accept(&requester, &quote).await,
            confirm(&maker, &quote).await
        ),
        (204, 204)
    );
    let path = format!("/communications/rfqs/{rfq}");
    assert_eq!(requester.call("DELETE", &path, None).await.0, 400);
    id(create_rfq(
        &requester,
        json!({ "contracts": 1, "replace_existing": true }),
    )
    .await);
    exchange.time().advance(Duration::from_secs(16));
    assert_eq!(read(&requester, &quote).await["status"], "executed");
}

#[tokio::test]
async fn maker_closes_position_without_cash() {
    let (exchange, requester, maker) = parties().await;
    let rfq = id(create_rfq(&requester, json!({ "contracts": 10 })).await);
    let quote = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    assert_eq!(
        (
            accept(&requester, &quote).await,
            confirm(&maker, &quote).await
        ),
        (204, 204)
    );
    exchange.time().advance(Duration::from_secs(16));
    // The maker holds 10 YES, and moves all its money to a subaccount.
    assert_eq!(
        maker
            .call("POST", "/portfolio/subaccounts", Some(json!({})))
            .await
            .0,
        201
    );
    let all = json!({
        "client_transfer_id": "7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001", "from_subaccount": 0, "to_subaccount": 1,
        "amount_cents": 999_600,
    });
    assert_eq!(
        maker
            .call("POST", "/portfolio/subaccounts/transfer", Some(all))
            .await
            .0,
        200
    );
    let rfq = id(create_rfq(&requester, json!({ "contracts": 10 })).await);
    assert_eq!(
        create_quote(&maker, &rfq, "0", "0.40").await.0,
        201,
        "NO closes YES"
    );
    assert_eq!(
        create_quote(&maker, &rfq, "0.40", "0").await.0,
        400,
        "buying more YES needs cash"
    );
}

#[tokio::test]
async fn hidden_requester_is_shown_after_the_trade() {
    let (exchange, requester, maker) = parties().await;
    let (_, own) = requester.call("GET", "/communications/id", None).await;
    let rfq = id(create_rfq(
        &requester,
        json!({ "contracts": 1, "obscure_creator_id": true }),
    )
    .await);
    let quote = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    let path = format!("/communications/rfqs/{rfq}");
    let creator =
        async |caller: &Raw| caller.call("GET", &path, None).await.1["rfq"]["creator_id"].clone();
    let hidden_id = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(creator(&requester).await, own["communications_id"]);
    assert_eq!(creator(&maker).await, hidden_id);
    assert_eq!(read(&maker, &quote).await["rfq_creator_id"], hidden_id);
    assert!(
        read(&requester, &quote).await["post_only"].is_null(),
        "only the maker can read it"
    );
    assert_eq!(
        (
            accept(&requester, &quote).await,
            confirm(&maker, &quote).await
        ),
        (204, 204)
    );
    exchange.time().advance(Duration::from_secs(16));
    assert_eq!(creator(&maker).await, own["communications_id"]);
}

#[tokio::test]
async fn subaccount_key_sees_only_its_quotes() {
    let (exchange, requester, maker) = parties().await;
    assert_eq!(
        requester
            .call("POST", "/portfolio/subaccounts", Some(json!({})))
            .await
            .0,
        201
    );
    let key = PrivateKey::generate_ed25519().unwrap();
    let body = json!({ "name": "one", "public_key": key.public_key().to_pem(), "subaccount": 1 });
    let (_, created) = requester.call("POST", "/api_keys", Some(body)).await;
    let credentials =
        Credentials::new(created["api_key_id"].as_str().unwrap(), key.clone()).unwrap();
    let locked = Raw::with_key(&exchange, credentials, key);

    let rfq = id(create_rfq(&requester, json!({ "contracts": 1 })).await);
    let quote = id(create_quote(&maker, &rfq, "0.40", "0.40").await);
    assert_eq!(
        accept(&locked, &quote).await,
        404,
        "the request belongs to the primary account"
    );
    assert_eq!(
        locked
            .call("DELETE", &format!("/communications/rfqs/{rfq}"), None)
            .await
            .0,
        404
    );
    let (_, response) = locked
        .call("GET", &format!("/communications/rfqs/{rfq}"), None)
        .await;
    assert!(response["rfq"]["creator_subaccount"].is_null());
    let (_, listed) = locked.call("GET", "/communications/quotes", None).await;
    assert_eq!(listed["quotes"], json!([]));
    let (_, balance) = locked.call("GET", "/portfolio/balance", None).await;
    assert_eq!(
        (&balance["balance"], &balance["balance_breakdown"]),
        (&json!(0), &Value::Null)
    );
    let (_, balances) = locked
        .call("GET", "/portfolio/subaccounts/balances", None)
        .await;
    assert_eq!(balances["subaccount_balances"].as_array().unwrap().len(), 1);
    let (_, keys) = locked.call("GET", "/api_keys", None).await;
    assert_eq!(keys["api_keys"].as_array().unwrap().len(), 1);
    assert_eq!(
        locked
            .call("POST", "/portfolio/subaccounts", Some(json!({})))
            .await
            .0,
        403
    );
}
