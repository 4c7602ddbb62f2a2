//! Clients: default and discovered limits, environment variables, custom requests and exact numbers.

use kalshi_perps::{
    Client,
    limits::{AccountLimits, BucketLimit, RateLimits, Tier},
    reqwest::Method,
};
use serde_json::{Value, json};

use crate::harness::{builder, calls::Server, client, default_builder, signed::assert_signed};

fn limits(read: i64, write: i64) -> Value {
    json!({
        "usage_tier": "expert", "grants": null,
        "read": { "refill_rate": read, "bucket_capacity": read },
        "write": { "refill_rate": write, "bucket_capacity": 2 * write },
    })
}

#[tokio::test]
async fn default_limits_are_those_of_the_basic_tier_of_this_api() {
    let client = Client::builder().build().unwrap();
    let buckets = client.rate_limiter().snapshot();
    assert_eq!((buckets.read.tokens, buckets.write.tokens), (400, 100));
}

#[tokio::test]
async fn discovered_limits_are_applied() {
    let server = Server::start().await;
    server.respond(200, Some(limits(600, 300)));
    let others = |client: &Client| {
        let buckets = client.rate_limiter().snapshot();
        (buckets.balance.limit, buckets.public.limit)
    };
    let before = others(&server.client);
    let discovered = server.client.discover_limits().await.unwrap();
    assert_eq!(others(&server.client), before);
    assert_eq!(discovered.read(), BucketLimit::new(600, 600));
    assert_eq!(discovered.write(), BucketLimit::new(300, 600));
    let request = server.take_request().await;
    assert_eq!(request.url.path(), "/trade-api/v2/account/limits/perps");
    assert_signed(&request);
    let buckets = server.client.rate_limiter().snapshot();
    assert_eq!(
        (buckets.read.limit, buckets.write.limit),
        (discovered.read(), discovered.write())
    );
}

#[tokio::test]
async fn limits_are_read_before_the_first_signed_request() {
    let server = Server::start().await;
    server.respond(200, Some(limits(4000, 300)));
    let client = default_builder(&server.server)
        .rate_limits(RateLimits::Discovered)
        .build()
        .unwrap();
    // The server sends the same limits in response to both requests, so the second one fails to decode.
    let result = client.get_margin_enabled().send().await;
    assert!(result.unwrap_err().is_decode());
    let requests = server.server.received_requests().await.unwrap();
    let paths: Vec<_> = requests.iter().map(|request| request.url.path()).collect();
    assert_eq!(
        paths[..2],
        [
            "/trade-api/v2/account/limits/perps",
            "/trade-api/v2/margin/enabled"
        ]
    );
    let buckets = client.rate_limiter().snapshot();
    assert_eq!(buckets.read.limit, BucketLimit::new(4000, 4000));
}

#[tokio::test]
async fn limits_that_cannot_be_discovered_are_the_default_ones() {
    let server = Server::start().await;
    server.respond(400, None);
    let client = default_builder(&server.server)
        .rate_limits(RateLimits::Discovered)
        .build()
        .unwrap();
    client.get_margin_enabled().send().await.unwrap_err();
    let buckets = client.rate_limiter().snapshot();
    assert_eq!(buckets.read.limit, BucketLimit::new(400, 400));
    assert_eq!(buckets.write.limit, BucketLimit::new(100, 100));
}

#[tokio::test]
async fn invalid_limits_are_not_applied() {
    let server = Server::start().await;
    let client = default_builder(&server.server).build().unwrap();
    server.respond(200, Some(limits(-1, 300)));
    let error = client.discover_limits().await.unwrap_err();
    assert!(error.to_string().contains("`refill_rate` is -1"), "{error}");
    let tokens = client.rate_limiter().snapshot().write.tokens;
    assert_eq!(tokens, 100);
}

/// A computed balance costs 50 tokens instead of 5.
#[tokio::test]
async fn computed_balance_costs_more_tokens() {
    let server = Server::start().await;
    let limit = BucketLimit::new(1, 1_000);
    let limits = AccountLimits::from_tier(Tier::Basic).with_read(limit);
    let client = default_builder(&server.server)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let left = || client.rate_limiter().snapshot().read.tokens;
    let balance = json!({ "settled_funds": "1.0000", "subaccount_balances": [] });
    server.respond(200, Some(balance));
    client.get_margin_balance().send().await.unwrap();
    assert_eq!(left(), 995);
    for (computed, tokens) in [(false, 990), (true, 940)] {
        let request = client.get_margin_balance();
        let request = request.compute_available_balance(computed);
        request.send().await.unwrap();
        assert_eq!(left(), tokens);
    }
}

/// The cap applies to every operation, because a request that costs more than the capacity could never be sent.
#[tokio::test]
async fn cost_of_computed_balance_is_capped_at_bucket_capacity() {
    let server = Server::start().await;
    let limits = AccountLimits::from_tier(Tier::Basic).with_read(BucketLimit::new(1, 20));
    let client = default_builder(&server.server)
        .rate_limits(RateLimits::Account(limits))
        .build()
        .unwrap();
    let balance = json!({ "settled_funds": "1.0000", "subaccount_balances": [] });
    server.respond(200, Some(balance));
    let request = client.get_margin_balance().compute_available_balance(true);
    request.send().await.unwrap();
    assert_eq!(client.rate_limiter().snapshot().read.tokens, 0);
}

#[tokio::test]
async fn custom_request_is_signed() {
    let server = Server::start().await;
    server.respond(200, Some(json!({ "enabled": true })));
    let client = client(&server.server);
    let response = client
        .request(Method::GET, "/margin/enabled")
        .send::<Value>()
        .await
        .unwrap();
    assert_eq!(response["enabled"], true);
    assert_signed(&server.take_request().await);
}

#[test]
fn error_names_missing_variable() {
    for (result, name) in [
        (Client::from_env(), "KALSHI_PERPS_API_KEY_ID"),
        (Client::demo_from_env(), "KALSHI_PERPS_DEMO_API_KEY_ID"),
    ] {
        let error = result.unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error} {}", source.unwrap_or_default());
        assert!(text.contains(name), "{text}");
    }
}

/// Numbers in responses are not rounded.
#[tokio::test]
async fn rates_keep_all_digits() {
    let server = Server::start().await;
    for rate in [
        "0.0000143268415739",
        "-0.02",
        "0",
        "1e-05",
        "0.1000000000000000055",
    ] {
        let body = format!(
            r#"{{"funding_rates":[{{"funding_rate":{rate},"funding_time":"2026-06-12T04:00:00Z","mark_price":"6.3329","market_ticker":"KXBTCPERP1"}}]}}"#
        );
        server.respond_raw(200, body.as_bytes(), "application/json");
        let client = builder(&server.server).build().unwrap();
        let response = client
            .get_margin_historical_funding_rates()
            .send()
            .await
            .unwrap();
        let expected: kalshi_perps::Decimal = rate.parse().unwrap();
        assert_eq!(response.funding_rates[0].funding_rate, expected);
    }
}

#[tokio::test]
async fn placeholder_prices_are_none() {
    let server = Server::start().await;
    let samples = crate::harness::calls::samples();
    let mut body = samples.responses("GetMarginMarket").remove(0).body;
    body["market"]["tick_size"] = json!("");
    body["market"]["contract_size"] = json!("0.000100");
    for (bid, ask) in [("0.0000", "922337203685477.5807"), ("0.0000", "0.0000")] {
        body["market"]["price"] = json!("0.0000");
        body["market"]["bid"] = json!(bid);
        body["market"]["ask"] = json!(ask);
        server.respond(200, Some(body.clone()));
        let request = server.client.get_margin_market().ticker("KXBTCPERP1");
        let market = request.send().await.unwrap().into_inner().market;
        let prices = [market.tick_size, market.price, market.bid, market.ask];
        assert_eq!(prices, [None; 4]);
        assert_eq!(market.contract_size, "0.0001".parse().unwrap());
    }
}
