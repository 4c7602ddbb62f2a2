//! Calls every operation of the spec and checks status and signature requirements.

use std::collections::BTreeMap;

use crate::common::{Raw, TICKER, exchange, now_ms, send};
use kalshi_gen::{FixupMode, ParameterLocation, Samples};
use kalshi_mock::MockExchange;
use kalshi_sdk::{Operation, operation};
use serde_json::{Value, json};

fn samples() -> Samples {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml");
    Samples::new(&std::fs::read_to_string(path).unwrap(), FixupMode::Lenient).unwrap()
}

/// Values that exist on an exchange, by the names of parameters and fields that take them.
type Fixture = BTreeMap<&'static str, Value>;

/// Path parameters that name objects of the samples.
const SAMPLES: [&str; 6] = [
    "block_trade_proposal_id",
    "rfq_batch_id",
    "batch_quote_id",
    "milestone_id",
    "structured_target_id",
    "collection_ticker",
];

/// Builds the sample request of an operation, with the values of the fixture.
fn request(
    raw: &Raw,
    samples: &Samples,
    operation: &Operation,
    fixture: &Fixture,
) -> reqwest::RequestBuilder {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    };
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    for argument in samples.arguments(operation.id) {
        let value = fixture
            .get(argument.name.as_str())
            .cloned()
            .unwrap_or(argument.value);
        match (argument.location, value) {
            (ParameterLocation::Path, value) => {
                // Candlesticks of an event have the parameter `ticker` too, but it is the ticker of the event.
                let of_event = argument.name == "ticker" && operation.path.contains("/events/");
                let value = if of_event {
                    &fixture["event_ticker"]
                } else {
                    &value
                };
                let value = match SAMPLES.contains(&argument.name.as_str()) {
                    true => "sample%20id".to_owned(),
                    false => text(value).replace(|byte: char| !byte.is_ascii_alphanumeric(), "-"),
                };
                path = path.replace(&format!("{{{}}}", argument.name), &value);
            }
            (_, Value::Array(items)) => {
                query.extend(items.iter().map(|item| (argument.name.clone(), text(item))))
            }
            // The sample cursor belongs to no list.
            _ if argument.name == "cursor" => {}
            (_, value) => query.push((argument.name, text(&value))),
        }
    }
    let request = raw
        .signed(operation.method.as_str(), &path, now_ms())
        .query(&query);
    let mut body = samples.body(operation.id).unwrap_or_else(|| json!({}));
    replace_samples(&mut body, fixture);
    // These fields are alternatives to other fields, so they are removed.
    for surplus in [
        "reduce_to",
        "contracts",
        "contracts_fp",
        "target_cost_centi_cents",
    ] {
        if let Some(fields) = body.as_object_mut() {
            fields.remove(surplus);
        }
    }
    request.json(&body)
}

/// Replaces sample values with those of the fixture, and duplicates the items of lists.
fn replace_samples(body: &mut Value, fixture: &Fixture) {
    match body {
        Value::Array(items) => {
            items
                .iter_mut()
                .for_each(|item| replace_samples(item, fixture));
            items.extend(items.first().cloned());
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match fixture.get(name.as_str()) {
                    Some(existing) => *value = existing.clone(),
                    None => replace_samples(value, fixture),
                }
            }
        }
        _ => {}
    }
}

/// Starts an exchange with one object of every kind, and returns it with its users and the values of the objects.
async fn fixture(as_maker: bool) -> (MockExchange, [Raw; 2], Fixture) {
    let exchange = exchange().await;
    let _ = exchange
        .market(TICKER)
        .bid(crate::common::dollars("0.30"), 10);
    let first = Raw::new(&exchange);
    let other = exchange.add_user().unwrap();
    let other = Raw::with_key(&exchange, other.credentials(), other.private_key().clone());
    let created = |(status, body): (u16, Value), name: &str| {
        assert!((200..300).contains(&status), "{status} {body}");
        body[name].clone()
    };
    let order = json!({
        "ticker": TICKER, "side": "bid", "count": "20", "price": "0.40", "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "maker",
    });
    let order = created(
        first
            .call("POST", "/portfolio/events/orders", Some(order))
            .await,
        "order_id",
    );
    let limit = Some(json!({ "contracts_limit": 5 }));
    let group = created(
        first
            .call("POST", "/portfolio/order_groups/create", limit)
            .await,
        "order_group_id",
    );
    let transfer = json!({
        "source": "event_contract", "destination": "event_contract", "amount": 100, "destination_exchange_shard": 1,
    });
    let transfer = created(
        first
            .call(
                "POST",
                "/portfolio/intra_exchange_instance_transfer",
                Some(transfer),
            )
            .await,
        "transfer_id",
    );
    let key = json!({ "name": "other", "key_type": "ed25519" });
    let key = created(
        first.call("POST", "/api_keys/generate", Some(key)).await,
        "api_key_id",
    );
    // The maker confirms, the requester accepts.
    let (requester, maker) = if as_maker {
        (&other, &first)
    } else {
        (&first, &other)
    };
    let rfq = json!({ "market_ticker": TICKER, "contracts": 1, "rest_remainder": false });
    let rfq = created(
        requester
            .call("POST", "/communications/rfqs", Some(rfq))
            .await,
        "id",
    );
    let quote =
        json!({ "rfq_id": rfq, "yes_bid": "0.40", "no_bid": "0.40", "rest_remainder": false });
    let quote = created(
        maker
            .call("POST", "/communications/quotes", Some(quote))
            .await,
        "id",
    );
    let now = exchange.time().now().timestamp();
    let fixture = Fixture::from([
        ("ticker", json!(TICKER)),
        ("market_ticker", json!(TICKER)),
        ("event_ticker", json!("KXTEST-26")),
        ("series_ticker", json!("KXTEST")),
        ("order_id", order),
        ("order_group_id", group),
        ("rfq_id", rfq),
        ("quote_id", quote),
        ("transfer_id", transfer),
        ("api_key", key),
        ("subaccount", json!(0)),
        ("exclude_markets", json!(false)),
        ("exchange_index", json!(0)),
        ("period_interval", json!(60)),
        ("start_ts", json!(now - 3600)),
        ("end_ts", json!(now)),
        (
            "client_transfer_id",
            json!("7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001"),
        ),
        (
            "public_key",
            json!(exchange.user().private_key().public_key().to_pem()),
        ),
        ("expiration_time", json!(now + 600)),
        ("side", json!("bid")),
        ("price", json!("0.20")),
        ("count", json!("12.50")),
        ("yes_bid", json!("0.30")),
        ("no_bid", json!("0.30")),
        ("post_only", json!(false)),
        ("reduce_only", json!(false)),
        ("time_in_force", json!("good_till_canceled")),
        ("client_order_id", json!("")),
        ("updated_client_order_id", json!("new")),
        ("source", json!("event_contract")),
        ("destination", json!("event_contract")),
        ("source_exchange_shard", json!(0)),
        ("destination_exchange_shard", json!(1)),
        ("source_subaccount", json!(0)),
        ("destination_subaccount", json!(0)),
        ("subaccount_number", json!(0)),
        ("from_subaccount", json!(0)),
        ("to_subaccount", json!(1)),
        ("amount_cents", json!(5)),
        ("amount", json!(500)),
        ("percent", json!(50)),
        ("contracts_limit", json!(12)),
        ("contracts_limit_fp", json!("12.00")),
        ("contracts", json!(3)),
        ("reduce_by", json!("1.00")),
        ("scopes", json!(["read"])),
        (
            "creator_user_id",
            json!("7b1c9a52-3a4e-4f0d-9a55-0e3a8ad0c001"),
        ),
        (
            "selected_markets",
            json!([{ "market_ticker": TICKER, "event_ticker": "KXTEST-26", "side": "yes" }]),
        ),
    ]);
    let (status, _) = first
        .call("POST", "/portfolio/subaccounts", Some(json!({})))
        .await;
    assert_eq!(status, 201);
    (exchange, [first, other], fixture)
}

#[tokio::test]
async fn every_operation_succeeds() {
    let samples = samples();
    let read_fixture = fixture(false).await;
    for operation in &operation::ALL {
        let id = operation.id;
        let confirms = id.starts_with("Confirm") && !id.contains("Batch");
        let as_maker =
            confirms || id.starts_with("DeleteQuote") || id.starts_with("DeleteRFQQuote");
        let changes = operation.method != "GET";
        let fresh = if changes {
            Some(fixture(as_maker || id == "CreateQuote").await)
        } else {
            None
        };
        let (_, [raw, requester], fixture) = fresh.as_ref().unwrap_or(&read_fixture);
        let mut fixture = fixture.clone();
        if id == "GetOrders" || id.contains("HistoricalOrders") || id == "GetFCMOrders" {
            fixture.insert("status", json!("resting"));
        }
        if confirms {
            let accept = format!(
                "/communications/quotes/{}/accept",
                fixture["quote_id"].as_str().unwrap()
            );
            assert_eq!(
                requester
                    .call("PUT", &accept, Some(json!({ "accepted_side": "yes" })))
                    .await
                    .0,
                204
            );
        }
        let (status, body) = send(request(raw, &samples, operation, &fixture)).await;
        let expected = match id {
            // The response of the exchange to users who are not clearing members.
            "GetPortfolioRestingOrderTotalValue" => 403,
            _ => samples.status(id).unwrap(),
        };
        assert_eq!(status, expected, "{operation}: {body}");
    }
}

#[tokio::test]
async fn only_private_operations_require_a_signature() {
    let samples = samples();
    let (_exchange, [raw, _], fixture) = fixture(false).await;
    for operation in &operation::ALL {
        let mut request = request(&raw, &samples, operation, &fixture)
            .build()
            .unwrap();
        for name in [
            "kalshi-access-key",
            "kalshi-access-signature",
            "kalshi-access-timestamp",
        ] {
            request.headers_mut().remove(name);
        }
        let status = reqwest::Client::new()
            .execute(request)
            .await
            .unwrap()
            .status();
        assert_eq!(status == 401, operation.auth, "{operation}: {status}");
    }
}
