//! Access to the control interface: origins, hosts and tokens.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{conformance, empty_exchange};
use crate::MockExchange;

#[tokio::test]
async fn pages_of_other_origins_are_rejected() {
    let exchange = empty_exchange().await;
    for path in ["state", "", "openapi.yaml", "events", "nothing"] {
        let url = format!("{}/{path}", exchange.control_url());
        for (name, value) in [
            ("host", "evil.example"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let request = reqwest::Client::new().get(&url).header(name, value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403, "{path} {name}: {value}");
            conformance::check_error(&response.json().await.unwrap());
        }
    }
    let url = format!("{}/users", exchange.control_url());
    // A request that a form of another page can send.
    let request = reqwest::Client::new()
        .post(&url)
        .header("origin", "http://evil.example");
    let request = request.header("content-type", "text/plain").body("{}");
    assert_eq!(request.send().await.unwrap().status(), 403);
    assert_eq!(exchange.users().len(), 1);
    let mut stream = TcpStream::connect(exchange.address()).await.unwrap();
    stream
        .write_all(b"GET /mock/state HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut response = [0; 12];
    stream.read_exact(&mut response).await.unwrap();
    assert_eq!(&response[8..], b" 403", "no Host");
    let url = format!("{}/state", exchange.control_url());
    let origin = format!("http://{}", exchange.address());
    let request = reqwest::Client::new().get(&url).header("origin", origin);
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn token_is_required_if_it_is_set() {
    let builder = MockExchange::builder().control_token("secret");
    let exchange = builder.start().await.unwrap();
    let http = reqwest::Client::new();
    for (path, authorization, expected) in [
        ("state", None, 401),
        ("state", Some("Bearer secre"), 401),
        ("state", Some("Bearer secret2"), 401),
        ("state", Some("Bearer Secret"), 401),
        ("state", Some("Bearer "), 401),
        ("state", Some("secret"), 401),
        ("state", Some("Bearer secret"), 200),
        ("events", None, 401),
        ("nothing", None, 401),
        ("nothing", Some("Bearer secret"), 404),
        ("", None, 200),
        ("openapi.yaml", None, 200),
    ] {
        let mut request = http.get(format!("{}/{path}", exchange.control_url()));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), expected, "{path} {authorization:?}");
        assert_eq!(
            response.headers().contains_key("www-authenticate"),
            expected == 401
        );
    }
    let exchange = MockExchange::builder()
        .control_token("")
        .start()
        .await
        .unwrap();
    let request = http.get(format!("{}/state", exchange.control_url()));
    assert_eq!(request.bearer_auth("").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn control_interface_is_off_by_default() {
    let exchange = MockExchange::start().await.unwrap();
    for path in ["", "/", "/state", "/openapi.yaml"] {
        let url = format!("{}{path}", exchange.control_url());
        assert_eq!(reqwest::get(url).await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn other_addresses_need_a_token() {
    for (address, suits) in [
        ("192.0.2.1:0", false),
        ("0.0.0.0:0", true),
        ("127.0.0.2:0", true),
    ] {
        let address = address.parse().unwrap();
        let started = MockExchange::builder()
            .address(address)
            .control()
            .start()
            .await;
        assert_eq!(started.is_ok(), suits, "{address}");
        let error = started
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert_eq!(error.contains("use a control token"), !suits);
    }
}
