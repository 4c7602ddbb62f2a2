//! Property tests: amounts survive formatting and parsing, and no response makes the client panic.

use std::{
    cell::RefCell,
    hash::{BuildHasher, Hasher, RandomState},
};

use crate::common::calls::{Server, arguments, call, samples};
use kalshi_sdk::{Contracts, Dollars, MoneyError, operation};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;

proptest! {
    #[test]
    fn dollars_survive_formatting_and_parsing(units in any::<i64>()) {
        let amount = Dollars::from_micros(units);
        let text = amount.to_string();
        prop_assert_eq!(text.parse::<Dollars>(), Ok(amount));
        let is_decoded = units.unsigned_abs() <= 1_000_000_000_000_000_000;
        let decoded = serde_json::from_str::<Dollars>(&format!("\"{text}\"")).ok();
        prop_assert_eq!(decoded, is_decoded.then_some(amount));
        prop_assert_eq!(serde_json::to_string(&amount).unwrap(), format!("\"{text}\""));
    }

    #[test]
    fn contracts_survive_formatting_and_parsing(units in any::<i64>()) {
        let count = Contracts::from_hundredths(units);
        prop_assert_eq!(count.to_string().parse::<Contracts>(), Ok(count));
    }

    #[test]
    fn decimal_strings_are_parsed_exactly(negative in any::<bool>(), whole in 0_i64..1_000_000_000_000, digits in "[0-9]{1,6}") {
        let sign = if negative { "-" } else { "" };
        let micros = whole * 1_000_000 + format!("{digits:0<6}").parse::<i64>().unwrap();
        let expected = Dollars::from_micros(if negative { -micros } else { micros });
        prop_assert_eq!(format!("{sign}{whole}.{digits}").parse::<Dollars>(), Ok(expected));
    }

    #[test]
    fn too_many_digits_are_rejected(text in "-?[0-9]{1,9}\\.[0-9]{7,12}") {
        prop_assert_eq!(text.parse::<Dollars>(), Err(MoneyError::TooPrecise { decimals: 6 }));
        prop_assert_eq!(text.parse::<Contracts>(), Err(MoneyError::TooPrecise { decimals: 2 }));
    }

    #[test]
    fn non_decimal_strings_are_rejected(text in "\\PC*") {
        let plain = text.strip_prefix('-').unwrap_or(&text);
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        prop_assert_eq!(text.parse::<Dollars>() == Err(MoneyError::NotDecimal), !(digits(whole) && digits(fraction)));
    }
}

/// Collects the JSON pointers of every value.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    found.push(at.clone());
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| pointers(value, format!("{at}/{key}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| pointers(item, format!("{at}/{index}"), found)),
        _ => {}
    }
}

/// Returns the seed from `KALSHI_TEST_SEED`, or a random one.
fn seed() -> u64 {
    match std::env::var("KALSHI_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}

/// Responses with one corrupt value, or truncated anywhere, decode or are an error.
#[test]
fn corrupt_response_does_not_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let samples = samples();
    let server = runtime.block_on(Server::start());
    let corrupt = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("-1".to_owned()),
        Just("1e999".to_owned()),
        Just("\"\"".to_owned()),
        Just("true".to_owned()),
        Just("99999999999999999999".to_owned()),
        "\"\\PC{0,8}\"".prop_map(|text| text),
    ];
    let input = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        corrupt,
        any::<Option<prop::sample::Index>>(),
        prop::collection::vec(any::<u8>(), 0..4),
    );
    let decoded = RefCell::new((0, 0));
    let seed = seed();
    eprintln!("seed: KALSHI_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    runner
        .run(&input, |(which, place, corrupt, cut, tail)| {
            let operation = which.get(&operation::ALL);
            let Some(full) = samples.responses(operation.id).into_iter().next() else {
                return Ok(());
            };
            let mut body = full.body;
            let mut all = Vec::new();
            pointers(&body, String::new(), &mut all);
            if let (Some(target), Ok(value)) = (
                body.pointer_mut(&all[place.index(all.len())]),
                serde_json::from_str(&corrupt),
            ) {
                *target = value;
            }
            let mut bytes = serde_json::to_vec(&body).unwrap();
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
                bytes.extend(tail);
            }
            server.respond_raw(
                samples.status(operation.id).unwrap(),
                &bytes,
                "application/json",
            );
            let result = runtime.block_on(call(
                &server.client,
                operation.id,
                &arguments(samples, operation.id),
            ));
            let mut decoded = decoded.borrow_mut();
            match result {
                Ok(_) => decoded.0 += 1,
                Err(error) => {
                    decoded.1 += 1;
                    let _ = format!("{error} {error:?}");
                }
            }
            Ok(())
        })
        .unwrap();
    let (decoded, rejected) = *decoded.borrow();
    assert!(
        decoded > 20 && rejected > 20,
        "the inputs are one-sided: {decoded} decoded, {rejected} rejected"
    );
}

/// Sends random fragments of JSON and other bytes as responses of every operation.
#[test]
fn arbitrary_bytes_do_not_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let samples = samples();
    let server = runtime.block_on(Server::start());
    let seed = seed();
    eprintln!("seed: KALSHI_TEST_SEED={seed}");
    let mut state = seed;
    let mut random = move || {
        // A Weyl sequence with a mixing step, to be reproducible from the seed.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 27)
    };
    let pieces: [&[u8]; 16] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b":",
        b",",
        b"null",
        b"1",
        b"-",
        b".5",
        b"\\",
        b"\xff",
        b"\"markets\":",
        b" ",
        b"true",
    ];
    for operation in &operation::ALL {
        let arguments = arguments(samples, operation.id);
        for _ in 0..6 {
            let bytes: Vec<u8> = (0..random() % 40)
                .flat_map(|_| pieces[(random() % 16) as usize].to_vec())
                .collect();
            server.respond_raw(
                samples.status(operation.id).unwrap(),
                &bytes,
                "application/json",
            );
            if let Err(error) = runtime.block_on(call(&server.client, operation.id, &arguments)) {
                let _ = format!("{error} {error:?}");
            }
        }
    }
}
