//! The examples in other languages, which the README shows. They run if their interpreters are installed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// Runs a command with the path of the program, and returns its output if it can be run at all.
fn run(command: &mut Command) -> Option<Output> {
    let command = command.env("KALSHI_MOCK", env!("CARGO_BIN_EXE_kalshi-mock"));
    command.output().ok()
}

fn assert_success(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
fn python_test_passes() {
    let mut command = Command::new("python3");
    match run(command.arg(example("python/test_order.py"))) {
        Some(output) => assert_success(&output),
        None => println!("skipped: python3 is not installed"),
    }
}

/// Node runs TypeScript since version 22.18. Older versions need tsc: `KALSHI_TSC` names the program, which defaults to `tsc` on
/// the path.
#[test]
fn typescript_test_passes() {
    let test = example("typescript/order.test.mts");
    let Some(version) = run(Command::new("node").arg("--version")) else {
        println!("skipped: node is not installed");
        return;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let test = if (number(), number()) >= (22, 18) {
        test
    } else {
        let tsc = std::env::var_os("KALSHI_TSC").unwrap_or_else(|| "tsc".into());
        let mut command = Command::new(&tsc);
        command
            .args(["--strict", "--target", "es2022", "--module", "nodenext"])
            .args(["--types", "node", "--outDir"])
            .arg(folder.path())
            .arg(&test);
        // The types of node are installed next to tsc.
        let modules = Path::new(&tsc).ancestors().nth(2);
        if let Some(modules) = modules.filter(|modules| modules.ends_with("node_modules")) {
            command.arg("--typeRoots").arg(modules.join("@types"));
        }
        let Some(output) = run(&mut command) else {
            println!(
                "skipped: node {} does not run TypeScript, and tsc is not installed",
                version.trim()
            );
            return;
        };
        assert_success(&output);
        folder.path().join("order.test.mjs")
    };
    let output = run(Command::new("node").arg("--test").arg(test)).unwrap();
    assert_success(&output);
}

#[test]
fn readme_shows_the_examples() {
    let readme = include_str!("../../README.md");
    for (language, name) in [
        ("python", "python/test_order.py"),
        ("typescript", "typescript/order.test.mts"),
    ] {
        let text = std::fs::read_to_string(example(name)).unwrap();
        let block = format!("```{language}\n{text}```\n");
        assert!(readme.contains(&block), "the README shows another {name}");
    }
}
