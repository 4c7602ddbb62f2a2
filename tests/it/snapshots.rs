//! What is made from the contract and committed is current: the public surface, for review, and the calls of the tests.
//!
//! `UPDATE=1 cargo test --test it snapshots` brings all up to date.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kalshi_gen::{FixupMode, Options, Samples};
use kalshi_sdk::{BookSide, OutcomeSide};

const CONTRACT: &str = include_str!("../../openapi.yaml");

#[test]
fn the_committed_calls_are_those_of_the_contract() {
    let samples = Samples::new(CONTRACT, FixupMode::Strict).unwrap();
    current("tests/generated/calls.rs", &samples.calls());
}

/// The options of the build script that change types.
fn options(outcome_side: &str) -> Options {
    Options::new()
        .fixups(FixupMode::Strict)
        .enum_type(outcome_side, OutcomeSide::VALUES, "crate::OutcomeSide")
        .enum_type("BookSide", BookSide::VALUES, "::kalshi_core::BookSide")
}

#[test]
fn the_committed_surface_is_that_of_the_contract() {
    current(
        "tests/generated/surface.txt",
        &kalshi_gen::surface(CONTRACT, &options("OutcomeSide")).unwrap(),
    );
}

#[test]
fn committed_surface_of_messages_is_that_of_the_spec() {
    let spec = include_str!("../../asyncapi.yaml");
    current(
        "tests/generated/websocket.txt",
        &kalshi_gen::surface(spec, &options("MarketSide")).unwrap(),
    );
}

/// The hand-written public items of this crate and of kalshi-core, without the interface between the two.
#[test]
fn committed_public_items_are_those_of_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "kalshi-core/src"] {
        add_sources(&root.join(folder), &mut files);
    }
    files.sort();
    let mut lines = String::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        if name.starts_with("kalshi-core/src/rt") {
            continue;
        }
        for item in kalshi_gen::public_items(&fs::read_to_string(&file).unwrap()).unwrap() {
            lines.push_str(&format!("{name}: {item}\n"));
        }
    }
    current("tests/generated/public_api.txt", &lines);
}

fn add_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// A field that decides something must not have a value that the exchange did not send.
#[test]
fn defaulted_fields_decide_nothing_and_are_committed() {
    let mut lines = String::new();
    for spec in [CONTRACT, include_str!("../../asyncapi.yaml")] {
        for field in kalshi_gen::defaulted_fields(spec, FixupMode::Strict).unwrap() {
            let (name, kind) = field.split_once(": ").unwrap();
            let is_collection = ["Vec<", "BTreeMap<", "JsonObject"]
                .iter()
                .any(|start| kind.starts_with(start));
            let is_cursor = kind == "String" && name.ends_with("cursor");
            assert!(is_collection || is_cursor, "{field}");
            lines.push_str(&field);
            lines.push('\n');
        }
    }
    current("tests/generated/defaults.txt", &lines);
}

/// Compares a committed file with what it should be, and with `UPDATE=1` writes it.
fn current(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    let difference = found
        .lines()
        .zip(expected.lines())
        .find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{path} is not current ({difference:?}): run `UPDATE=1 cargo test --test it snapshots` and review its diff"
    );
}
