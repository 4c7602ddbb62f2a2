//! The test bot: this test program, started again by guard.

use std::{
    env, fs,
    process::{Command, Stdio, exit},
    time::Duration,
};

use kalshi_sdk::{
    Client, Credentials, Dollars, Environment, OutcomeSide,
    limits::RateLimits,
    orders::{NewOrder, OrderOutcome},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

pub(super) const TICKER: &str = "KXTEST-26-A";
/// Variable with the mode of the bot.
pub(super) const MODE: &str = "TEST_BOT_MODE";
/// Variable with the directory in which its processes create files named by their ids.
pub(super) const PIDS: &str = "TEST_BOT_PIDS";
pub(super) const KEY_ID: &str = "KALSHI_DEMO_API_KEY_ID";
pub(super) const KEY: &str = "KALSHI_DEMO_PRIVATE_KEY";

type BotResult = Result<(), Box<dyn std::error::Error>>;

/// Returns the command of the bot.
pub(super) fn command() -> Vec<String> {
    let program = env::current_exe().unwrap_or_default();
    let program = program.to_string_lossy().into_owned();
    let arguments = ["--exact", "guard::bot::run", "--nocapture"];
    std::iter::once(program)
        .chain(arguments.map(str::to_owned))
        .collect()
}

/// Runs the bot in the process that guard starts, and does nothing in the test run itself.
#[tokio::test]
async fn run() -> BotResult {
    let Ok(mode) = env::var(MODE) else {
        return Ok(());
    };
    if let Ok(pids) = env::var(PIDS) {
        fs::write(format!("{pids}/{}", std::process::id()), "")?;
    }
    let client = client()?;
    match mode.as_str() {
        "quote" => quote(&client).await?,
        "quote-and-exit" => {
            quote(&client).await?;
            exit(3);
        }
        "hang" => {
            let path = env::var("KALSHI_GUARD_HEARTBEAT")?;
            for _ in 0..18 {
                fs::write(&path, "")?;
                sleep(Duration::from_millis(100)).await;
            }
            quote(&client).await?;
        }
        "obey" => {
            let mut user = signal(SignalKind::user_defined1())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            fs::write(env::var("KALSHI_GUARD_HEARTBEAT")?, "ready")?;
            user.recv().await;
            quote(&client).await?;
            interrupt.recv().await;
            exit(5);
        }
        "resist" => {
            let mut terminate = signal(SignalKind::terminate())?;
            quote(&client).await?;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    () = sleep(Duration::from_millis(10)) => requote(&client).await?,
                }
            }
        }
        "daemon" => {
            use std::os::unix::process::CommandExt;
            let mut daemon = Command::new(env::current_exe()?);
            daemon
                .args(command().split_off(1))
                .env(MODE, "resist")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?;
            while client.get_orders().send().await?.orders.is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
            exit(0);
        }
        mode => return Err(format!("there is no mode {mode}").into()),
    }
    std::future::pending().await
}

fn client() -> Result<Client, Box<dyn std::error::Error>> {
    let environment = Environment::custom(
        &env::var("KALSHI_GUARD_REST_URL")?,
        &env::var("KALSHI_GUARD_WEBSOCKET_URL")?,
    )?;
    let key = kalshi_sdk::PrivateKey::from_pem(&env::var(KEY)?)?;
    Ok(Client::builder()
        .environment(environment)
        .credentials(Credentials::new(env::var(KEY_ID)?, key)?)
        .rate_limits(RateLimits::Unlimited)
        .build()?)
}

/// Places two orders that rest.
async fn quote(client: &Client) -> BotResult {
    for cents in [10, 11] {
        let mut order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(cents), 1);
        if let Ok(group) = env::var("KALSHI_GUARD_GROUP") {
            order = order.group(group);
        }
        match client.orders().place(order).await? {
            OrderOutcome::Placed(_) => {}
            other => return Err(format!("not placed: {other:?}").into()),
        }
    }
    Ok(())
}

/// Places the orders again if none rests.
async fn requote(client: &Client) -> BotResult {
    let resting = client.get_orders().status("resting").send().await?;
    if resting.orders.is_empty() {
        quote(client).await?;
    }
    Ok(())
}
