//! The program `kalshi-mock`: output, invalid arguments and shutdown.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use kalshi_sdk::{Client, Credentials, Environment, PrivateKey, types::MarketStatusQuery};
use serde_json::Value;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kalshi-mock"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts the program with `--json`. Returns it with its first line and the rest of its output.
pub(crate) fn start(arguments: &[&str]) -> (Child, Value, BufReader<std::process::ChildStdout>) {
    let mut child = program(&[&["--json"], arguments].concat()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap(), out)
}

/// Interrupts the program as ctrl-C does, and returns the rest of its output.
#[cfg(unix)]
pub(crate) fn interrupt(
    (mut child, _, mut out): (Child, Value, BufReader<std::process::ChildStdout>),
) -> String {
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert!(child.wait().unwrap().success());
    rest
}

fn client(announced: &Value) -> Client {
    let text = |name: &str| announced[name].as_str().unwrap();
    let key = PrivateKey::from_file(text("private_key_path")).unwrap();
    Client::builder()
        .environment(Environment::custom(text("base_url"), text("ws_url")).unwrap())
        .credentials(Credentials::new(text("key_id"), key).unwrap())
        .build()
        .unwrap()
}

fn margin_client(announced: &Value) -> kalshi_perps::Client {
    let text = |name: &str| announced[name].as_str().unwrap();
    let key = PrivateKey::from_file(text("private_key_path")).unwrap();
    let urls = kalshi_perps::Environment::custom(text("base_url"), text("margin_ws_url"));
    kalshi_perps::Client::builder()
        .environment(urls.unwrap())
        .credentials(Credentials::new(text("key_id"), key).unwrap())
        .build()
        .unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn json_line_is_enough_to_connect_and_files_are_removed() {
    for kind in ["ed25519", "rsa"] {
        let running = start(&[
            "--key-type",
            kind,
            "--balance",
            "250.5",
            "--margin-balance",
            "75",
        ]);
        let announced = running.1.clone();
        let fields: Vec<&String> = announced.as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            [
                "base_url",
                "key_id",
                "klear_access_token",
                "klear_admin_user_id",
                "klear_url",
                "margin_ws_url",
                "private_key_path",
                "ws_url"
            ]
        );
        let client = client(&announced);
        assert_eq!(client.get_balance().send().await.unwrap().balance, 25_050);
        let margin = margin_client(&announced).get_margin_balance().send().await;
        assert_eq!(margin.unwrap().settled_funds.to_string(), "75.0000");
        assert!(
            !client
                .get_markets()
                .status(MarketStatusQuery::Open)
                .send()
                .await
                .unwrap()
                .markets
                .is_empty()
        );
        let path = announced["private_key_path"].as_str().unwrap();
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert_eq!(interrupt(running), "");
        assert!(!Path::new(path).exists());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn options_set_faults_record_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, record) = (path("key.pem"), path("requests.jsonl"));
    let running = start(&[
        "--write-private-key",
        &key,
        "--record",
        &record,
        "--tier",
        "prestige",
        "--seed",
        "3",
        "--fault",
        "server-error=500,on=GetEvents",
        "--fault",
        "missing-field=cursor,on=GetMarkets,times=1",
    ]);
    let client = client(&running.1);
    assert_eq!(running.1["private_key_path"], key.as_str());
    let retries = kalshi_sdk::RetryPolicy::none();
    assert_eq!(
        client
            .with_retry(retries)
            .get_events()
            .send()
            .await
            .unwrap_err()
            .status()
            .unwrap()
            .as_u16(),
        500
    );
    client.get_markets().send().await.unwrap();
    assert_eq!(
        client
            .get_account_api_limits()
            .send()
            .await
            .unwrap()
            .usage_tier,
        "prestige"
    );
    assert_eq!(interrupt(running), "");
    assert!(Path::new(&key).exists(), "the requested file is kept");
    let lines = std::fs::read_to_string(record).unwrap();
    assert_eq!(lines.lines().count(), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn tls_prints_the_authority_and_removes_its_file() {
    let running = start(&["--tls", "--legacy-fields"]);
    let text = |name: &str| running.1[name].as_str().unwrap().to_owned();
    let path = text("certificate_authority_path");
    let pem = std::fs::read(&path).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    let url = text("base_url") + "/markets?limit=1";
    let body = http.get(url).send().await.unwrap().bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["markets"][0]["liquidity_dollars"], "0.0000");
    for url in ["base_url", "klear_url"] {
        assert!(text(url).starts_with("https://127.0.0.1:"));
    }
    for url in ["ws_url", "margin_ws_url"] {
        assert!(text(url).starts_with("wss://127.0.0.1:"));
    }
    assert_eq!(interrupt(running), "");
    assert!(!Path::new(&path).exists());
}

#[cfg(unix)]
#[tokio::test]
async fn activity_and_schedule_are_options() {
    let running = start(&[
        "--activity",
        "storm",
        "--schedule",
        "pause,in=0,for=3600",
        "--tier",
        "unlimited",
    ]);
    let client = client(&running.1);
    // The pause starts before the first trade of a participant, or soon after.
    let status = client.get_exchange_status().send().await.unwrap();
    assert!(!status.trading_active);
    assert_eq!(interrupt(running), "");

    let running = start(&["--activity", "storm", "--tier", "unlimited"]);
    let client = self::client(&running.1);
    let now = chrono::Utc::now().timestamp();
    let trades = async || client.get_trades().min_ts(now).send().await.unwrap();
    for attempt in 0.. {
        assert!(attempt < 200, "no trade within ten seconds");
        if !trades().await.trades.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(interrupt(running), "");
    let output = program(&["--schedule", "close,in=1,market=KXNO-26-A"]).output();
    let error = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(
        error.starts_with("error: no market KXNO-26-A: there are KXHIGHNY-"),
        "{error}"
    );
}

#[test]
fn startup_error_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing_dir = folder
        .path()
        .join("no/such/file")
        .to_str()
        .unwrap()
        .to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (arguments, expected) in [
        (
            ["--port", &port],
            format!(
                "error: 127.0.0.1:{port} is in use: choose another port, or 0 for any that is free\n"
            ),
        ),
        (
            ["--record", &missing_dir],
            format!(
                "error: cannot write the requests to {missing_dir}: No such file or directory (os error 2)\n"
            ),
        ),
        (
            ["--write-private-key", &missing_dir],
            format!(
                "error: cannot write the private key to {missing_dir}: No such file or directory (os error 2)\n"
            ),
        ),
    ] {
        let output = program(&arguments).output().unwrap();
        assert_eq!(
            (
                String::from_utf8(output.stderr).unwrap(),
                output.status.code()
            ),
            (expected, Some(1))
        );
        assert!(output.stdout.is_empty());
    }
    for balance in ["-5", "0.001"] {
        let output = program(&["--balance", balance]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("a balance must"), "{stderr}");
    }
    for token in ["", "two words", "schl\u{fc}ssel"] {
        let output = program(&["--control-token", token]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("visible ASCII"), "{stderr}");
    }
    let output = program(&["--fault", "earthquake"]).output().unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("unknown fault \"earthquake\": use one of latency=MS")
    );
}

#[cfg(unix)]
#[test]
fn plain_output_shows_urls_and_key() {
    let mut child = program(&[]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = String::new();
    while !stdout.contains("ctrl-C") {
        assert!(out.read_line(&mut stdout).unwrap() > 0, "{stdout}");
    }
    for expected in ["/trade-api/v2", "key id", "private key", "markets"] {
        assert!(stdout.contains(expected), "{expected} in {stdout}");
    }
    assert_eq!(interrupt((child, Value::Null, out)), "");
}

#[cfg(unix)]
#[tokio::test]
async fn private_key_of_a_file_is_used_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = PrivateKey::generate_ed25519().unwrap().to_pkcs8_pem();
    std::fs::write(&path, key.as_bytes()).unwrap();
    let name = path.to_str().unwrap();

    let running = start(&["--private-key", name]);
    client(&running.1).get_balance().send().await.unwrap();
    assert!(!interrupt(running).contains("error"));
    assert_eq!(std::fs::read(&path).unwrap(), key.as_bytes());

    let output = program(&["--write-private-key", name]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        stderr,
        format!("error: {name} exists: use it with --private-key or replace it with --force\n")
    );
    assert_eq!(std::fs::read(&path).unwrap(), key.as_bytes());

    let running = start(&["--write-private-key", name, "--force"]);
    client(&running.1).get_balance().send().await.unwrap();
    interrupt(running);
    assert_ne!(std::fs::read(&path).unwrap(), key.as_bytes());
}

#[cfg(unix)]
#[test]
fn same_seed_gives_the_same_key_after_a_restart() {
    let key = |arguments: &[&str]| {
        let running = start(arguments);
        let path = running.1["private_key_path"].as_str().unwrap().to_owned();
        let key = std::fs::read_to_string(path).unwrap();
        let id = running.1["key_id"].clone();
        interrupt(running);
        (id, key)
    };
    assert_eq!(key(&["--seed", "7"]), key(&["--seed", "7"]));
    assert_ne!(key(&["--seed", "7"]).1, key(&["--seed", "8"]).1);
    assert_ne!(key(&[]).1, key(&[]).1);
}

#[cfg(unix)]
#[test]
fn key_file_is_removed_after_hangup_and_closed_pipes() {
    let running = start(&[]);
    let path = running.1["private_key_path"].as_str().unwrap().to_owned();
    let (mut child, ..) = running;
    let pid = child.id().to_string();
    assert!(Path::new(&path).exists());
    let kill = Command::new("kill").args(["-HUP", &pid]).status().unwrap();
    assert!(kill.success() && child.wait().unwrap().success());
    assert!(!Path::new(&path).exists());

    // Standard output is closed.
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = program(&["--json"])
        .env("TMPDIR", folder.path())
        .stdout(writer)
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn record_does_not_overwrite_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("requests.jsonl");
    std::fs::write(&path, "yesterday's\n").unwrap();
    let output = program(&["--record", path.to_str().unwrap()])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the file is not empty"), "{stderr}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "yesterday's\n");
}

#[cfg(unix)]
#[test]
fn bind_warns_off_loopback() {
    let running = start(&["--bind", "0.0.0.0"]);
    assert!(
        interrupt(running).starts_with("warning: others can use this exchange"),
        "the warning is missing"
    );
    assert_eq!(interrupt(start(&["--bind", "127.0.0.1"])), "");
}
