//! A server on loopback, and a bare reqwest client that signs its own requests.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each benchmark uses a part of it"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kalshi_sdk::{
    Client, ClientBuilder, Credentials, Environment, PrivateKey, RetryPolicy,
    limits::{AccountLimits, BucketLimit, RateLimiter, RateLimits, Tier},
    reqwest,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Builder,
};

const BODY: &str = r#"{"balance":51128,"balance_dollars":"511.2887","portfolio_value":60233,"updated_ts":1790000000}"#;
const PATH: &str = "/trade-api/v2/portfolio/balance";

/// Starts a server on a thread of its own that sends the same response to every request. Returns its base URL.
pub fn server() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            let response = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{BODY}",
                BODY.len()
            );
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let response = response.clone();
                tokio::spawn(async move {
                    let (mut buffer, mut length) = (vec![0; 8192], 0);
                    while let Ok(read @ 1..) = stream.read(&mut buffer[length..]).await {
                        length += read;
                        if buffer[..length].ends_with(b"\r\n\r\n") {
                            length = 0;
                            if stream.write_all(response.as_bytes()).await.is_err() {
                                break;
                            }
                        }
                    }
                });
            }
        });
    });
    receiver.recv().unwrap()
}

/// A key in the signing library's own type.
pub enum Raw {
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Raw {
    pub fn new(key: &PrivateKey) -> Self {
        let pem = key.to_pkcs8_pem();
        let body: String = pem
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = STANDARD.decode(body).unwrap();
        Ed25519KeyPair::from_pkcs8(&der).map_or_else(
            |_| Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(&der).unwrap())),
            Self::Ed25519,
        )
    }

    fn sign(&self, text: &str) -> String {
        match self {
            Self::Ed25519(key) => STANDARD.encode(key.sign(text.as_bytes())),
            Self::Rsa(key) => {
                let mut out = vec![0; key.public_modulus_len()];
                key.sign(
                    &RSA_PSS_SHA256,
                    &SystemRandom::new(),
                    text.as_bytes(),
                    &mut out,
                )
                .unwrap();
                STANDARD.encode(out)
            }
        }
    }
}

/// Sends a complete request with the bare client.
pub async fn bare(http: &reqwest::Client, url: &str, key: &Raw) -> serde_json::Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
        .to_string();
    let signature = key.sign(&format!("{now}GET{PATH}"));
    let response = http
        .get(url)
        .header("accept", "application/json")
        .header("kalshi-access-key", "bench")
        .header("kalshi-access-timestamp", now)
        .header("kalshi-access-signature", signature)
        .send()
        .await
        .unwrap();
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Returns a bare client with the same options as the SDK's.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("kalshi-sdk/0.1.0")
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(15))
        .build()
        .unwrap()
}

pub fn url(base: &str) -> String {
    format!("{base}{PATH}")
}

fn builder(base: &str, key: PrivateKey) -> ClientBuilder {
    let websocket = base.replace("http", "ws");
    Client::builder()
        .environment(Environment::custom(&format!("{base}/trade-api/v2"), &websocket).unwrap())
        .credentials(Credentials::new("bench", key).unwrap())
}

/// Returns a client without limits and retries.
pub fn client(base: &str, key: PrivateKey) -> Client {
    builder(base, key)
        .rate_limits(RateLimits::Unlimited)
        .retry(RetryPolicy::none())
        .build()
        .unwrap()
}

/// Returns a client with the whole middleware stack and limits that are never reached.
pub fn whole_client(base: &str, key: PrivateKey) -> Client {
    let plenty = BucketLimit::new(u32::MAX, u32::MAX);
    let limits = AccountLimits::from_tier(Tier::Basic).with_balance(plenty);
    let limiter = Arc::new(RateLimiter::new(RateLimits::Account(limits)));
    builder(base, key).rate_limiter(limiter).build().unwrap()
}
