//! The program as maintainers and workflows use it: output, exit codes, and files written or left unchanged.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const EXCHANGE: &str = include_str!("../../../tests/specs/exchange.yaml");
const STREAMS: &str = include_str!("../../../tests/specs/streams.yaml");

/// The result of running the program.
struct Run {
    code: i32,
    out: String,
    err: String,
}

/// A temporary folder in which a test runs the program.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kalshi-gen"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that fails early may not read all of its input.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn additive() -> String {
    EXCHANGE.replace("enum: [bid, ask]", "enum: [bid, ask, both]")
}

fn breaking() -> String {
    EXCHANGE.replace(
        "        volume: {type: integer, format: int32, description: Contracts traded.}\n",
        "",
    )
}

#[test]
fn diff_exits_with_1_for_breaking_changes() {
    let folder = Folder::new(&[
        ("old.yaml", EXCHANGE),
        ("more.yaml", &additive()),
        ("less.yaml", &breaking()),
    ]);
    let same = folder.run(&["diff", "old.yaml", "old.yaml"]);
    assert_eq!(
        (same.code, same.out.lines().last()),
        (0, Some("no differences: no release needed"))
    );
    let more = folder.run(&["diff", "old.yaml", "more.yaml"]);
    assert_eq!(
        (more.code, more.out.lines().last(), more.err.as_str()),
        (0, Some("1 additive: next release is a minor"), "")
    );
    let less = folder.run(&["diff", "old.yaml", "less.yaml"]);
    assert_eq!(
        (less.code, less.out.lines().last()),
        (1, Some("1 breaking: next release is a major"))
    );
    // In the other direction, with one spec from standard input, in every format.
    for (format, last) in [
        ("text", "1 additive: next release is a minor"),
        ("markdown", "1 additive: next release is a minor"),
        ("json", "}"),
    ] {
        let run = folder.run_with(&["diff", "less.yaml", "-", "--format", format], EXCHANGE);
        assert_eq!(
            (run.code, run.out.lines().last()),
            (0, Some(last)),
            "{format}"
        );
        assert!(!run.out.contains('\u{1b}'), "{format}");
    }
}

#[test]
fn prose_is_omitted_or_quoted_on_request() {
    let other = additive().replace("summary: Read a market", "summary: Get a market");
    let folder = Folder::new(&[("old.yaml", EXCHANGE), ("new.yaml", &other)]);
    let all = folder.run(&["diff", "old.yaml", "new.yaml"]).out;
    assert!(all.contains("Prose (1)") && !all.contains("Get a market"));
    let quoted = folder.run(&["diff", "old.yaml", "new.yaml", "--quote"]).out;
    assert!(
        quoted.contains("\n      - Read a market\n      + Get a market\n"),
        "{quoted}"
    );
    let without = folder
        .run(&["diff", "old.yaml", "new.yaml", "--without-prose"])
        .out;
    assert!(
        !without.contains("Prose") && without.ends_with("\n1 additive: next release is a minor\n"),
        "{without}"
    );
}

#[test]
fn colours_are_only_for_terminals() {
    let folder = Folder::new(&[("old.yaml", EXCHANGE), ("less.yaml", &breaking())]);
    assert!(
        !folder
            .run(&["diff", "old.yaml", "less.yaml"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !folder
            .run(&["check", "--spec", "old.yaml"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !folder
            .run(&["show", "GetMarket", "--spec", "old.yaml"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !folder
            .run(&["diff", "old.yaml", "gone.yaml"])
            .err
            .contains('\u{1b}')
    );
    let forced = |format: &str| {
        let output = folder
            .command(&["diff", "old.yaml", "less.yaml", "--format", format])
            .env("CLICOLOR_FORCE", "1")
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    assert!(
        forced("text").contains("\u{1b}[1m\u{1b}[31mBreaking (1)\u{1b}[0m"),
        "{:?}",
        forced("text")
    );
    assert!(!forced("json").contains('\u{1b}') && !forced("markdown").contains('\u{1b}'));
}

#[test]
fn invalid_input_is_reported_in_one_line_and_nothing_is_written() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            below.trim_end_matches(", ")
        ));
    }
    let garbage: String = "\u{fffd}}{][\t:- &*!|>'\"%@`\n"
        .repeat(3_000_000)
        .chars()
        .take(50_000_000)
        .collect();
    let half = &EXCHANGE[..EXCHANGE.len() / 2];
    let cut = &EXCHANGE[..EXCHANGE.len() - 3];
    let texts = format!(
        "openapi: 3.0.0\ns: &s {}\nl: [{}]\n",
        "A".repeat(100_000),
        vec!["*s"; 20_000].join(",")
    );
    let inputs: [(&str, &[u8], &str); 14] = [
        ("texts.yaml", texts.as_bytes(), "after alias expansion"),
        ("empty.yaml", b"", "empty.yaml: the document is empty"),
        ("text.yaml", b"hello\n", "text.yaml: not a spec"),
        ("list.yaml", b"[1, 2]\n", "list.yaml: not a spec"),
        ("yaml.yaml", b"a: [1\nb: 2\n", "yaml.yaml: not YAML: line "),
        (
            "swagger.yaml",
            b"swagger: '2.0'\ninfo: {title: t, version: '1'}\n",
            "swagger.yaml: Swagger 2 is not supported",
        ),
        (
            "next.yaml",
            b"openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\n",
            "next.yaml: $.openapi: OpenAPI 3.1.0 is not supported",
        ),
        (
            "page.yaml",
            b"<!DOCTYPE html>\n<html><body>404: not found</body></html>\n",
            "page.yaml: a web page, not a spec",
        ),
        (
            "page2.yaml",
            b"\n <html lang=en>\n",
            "page2.yaml: a web page, not a spec",
        ),
        ("half.yaml", half.as_bytes(), "half.yaml: "),
        ("cut.yaml", cut.as_bytes(), "a truncated download?"),
        (
            "bomb.yaml",
            bomb.as_bytes(),
            "bomb.yaml: $.a5: more than 1000000 values after alias expansion",
        ),
        (
            "garbage.yaml",
            garbage.as_bytes(),
            "garbage.yaml: more than 16 MiB: no spec is that large",
        ),
        (
            "binary.yaml",
            b"openapi: \xff\xfe",
            "binary.yaml: not text: byte 9 is not UTF-8",
        ),
    ];
    let folder = Folder::new(&[
        ("good.yaml", EXCHANGE),
        ("openapi.yaml", EXCHANGE),
        ("spec.lock", "source: here\n"),
    ]);
    for (name, bytes, expected) in inputs {
        fs::write(folder.path(name), bytes).unwrap();
        let mut commands = vec![vec!["vendor", name]];
        let is_large = bytes.len() > 10_000 || name == "bomb.yaml";
        if is_large {
            commands.push(vec!["check", "--spec", name]);
        } else if name != "cut.yaml" {
            // A spec truncated in its last description is valid, but must not be vendored.
            commands.extend([
                vec!["diff", "good.yaml", name],
                vec!["diff", name, "good.yaml"],
                vec!["check", "--spec", name],
                vec!["generate", name, "--out", "out.rs"],
                vec!["show", "GetMarket", "--spec", name],
                vec!["samples", name, "GetMarket"],
            ]);
        }
        for arguments in commands {
            let run = folder.run(&arguments);
            assert_eq!(
                (run.code, run.out.as_str()),
                (2, ""),
                "{arguments:?} {}",
                run.err
            );
            assert_eq!(run.err.lines().count(), 1, "{arguments:?} {}", run.err);
            assert!(
                run.err.starts_with("error: ")
                    && run.err.contains(expected)
                    && run.err.contains(name),
                "{arguments:?} {}",
                run.err
            );
        }
        fs::remove_file(folder.path(name)).unwrap();
    }
    assert_eq!(folder.files(), ["good.yaml", "openapi.yaml", "spec.lock"]);
    assert_eq!(
        (
            folder.read("openapi.yaml").as_str(),
            folder.read("spec.lock").as_str()
        ),
        (EXCHANGE, "source: here\n")
    );
    // Missing files, and paths that are not regular files.
    for (arguments, expected) in [
        (
            ["diff", "gone.yaml", "good.yaml"],
            "gone.yaml: No such file",
        ),
        (["diff", "good.yaml", "."], ".: Is a directory"),
        (
            ["samples", "good.yaml", "GetMarkets"],
            "good.yaml: there is no operation `GetMarkets` among the 4; did you mean `GetMarket`, `GetOrders`?",
        ),
    ] {
        let run = folder.run(&arguments);
        assert_eq!((run.code, run.err.lines().count()), (2, 1));
        assert!(run.err.contains(expected), "{}", run.err);
    }
}

/// A truncated download is rejected wherever it ends, or is a valid spec that lacks part of its last schema.
#[test]
fn truncated_download_is_not_vendored() {
    let folder = Folder::new(&[("openapi.yaml", EXCHANGE)]);
    let lines: Vec<_> = EXCHANGE.split_inclusive('\n').collect();
    for kept in (1..lines.len() - 8).step_by(7) {
        let run = folder.run_with(&["vendor", "-", "--dry-run"], &lines[..kept].concat());
        assert_eq!(
            (run.code, run.err.lines().count()),
            (2, 1),
            "{kept} lines: {}",
            run.out
        );
    }
    for kept in (1..EXCHANGE.len())
        .step_by(97)
        .filter(|at| EXCHANGE.is_char_boundary(*at) && !EXCHANGE[..*at].ends_with('\n'))
    {
        let run = folder.run_with(&["vendor", "-", "--dry-run"], &EXCHANGE[..kept]);
        assert_eq!(
            (run.code, run.err.lines().count()),
            (2, 1),
            "{kept} bytes: {}",
            run.out
        );
    }
}

#[test]
fn vendor_writes_spec_and_lock() {
    let folder = Folder::new(&[
        ("published.yaml", EXCHANGE),
        ("openapi.yaml", &breaking()),
        ("next.yaml", &additive()),
    ]);
    let source = "https://example.com/openapi.yaml";
    let run = folder.run(&["vendor", "published.yaml", "--source", source]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(
        run.out.contains("Market.volume: added: an integer (int32)")
            && run.out.contains("1 additive: next release is a minor"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains(
            "\nDescriptions needed (1)\n  $.components.schemas.Market.properties.volume.description\n"
        ),
        "{}",
        run.out
    );
    let (spec, lock) = (folder.read("openapi.yaml"), folder.read("spec.lock"));
    assert!(spec.contains("description: DESCRIPTION NEEDED"));
    assert!(
        lock.contains(&format!(
            "openapi:\n  source: {source}\n  version: '1.0.0'\n  date: '20"
        )),
        "{lock}"
    );
    // Vendoring it again on another day changes nothing.
    let earlier = lock
        .lines()
        .map(|line| {
            if line.starts_with("  date") {
                "  date: '2026-01-02'\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect::<String>();
    fs::write(folder.path("spec.lock"), &earlier).unwrap();
    assert_eq!(folder.run_with(&["vendor", "-"], EXCHANGE).code, 0);
    assert_eq!(
        (folder.read("openapi.yaml"), folder.read("spec.lock")),
        (spec.clone(), earlier.clone())
    );
    // A dry run prints the report and writes nothing.
    let dry = folder.run(&["vendor", "next.yaml", "--dry-run", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(
        (&report["verdict"], &report["diff"]["changes"][0]["text"]),
        (
            &"1 additive: next release is a minor".into(),
            &"the value `both` is added".into()
        )
    );
    assert_eq!(
        (folder.read("openapi.yaml"), folder.read("spec.lock")),
        (spec, earlier)
    );
    assert_eq!(
        folder.files(),
        ["next.yaml", "openapi.yaml", "published.yaml", "spec.lock"]
    );
}

#[test]
fn asyncapi_spec_is_vendored_and_checked_with_the_openapi_spec() {
    let folder = Folder::new(&[("published.yaml", STREAMS), ("calls.yaml", EXCHANGE)]);
    assert_eq!(folder.run(&["vendor", "calls.yaml"]).code, 0);
    let of_calls = folder.read("spec.lock");
    let run = folder.run(&["vendor", "published.yaml"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
    assert!(run.out.starts_with("spec 1.0.0, first version\n"));
    // Each spec has its own file and its own lock.
    let (spec, lock) = (folder.read("asyncapi.yaml"), folder.read("spec.lock"));
    assert!(spec.starts_with("asyncapi: '3.0.0'\n"), "{spec}");
    assert!(
        lock.starts_with(&of_calls) && lock.contains("\nasyncapi:\n  source: published.yaml\n"),
        "{lock}"
    );
    let run = folder.run(&["check", "--spec", "asyncapi.yaml"]);
    assert_eq!(run.code, 1);
    for line in [
        "ok  valid      version 1.0.0, 2 channels, 4 operations\n",
        "\nok  generates  ",
        "\nok  locked     vendored from published.yaml on ",
        "\n    $.channels.prices.description\n",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    // Both specs, each under its name.
    let run = folder.run(&["check"]);
    assert!(
        run.out.starts_with("openapi.yaml\n") && run.out.contains("\nasyncapi.yaml\n"),
        "{}",
        run.out
    );
    let rust = folder.run(&["generate", "published.yaml"]);
    assert!(rust.out.contains("pub enum Message {"), "{}", rust.out);
    // The two kinds are not interchangeable.
    for arguments in [
        vec!["diff", "calls.yaml", "published.yaml"],
        vec!["vendor", "calls.yaml", "--spec", "asyncapi.yaml"],
        vec!["vendor", "published.yaml", "--lock", "asyncapi.yaml"],
        vec!["show", "GetMarket", "--spec", "published.yaml"],
    ] {
        let run = folder.run(&arguments);
        assert_eq!(
            (run.code, run.err.lines().count()),
            (2, 1),
            "{arguments:?} {}",
            run.err
        );
    }
    assert_eq!(folder.read("asyncapi.yaml"), spec);
    fs::remove_file(folder.path("asyncapi.yaml")).unwrap();
    let run = folder.run(&["check"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("asyncapi.yaml: No such file"),
        "{}",
        run.err
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_special_files_are_kept() {
    let folder = Folder::new(&[("published.yaml", &additive()), ("real.yaml", EXCHANGE)]);
    std::os::unix::fs::symlink("real.yaml", folder.path("openapi.yaml")).unwrap();
    assert_eq!(folder.run(&["vendor", "published.yaml"]).code, 0);
    assert!(
        fs::symlink_metadata(folder.path("openapi.yaml"))
            .unwrap()
            .is_symlink()
    );
    assert!(folder.read("real.yaml").contains("- both"));
    // A pipe is written to rather than replaced.
    let pipe = folder.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    assert_eq!(
        folder.run(&["generate", "real.yaml", "--out", "pipe"]).code,
        0
    );
    assert!(reader.join().unwrap().contains("pub struct Market"));
    fs::create_dir(folder.path("folder")).unwrap();
    for arguments in [
        ["vendor", "published.yaml", "--spec", "folder"],
        ["vendor", "published.yaml", "--lock", "openapi.yaml"],
        ["generate", "real.yaml", "--out", "folder"],
    ] {
        let run = folder.run(&arguments);
        assert_eq!(
            (run.code, run.err.lines().count()),
            (2, 1),
            "{arguments:?} {}",
            run.err
        );
    }
    assert!(folder.path("folder").is_dir());
}

#[test]
fn failed_vendor_leaves_the_old_file_intact() {
    let folder = Folder::new(&[("published.yaml", &additive()), ("openapi.yaml", EXCHANGE)]);
    let run = folder.run(&["vendor", "published.yaml", "--lock", "gone/spec.lock"]);
    assert_eq!((run.code, run.err.lines().count()), (2, 1));
    assert!(
        run.err.contains("gone/spec.lock: cannot be written"),
        "{}",
        run.err
    );
    assert_eq!(
        (folder.read("openapi.yaml").as_str(), folder.files()),
        (
            EXCHANGE,
            vec!["openapi.yaml".to_owned(), "published.yaml".to_owned()]
        )
    );
    let broken = Folder::new(&[
        ("published.yaml", EXCHANGE),
        ("openapi.yaml", "openapi: 3.0.0\n"),
    ]);
    let run = broken.run(&["vendor", "published.yaml"]);
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            2,
            "error: openapi.yaml: $.info.title: this string is missing\n"
        )
    );
    assert_eq!(broken.read("openapi.yaml"), "openapi: 3.0.0\n");
}

#[test]
fn check_prints_the_next_step() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let copy = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let folder = Folder::new(&[
        ("openapi.yaml", &copy("openapi.yaml")),
        ("asyncapi.yaml", &copy("asyncapi.yaml")),
        ("spec.lock", &copy("spec.lock")),
        ("surface.txt", "operation None\n"),
    ]);
    let run = folder.run(&["check", "--spec", "asyncapi.yaml"]);
    assert_eq!(
        (run.code, run.out.lines().last()),
        (0, Some("all 5 checks passed")),
        "{}",
        run.out
    );
    // Everything else is as it should be.
    let run = folder.run(&["check", "--surface", "surface.txt"]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains(
            "\nno  surface    differs from line 1\n    run UPDATE=1 cargo test --test it snapshots"
        ),
        "{}",
        run.out
    );
    assert!(
        run.out
            .lines()
            .last()
            .unwrap()
            .starts_with("1 of 11 checks failed; next: run UPDATE=1 cargo test"),
        "{}",
        run.out
    );
}

#[test]
fn generate_prints_or_writes_formatted_rust() {
    let folder = Folder::new(&[("a.yaml", EXCHANGE)]);
    let printed = folder.run(&["generate", "a.yaml"]);
    assert_eq!(printed.code, 0);
    assert!(
        printed.out.contains("\n    pub struct Market {\n"),
        "{}",
        printed.out
    );
    assert_eq!(folder.run(&["generate", "a.yaml", "--out", "a.rs"]).code, 0);
    assert_eq!(folder.read("a.rs"), printed.out);
    assert_eq!(
        folder.run(&["generate", "a.yaml", "--out", "no/a.rs"]).code,
        2
    );
}

#[test]
fn show_prints_an_operation() {
    let folder = Folder::new(&[("openapi.yaml", EXCHANGE)]);
    let run = folder.run(&["show", "get_market"]);
    let expected = "GetMarket  GET /markets/{ticker}\npublic, 10 tokens from the read bucket\nclient.get_market()\n\nRead a market\n\nReads one market.\n\nParameters\n  ticker: string (path)  Its ticker.\n  depth?: integer (query)  Levels of the book.\n";
    assert!(run.out.starts_with(expected), "{}", run.out);
    for line in [
        "  limit?: integer (query)  How many at most.",
        "Response  Market",
        "  fees?: Fees",
        "  yes_bid_dollars: Dollars  The best bid.",
        "    kind: FeesKind = flat | quadratic  How it is figured.",
    ] {
        assert!(
            run.out.lines().any(|other| other == line),
            "{line}\n{}",
            run.out
        );
    }
    let create = folder.run(&["show", "CreateOrder"]).out;
    assert!(
        create.contains("\nRequest  CreateOrderRequest\n")
            && create.contains("signed, 10 tokens from the write bucket"),
        "{create}"
    );
    assert!(
        folder
            .run(&["show", "CancelAll"])
            .out
            .contains("\nResponse  none\n")
    );
}

#[test]
fn samples_match_those_of_the_tests() {
    let folder = Folder::new(&[("a.yaml", EXCHANGE)]);
    let run = folder.run(&["samples", "a.yaml", "getmarket"]);
    let samples: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let expected = kalshi_gen::Samples::new(EXCHANGE, kalshi_gen::FixupMode::Lenient).unwrap();
    assert_eq!(
        (&samples["operation"], &samples["status"]),
        (&"GetMarket".into(), &200.into())
    );
    for (found, sample) in samples["responses"]
        .as_array()
        .unwrap()
        .iter()
        .zip(expected.responses("GetMarket"))
    {
        assert_eq!(
            (&found["name"], &found["body"]),
            (&sample.name.into(), &sample.body)
        );
    }
    assert_eq!(samples["responses"].as_array().unwrap().len(), 5);
}

#[test]
fn help_has_an_example_for_each_command() {
    let folder = Folder::new(&[]);
    let help = folder.run(&["--help"]);
    assert!(help.code == 0 && help.out.contains("Exit codes: 0 success"));
    for command in ["diff", "vendor", "check", "generate", "show", "samples"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command}");
        let own = folder.run(&[command, "--help"]).out;
        assert!(
            own.contains("\nExample:\n  ") && own.contains(&format!("kalshi-gen {command}")),
            "{own}"
        );
    }
    assert_eq!(folder.run(&["dif"]).code, 2);
}

#[test]
fn closed_output_pipe_is_not_an_error() {
    let folder = Folder::new(&[("a.yaml", EXCHANGE)]);
    let mut child = folder
        .command(&["generate", "a.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn unknown_keys_are_reported_by_check_and_vendor() {
    let stray = EXCHANGE.replace(
        "description: Contracts traded.",
        "description: Signed, negative short.",
    );
    assert_ne!(stray, EXCHANGE);
    let warning = r#"volume["negative short."]: ignored: no version of OpenAPI"#;
    let folder = Folder::new(&[("openapi.yaml", &stray), ("published.yaml", &stray)]);
    let check = folder.run(&["check", "--spec", "openapi.yaml"]);
    assert!(
        check.out.contains("ok  valid") && check.out.contains(warning),
        "{}",
        check.out
    );
    let vendored = folder.run(&["vendor", "published.yaml"]);
    assert_eq!(vendored.code, 0, "{}", vendored.err);
    assert!(vendored.out.contains(warning), "{}", vendored.out);
    // Vendoring it again changes nothing.
    let text = folder.read("openapi.yaml");
    assert_eq!(folder.run(&["vendor", "published.yaml"]).code, 0);
    assert_eq!(folder.read("openapi.yaml"), text);
    let generated = folder.run(&["generate", "openapi.yaml"]);
    assert_eq!(generated.code, 0, "{}", generated.err);
}

#[test]
fn ignored_messages_are_reported_by_check_vendor_and_generate() {
    let ignored = STREAMS.replace(
        "type: {type: string, const: halt, description: Always this.}",
        "type: {type: string, description: Always this.}",
    );
    assert_ne!(ignored, STREAMS);
    let warning =
        "$.operations.receivePrice.messages[1]: ignored: the payload has no property `type`";
    let folder = Folder::new(&[("asyncapi.yaml", &ignored), ("published.yaml", &ignored)]);
    let check = folder.run(&["check", "--spec", "asyncapi.yaml"]);
    assert!(check.out.contains(warning), "{}", check.out);
    let vendored = folder.run(&["vendor", "published.yaml"]);
    assert!(vendored.out.contains(warning), "{}", vendored.out);
    let generated = folder.run(&["generate", "published.yaml"]);
    assert_eq!(generated.code, 0);
    assert!(
        generated
            .err
            .starts_with(&format!("warning: published.yaml: {warning}")),
        "{}",
        generated.err
    );
    let clean = Folder::new(&[("asyncapi.yaml", STREAMS)]);
    assert_eq!(clean.run(&["generate", "asyncapi.yaml"]).err, "");
}

#[test]
fn hidden_characters_and_markdown_of_a_spec_are_escaped() {
    let hostile = EXCHANGE
        .replacen(
            "version: 1.0.0",
            "version: \"1.0.0 \\u202e[x](http://e) @all <b>\"",
            1,
        )
        .replacen("title: ", "title: \"\\u2066 ![x](http://e) `\" # ", 1)
        .replace("enum: [bid, ask]", "enum: [bid, ask, \"\\u202eb ``` c\"]");
    let folder = Folder::new(&[("old.yaml", EXCHANGE), ("new.yaml", &hostile)]);
    let bidi = |text: &str| text.contains(['\u{202e}', '\u{2066}']);
    for format in ["text", "markdown", "json"] {
        let run = folder.run(&[
            "diff", "old.yaml", "new.yaml", "--quote", "--format", format,
        ]);
        assert!(!bidi(&run.out), "{format}: {}", run.out);
        assert!(run.out.contains("202e"), "{format}: {}", run.out);
        if format == "markdown" {
            let heading = run.out.lines().next().unwrap();
            assert!(
                heading.ends_with(r"\\u{202e}\[x\](http://e) &#64;all &lt;b>"),
                "{heading}"
            );
            assert!(!run.out.contains("![x]("), "{}", run.out);
        }
        let report = folder.run(&["vendor", "new.yaml", "--dry-run", "--format", format]);
        assert!(!bidi(&report.out), "{}", report.out);
    }
    let rust = folder.run(&["generate", "new.yaml"]).out;
    assert!(!bidi(&rust));
    let shown = folder.run(&["show", "GetMarket", "--spec", "new.yaml"]).out;
    assert!(!bidi(&shown));
    let broken = hostile.replace("type: object", "type: \"\\u202ex\"");
    fs::write(folder.path("broken.yaml"), broken).unwrap();
    let failed = folder.run(&["generate", "broken.yaml"]);
    assert!(failed.code == 2 && !bidi(&failed.err), "{}", failed.err);
}
