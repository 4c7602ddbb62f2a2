//! `kalshi watch`: full screen and lines.

use std::{process::Stdio, time::Duration};

use kalshi_mock::{Market, MockExchange};
use kalshi_sdk::{
    Dollars, OutcomeSide,
    orders::{NewOrder, OrderOutcome},
};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    harness::{Setup, TestResult, golden},
    terminal::Terminal,
};

const TICKER: &str = "KXTEST-26-A";
/// Timeout of each step, generous for a busy machine.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

fn quoted_market(setup: &Setup) -> Market {
    setup
        .exchange
        .market(TICKER)
        .bid(Dollars::from_cents(41), 10)
        .ask(Dollars::from_cents(43), 5)
}

/// Starts the program, and waits until the whole screen is drawn.
async fn start_watch(
    setup: &Setup,
    arguments: &str,
) -> Result<Terminal, Box<dyn std::error::Error>> {
    let mut terminal = Terminal::start(setup, arguments)?;
    let live = terminal.wait_for(|text| {
        text.contains("LIVE") && text.contains("0.4100") && text.contains("q quit")
    });
    timeout(STEP_TIMEOUT, live).await??;
    Ok(terminal)
}

#[track_caller]
fn assert_restored(terminal: &Terminal) {
    assert!(!terminal.screen().alternate_screen());
    assert!(!terminal.screen().hide_cursor());
    assert!(terminal.is_cooked().unwrap_or_default());
}

#[tokio::test]
async fn screen_shows_books_spread_and_trades() -> TestResult {
    let setup = Setup::new().await?;
    let market = quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER}")).await?;
    assert!(terminal.screen().alternate_screen());
    assert!(!terminal.is_cooked()?);
    let text = terminal.text();
    for part in [
        "0.4300",
        "0.0200",
        "10.00",
        "5.00",
        "custom exchange (profile test)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    market.bid(Dollars::from_cents(42), 7);
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| text.contains("0.4200") && text.contains("0.0100")),
    )
    .await??;
    let client = setup.exchange.client()?;
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(43), 3);
    let outcome = client.orders().place(order).await?;
    assert!(matches!(outcome, OrderOutcome::Placed(_)), "{outcome:?}");
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| text.contains("3.00") && text.contains("yes")),
    )
    .await??;
    Ok(())
}

#[tokio::test]
async fn books_of_a_silent_connection_become_stale_and_recover() -> TestResult {
    // The exchange pings more often than the timeout of the program.
    let builder = MockExchange::builder().seed(7);
    let setup = Setup::with(builder.ping_interval(Duration::from_millis(100))).await?;
    quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER} --idle-timeout 1")).await?;
    let websockets = setup.exchange.websockets();
    websockets.reject_handshakes(503, u32::MAX);
    websockets.silence();
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| {
            text.contains("STALE: the connection was lost") && !text.contains("LIVE")
        }),
    )
    .await??;
    let text = terminal.text();
    assert!(text.contains("RECONNECTING"), "{text}");
    // The last prices remain, dimmed.
    assert!(text.contains("0.4100"), "{text}");
    let (row, line) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains("STALE") && line.contains("0.4100"))
        .ok_or("a stale row")?;
    let byte = line.find("0.4100").ok_or("a bid")?;
    let column = line[..byte].chars().count();
    let cell = terminal.screen().cell(row.try_into()?, column.try_into()?);
    assert!(cell.ok_or("a cell")?.dim());
    websockets.reject_handshakes(503, 0);
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| text.contains("LIVE") && !text.contains("STALE ")),
    )
    .await??;
    Ok(())
}

#[tokio::test]
async fn closed_connection_makes_books_stale() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER}")).await?;
    let websockets = setup.exchange.websockets();
    websockets.reject_handshakes(503, u32::MAX);
    websockets.close(1001, "going away");
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| text.contains("STALE")),
    )
    .await??;
    Ok(())
}

#[tokio::test]
async fn q_quits_and_restores_the_terminal() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER}")).await?;
    terminal.type_keys("q").await?;
    assert_eq!(timeout(STEP_TIMEOUT, terminal.end()).await??, Some(0));
    assert_restored(&terminal);
    Ok(())
}

#[tokio::test]
async fn ctrl_c_quits_and_restores_the_terminal() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER}")).await?;
    terminal.type_keys("\x03").await?;
    assert_eq!(timeout(STEP_TIMEOUT, terminal.end()).await??, Some(130));
    assert_restored(&terminal);
    Ok(())
}

#[tokio::test]
async fn sigterm_quits_and_restores_the_terminal() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER}")).await?;
    let pid = terminal.pid().ok_or("a process")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    assert_eq!(timeout(STEP_TIMEOUT, terminal.end()).await??, Some(143));
    assert_restored(&terminal);
    Ok(())
}

#[tokio::test]
async fn tickers_with_control_characters_do_not_reach_the_terminal() -> TestResult {
    let setup = Setup::new().await?;
    let hostile = "KXTEST-26-\u{1b}[2J\u{202e}A";
    setup
        .exchange
        .market(hostile)
        .bid(Dollars::from_cents(41), 10)
        .ask(Dollars::from_cents(43), 5);
    let terminal = start_watch(&setup, &format!("watch {hostile}")).await?;
    let written = terminal.written();
    assert!(
        written.contains("KXTEST-26-\u{fffd}[2J\u{fffd}A"),
        "{written:?}"
    );
    assert!(
        !written.contains("26-\u{1b}") && !written.contains('\u{202e}'),
        "{written:?}"
    );
    Ok(())
}

#[tokio::test]
async fn arrow_keys_select_the_market() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    setup
        .exchange
        .market("KXTEST-26-B")
        .bid(Dollars::from_cents(11), 1);
    let mut terminal = start_watch(&setup, &format!("watch {TICKER} KXTEST-26-B")).await?;
    assert!(terminal.text().contains("bids of KXTEST-26-A"));
    terminal.type_keys("\x1b[B").await?;
    timeout(
        STEP_TIMEOUT,
        terminal.wait_for(|text| text.contains("bids of KXTEST-26-B")),
    )
    .await??;
    Ok(())
}

#[tokio::test]
async fn events_are_printed_as_lines() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let run = setup
        .run(&format!("watch {TICKER} --json --events 2"))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let lines = run.stdout.lines().map(serde_json::from_str);
    let lines = lines.collect::<Result<Vec<Value>, _>>()?;
    golden("watch", &lines.into())
}

#[tokio::test]
async fn error_without_a_terminal_suggests_json() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run(&format!("watch {TICKER}")).await?;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("use --json"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_line_output() -> TestResult {
    let setup = Setup::new().await?;
    quoted_market(&setup);
    let mut child = setup
        .command(&format!("watch {TICKER} --json"))
        .stdout(Stdio::null())
        .spawn()?;
    timeout(
        STEP_TIMEOUT,
        setup.exchange.websockets().wait_for_connections(1),
    )
    .await?;
    let pid = child.id().ok_or("a process")?;
    let pid = rustix::process::Pid::from_raw(pid.try_into()?).ok_or("a process")?;
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let status = timeout(STEP_TIMEOUT, child.wait()).await??;
    assert_eq!(status.code(), Some(130));
    Ok(())
}
