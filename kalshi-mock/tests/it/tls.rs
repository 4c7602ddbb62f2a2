//! TLS with a generated certificate authority.

use std::time::Duration;

use kalshi_mock::{Fault, MockExchange, OrderBook};
use kalshi_sdk::operation;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, timeout},
};

async fn exchange() -> MockExchange {
    MockExchange::builder()
        .without_limits()
        .tls()
        .start()
        .await
        .unwrap()
}

/// Returns a client that trusts the PEM certificate of the authority, as a client in another language would.
fn trusting(exchange: &MockExchange) -> reqwest::Client {
    let pem = exchange.certificate_authority().unwrap();
    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([authority])
        .build()
        .unwrap()
}

#[tokio::test]
async fn rest_and_websocket_work_over_tls() {
    let exchange = exchange().await;
    assert!(exchange.rest_url().starts_with("https://127.0.0.1:"));
    assert!(exchange.ws_url().starts_with("wss://127.0.0.1:"));
    let client = exchange.client().unwrap();
    assert_eq!(
        client.get_balance().send().await.unwrap().balance,
        1_000_000
    );

    let market = exchange.market("KXTLS-26-A");
    let _ = market.bid(kalshi_sdk::Dollars::from_cents(40), 7);
    let websocket = client.websocket().market(market.ticker());
    let mut books = websocket.books().await.unwrap();
    let book = timeout(Duration::from_secs(20), async {
        loop {
            if let Some(book) = books.live(market.ticker()) {
                return OrderBook::from(book);
            }
            books.changed().await.unwrap().unwrap();
        }
    });
    assert_eq!(book.await.unwrap(), market.order_book());
}

#[tokio::test]
async fn client_trusts_only_the_authority_of_its_exchange() {
    let exchange = exchange().await;
    let port = exchange.address().port();
    let http = trusting(&exchange);
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/trade-api/v2/exchange/status");
        assert_eq!(http.get(&url).send().await.unwrap().status(), 200);
    }
    let other = self::exchange().await;
    let url = format!("{}/exchange/status", exchange.rest_url());
    assert!(trusting(&other).get(&url).send().await.is_err());
    let plain = url.replace("https:", "http:");
    assert!(reqwest::get(plain).await.is_err());
    assert!(
        crate::common::exchange()
            .await
            .certificate_authority()
            .is_none()
    );
}

#[tokio::test]
async fn missing_handshake_does_not_delay_others() {
    let exchange = exchange().await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(exchange.address()).await.unwrap());
    }
    let started = Instant::now();
    let client = exchange.client().unwrap();
    client.get_exchange_status().send().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    // The idle connection is closed after a timeout.
    let ended = timeout(Duration::from_secs(20), idle[0].read(&mut [0])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}

#[tokio::test]
async fn connections_are_cut_over_tls_too() {
    let exchange = exchange().await;
    let http = trusting(&exchange);
    let url = format!("{}/exchange/status", exchange.rest_url());
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::TruncatedBody] {
        exchange.fault(fault.on(operation::GET_EXCHANGE_STATUS).times(1));
        let body = async { http.get(&url).send().await?.bytes().await };
        assert!(body.await.is_err());
    }
}
