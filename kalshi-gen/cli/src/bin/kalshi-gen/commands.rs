//! The commands of the program: reading inputs, calling the library, and writing the output.

use std::{path::Path, process::ExitCode};

use anstyle::{AnsiColor, Style};
use kalshi_gen::{FixupMode, Protocol, Samples};
use kalshi_gen_cli::{
    Class, Committed, Diff, Finding, Format, Lock, Locks, SpecsError, find, generate_formatted,
};

use crate::{
    VendoredFiles, default_spec_path,
    files::{Failure, Input, Pending, print, read_if_exists, warn, write},
};

pub(crate) fn diff(
    old: &Path,
    new: &Path,
    format: Format,
    quote: bool,
    without_prose: bool,
) -> Result<ExitCode, Failure> {
    let (old, new) = (Input::read(old)?, Input::read(new)?);
    let mut diff =
        Diff::new(&old.text, &new.text).map_err(|error| spec_failure(error, &old, &new))?;
    if without_prose {
        diff.changes.retain(|change| change.class != Class::Prose);
    }
    // JSON always includes the changed strings.
    print(&diff.report(format, quote))?;
    Ok(if diff.is_breaking() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn vendor(
    upstream: &Path,
    source: Option<String>,
    files: &VendoredFiles,
    format: Format,
    dry_run: bool,
) -> Result<ExitCode, Failure> {
    let published = Input::read(upstream)?;
    let protocol =
        Protocol::from_text(&published.text).map_err(|error| published.failure(&error))?;
    let spec_path = files
        .spec
        .clone()
        .unwrap_or_else(|| default_spec_path(protocol));
    if spec_path == files.lock {
        return Err(Failure(format!(
            "{}: is both the spec and its lock",
            files.lock.display()
        )));
    }
    if published.ends_early() {
        return Err(Failure(format!(
            "{}: line {} ends without a line break: a truncated download?",
            published.name,
            published.text.lines().count()
        )));
    }
    let ours = read_if_exists(&spec_path)?.map(|text| Input {
        name: spec_path.display().to_string(),
        text,
    });
    let vendored = kalshi_gen_cli::vendor(
        ours.as_ref().map(|input| input.text.as_str()),
        &published.text,
    )
    .map_err(|error| spec_failure(error, ours.as_ref().unwrap_or(&published), &published))?;
    let mut locks = match read_if_exists(&files.lock)? {
        Some(text) => Locks::parse(&text).unwrap_or_default(),
        None => Locks::default(),
    };
    let before = locks.get(protocol).cloned();
    let source = source
        .or_else(|| before.as_ref().map(|lock| lock.source.clone()))
        .unwrap_or_else(|| {
            let name = upstream.file_name().filter(|name| *name != "-");
            name.map_or_else(
                || published.name.clone(),
                |name| name.to_string_lossy().into_owned(),
            )
        });
    let today = chrono::Utc::now().date_naive().to_string();
    let mut lock =
        Lock::new(&published.text, &source, &today).map_err(|error| published.failure(&error))?;
    if let Some(before) = before.filter(|before| before.has_same_content(&lock)) {
        lock.date = before.date;
    }
    locks.insert(protocol, lock);
    if !dry_run {
        let (spec, lock) = (
            Pending::write(&spec_path, &vendored.text)?,
            Pending::write(&files.lock, &locks.to_string())?,
        );
        // The lock is written first. If writing the spec then fails, the old spec is intact and
        // `check` reports the mismatch.
        lock.persist()?;
        spec.persist()?;
    }
    print(&vendored.report(format))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(files: &VendoredFiles, surface: &Path) -> Result<ExitCode, Failure> {
    let specs = match &files.spec {
        Some(path) => vec![path.clone()],
        None => vec![
            default_spec_path(Protocol::Rest),
            default_spec_path(Protocol::Streams),
        ],
    };
    let (lock, surface) = (read_if_exists(&files.lock)?, read_if_exists(surface)?);
    let (mut out, mut findings) = (String::new(), Vec::new());
    for path in &specs {
        let spec = Input::read(path)?;
        let found = Committed::new(&spec.text, lock.as_deref(), surface.as_deref())
            .audit()
            .map_err(|error| spec.failure(&error))?;
        if specs.len() > 1 {
            let bold = Style::new().bold();
            out.push_str(&format!("{bold}{}{bold:#}\n", spec.name));
        }
        out.push_str(&format_findings(&found));
        findings.extend(found);
    }
    out.push_str(&summarize(&findings));
    print(&out)?;
    Ok(if findings.iter().all(|finding| finding.action.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Formats findings, each with the action that fixes it.
fn format_findings(findings: &[Finding]) -> String {
    let (good, bad) = (
        AnsiColor::Green.on_default(),
        AnsiColor::Red.on_default().bold(),
    );
    let mut out = String::new();
    for finding in findings {
        let (style, label) = if finding.action.is_none() {
            (good, "ok")
        } else {
            (bad, "no")
        };
        out.push_str(&format!(
            "{style}{label}{style:#}  {:<10} {}\n",
            finding.check, finding.summary
        ));
        for warning in &finding.warnings {
            out.push_str(&format!("    {warning}\n"));
        }
        for line in finding.action.iter().flat_map(|action| action.lines()) {
            out.push_str(&format!("    {line}\n"));
        }
    }
    out
}

/// Summarises the findings: all checks pass, or how many fail and what to do next.
fn summarize(findings: &[Finding]) -> String {
    let all = findings.len();
    let failed: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding.action.as_deref())
        .collect();
    let summary = match failed.first() {
        None => format!("all {all} checks passed"),
        Some(first) => {
            let next = first.lines().next().unwrap_or_default();
            format!("{} of {all} checks failed; next: {next}", failed.len())
        }
    };
    let bold = Style::new().bold();
    format!("{bold}{summary}{bold:#}\n")
}

pub(crate) fn generate(spec: &Path, out: Option<&Path>) -> Result<ExitCode, Failure> {
    let input = Input::read(spec)?;
    let generated = generate_formatted(&input.text, FixupMode::Lenient)
        .map_err(|error| input.failure(&error))?;
    for warning in &generated.warnings {
        warn(&format!("{}: {warning}", input.name));
    }
    match out {
        Some(path) => write(path, &generated.rust)?,
        None => print(&generated.rust)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn show(spec: &Path, id: &str) -> Result<ExitCode, Failure> {
    let input = Input::read(spec)?;
    print(&kalshi_gen_cli::show(&input.text, id).map_err(|error| input.failure(&error))?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn samples(spec: &Path, id: &str) -> Result<ExitCode, Failure> {
    let input = Input::read(spec)?;
    let samples =
        Samples::new(&input.text, FixupMode::Lenient).map_err(|error| input.failure(&error))?;
    let id = find(&samples.operations(), id)
        .map_err(|error| input.failure(&error))?
        .to_owned();
    let responses: Vec<_> = samples
        .responses(&id)
        .into_iter()
        .map(|sample| serde_json::json!({ "name": sample.name, "body": sample.body }))
        .collect();
    let sample = serde_json::json!({ "operation": id, "status": samples.status(&id), "responses": responses });
    print(&format!("{sample:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the failure for an error in one of two specs, with the name of its file.
fn spec_failure(error: SpecsError, old: &Input, new: &Input) -> Failure {
    match error {
        SpecsError::Old(error) => old.failure(&error),
        SpecsError::New(error) => new.failure(&error),
        error => Failure(error.to_string()),
    }
}
