//! Markets of both exchanges.

use serde_json::{Value, json};

use super::{MARKET, call, call_ok, empty_exchange, first_key, order, signed, status};

#[tokio::test]
async fn market_is_quoted_traded_paused_and_settled() {
    let exchange = empty_exchange().await;
    let key = first_key(&exchange);
    let (status_code, body) = call(&exchange, "POST", &format!("{MARKET}/pause"), json!({})).await;
    assert_eq!(
        (status_code, &body["error"]["code"]),
        (404, &json!("not_found"))
    );
    let settings = json!({ "mutually_exclusive": true, "strike_type": "between", "floor_strike": 41, "cap_strike": 42.5,
        "closes_at": "2100-01-01T00:00:00Z", "exchange_index": 0, "maker_fees": false, "price_level_structure": "deci_cent",
        "price_ranges": [{ "start": "0", "end": "1", "step": "0.001" }] });
    let market = call_ok(&exchange, "PUT", MARKET, settings).await;
    assert_eq!(
        market["price_ranges"],
        json!([{ "start": "0.0000", "end": "1.0000", "step": "0.0010" }])
    );
    assert_eq!(market["mutually_exclusive"], true);
    let (_, response) = signed(&exchange, &key, "GET", "/markets/KXTEST-26-A", Value::Null).await;
    assert_eq!(response["market"]["strike_type"], "between");
    assert_eq!(response["market"]["floor_strike"], 41.0);
    assert_eq!(response["market"]["cap_strike"], 42.5);
    assert_eq!(response["market"]["yes_sub_title"], "41 to 42.5");
    assert_eq!(response["market"]["close_time"], "2100-01-01T00:00:00Z");

    let quote = json!({ "side": "ask", "price": "0.455", "count": "5.00" });
    let market = call_ok(
        &exchange,
        "POST",
        &format!("{MARKET}/quotes"),
        quote.clone(),
    )
    .await;
    assert_eq!(
        market["book"]["asks"],
        json!([{ "price": "0.4550", "count": "5.00" }])
    );
    let (code, _) = signed(
        &exchange,
        &key,
        "POST",
        "/portfolio/events/orders",
        order("bid", "0.4000", "3.00"),
    )
    .await;
    assert_eq!(code, 201);
    let trade = json!({ "side": "ask", "price": "0.4000", "count": "2.00" });
    let market = call_ok(&exchange, "POST", &format!("{MARKET}/trades"), trade).await;
    assert_eq!(
        market["book"]["bids"],
        json!([{ "price": "0.4000", "count": "1.00" }])
    );
    assert_eq!(market["volume"], "2.00");
    let user = call_ok(
        &exchange,
        "GET",
        &format!("/users/{}", exchange.user().id()),
        Value::Null,
    )
    .await;
    assert_eq!(user["positions"][0]["position"], "2.00");
    assert_eq!(user["orders"][0]["remaining"], "1.00");
    // These settings are fixed once a user has had an order.
    for settings in [
        json!({ "maker_fees": true }),
        json!({ "exchange_index": 1 }),
    ] {
        assert_eq!(status(&exchange, "PUT", MARKET, settings).await, 409);
    }
    let market = call_ok(
        &exchange,
        "DELETE",
        &format!("{MARKET}/quotes"),
        Value::Null,
    )
    .await;
    assert_eq!(market["book"]["asks"], json!([]));

    assert_eq!(
        call_ok(&exchange, "POST", &format!("{MARKET}/pause"), Value::Null).await["status"],
        "inactive"
    );
    assert_eq!(
        status(
            &exchange,
            "POST",
            &format!("{MARKET}/quotes"),
            quote.clone()
        )
        .await,
        409
    );
    assert_eq!(
        call_ok(&exchange, "POST", &format!("{MARKET}/resume"), Value::Null).await["status"],
        "active"
    );
    call_ok(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "trading_active": false }),
    )
    .await;
    assert_eq!(
        status(
            &exchange,
            "POST",
            &format!("{MARKET}/quotes"),
            quote.clone()
        )
        .await,
        409
    );
    call_ok(
        &exchange,
        "PUT",
        "/exchange",
        json!({ "trading_active": true }),
    )
    .await;
    assert_eq!(
        call_ok(&exchange, "POST", &format!("{MARKET}/close"), Value::Null).await["status"],
        "closed"
    );
    for (path, body) in [
        ("quotes", quote),
        ("close", json!({})),
        ("pause", json!({})),
        ("resume", json!({})),
    ] {
        assert_eq!(
            status(&exchange, "POST", &format!("{MARKET}/{path}"), body).await,
            409,
            "{path}"
        );
    }
    assert_eq!(
        status(
            &exchange,
            "PUT",
            MARKET,
            json!({ "closes_at": "2101-01-01T00:00:00Z" })
        )
        .await,
        409
    );
    let market = call_ok(
        &exchange,
        "POST",
        &format!("{MARKET}/settle"),
        json!({ "result": "0.75" }),
    )
    .await;
    assert_eq!(
        (&market["status"], &market["settlement_value"]),
        (&json!("finalized"), &json!("0.7500"))
    );
    let (code, body) = call(
        &exchange,
        "POST",
        &format!("{MARKET}/settle"),
        json!({ "result": "yes" }),
    )
    .await;
    assert_eq!((code, &body["error"]["code"]), (409, &json!("conflict")));
    let (_, balance) = signed(&exchange, &key, "GET", "/portfolio/balance", Value::Null).await;
    assert_eq!(balance["balance"], 1_000_000 - 80 + 150);
}

#[cfg(feature = "perps")]
#[tokio::test]
async fn margin_market_is_quoted_and_changed() {
    let exchange = empty_exchange().await;
    let market = "/margin/markets/KXTESTPERP";
    assert_eq!(
        status(&exchange, "POST", &format!("{market}/pause"), Value::Null).await,
        404
    );
    let settings = json!({ "mark_price": "12.5", "reference_price": "12.4", "funding_rate": "-0.0003", "maker_fee_rate": "0",
        "taker_fee_rate": "0.0015", "leverage": "7.5", "fractional": true, "version": 2 });
    assert_eq!(
        call_ok(&exchange, "PUT", market, settings).await["mark_price"],
        "12.5000"
    );
    let quote = json!({ "side": "bid", "price": "12.2500", "count": "3.50" });
    let market_json = call_ok(&exchange, "POST", &format!("{market}/quotes"), quote).await;
    assert_eq!(
        market_json["book"]["bids"],
        json!([{ "price": "12.2500", "count": "3.50" }])
    );
    let client = exchange.perps_client().unwrap();
    // The initial margin is 1.3 times the maintenance margin.
    let listed = client
        .get_margin_market()
        .ticker("KXTESTPERP")
        .send()
        .await
        .unwrap();
    assert_eq!(
        format!("{:?}", listed.market.leverage_estimate),
        "Some(Decimal(5.769))"
    );
    assert_eq!(
        call_ok(&exchange, "POST", &format!("{market}/pause"), Value::Null).await["status"],
        "inactive"
    );
    call_ok(&exchange, "POST", &format!("{market}/resume"), Value::Null).await;
    let market_json = call_ok(
        &exchange,
        "DELETE",
        &format!("{market}/quotes"),
        Value::Null,
    )
    .await;
    assert_eq!(market_json["book"]["bids"], json!([]));
    // Only markets of events close and settle.
    for path in ["close", "settle"] {
        assert_eq!(
            status(&exchange, "POST", &format!("{market}/{path}"), json!({})).await,
            404
        );
    }
    let path = format!("/users/{}", exchange.user().id());
    let deposit = json!({ "amount": "-9999.99", "margin": true });
    let user = call_ok(&exchange, "POST", &format!("{path}/deposits"), deposit).await;
    let margin = user["balances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["margin"] == true);
    assert_eq!(margin.unwrap()["total"], "0.0100");
    call_ok(&exchange, "PUT", &path, json!({ "margin_enabled": false })).await;
    assert!(!client.get_margin_enabled().send().await.unwrap().enabled);
}

#[tokio::test]
async fn strikes_are_exact() {
    let exchange = empty_exchange().await;
    let url = format!("{}{MARKET}", exchange.control_url());
    let put = async |strike: &str| {
        let body = format!(r#"{{"strike_type":"greater","floor_strike":{strike}}}"#);
        let request = reqwest::Client::new().put(&url).body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for (sent, returned) in [
        ("92999.99", "92999.99"),
        ("0.3", "0.3"),
        ("-12.50", "-12.5"),
        ("1e3", "1000"),
        ("42", "42"),
        ("123456789.012345", "123456789.012345"),
    ] {
        let (status, market) = put(sent).await;
        assert_eq!(status, 200, "{sent}: {market}");
        let field = format!("\"floor_strike\":{returned},");
        assert!(market.contains(&field), "{sent}: {market}");
        let exact = exchange.market_snapshot("KXTEST-26-A").unwrap();
        assert_eq!(exact.floor_strike, Some(sent.parse().unwrap()));
    }
    for sent in ["1e400", "0.30000000000000004", "1e-40", "NaN", "\"\""] {
        assert_eq!(put(sent).await.0, 400, "{sent}");
    }
}
