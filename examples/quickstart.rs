//! A first run: lists markets, creates an order group, deletes it.
//!
//! With nothing set it talks to a small exchange in this process, which checks every signature. With `KALSHI_DEMO_API_KEY_ID`
//! and `KALSHI_DEMO_PRIVATE_KEY_PATH` set it reads from the demo exchange instead, and changes nothing there.

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use kalshi_sdk::{
    Client, Contracts, Credentials, Dollars, Environment, PrivateKey,
    auth::{Verifier, VerifyError},
    types::MarketStatusQuery,
};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path, path_regex},
};

/// Prints a line. Unlike `println!` it does not panic when the reader, such as `head`, has gone.
macro_rules! say {
    ($($text:tt)*) => { writeln!(io::stdout(), $($text)*)? };
}

/// The order group of the local exchange.
const GROUP: &str = "4b1c7c3e-6f1f-4a0f-9a52-2b7f7f0c1d10";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match env::var_os("KALSHI_DEMO_API_KEY_ID") {
        Some(_) => demo().await,
        None => local().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprintln!("  because: {error}");
                source = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of the output has gone.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Everything, on an exchange in this process.
async fn local() -> Result<(), Box<dyn Error>> {
    say!("No KALSHI_DEMO_API_KEY_ID is set: running on a local exchange in this process.");
    let key = PrivateKey::generate_ed25519()?;
    say!(
        "Made an {:?} key; the exchange knows its public half.",
        key.algorithm()
    );
    let server = exchange(Verifier::new("quickstart", key.public_key())).await;
    let websocket = server.uri().replace("http://", "ws://");
    let environment = Environment::custom(
        &format!("{}/trade-api/v2", server.uri()),
        &format!("{websocket}/trade-api/ws/v2"),
    )?;
    let client = Client::builder()
        .environment(environment)
        .credentials(Credentials::new("quickstart", key)?)
        .build()?;

    list_markets(&client).await?;

    say!("\nPOST /portfolio/order_groups/create, 50 contracts in any 15 seconds:");
    let group = client
        .create_order_group()
        .body_map(|body| body.contracts_limit_fp(Contracts::from(50)))
        .send()
        .await?;
    say!(
        "  {}: created group {}",
        group.status(),
        group.order_group_id
    );

    say!("\nDELETE /portfolio/order_groups/{}:", group.order_group_id);
    let deleted = client
        .delete_order_group()
        .order_group_id(&group.order_group_id)
        .send()
        .await?;
    say!("  {}: the group and its orders are gone", deleted.status());

    say!("\nDELETE again, to see a refusal:");
    match client
        .delete_order_group()
        .order_group_id("no-such-group")
        .send()
        .await
    {
        Ok(_) => say!("  deleted"),
        Err(error) if error.is_not_found() => say!("  {error}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The reads, on the demo exchange.
async fn demo() -> Result<(), Box<dyn Error>> {
    say!("Reading from the demo exchange with the key that KALSHI_DEMO_API_KEY_ID names.");
    let client = Client::demo_from_env()?;
    list_markets(&client).await?;
    say!("\nGET /portfolio/balance:");
    let balance = client.get_balance().send().await?;
    say!(
        "  {}: {} dollars",
        balance.status(),
        balance.balance_dollars
    );
    say!("\nGET /portfolio/order_groups:");
    let groups = client.get_order_groups().send().await?;
    say!(
        "  {}: {} order groups",
        groups.status(),
        groups.order_groups.len()
    );
    Ok(())
}

async fn list_markets(client: &Client) -> Result<(), Box<dyn Error>> {
    say!("\nGET /markets, open ones:");
    let page = client
        .get_markets()
        .status(MarketStatusQuery::Open)
        .limit(5)
        .send()
        .await?;
    say!("  {}: {} markets", page.status(), page.markets.len());
    for market in &page.markets {
        say!(
            "  {:<28} bid {:>8}  ask {:>8}  volume {:>12}",
            market.ticker,
            market.yes_bid_dollars,
            market.yes_ask_dollars,
            market.volume_fp
        );
    }
    Ok(())
}

/// An exchange of two markets that checks signatures.
async fn exchange(verifier: Verifier) -> MockServer {
    let server = MockServer::start().await;
    let markets = [
        market("KXHIGHNY-26DEC01-T45", "0.4200", "0.4300"),
        market("KXFEDDECISION-27JAN-H0", "0.9100", "0.9150"),
    ];
    Mock::given(method("GET"))
        .and(path("/trade-api/v2/markets"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({ "markets": markets, "cursor": "" })),
        )
        .mount(&server)
        .await;
    Mock::given(path_regex("^/trade-api/v2/portfolio/order_groups/"))
        .respond_with(move |request: &Request| match signed(&verifier, request) {
            Err(reason) => refusal(401, "unauthorized", &reason.to_string()),
            Ok(()) if request.method == "POST" => ResponseTemplate::new(201).set_body_json(
                json!({ "order_group_id": GROUP, "subaccount": 0, "exchange_index": 0 }),
            ),
            Ok(()) if request.url.path().ends_with(GROUP) => {
                ResponseTemplate::new(200).set_body_json(json!({}))
            }
            Ok(()) => refusal(404, "not_found", "no such order group"),
        })
        .mount(&server)
        .await;
    server
}

fn signed(verifier: &Verifier, request: &Request) -> Result<(), VerifyError> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or_default();
    verifier.verify(
        &request.headers,
        request.method.as_str(),
        request.url.path(),
        now_ms,
    )
}

fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_json(json!({ "error": { "code": code, "message": message } }))
}

fn market(ticker: &str, bid: &str, ask: &str) -> Value {
    let complement = |price: &str| {
        let price = price.parse().unwrap_or(Dollars::ZERO);
        Dollars::ONE
            .checked_sub(price)
            .unwrap_or_default()
            .to_string()
    };
    json!({
        "ticker": ticker, "event_ticker": ticker.rsplit_once('-').map(|(event, _)| event), "market_type": "binary",
        "yes_sub_title": "Yes", "no_sub_title": "No", "status": "active", "result": "", "expiration_value": "",
        "created_time": "2026-11-01T15:00:00Z", "updated_time": "2026-11-20T09:30:00.5Z", "open_time": "2026-11-01T15:00:00Z",
        "close_time": "2026-12-31T23:59:00Z", "latest_expiration_time": "2027-01-07T15:00:00Z", "settlement_timer_seconds": 1800,
        "notional_value_dollars": "1.0000", "yes_bid_dollars": bid, "yes_ask_dollars": ask, "no_bid_dollars": complement(ask),
        "no_ask_dollars": complement(bid), "yes_bid_size_fp": "120.00", "yes_ask_size_fp": "75.50", "last_price_dollars": bid,
        "previous_yes_bid_dollars": bid, "previous_yes_ask_dollars": ask, "previous_price_dollars": bid, "volume_fp": "18250.25",
        "volume_24h_fp": "930.00", "open_interest_fp": "7400.00", "can_close_early": true, "rules_primary": "", "rules_secondary": "",
        "price_level_structure": "linear_cent", "price_ranges": [{ "start": "0.0000", "end": "1.0000", "step": "0.0100" }],
        "settlement_bounds_type": "default",
    })
}
