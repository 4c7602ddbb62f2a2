//! Recorded answers of the Trade API: the older ones, and what their amounts say. The rest is in `shared/recorded.rs`.

use kalshi_sdk::{
    Dollars,
    fees::{self, Multiplier},
    orders::PriceGrid,
    types,
};
use serde_json::Value;

use crate::{
    common::calls::{Server, samples},
    every_api::recorded::{answers, folder, recorded, replay},
};

/// Before the fixed-point migration of March 2026 amounts had other names. Those bodies decode where the shape still applies,
/// and elsewhere miss nothing but amounts, which are never made up.
#[tokio::test]
async fn bodies_from_before_the_migration_miss_amounts_only() {
    let Some(folder) = folder() else { return };
    let (samples, server) = (samples(), Server::start().await);
    for recorded in recorded(&folder.join("pre")) {
        for answer in answers(samples, &recorded) {
            if let Err(error) = replay(&server, samples, &recorded, answer).await {
                let path = error
                    .decode_path()
                    .unwrap_or_else(|| panic!("{}: {error}", recorded.file))
                    .to_owned();
                let amount = path.ends_with("_dollars") || path.ends_with("_fp");
                assert!(amount, "{}: {error}", recorded.file);
                eprintln!(
                    "not decodable today: {}: {path} did not exist",
                    recorded.file
                );
            }
        }
    }
}

/// Refusals that were put together from a log.
#[tokio::test]
async fn reconstructed_refusals_are_understood() {
    let Some(folder) = folder() else { return };
    let (samples, server) = (samples(), Server::start().await);
    for recorded in recorded(&folder.join("reconstructed"))
        .into_iter()
        .filter(|recorded| recorded.refusal.is_some())
    {
        let error = replay(&server, samples, &recorded, recorded.body.clone())
            .await
            .unwrap_err();
        assert_eq!(
            error.status().map(|status| status.as_u16()),
            recorded.refusal,
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

/// The rows of recorded lists, each decoded by itself.
fn rows<T: serde::de::DeserializeOwned>(operation: &str, member: &str) -> Vec<T> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for file in recorded(&folder)
        .into_iter()
        .chain(recorded(&folder.join("fragments")))
    {
        if file.operation != operation || file.refusal.is_some() {
            continue;
        }
        let list = match &file.member {
            None => file.body[member].clone(),
            Some(own) if own == member => file.body.clone(),
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

/// What the exchange charged is what `fees` computes: the general fee, or half of it in some series; makers paid nothing.
#[test]
fn recorded_fees_are_those_computed() {
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

/// The prices that markets quote are on their own grids.
#[test]
fn recorded_quotes_are_on_their_grids() {
    let markets: Vec<types::Market> = rows("GetMarkets", "markets");
    let mut quotes = 0;
    for market in &markets {
        let grid = PriceGrid::from(market);
        for price in [market.yes_bid_dollars, market.yes_ask_dollars] {
            // Nothing and a dollar are what an empty side quotes.
            if price > Dollars::ZERO && price < Dollars::ONE && !market.price_ranges.is_empty() {
                assert_eq!(grid.check(price), Ok(price), "{}", market.ticker);
                quotes += 1;
            }
        }
    }
    eprintln!("{quotes} quotes of {} recorded markets", markets.len());
}
