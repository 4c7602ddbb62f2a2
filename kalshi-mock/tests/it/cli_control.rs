//! The program with its control interface.

use futures_util::{SinkExt, StreamExt};
use kalshi_sdk::PrivateKey;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

use crate::cli::{interrupt, start};

#[tokio::test]
async fn control_interface_is_announced_and_served() {
    let get = async |announced: &Value, path: &str, token: &str| {
        let url = format!("{}{path}", announced["control_url"].as_str().unwrap());
        let request = reqwest::Client::new().get(url).bearer_auth(token);
        request.send().await.unwrap()
    };
    let running = start(&["--control", "--schedule", "pause,in=0,for=600"]);
    let state: Value = get(&running.1, "/state", "").await.json().await.unwrap();
    assert_eq!(state["trading_active"], false);
    let url = format!("{}/reset", running.1["control_url"].as_str().unwrap());
    reqwest::Client::new().post(url).send().await.unwrap();
    let state: Value = get(&running.1, "/state", "").await.json().await.unwrap();
    assert_eq!(state["trading_active"], false, "the schedule starts over");
    let requests: Value = get(&running.1, "/requests", "").await.json().await.unwrap();
    assert_eq!(requests["requests"], json!([]));
    assert_eq!(interrupt(running), "");

    let running = start(&["--control-token", "secret"]);
    for (token, status) in [("secret", 200), ("other", 401)] {
        assert_eq!(get(&running.1, "/state", token).await.status(), status);
    }
    assert_eq!(interrupt(running), "");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = PrivateKey::generate_ed25519().unwrap();
    std::fs::write(&path, key.to_pkcs8_pem().as_str()).unwrap();
    let running = start(&["--control", "--private-key", path.to_str().unwrap()]);
    let url = format!("{}/sign", running.1["control_url"].as_str().unwrap());
    let body = json!({ "method": "GET", "path": "/", "key_id": running.1["key_id"] });
    let response = reqwest::Client::new().post(url).json(&body).send().await;
    assert_eq!(
        response.unwrap().status(),
        404,
        "a key from a file may be a production key"
    );
    assert_eq!(interrupt(running), "");
}

#[tokio::test]
async fn settings_of_the_start_are_options() {
    let running = start(&[
        "--control",
        "--without-markets",
        "--time",
        "2026-11-28T10:00:00Z",
        "--timestamp-window",
        "600",
        "0",
        "--use-yes-price",
    ]);
    let text = |name: &str| running.1[name].as_str().unwrap().to_owned();
    let http = reqwest::Client::new();
    let control = async |method: &str, path: &str, body: Value| -> Value {
        let url = text("control_url") + path;
        let request = http.request(method.parse().unwrap(), url).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let state = control("GET", "/state", Value::Null).await;
    assert_eq!(state["markets"], json!([]));
    assert_eq!(state["now"], "2026-11-28T10:00:00.000000Z");
    let sign = async |path: &str| {
        let body = json!({ "method": "GET", "path": path });
        let signed = control("POST", "/sign", body).await;
        let headers = signed["headers"].as_object().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)));
        headers.collect::<Vec<_>>()
    };
    let headers = sign("/trade-api/v2/portfolio/balance").await;
    for (milliseconds, status) in [(599_000, 200), (2_000, 401)] {
        control(
            "POST",
            "/time/advance",
            json!({ "milliseconds": milliseconds }),
        )
        .await;
        let mut request = http.get(text("base_url") + "/portfolio/balance");
        for (name, value) in headers.clone() {
            request = request.header(name, value);
        }
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    control("PUT", "/markets/KXTEST-26-A", json!({})).await;
    let quote = json!({ "side": "ask", "price": "0.3", "count": "1" });
    control("POST", "/markets/KXTEST-26-A/quotes", quote).await;
    let mut request = text("ws_url").into_client_request().unwrap();
    for (name, value) in sign("/trade-api/ws/v2").await {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut socket, _) = connect_async(request).await.unwrap();
    let command = json!({ "id": 1, "cmd": "subscribe",
        "params": { "channels": ["orderbook_delta"], "market_ticker": "KXTEST-26-A" } });
    socket.send(command.to_string().into()).await.unwrap();
    let snapshot = loop {
        let message = socket.next().await.unwrap().unwrap().into_text().unwrap();
        if message.contains("orderbook_snapshot") {
            break message;
        }
    };
    assert!(snapshot.contains("0.3000"), "{snapshot}");
    drop(socket);
    assert_eq!(interrupt(running), "");
}
