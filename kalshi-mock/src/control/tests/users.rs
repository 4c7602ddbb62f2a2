//! Users, their keys and signatures.

use kalshi_sdk::{PrivateKey, auth::KeyAlgorithm};
use serde_json::{Value, json};

use super::{call, call_ok, empty_exchange, first_key, order, signed, started, status};
use crate::MockExchange;

#[tokio::test]
async fn users_have_keys_with_scopes_subaccounts_and_deposits() {
    let exchange = empty_exchange().await;
    let added = call_ok(&exchange, "POST", "/users", Value::Null).await;
    let key = added["key_id"].as_str().unwrap();
    let path = format!("/users/{}", added["user_id"].as_str().unwrap());
    let keys = format!("{path}/keys");
    let balance = |key: &str| {
        let (exchange, key) = (exchange.clone(), key.to_owned());
        async move { signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await }
    };
    call_ok(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "0.50" }),
    )
    .await;
    assert_eq!(balance(key).await.1["balance"], 1_000_050);
    call_ok(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "-20000" }),
    )
    .await;
    assert_eq!(balance(key).await.1["balance"], 0);
    let user = call_ok(
        &exchange,
        "POST",
        &format!("{path}/deposits"),
        json!({ "amount": "7", "exchange_index": 1 }),
    )
    .await;
    assert_eq!(user["balances"][1]["total"], "7.0000");

    // A public key of the client, with which the exchange cannot sign.
    let own = PrivateKey::generate_ed25519().unwrap();
    let new = json!({ "key_id": "own key?", "public_key": own.public_key().to_pem() });
    assert_eq!(status(&exchange, "POST", &keys, new).await, 400);
    let new = json!({ "key_id": "own/1", "public_key": own.public_key().to_pem() });
    assert_eq!(
        call_ok(&exchange, "POST", &keys, new.clone()).await,
        json!({ "key_id": "own/1", "private_key": null })
    );
    assert_eq!(status(&exchange, "POST", &keys, new).await, 409);
    let to_sign =
        json!({ "method": "GET", "path": "/trade-api/v2/portfolio/balance", "key_id": "own/1" });
    assert_eq!(status(&exchange, "POST", "/sign", to_sign).await, 404);
    let client = exchange.client_builder().unwrap();
    let client = client.credentials(kalshi_sdk::Credentials::new("own/1", own).unwrap());
    client.build().unwrap().get_balance().send().await.unwrap();
    call_ok(&exchange, "DELETE", &format!("{keys}/own%2F1"), Value::Null).await;
    assert_eq!(
        status(&exchange, "DELETE", &format!("{keys}/own%2F1"), Value::Null).await,
        404
    );
    assert_eq!(
        status(&exchange, "DELETE", &format!("{keys}/{key}"), Value::Null).await,
        409
    );

    let reader = call_ok(&exchange, "POST", &keys, json!({ "scopes": ["read"] })).await;
    let reader = reader["key_id"].as_str().unwrap();
    assert_eq!(balance(reader).await.0, 200);
    exchange.market("KXTEST-26-A");
    let rejected = signed(
        &exchange,
        reader,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.1", "1"),
    )
    .await;
    assert_eq!(rejected.0, 403);
    for terms in [
        json!({ "scopes": ["write"] }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["all"] }),
        json!({ "subaccount": 1 }),
    ] {
        assert_eq!(status(&exchange, "POST", &keys, terms).await, 400);
    }
    signed(&exchange, key, "POST", "/portfolio/subaccounts", json!({})).await;
    let locked = call_ok(&exchange, "POST", &keys, json!({ "subaccount": 1 })).await;
    let locked = locked["key_id"].as_str().unwrap();
    assert_eq!(
        signed(
            &exchange,
            locked,
            "GET",
            "/portfolio/balance?subaccount=0",
            Value::Null
        )
        .await
        .0,
        403
    );
    assert_eq!(
        signed(
            &exchange,
            locked,
            "GET",
            "/portfolio/balance?subaccount=1",
            Value::Null
        )
        .await
        .0,
        200
    );
}

#[tokio::test]
async fn exchange_signs_only_with_keys_that_it_generated() {
    let external = PrivateKey::generate_ed25519().unwrap();
    let exchange = started(MockExchange::builder().private_key(external)).await;
    let to_sign = |key: &str| json!({ "method": "get", "path": "/trade-api/v2/portfolio/balance?x=1", "key_id": key });
    let (code, body) = call(&exchange, "POST", "/sign", to_sign(&first_key(&exchange))).await;
    assert_eq!(code, 404, "{body}");
    // The client signs with the key itself.
    exchange
        .client()
        .unwrap()
        .get_balance()
        .send()
        .await
        .unwrap();
    let second = exchange.add_user().unwrap();
    let key = second.credentials().key_id().to_owned();
    call_ok(&exchange, "POST", "/sign", to_sign(&key)).await;
    let new = json!({ "name": "n", "key_type": "ed25519" });
    let (_, generated) = signed(&exchange, &key, "POST", "/api_keys/generate", new).await;
    call_ok(
        &exchange,
        "POST",
        "/sign",
        to_sign(generated["api_key_id"].as_str().unwrap()),
    )
    .await;
}

#[tokio::test]
async fn rsa_keys_sign_too() {
    let exchange = started(MockExchange::builder().key_algorithm(KeyAlgorithm::Rsa)).await;
    let (code, _) = signed(
        &exchange,
        &first_key(&exchange),
        "GET",
        "/portfolio/balance",
        Value::Null,
    )
    .await;
    assert_eq!(code, 200);
}
