//! Clients of other specs: each compiles on kalshi-core as a crate of its own, sends what its spec says, and decodes its samples.
//!
//! The small specs of this package are always compiled. `KALSHI_SPECS` names a folder of published ones to compile as well.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use kalshi_gen::{FixupMode, Options, Protocol, Samples, generate};

/// The manifest of a crate: the dependencies of kalshi-sdk, and those of the tests that it includes.
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
tokio = { version = "1", default-features = false, features = ["macros", "rt"] }
url = "2"
wiremock = "0.6"
"#;

/// The workspace that the crates are members of, with the profile of this one, so that dependencies are built once.
const WORKSPACE: &str = r#"[workspace]
members = ["crates/*"]
resolver = "3"

[profile.dev]
debug = "line-tables-only"

[profile.dev.package."*"]
debug = false
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn small_specs_compile_and_decode_their_samples() {
    compile(&specs(&root().join("kalshi-gen/tests/specs")), "small");
}

#[test]
fn published_specs_compile_side_by_side_and_decode_their_samples() {
    let Some(folder) = env::var_os("KALSHI_SPECS") else {
        println!("skipped: KALSHI_SPECS is not set, so no published specs are compiled");
        return;
    };
    let found = specs(Path::new(&folder));
    assert!(
        !found.is_empty(),
        "no specs in {}",
        Path::new(&folder).display()
    );
    compile(&found, "published");
}

/// The specs in a folder and below.
fn specs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        let is_spec = |text: String| {
            let mut lines = text.lines();
            lines.any(|line| line.starts_with("openapi:") || line.starts_with("asyncapi:"))
        };
        if path.is_dir() {
            found.extend(specs(&path));
        } else if fs::read_to_string(&path).is_ok_and(is_spec) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Makes a crate of each spec in one workspace, compiles all of them, and runs the tests of those that are not older versions, which are
/// in a subfolder.
fn compile(specs: &[PathBuf], name: &str) {
    let workspace = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = fs::remove_dir_all(&workspace);
    fs::create_dir_all(&workspace).unwrap();
    fs::write(workspace.join("Cargo.toml"), WORKSPACE).unwrap();
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    for spec in specs {
        let stem = spec
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .replace(['.', '_'], "-");
        make_crate(&workspace.join("crates").join(&stem), &stem, spec);
    }
    // The folder of all builds, so that dependencies that were built are found there.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--offline",
            "--quiet",
            "--workspace",
            "--lib",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(&workspace)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    let passed = out.matches("test result: ok. ").count();
    assert_eq!(passed, specs.len(), "{out}\n{err}");
    println!("{passed} specs compiled: {}", names(specs));
}

fn names(specs: &[PathBuf]) -> String {
    let names = specs.iter().filter_map(|spec| spec.file_name()?.to_str());
    names.collect::<Vec<_>>().join(", ")
}

fn make_crate(folder: &Path, name: &str, spec: &Path) {
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
            let samples = Samples::new(&text, FixupMode::Lenient).unwrap();
            let harness = format!("{root}/kalshi-gen/tests/compiled/harness.rs");
            write("openapi.yaml", &text);
            write("kalshi.rs", &generated.rust);
            write("tests/generated/calls.rs", &samples.calls());
            write(
                "src/lib.rs",
                &template("rest.rs").replace("HARNESS", &harness),
            );
        }
    }
}
