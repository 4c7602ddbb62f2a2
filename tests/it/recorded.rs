//! Decodes recorded answers of the real exchange, from the folder that `KALSHI_RECORDED` names.
//!
//! Bodies are named `OPERATION__N.json`, refusals `OPERATION__errSTATUS__N.json`, parts of an answer
//! `OPERATION.MEMBER__N.json`. Without the variable there is nothing to do, which is said aloud.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::common::calls::{Server, arguments, call, samples};
use kalshi_gen::Samples;
use kalshi_sdk::{
    Dollars, Error,
    fees::{self, Multiplier},
    operation,
    orders::PriceGrid,
    types,
};
use serde_json::Value;

struct Recorded {
    /// The operation's id.
    operation: String,
    /// The member of the answer that the file holds a part of.
    member: Option<String>,
    /// The status of a refusal.
    refusal: Option<u16>,
    body: Value,
    file: String,
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KALSHI_RECORDED").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        eprintln!("skipped: KALSHI_RECORDED names no folder of recorded answers");
    }
    folder.map(PathBuf::from)
}

/// The recorded bodies of a folder, by name; files whose operation is not (or no longer) one are listed and left.
fn recorded(folder: &Path) -> Vec<Recorded> {
    let mut files: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) => {
            eprintln!("skipped: {}: {error}", folder.display());
            return Vec::new();
        }
    };
    files.sort();
    let mut found = Vec::new();
    for path in files.into_iter().filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    }) {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut parts = file.split("__");
        let (name, member) = match parts.next().unwrap().split_once('.') {
            Some((name, member)) => (name.to_owned(), Some(member.to_owned())),
            None => (file.split("__").next().unwrap().to_owned(), None),
        };
        if operation::find(&name).is_none() {
            eprintln!("left out: {file}: no operation of the contract");
            continue;
        }
        let refusal = parts.find_map(|part| part.strip_prefix("err")?.parse().ok());
        let body = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        found.push(Recorded {
            operation: name,
            member,
            refusal,
            body,
            file,
        });
    }
    found
}

/// The answers a recorded file stands for: itself, or its parts put into a sample of the rest.
fn answers(samples: &Samples, recorded: &Recorded) -> Vec<Value> {
    let Some(member) = &recorded.member else {
        return vec![recorded.body.clone()];
    };
    let sample = samples.answers(&recorded.operation).remove(0).body;
    assert!(
        sample.get(member).is_some(),
        "{}: the answer has no `{member}`",
        recorded.file
    );
    let with = |part: &Value| {
        let mut answer = sample.clone();
        answer[member] = part.clone();
        answer
    };
    match &recorded.body {
        Value::Array(parts) if !sample[member].is_array() => parts.iter().map(with).collect(),
        whole => vec![with(whole)],
    }
}

/// Serves the recorded body to a call of its operation.
async fn replay(
    server: &Server,
    samples: &Samples,
    recorded: &Recorded,
    answer: Value,
) -> Result<Value, Error> {
    let status = recorded
        .refusal
        .or(samples.status(&recorded.operation))
        .unwrap();
    server.answer(status, Some(answer));
    call(
        &server.client,
        &recorded.operation,
        &arguments(samples, &recorded.operation),
    )
    .await
}

/// Every body decodes, and every refusal is understood.
async fn all_decode(folder: &Path) -> usize {
    let (samples, server) = (samples(), Server::start().await);
    let mut count = 0;
    for recorded in recorded(folder) {
        for answer in answers(samples, &recorded) {
            count += 1;
            match (
                recorded.refusal,
                replay(&server, samples, &recorded, answer).await,
            ) {
                (None, Ok(_)) => {}
                (Some(status), Err(error)) => {
                    assert_eq!(
                        error.status().map(|status| status.as_u16()),
                        Some(status),
                        "{}",
                        recorded.file
                    );
                    assert!(error.code().is_some(), "{}: {error}", recorded.file);
                }
                (_, result) => panic!("{}: {result:?}", recorded.file),
            }
        }
    }
    eprintln!("{count} recorded answers decoded from {}", folder.display());
    count
}

#[tokio::test]
async fn recorded_bodies_decode() {
    if let Some(folder) = folder() {
        assert!(
            all_decode(&folder).await > 0,
            "{} holds no recorded answer",
            folder.display()
        );
    }
}

#[tokio::test]
async fn recorded_fragments_decode() {
    if let Some(folder) = folder() {
        all_decode(&folder.join("fragments")).await;
    }
}

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
