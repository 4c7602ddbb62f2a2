//! The same generator on other contracts: what it makes of each compiles, sends what the contract says, and decodes its own
//! samples. Each is put in the place of `openapi.yaml` in a copy of this crate, and contracts of streams, in turn, in the place of
//! `asyncapi.yaml`.
//!
//! `KALSHI_CONTRACTS` names a folder of published contracts to try besides those of kalshi-gen's tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use kalshi_gen::{FixupMode, Samples};

/// What a copy of the crate needs besides its manifest.
const COPIED: [&str; 7] = [
    "Cargo.lock",
    "README.md",
    "asyncapi.yaml",
    "build.rs",
    "src",
    "tests/common",
    "tests/every_operation.rs",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn small_contracts_compile_and_decode_their_samples() {
    let folder = root().join("kalshi-gen/tests/specs");
    try_all(
        &contracts(&folder, "openapi:"),
        &[root().join("asyncapi.yaml")],
        "small",
    );
}

#[test]
fn published_contracts_compile_and_decode_their_samples() {
    let Some(folder) = env::var_os("KALSHI_CONTRACTS") else {
        println!("KALSHI_CONTRACTS is not set: no published contracts are tried");
        return;
    };
    let [found, streams] = ["openapi:", "asyncapi:"].map(|kind| {
        let found = contracts(Path::new(&folder), kind);
        assert!(!found.is_empty(), "no {kind} in {}", folder.display());
        found
    });
    try_all(&found, &streams, "published");
}

/// The contracts of a kind, told by their first member, in a folder and below.
fn contracts(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contracts(&path, kind));
        } else if fs::read_to_string(&path)
            .is_ok_and(|text| text.lines().any(|line| line.starts_with(kind)))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn try_all(contracts: &[PathBuf], streams: &[PathBuf], name: &str) {
    // One copy, and one contract after the other in it, so that what they share is built once.
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = fs::remove_dir_all(&copy);
    for path in COPIED {
        copy_all(&root().join(path), &copy.join(path));
    }
    fs::write(copy.join("Cargo.toml"), manifest()).unwrap();
    fs::create_dir_all(copy.join("tests/generated")).unwrap();
    let rounds = contracts.len().max(streams.len());
    let pairs = contracts.iter().cycle().zip(streams.iter().cycle());
    for (contract, streams) in pairs.take(rounds) {
        let text = fs::read_to_string(contract).unwrap();
        let samples = Samples::new(&text, FixupMode::Lenient)
            .unwrap_or_else(|error| panic!("{}: {error}", contract.display()));
        fs::write(copy.join("openapi.yaml"), &text).unwrap();
        fs::write(
            copy.join("asyncapi.yaml"),
            fs::read_to_string(streams).unwrap(),
        )
        .unwrap();
        fs::write(copy.join("tests/generated/calls.rs"), samples.calls()).unwrap();
        // Next to the test that runs: the folder of all builds.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let output = Command::new(env!("CARGO"))
            .args([
                "test",
                "--offline",
                "--quiet",
                "--test",
                "every_operation",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(&copy)
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{}:\n{out}\n{err}",
            contract.display()
        );
        assert!(out.contains("2 passed"), "{}:\n{out}", contract.display());
        println!(
            "{}: {} operations, with {}",
            contract.file_name().unwrap().display(),
            samples.operations().len(),
            streams.file_name().unwrap().display()
        );
    }
}

/// This crate's manifest for a copy elsewhere, with the other crates where they are and only the one test.
fn manifest() -> String {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut kept = String::new();
    for section in text.split_inclusive("\n\n") {
        let is_target = ["[[bench]]", "[[example]]"]
            .iter()
            .any(|kind| section.trim_start().starts_with(kind));
        if !is_target {
            kept.push_str(section);
        }
    }
    for name in ["kalshi-auth", "kalshi-gen"] {
        let here = root().join(name);
        kept = kept.replace(
            &format!("path = \"{name}\""),
            &format!("path = {:?}", here.to_str().unwrap()),
        );
    }
    kept.replace(
        "members = [\"kalshi-auth\", \"kalshi-gen\", \"kalshi-gen/cli\", \"kalshi-mock\"]",
        "members = []",
    )
    .replace("kalshi-mock.workspace = true\n", "")
}

/// Copies a file or a folder. The fixups are for one contract: here they apply where they do.
fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy_all(&from.join(&name), &to.join(&name));
        }
        return;
    }
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let text = fs::read_to_string(from).unwrap();
    fs::write(to, text.replace("FixupMode::Strict", "FixupMode::Lenient")).unwrap();
}
