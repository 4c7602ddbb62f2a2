//! Lifecycle of exchanges: isolation, startup and shutdown.

use std::{net::SocketAddr, time::Duration};

use kalshi_mock::{Fault, MockExchange, StartError};
use kalshi_sdk::operation;
use tokio::net::TcpStream;

/// Waits until nothing listens on an address.
async fn wait_until_closed(address: SocketAddr) {
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed)
        .await
        .unwrap();
}

#[tokio::test]
async fn exchange_and_client_start_in_three_lines() -> Result<(), Box<dyn std::error::Error>> {
    let exchange = MockExchange::start().await?;
    let client = exchange.client()?;
    assert_eq!(client.get_balance().send().await?.balance, 1_000_000);
    Ok(())
}

#[tokio::test]
async fn exchanges_are_isolated() {
    let (one, other) = (
        MockExchange::start().await.unwrap(),
        MockExchange::start().await.unwrap(),
    );
    assert_ne!(one.address(), other.address());
    let _ = one.market("KXONLY-26-HERE");
    assert!(!other.tickers().contains(&"KXONLY-26-HERE".to_owned()));
    let other_client = kalshi_sdk::Client::builder()
        .environment(other.environment().unwrap())
        .credentials(one.user().credentials())
        .build()
        .unwrap();
    // The same seed generates the same key id, but another key.
    assert!(
        other_client
            .get_balance()
            .send()
            .await
            .unwrap_err()
            .is_auth()
    );
}

#[tokio::test]
async fn dropped_exchange_closes_its_connections() {
    let exchange = MockExchange::start().await.unwrap();
    let address = exchange.address();
    let client = exchange.client().unwrap();
    client.get_markets().send().await.unwrap();
    // A connection without a request in progress.
    let mut idle = TcpStream::connect(address).await.unwrap();
    drop(exchange);
    wait_until_closed(address).await;
    let mut end = [0];
    let read = tokio::time::timeout(
        Duration::from_secs(30),
        tokio::io::AsyncReadExt::read(&mut idle, &mut end),
    )
    .await;
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
    assert!(client.get_markets().send().await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_slow_response() {
    let exchange = MockExchange::start().await.unwrap();
    exchange.fault(Fault::Latency(Duration::from_secs(3600)).on(operation::GET_MARKETS));
    let client = exchange.client().unwrap();
    let call = tokio::spawn(async move { client.get_markets().send().await.is_err() });
    while exchange.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(30), exchange.shutdown())
        .await
        .unwrap();
    call.abort();
}

#[tokio::test]
async fn port_in_use_is_reported_in_one_line() {
    let exchange = MockExchange::start().await.unwrap();
    let error = MockExchange::builder()
        .address(exchange.address())
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, StartError::Address { .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "{} is in use: choose another port, or 0 for any that is free",
            exchange.address()
        )
    );
}

/// Checks that many exchanges leave no more open files, tasks and memory behind than a few.
///
/// The test runs in its own process, because it counts the open files and the memory of the whole process.
#[cfg(target_os = "linux")]
#[test]
fn dropped_exchanges_release_their_resources() {
    const CHILD_VARIABLE: &str = "KALSHI_MOCK_TEST_ALONE";
    if std::env::var_os(CHILD_VARIABLE).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "lifecycle::dropped_exchanges_release_their_resources",
            ])
            .env(CHILD_VARIABLE, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let measure = |runtime: &tokio::runtime::Runtime| {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
        (files, runtime.metrics().num_alive_tasks(), pages * 4096)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                let exchange = MockExchange::start().await.unwrap();
                let client = exchange.client().unwrap();
                client.get_exchange_status().send().await.unwrap();
                exchange.shutdown().await;
                drop(client);
            }
            // The tasks of the last connections end shortly after.
            while tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
                > 0
            {
                tokio::task::yield_now().await;
            }
        });
        measure(&runtime)
    };
    let (files, _, memory) = run(20);
    let (files_after, tasks_after, memory_after) = run(150);
    assert_eq!(tasks_after, 0);
    assert!(
        files_after <= files,
        "open files grew from {files} to {files_after}"
    );
    assert!(
        memory_after < memory + 24 * 1024 * 1024,
        "memory grew from {memory} to {memory_after} bytes"
    );
}

#[tokio::test]
async fn shutdown_does_not_wait_for_an_incomplete_request() {
    use tokio::io::AsyncWriteExt;
    let exchange = MockExchange::start().await.unwrap();
    let mut stalled = TcpStream::connect(exchange.address()).await.unwrap();
    let head = "POST /trade-api/v2/portfolio/events/orders HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{";
    stalled.write_all(head.as_bytes()).await.unwrap();
    // Once a request on another connection has completed, the partial request has been read.
    exchange
        .client()
        .unwrap()
        .get_exchange_status()
        .send()
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(30), exchange.shutdown())
        .await
        .unwrap();
}

#[tokio::test]
async fn extreme_clock_values_still_respond() {
    let exchange = MockExchange::builder()
        .without_limits()
        .start()
        .await
        .unwrap();
    let client = exchange.client().unwrap();
    exchange.schedule_pause(exchange.time().now(), Duration::MAX);
    let _ = exchange
        .market("KXEND-26-A")
        .closes_at(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    client.get_exchange_schedule().send().await.unwrap();
    client.get_markets().send().await.unwrap();
    exchange.fault(Fault::ClockSkew(chrono::TimeDelta::MIN).on(operation::GET_EVENTS));
    client.get_events().send().await.unwrap();
    for time in [
        chrono::DateTime::<chrono::Utc>::MIN_UTC,
        chrono::DateTime::<chrono::Utc>::MAX_UTC,
    ] {
        exchange.time().stop_at(time);
        client.get_markets().send().await.unwrap();
    }
    exchange.time().advance(Duration::MAX);
    client.get_exchange_status().send().await.unwrap();
}

#[tokio::test]
async fn books_orders_positions_and_requests_are_observed_without_a_client() {
    use kalshi_sdk::{operation, types::BookSide::Bid};
    let exchange = crate::common::exchange().await;
    let market = exchange.market(crate::common::TICKER);
    let client = crate::common::client_without_retries(&exchange);
    let bot = async {
        let order = crate::common::order(Bid, "0.40", "5");
        crate::common::place(&client, order).await
    };
    let quoted = market.wait_until(|book| !book.bids.is_empty());
    let (placed, book) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(bot, quoted) })
            .await
            .unwrap();
    assert_eq!(book.bids[0].count, crate::common::contracts("5"));
    let _ = market.ask(crate::common::dollars("0.40"), 2);

    let orders = exchange.user().orders();
    assert_eq!(orders[0].order_id, placed.order_id);
    assert_eq!(orders[0].remaining_count_fp, crate::common::contracts("3"));
    let positions = exchange.user().positions();
    assert_eq!(positions[0].position_fp, crate::common::contracts("2"));
    assert!(exchange.add_user().unwrap().orders().is_empty());

    client.get_markets().send().await.unwrap();
    assert_eq!(exchange.requests().len(), 2);
    assert_eq!(exchange.requests_to(operation::CREATE_ORDER_V2).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_end_time_out_and_idle_connections_do_not() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let exchange = crate::common::exchange().await;
    let connect = async || TcpStream::connect(exchange.address()).await.unwrap();
    let started = tokio::time::Instant::now();
    let (mut endless, mut idle) = (connect().await, connect().await);
    endless.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let read = endless.read(&mut [0; 64]).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert!(started.elapsed() >= Duration::from_secs(30));

    tokio::time::sleep(Duration::from_secs(600)).await;
    let request = b"GET /trade-api/v2/exchange/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..2 {
        idle.write_all(request).await.unwrap();
        let mut response = [0; 4096];
        let read = idle.read(&mut response).await.unwrap();
        assert!(response[..read].starts_with(b"HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
}
