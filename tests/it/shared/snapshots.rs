//! Snapshots generated from a spec and from the source: a call of every operation, and the public API.
//!
//! `UPDATE=1 cargo test --test it snapshots` in the package's folder updates them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kalshi_gen::{FixupMode, Samples};

use crate::target;

#[test]
fn committed_calls_match_the_spec() {
    let samples = Samples::new(target::SPEC, FixupMode::Strict).unwrap();
    current("tests/generated/calls.rs", &samples.calls().unwrap());
}

#[test]
fn committed_surface_matches_the_spec() {
    current(
        "tests/generated/surface.txt",
        &kalshi_gen::surface(target::SPEC, &target::options()).unwrap(),
    );
}

/// Checks the committed list of public items in `folders`, without the files whose path starts with an entry of `skipped`.
pub fn public_items_are_current(folders: &[&str], skipped: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        add_sources(&root.join(folder), &mut files);
    }
    files.sort();
    let mut lines = String::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        if skipped.iter().any(|path| name.starts_with(path)) {
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

/// Checks the committed list of fields that are decoded as an empty value if the exchange omits them. Only collections and
/// cursors may be such fields.
pub fn defaulted_fields_are_current(specs: &[&str]) {
    let mut lines = String::new();
    for spec in specs {
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

/// Compares a committed file with its expected content. With `UPDATE=1`, writes it first.
pub fn current(path: &str, expected: &str) {
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
        "{path} is outdated ({difference:?}): run `UPDATE=1 cargo test -p {} --test it snapshots` and review its diff",
        env!("CARGO_PKG_NAME")
    );
}
