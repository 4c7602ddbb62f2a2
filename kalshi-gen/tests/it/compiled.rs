//! Compiles clients of other specs on kalshi-core, each as a crate of its own, and checks the requests they send and
//! the samples they decode.
//!
//! The small specs of this package are always compiled. `KALSHI_SPECS` names a folder of published specs
//! to compile as well. `KALSHI_FEATURES` names a package that becomes a member of the workspace, so that
//! dependencies have the features of another build and are shared with it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use kalshi_gen::{FixupMode, Options, Protocol, Samples, generate};
use sha2::{Digest, Sha256};

/// The manifest of a crate, with the dependencies of kalshi-sdk and of the included tests.
const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.0.0"
edition = "2024"

[dependencies]
chrono = { version = "0.4", default-features = false, features = ["std", "serde"] }
kalshi-core = { path = "ROOT/kalshi-core", default-features = false, features = ["ws"] }
progenitor-client = "0.15.1"
reqwest = { version = "0.13.4", default-features = false }
serde = { version = "1", features = ["derive"] }
serde_json = { version = "1", features = ["raw_value"] }

[dev-dependencies]
futures-util = { version = "0.3", default-features = false, features = ["std"] }
kalshi-gen = { path = "ROOT/kalshi-gen", features = ["testing"] }
tokio = { version = "1", default-features = false, features = ["macros", "rt", "test-util", "time"] }
url = "2"
wiremock = "0.6"
"#;

/// The manifest of the workspace that contains the crates. It has this workspace's profile, so that dependencies
/// are built only once.
const WORKSPACE: &str = r#"[workspace]
members = ["crates/*"]
resolver = "3"

"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn small_specs_compile_and_decode_their_samples() {
    let folder = root().join("kalshi-gen/tests/specs");
    compile(&specs(&folder), &[], &folder, "small");
}

#[test]
fn published_specs_compile_side_by_side() {
    let Some(folder) = env::var_os("KALSHI_SPECS") else {
        println!("skipped: KALSHI_SPECS is not set, so no published specs are compiled");
        return;
    };
    let folder = Path::new(&folder);
    let found = specs(folder);
    assert!(!found.is_empty(), "no specs in {}", folder.display());
    let (compiled, tested): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|spec| is_vendored(spec) || is_older(spec, folder));
    compile(&tested, &compiled, folder, "published");
}

/// Returns `true` if a crate of this workspace was vendored from this file. That crate has its own tests.
fn is_vendored(spec: &Path) -> bool {
    let hash = format!("{:x}", Sha256::digest(fs::read(spec).unwrap()));
    let locks = [
        "spec.lock",
        "kalshi-perps/spec.lock",
        "kalshi-klear/spec.lock",
    ];
    locks.iter().any(|lock| {
        let lock = fs::read_to_string(root().join(lock)).unwrap();
        lock.contains(&hash)
    })
}

/// Returns `true` for a REST spec in a subfolder, which holds older versions. The operations that hand-written tests
/// call may not be in it.
fn is_older(spec: &Path, folder: &Path) -> bool {
    let is_below = spec
        .strip_prefix(folder)
        .is_ok_and(|path| path.components().count() > 1);
    let protocol = Protocol::from_text(&fs::read_to_string(spec).unwrap()).unwrap();
    is_below && protocol != Protocol::Streams
}

/// Returns the specs in a folder and its subfolders.
fn specs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(specs(&path));
        } else if fs::read_to_string(&path).is_ok_and(|text| is_spec(&text)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns `true` if the file has a root field that makes it a spec, in YAML or JSON.
fn is_spec(text: &str) -> bool {
    let is_yaml = |line: &str| line.starts_with("openapi:") || line.starts_with("asyncapi:");
    let json = serde_json::from_str::<serde_json::Value>(text);
    match json {
        Ok(json) => json.get("openapi").or(json.get("asyncapi")).is_some(),
        Err(_) => text.lines().any(is_yaml),
    }
}

/// Returns the crate name of a spec, derived from its path below the folder, so that specs with the
/// same file name differ.
fn crate_name(spec: &Path, folder: &Path) -> String {
    let path = spec.strip_prefix(folder).unwrap_or(spec);
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let name: String = path
        .with_extension("")
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    // A package name must begin with a letter.
    let prefix = if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        ""
    } else {
        "spec-"
    };
    format!("{prefix}{name}{}", if is_json { "-json" } else { "" })
}

#[test]
fn specs_in_subfolders_and_json_specs_become_crates() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spec-folders");
    _ = fs::remove_dir_all(&folder);
    let yaml = "openapi: 3.0.0\n";
    let json = "{\n  \"info\": {},\n  \"openapi\": \"3.0.0\"\n}";
    for (path, text) in [
        ("spec.yaml", yaml),
        ("a/spec.yaml", yaml),
        ("b/spec.yaml", yaml),
        ("b/spec.json", json),
        ("b/2026.1_x.json", json),
        ("b/notes.txt", "see openapi: x"),
        ("b/other.json", "{\"a\": 1}"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut names: Vec<_> = specs(&folder)
        .iter()
        .map(|spec| crate_name(spec, &folder))
        .collect();
    names.sort();
    let expected = ["a-spec", "b-2026-1-x-json", "b-spec", "b-spec-json", "spec"];
    assert_eq!(names, expected);
}

/// Creates a crate for each spec in one workspace. Compiles all of them, and runs the tests of the first list.
fn compile(tested: &[PathBuf], compiled: &[PathBuf], folder: &Path, name: &str) {
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = fs::remove_dir_all(&workspace);
    fs::create_dir_all(&workspace).unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = manifest
        .find("[profile.dev]")
        .map_or("", |at| &manifest[at..]);
    fs::write(
        workspace.join("Cargo.toml"),
        format!("{WORKSPACE}{profile}"),
    )
    .unwrap();
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    if let Some(package) = env::var_os("KALSHI_FEATURES") {
        let features = workspace.join("crates/features");
        fs::create_dir_all(features.join("examples")).unwrap();
        for file in ["Cargo.toml", "examples/none.rs"] {
            fs::copy(Path::new(&package).join(file), features.join(file)).unwrap();
        }
    }
    let make_crates = |specs: &[PathBuf], is_tested| -> Vec<String> {
        let names = specs.iter().map(|spec| {
            let crate_name = crate_name(spec, folder);
            let path = workspace.join("crates").join(&crate_name);
            assert!(!path.exists(), "two specs are {crate_name}");
            make_crate(&path, &crate_name, spec, is_tested);
            crate_name
        });
        names.collect()
    };
    let (tested, compiled) = (make_crates(tested, true), make_crates(compiled, false));
    if !compiled.is_empty() {
        cargo("check", &compiled, &workspace);
        println!("compiled: {}", compiled.join(", "));
    }
    if !tested.is_empty() {
        let (out, err) = cargo("test", &tested, &workspace);
        let passed = out.matches("test result: ok. ").count();
        assert_eq!(passed, tested.len(), "{out}\n{err}");
        println!("tested: {}", tested.join(", "));
    }
}

/// Runs a command of cargo on the libraries of packages, and returns what it wrote to stdout and stderr.
fn cargo(command: &str, packages: &[String], workspace: &Path) -> (String, String) {
    // The target directory of the main build, so that dependencies are reused.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // The variables of this test's package would make build scripts run again.
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .args([command, "--offline", "--quiet", "--lib", "--target-dir"])
        .arg(target)
        .args(packages.iter().map(|package| format!("-p={package}")))
        .args(env::var_os("KALSHI_FEATURES").map(|_| "-p=features"))
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .current_dir(workspace)
        .output()
        .unwrap();
    let [out, err] =
        [output.stdout, output.stderr].map(|output| String::from_utf8_lossy(&output).into_owned());
    assert!(output.status.success(), "{out}\n{err}");
    (out, err)
}

fn make_crate(folder: &Path, name: &str, spec: &Path, is_tested: bool) {
    let text = fs::read_to_string(spec).unwrap();
    let generated = generate(&text, &Options::new().fixups(FixupMode::Lenient))
        .unwrap_or_else(|error| panic!("{}: {error}", spec.display()));
    let root = root().canonicalize().unwrap();
    let template =
        |name: &str| fs::read_to_string(root.join("kalshi-gen/tests/compiled").join(name)).unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let root = root.to_str().unwrap();
    write(
        "Cargo.toml",
        &MANIFEST.replace("NAME", name).replace("ROOT", root),
    );
    match Protocol::from_text(&text).unwrap() {
        Protocol::Streams => {
            let frames = Samples::frames(&text).unwrap();
            let lines: Vec<_> = frames
                .iter()
                .map(|(_, sample)| sample.body.to_string())
                .collect();
            write("samples.jsonl", &lines.join("\n"));
            write("websocket.rs", &generated.rust);
            write("src/lib.rs", &template("websocket.rs"));
        }
        _ => {
            let mut source = template("rest.rs");
            write("kalshi.rs", &generated.rust);
            if is_tested {
                let samples = Samples::new(&text, FixupMode::Lenient).unwrap();
                write("openapi.yaml", &text);
                write("tests/generated/calls.rs", &samples.calls().unwrap());
                source.push_str(&template("calling.rs").replace("ROOT", root));
            }
            write("src/lib.rs", &source);
        }
    }
}
