//! Environments and their URLs.

use kalshi_sdk::Environment;

#[test]
fn plaintext_is_allowed_for_loopback_only() {
    for host in ["127.0.0.1:8080", "localhost", "[::1]:99", "127.9.9.9"] {
        Environment::custom(
            &format!("http://{host}/trade-api/v2"),
            &format!("ws://{host}/ws"),
        )
        .unwrap();
    }
    for host in [
        "example.com",
        "10.0.0.1",
        "localhost.example.com",
        "[::2]",
        "127.0.0.1.example.com",
    ] {
        let error =
            Environment::custom(&format!("http://{host}/trade-api/v2"), "wss://example.com")
                .unwrap_err();
        assert!(error.to_string().contains("use https"), "{error}");
    }
    let error = Environment::custom(
        "https://user:hunter2@example.com/trade-api/v2",
        "wss://example.com",
    )
    .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn every_server_of_the_spec_is_an_environment() {
    let spec = include_str!("../../openapi.yaml");
    let servers: Vec<_> = spec
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- url: "))
        .collect();
    let environments = [
        Environment::Production,
        Environment::ProductionShared,
        Environment::Demo,
        Environment::DemoShared,
    ];
    assert_eq!(servers, environments.each_ref().map(Environment::rest_url));
}

#[test]
fn base_url_without_path_is_rejected_with_a_suggestion() {
    let websocket = "wss://example.com/trade-api/ws/v2";
    for path in [
        "",
        "/",
        "/v2",
        "/trade-api",
        "/trade-api/v1",
        "/trade-api/v2/portfolio",
    ] {
        let rest = format!("https://example.com{path}");
        let error = Environment::custom(&rest, websocket)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("use https://example.com/trade-api/v2"),
            "{error}"
        );
        Environment::custom_path(&rest, websocket).unwrap();
    }
    Environment::custom("https://example.com/trade-api/v2/", websocket).unwrap();
    let error = Environment::custom("https://user:hunter2@example.com/", websocket).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
