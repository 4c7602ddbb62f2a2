//! Environments and their URLs.

use kalshi_sdk::Environment;

#[test]
fn plaintext_is_for_loopback_only() {
    for host in ["127.0.0.1:8080", "localhost", "[::1]:99", "127.9.9.9"] {
        Environment::custom(&format!("http://{host}/v2"), &format!("ws://{host}/ws")).unwrap();
    }
    for host in [
        "example.com",
        "10.0.0.1",
        "localhost.example.com",
        "[::2]",
        "127.0.0.1.example.com",
    ] {
        let error =
            Environment::custom(&format!("http://{host}/v2"), "wss://example.com").unwrap_err();
        assert!(error.to_string().contains("use https"), "{error}");
    }
    let error =
        Environment::custom("https://user:hunter2@example.com", "wss://example.com").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn every_server_of_the_spec_is_an_environment() {
    let spec = include_str!("../../openapi.yaml");
    let servers: Vec<_> = spec
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- url: "))
        .collect();
    let ours = [
        Environment::Production,
        Environment::ProductionShared,
        Environment::Demo,
        Environment::DemoShared,
    ];
    assert_eq!(servers, ours.each_ref().map(Environment::rest_url));
}
