//! `kalshi record` and `kalshi replay`: damage, several segments, and reports.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use kalshi_mock::Market;
use kalshi_sdk::Dollars;
use serde_json::{Value, json};
use tokio::{process::Child, time::timeout};

use crate::harness::{Setup, TestResult, golden};

const TICKER: &str = "KXTEST-26-A";
/// Timeout of each step, generous for a busy machine.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

fn cents(cents: i64) -> Dollars {
    Dollars::from_cents(cents)
}

fn recording_directory(setup: &Setup) -> PathBuf {
    setup.directory.path().join("recording")
}

fn segments(setup: &Setup) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(recording_directory(setup))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Starts a recorder of the market, and waits until it is connected.
async fn record(setup: &Setup, options: &str) -> Result<Child, Box<dyn Error>> {
    let directory = recording_directory(setup);
    let arguments = format!("record {TICKER} -o {} {options}", directory.display());
    let recorder = setup
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    timeout(
        STEP_TIMEOUT,
        setup.exchange.websockets().wait_for_connections(1),
    )
    .await?;
    Ok(recorder)
}

/// Returns the report of `replay`.
async fn replay(setup: &Setup, directory: &Path) -> Result<Value, Box<dyn Error>> {
    setup
        .json(&format!("replay {} --depth 1000", directory.display()))
        .await
}

/// Returns the book of the exchange in the format of the levels of `replay`.
fn levels(market: &Market) -> Vec<Value> {
    let mut asks = market.asks();
    asks.reverse();
    let asks = asks.into_iter().map(|level| ("ask", level));
    let bids = market.bids().into_iter().map(|level| ("bid", level));
    asks.chain(bids)
        .map(|(side, level)| json!([side, level.price, level.count]))
        .collect()
}

fn replayed_levels(report: &Value) -> Vec<Value> {
    let levels = report["levels"].as_array().cloned().unwrap_or_default();
    let level = |level: Value| json!([level["side"], level["yes_price"], level["count"]]);
    levels.into_iter().map(level).collect()
}

/// Waits until the recording on disk contains the book of the exchange, while the recorder is running.
async fn wait_until_recorded(setup: &Setup, market: &Market) -> TestResult {
    let poll = async {
        loop {
            let run = setup
                .run(&format!(
                    "replay {} --depth 1000 --json",
                    recording_directory(setup).display()
                ))
                .await?;
            // There may be no segment yet.
            if let Ok(report) = serde_json::from_str(&run.stdout)
                && replayed_levels(&report) == levels(market)
            {
                return Ok::<_, Box<dyn Error>>(());
            }
        }
    };
    timeout(STEP_TIMEOUT, poll).await?
}

async fn kill(mut recorder: Child) -> TestResult {
    recorder.kill().await?;
    Ok(())
}

/// Ends a recorder with SIGINT, and returns its output.
async fn interrupt(recorder: Child) -> Result<String, Box<dyn Error>> {
    let pid = recorder.id().ok_or("a process")?;
    let pid = rustix::process::Pid::from_raw(pid.try_into()?).ok_or("a process")?;
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let output = timeout(STEP_TIMEOUT, recorder.wait_with_output()).await??;
    assert_eq!(output.status.code(), Some(0));
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn killed_recorder_leaves_the_book_of_the_exchange() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let recorder = record(&setup, "").await?;
    for step in 1..=200 {
        market
            .bid(cents(1 + step % 40), 1)
            .ask(cents(99 - step % 50), 2);
    }
    wait_until_recorded(&setup, &market).await?;
    kill(recorder).await?;
    let report = replay(&setup, &recording_directory(&setup)).await?;
    assert_eq!(replayed_levels(&report), levels(&market));
    assert_eq!(report["books"][0]["at_end"], "live");
    let damage = report["recording"]["damage"].as_str().unwrap_or_default();
    assert!(damage.contains("was not closed"), "{damage}");
    Ok(())
}

#[tokio::test]
async fn truncated_segment_is_read_up_to_the_cut() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let recorder = record(&setup, "").await?;
    wait_until_recorded(&setup, &market).await?;
    for step in 1..=100 {
        market.bid(cents(1 + step % 40), 1);
    }
    wait_until_recorded(&setup, &market).await?;
    interrupt(recorder).await?;
    let complete = replay(&setup, &recording_directory(&setup)).await?;
    assert_eq!(complete["recording"]["damage"], Value::Null);
    let path = segments(&setup)?.remove(0);
    let bytes = fs::read(&path)?;
    for tenths in [0, 1, 5, 9] {
        fs::write(&path, &bytes[..bytes.len() * tenths / 10])?;
        let report = replay(&setup, &recording_directory(&setup)).await?;
        let damage = report["recording"]["damage"].as_str().unwrap_or_default();
        assert!(damage.contains("was not closed"), "{tenths}: {report}");
        let frames = |report: &Value| report["recording"]["frames"].as_i64();
        assert!(frames(&report) <= frames(&complete), "{tenths}");
    }
    // The checksum of zstd is at the end; a byte in the middle mostly breaks a block.
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    broken[middle..middle + 16].fill(0xff);
    fs::write(&path, broken)?;
    let report = replay(&setup, &recording_directory(&setup)).await?;
    assert!(report["recording"]["damage"].is_string(), "{report}");
    Ok(())
}

#[tokio::test]
async fn recording_reports_frames_and_how_long_books_were_live() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let recorder = record(&setup, "").await?;
    wait_until_recorded(&setup, &market).await?;
    let websockets = setup.exchange.websockets();
    websockets.reset();
    // Changes between the two connections are in the second snapshot.
    market.bid(cents(42), 3);
    wait_until_recorded(&setup, &market).await?;
    let printed = interrupt(recorder).await?;
    assert!(printed.contains("frames"), "{printed}");
    let directory = recording_directory(&setup);
    let mut report = replay(&setup, &directory).await?;
    for seconds in ["live_seconds", "stale_seconds"] {
        report["books"][0][seconds] = "(seconds)".into();
    }
    golden("replay", &report)?;

    let run = setup
        .run(&format!("replay {} --frames", directory.display()))
        .await?;
    assert!(run.stdout.contains("orderbook_snapshot"), "{}", run.stdout);
    assert!(
        run.stdout.contains("{\"type\":\"disconnected\""),
        "{}",
        run.stdout
    );
    for channel in ["orderbook_delta", "trade"] {
        let channel = format!("\"channel\":\"{channel}\"");
        assert!(run.stdout.contains(&channel), "{}", run.stdout);
    }
    let run = setup
        .run(&format!("replay {} --books --json", directory.display()))
        .await?;
    let lines = run.stdout.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let states: Vec<_> = lines
        .iter()
        .map(|line| line["book"]["state"].as_str())
        .collect();
    assert_eq!(states, [Some("live"), Some("stale"), Some("live")]);
    assert_eq!(lines[1]["book"]["reason"], "the connection was lost");
    assert_eq!(lines[2]["book"]["yes_bid"], "0.4200");
    Ok(())
}

#[tokio::test]
async fn each_segment_can_be_replayed_alone() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let recorder = record(&setup, "--segment-time 1s").await?;
    wait_until_recorded(&setup, &market).await?;
    let rotated = async {
        while segments(&setup)?.len() < 3 {
            wait_until_recorded(&setup, &market).await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    timeout(STEP_TIMEOUT, rotated).await??;
    interrupt(recorder).await?;
    let paths = segments(&setup)?;
    assert_eq!(
        replayed_levels(&replay(&setup, &recording_directory(&setup)).await?),
        levels(&market)
    );
    let alone = setup.directory.path().join("alone");
    fs::create_dir(&alone)?;
    fs::copy(&paths[1], alone.join(paths[1].file_name().ok_or("a name")?))?;
    let report = replay(&setup, &alone).await?;
    assert_eq!(replayed_levels(&report), levels(&market), "{report}");
    let damage = report["recording"]["damage"].as_str().unwrap_or_default();
    assert!(
        damage.contains("follows a segment that is missing"),
        "{damage}"
    );
    // Without that segment, the books of the first one do not continue.
    fs::remove_file(&paths[1])?;
    let directory = recording_directory(&setup);
    let run = setup
        .run(&format!("replay {} --books --json", directory.display()))
        .await?;
    let states = run.stdout.lines().map(|line| {
        let line: Value = serde_json::from_str(line)?;
        Ok(line["book"]["state"].clone())
    });
    let states: Vec<_> = states.collect::<serde_json::Result<_>>()?;
    assert_eq!(states[..2], ["live", "stale"], "{}", run.stdout);
    Ok(())
}

#[tokio::test]
async fn recordings_share_a_directory() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let first = record(&setup, "").await?;
    wait_until_recorded(&setup, &market).await?;
    kill(first).await?;
    setup.exchange.websockets().wait_for_connections(0).await;
    market.clear().bid(cents(30), 1);
    let second = record(&setup, "").await?;
    wait_until_recorded(&setup, &market).await?;
    interrupt(second).await?;
    assert_eq!(segments(&setup)?.len(), 2);
    let report = replay(&setup, &recording_directory(&setup)).await?;
    assert_eq!(report["levels"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["books"][0]["losses"], 0);
    assert_eq!(report["levels"][0]["yes_price"], "0.3000");
    Ok(())
}

#[tokio::test]
async fn frames_with_control_characters_are_kept_and_not_printed_raw() -> TestResult {
    let setup = Setup::new().await?;
    let market = setup.exchange.market(TICKER);
    market.bid(cents(41), 10).ask(cents(43), 5);
    let recorder = record(&setup, "").await?;
    wait_until_recorded(&setup, &market).await?;
    let hostile = "{\"type\":\"\u{1b}[2J\",\n\"msg\":{}}";
    setup.exchange.websockets().send_raw(hostile);
    market.bid(cents(42), 1);
    wait_until_recorded(&setup, &market).await?;
    interrupt(recorder).await?;
    let directory = recording_directory(&setup);
    let run = setup
        .run(&format!("replay {} --frames", directory.display()))
        .await?;
    assert!(
        run.stdout.contains("{\"type\":\"\u{fffd}[2J\""),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout);
    Ok(())
}

#[tokio::test]
async fn realtime_takes_as_long_as_the_recording() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market(TICKER).bid(cents(41), 10);
    let directory = recording_directory(&setup);
    let run = setup
        .run(&format!(
            "record {TICKER} -o {} --for 1s",
            directory.display()
        ))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let start = std::time::Instant::now();
    let run = setup
        .run(&format!("replay {} --realtime", directory.display()))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(start.elapsed() >= Duration::from_millis(900));
    Ok(())
}

#[tokio::test]
async fn directory_without_a_recording_is_a_usage_error() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup
        .run(&format!("replay {}", setup.directory.path().display()))
        .await?;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("kalshi record"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn dry_run_records_nothing() -> TestResult {
    let setup = Setup::new().await?;
    let directory = setup.directory.path().join("recording");
    let run = setup
        .run(&format!(
            "--dry-run record KXTEST-26-A --for 1s -o {}",
            directory.display()
        ))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("would record"), "{}", run.stderr);
    assert!(!directory.exists());
    Ok(())
}

#[tokio::test]
async fn unknown_field_is_rejected_before_the_recording() -> TestResult {
    let setup = Setup::new().await?;
    let path = setup.directory.path().join("recording");
    let run = setup
        .run(&format!(
            "record T -o {} --for 1ms --fields nothing",
            path.display()
        ))
        .await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(!path.exists());
    Ok(())
}
