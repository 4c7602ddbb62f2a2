//! Recorded responses of the Trade API: old formats, and checks of amounts. `shared/recorded.rs` decodes the others.

use kalshi_sdk::{
    Dollars,
    fees::{self, Multiplier},
    orders::PriceGrid,
    types,
};
use serde_json::Value;

use crate::{
    common::calls::{Server, samples},
    every_api::recorded::{folder, recorded, replay, responses},
};

/// Amounts had other names before the fixed-point migration of March 2026. Those bodies decode, or fail only because of a
/// missing amount.
#[tokio::test]
async fn bodies_before_the_migration_lack_only_amounts() {
    let Some(folder) = folder() else { return };
    let (samples, server) = (samples(), Server::start().await);
    for recorded in recorded(&folder.join("pre")) {
        for response in responses(samples, &recorded) {
            if let Err(error) = replay(&server, samples, &recorded, response).await {
                let path = error
                    .decode_path()
                    .unwrap_or_else(|| panic!("{}: {error}", recorded.file))
                    .to_owned();
                let amount = path.ends_with("_dollars") || path.ends_with("_fp");
                assert!(amount, "{}: {error}", recorded.file);
                eprintln!("no longer decodes: {}: {path} did not exist", recorded.file);
            }
        }
    }
}

/// Error responses that were reconstructed from a log.
#[tokio::test]
async fn reconstructed_errors_are_parsed() {
    let Some(folder) = folder() else { return };
    let (samples, server) = (samples(), Server::start().await);
    for recorded in recorded(&folder.join("reconstructed"))
        .into_iter()
        .filter(|recorded| recorded.error_status.is_some())
    {
        let error = replay(&server, samples, &recorded, recorded.body.clone())
            .await
            .unwrap_err();
        assert_eq!(
            error.status().map(|status| status.as_u16()),
            recorded.error_status,
            "{}",
            recorded.file
        );
        let said = [error.code(), error.message(), error.details()];
        assert!(
            said.iter().any(Option::is_some),
            "{}: {error}",
            recorded.file
        );
    }
}

/// Returns the rows of recorded lists. Rows that do not decode are left out.
fn rows<T: serde::de::DeserializeOwned>(operation: &str, field: &str) -> Vec<T> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for file in recorded(&folder)
        .into_iter()
        .chain(recorded(&folder.join("fragments")))
    {
        if file.operation != operation || file.error_status.is_some() {
            continue;
        }
        let list = match &file.field {
            None => file.body[field].clone(),
            Some(own) if own == field => file.body.clone(),
            Some(_) => continue,
        };
        let list = match list {
            Value::Array(list) => list,
            row => vec![row],
        };
        rows.extend(
            list.into_iter()
                .filter_map(|row| serde_json::from_value(row).ok()),
        );
    }
    rows
}

/// The recorded fees match the general fee, or half of it in some series. Makers may have paid nothing.
#[test]
fn recorded_fees_match_computed_fees() {
    let fills: Vec<types::Fill> = rows("GetFills", "fills");
    for fill in &fills {
        let price = match fill.outcome_side {
            Some(types::OutcomeSide::No) => fill.no_price_dollars,
            _ => fill.yes_price_dollars,
        };
        let fee = |multiplier| fees::taker(price, fill.count_fp, multiplier).unwrap();
        let charged = if fill.is_taker {
            vec![fee(Multiplier::ONE), fee(Multiplier::HALF)]
        } else {
            vec![
                Dollars::ZERO,
                fees::maker(price, fill.count_fp, Multiplier::ONE).unwrap(),
            ]
        };
        assert!(
            charged.contains(&fill.fee_cost),
            "{} of {} at {price}: charged {}, computed {charged:?}",
            fill.fill_id,
            fill.count_fp,
            fill.fee_cost
        );
    }
    eprintln!("{} recorded fills", fills.len());
}

/// Quoted prices are on the grid of their market.
#[test]
fn recorded_quotes_are_on_their_grids() {
    let markets: Vec<types::Market> = rows("GetMarkets", "markets");
    let mut quotes = 0;
    for market in &markets {
        let grid = PriceGrid::from(market);
        for price in [market.yes_bid_dollars, market.yes_ask_dollars] {
            // An empty side quotes zero or one dollar.
            if price > Dollars::ZERO && price < Dollars::ONE && !market.price_ranges.is_empty() {
                assert_eq!(grid.check(price), Ok(price), "{}", market.ticker);
                quotes += 1;
            }
        }
    }
    eprintln!("{quotes} quotes of {} recorded markets", markets.len());
}
