//! Error chains: no message repeats the message of a source.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use crate::common::{
    KEY_ID,
    exchange::{Exchange, Reply},
    key,
};
use kalshi_mock::MockExchange;
use kalshi_sdk::{
    Client, ConfigError, Credentials, Environment, RetryPolicy,
    fees::{FeeError, Multiplier},
    limits::RateLimits,
    orders::{InvalidOrder, PriceGrid},
};

/// Checks that no error of a chain contains the message of one of its sources.
fn assert_no_repetition(error: &dyn StdError) {
    let text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let below = source.to_string();
        assert!(!text.contains(&below), "{text:?} repeats {below:?}");
        next = source.source();
    }
    if let Some(source) = error.source() {
        assert_no_repetition(source);
    }
}

#[test]
fn errors_of_values_do_not_repeat_their_sources() {
    let too_precise = "0.0000001".parse::<Multiplier>().unwrap_err();
    assert_no_repetition(&FeeError::Multiplier("0.0000001".to_owned(), too_precise));
    let cent = "0.01".parse().unwrap();
    let grid = PriceGrid::new([("0".parse().unwrap(), "1".parse().unwrap(), cent)]);
    let off_grid = grid.check("0.015".parse().unwrap()).unwrap_err();
    assert_no_repetition(&InvalidOrder::OffGrid(off_grid));
    assert_no_repetition(&Environment::custom("nowhere", "ws://127.0.0.1").unwrap_err());
    let missing = Credentials::from_lookup("X_", |name| {
        (!name.contains("PATH") && !name.contains("PASS")).then(|| "no key".into())
    });
    assert_no_repetition(&ConfigError::from(missing.unwrap_err()));
}

#[tokio::test]
async fn errors_of_transport_do_not_repeat_their_sources() {
    type Make = fn() -> Reply;
    let faults: [Make; 6] = [
        || Reply::Drop,
        || Reply::Reset,
        || Reply::Half(200, b"{\"balance\":1}".to_vec()),
        || Reply::Hang,
        || Reply::status(400),
        || Reply::json(200, &serde_json::json!({ "balance": "x" })),
    ];
    let builder = |exchange: &Exchange| {
        Client::builder()
            .environment(exchange.environment())
            .credentials(Credentials::new(KEY_ID, key()).unwrap())
            .rate_limits(RateLimits::Unlimited)
            .timeout(Duration::from_millis(200))
            .retry(RetryPolicy::none())
    };
    for fault in faults {
        let exchange = Exchange::start(move |_| fault()).await;
        let client = builder(&exchange).build().unwrap();
        assert_no_repetition(&client.get_balance().send().await.unwrap_err());
    }
    let exchange = Exchange::start(|_| Reply::status(200)).await;
    let client = builder(&exchange).max_body_bytes(0).build().unwrap();
    assert_no_repetition(&client.get_balance().send().await.unwrap_err());
    // An address without a listener.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let environment = crate::common::environment(&format!("http://{address}"));
    let client = Client::builder().environment(environment).build().unwrap();
    let error = client.get_exchange_status().send().await.unwrap_err();
    assert!(error.is_connect() && error.source().is_some());
    assert_no_repetition(&error);
}

#[tokio::test]
async fn errors_of_the_local_exchange_do_not_repeat_their_sources() {
    let nowhere = "203.0.113.1:1".parse().unwrap();
    let error = MockExchange::builder().address(nowhere).start().await;
    assert_no_repetition(&error.unwrap_err());
    let record = MockExchange::builder().record("/nonexistent/requests");
    assert_no_repetition(&record.start().await.unwrap_err());
    let fault = "nothing,on=Nobody".parse::<kalshi_mock::FaultRule>();
    assert_no_repetition(&fault.unwrap_err());
}

#[cfg(feature = "ws")]
#[tokio::test]
async fn errors_of_backfill_do_not_repeat_their_sources() {
    use kalshi_sdk::ws::BackfillError;

    let exchange = Exchange::start(|_| Reply::status(500)).await;
    let client = Client::builder().environment(exchange.environment());
    let client = client.retry(RetryPolicy::none()).build().unwrap();
    let error = client.get_exchange_status().send().await.unwrap_err();
    let (timeout, source) = (Duration::from_secs(1), Some(Arc::new(error)));
    for error in [
        BackfillError::Stale {
            timeout,
            source: source.clone(),
        },
        BackfillError::Incomplete { timeout, source },
        BackfillError::TooManyRows { max_rows: 1 },
    ] {
        assert_no_repetition(&error);
    }
}
