//! Channels without state: external prices, combos and RFQ batches.

use std::time::Duration;

use crate::common::{
    Raw,
    listener::{self, Listener},
};
use kalshi_mock::MockExchange;
use serde_json::{Value, json};

#[tokio::test]
async fn external_prices_follow_the_clock() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.time().stop();
    for (channel, parameter, source, count) in [
        ("cfbenchmarks_value", "index_ids", "BRTI", 3),
        ("cfbenchmarks_value_5hz", "index_ids", "BRTI", 3),
        ("pyth_value", "underlying_tickers", "Metal.XAU/USD", 2),
    ] {
        let [add, remove, list] = match parameter {
            "index_ids" => ["subscribe_indices", "unsubscribe_indices", "indexlist"],
            _ => [
                "subscribe_underlyings",
                "unsubscribe_underlyings",
                "underlying_list",
            ],
        };
        let mut listener = Listener::open(&exchange).await;
        let sid = listener.subscribe(channel, json!({})).await;
        let mut update = async |params: Value| {
            listener.command("update_subscription", params).await;
            listener.next().await
        };
        let listed = update(json!({ "sid": sid, "action": list })).await;
        assert_eq!(listed["msg"][parameter].as_array().unwrap().len(), count);
        let params = json!({ "sid": sid, "action": add, parameter: [source] });
        assert_eq!(update(params).await["msg"][parameter], json!([source]));
        let missing = update(json!({ "sid": sid, "action": add })).await;
        let expected = if parameter == "index_ids" { 24 } else { 28 };
        assert_eq!(listener::code(&missing), expected);
        let params = json!({ "sid": sid, "action": add, parameter: ["none"] });
        assert_eq!(listener::code(&update(params).await), 11);

        // The clock is stopped, so at most the current value is sent.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = listener.drain().await.len();
        assert!(before <= 1, "{before}");
        exchange.time().advance(Duration::from_secs(1));
        let frame = listener.next().await;
        assert_eq!(frame["type"], channel);
        let field = if parameter == "index_ids" {
            "index_id"
        } else {
            "underlying_ticker"
        };
        assert_eq!(frame["msg"][field], source);

        let params = json!({ "channels": [channel], parameter: ["all"] });
        listener.command("subscribe", params).await;
        assert_eq!(listener.next().await["msg"][parameter], json!(["all"]));
        exchange.time().advance(Duration::from_secs(1));
        assert_eq!(listener.take(count).await.len(), count);
        let mut update = async |params: Value| {
            listener.command("update_subscription", params).await;
            listener.next().await
        };
        let params = json!({ "sid": sid, "action": remove, parameter: [source] });
        let updated = update(params).await;
        assert_eq!(
            updated["msg"][parameter].as_array().unwrap().len(),
            count - 1
        );
    }
}

#[tokio::test]
async fn combos_and_rfq_batches_are_reported() {
    let exchange = MockExchange::builder()
        .without_limits()
        .start()
        .await
        .unwrap();
    let raw = Raw::new(&exchange);
    let mut combos = Listener::open(&exchange).await;
    combos
        .subscribe("multivariate_market_lifecycle", json!({}))
        .await;
    let mut communications = Listener::open(&exchange).await;
    communications.subscribe("communications", json!({})).await;

    let leg = |ticker| json!({ "market_ticker": ticker, "event_ticker": "KXE", "side": "yes" });
    let legs = [leg("KXA"), leg("KXB")];
    let batches = "/communications/rfq_batches";
    let batch = format!("{batches}/sample id");
    let entry = |id: &str| json!({ "rfq_id": id, "yes_bid": "0.4000", "no_bid": "0.5000" });
    let entries = [entry("one"), entry("two")];
    let limit = |id: &str| json!({ "rfq_id": id, "bid_dollars": "0.4000" });
    let limits = [limit("one"), limit("two")];
    for (method, path, body, kinds) in [
        (
            "POST",
            "/multivariate_event_collections/sample collection_ticker".to_owned(),
            json!({ "selected_markets": legs }),
            &["multivariate_market_lifecycle"] as &[_],
        ),
        (
            "POST",
            batches.to_owned(),
            json!({ "children": [{ "market_ticker": "KXA" }, { "market_ticker": "KXB" }] }),
            &["rfq_batch_created"],
        ),
        (
            "POST",
            format!("{batch}/quotes"),
            json!({ "quotes": entries, "rest_remainder": false }),
            &["batch_quote_created", "rfq_batch_best_quotes"],
        ),
        (
            "PUT",
            format!("{batch}/accept"),
            json!({ "accepted_side": "yes", "min_bids": limits }),
            &["batch_quote_accepted"],
        ),
        (
            "PUT",
            format!("{batch}/quotes/sample id/confirm"),
            json!({}),
            &["rfq_batch_executed", "batch_quote_executed"],
        ),
        ("DELETE", batch.clone(), json!({}), &["rfq_batch_deleted"]),
    ] {
        let path = path.replace(' ', "%20");
        let (status, response) = raw.call(method, &path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {response}");
        for kind in kinds {
            let listener = match *kind {
                "multivariate_market_lifecycle" => &mut combos,
                _ => &mut communications,
            };
            let frame = listener.next().await;
            assert_eq!(frame["type"], *kind, "{frame}");
            if *kind == "rfq_batch_best_quotes" {
                assert_eq!(frame["msg"]["rfqs"][1]["yes_bid_dollars"], "0.4000");
            }
        }
    }
    assert!(combos.drain().await.is_empty() && communications.drain().await.is_empty());
}
