//! Checks that a vendored spec is ready for use: valid, described, generating, corrected, locked and reviewed.

use std::fmt::Write as _;

use serde_json::Value;

use kalshi_gen::{
    Error, FixupMode, Options, Protocol, generate,
    internals::{
        asyncapi,
        error::JsonPath,
        keywords,
        names::visible,
        protocol, refine, spec,
        stages::{self, Rest},
        surface, yaml,
    },
};

use crate::{descriptions, lock::Locks};

/// The result of one check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// The result, in a few words.
    pub summary: String,
    /// The action that fixes a failed check, or `None` if the check passed.
    pub action: Option<String>,
    /// Content that the generator ignores, one line each. No action is needed.
    pub warnings: Vec<String>,
}

/// The committed files that are checked together.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Committed<'a> {
    /// The content of `openapi.yaml` or `asyncapi.yaml`.
    pub spec: &'a str,
    /// The content of `spec.lock`, or `None` if the file does not exist.
    pub lock: Option<&'a str>,
    /// The content of `tests/generated/surface.txt`, or `None` if the file does not exist. It covers `openapi.yaml` only.
    pub surface: Option<&'a str>,
}

impl<'a> Committed<'a> {
    /// Combines a spec, its lock and the snapshot of its public surface.
    #[must_use]
    pub fn new(spec: &'a str, lock: Option<&'a str>, surface: Option<&'a str>) -> Self {
        Self {
            spec,
            lock,
            surface,
        }
    }

    /// Runs all checks. Returns one finding per check, in the order in which to fix them.
    ///
    /// # Errors
    ///
    /// Returns an error if the spec cannot be parsed or is invalid.
    pub fn audit(&self) -> Result<Vec<Finding>, Error> {
        let tree = yaml::parse_in_order(self.spec)?;
        let document = Value::from(tree.clone());
        let mut warnings = keywords::warnings(&document);
        let document = stages::checked(document)?;
        let protocol = protocol::detect(&document);
        if protocol == Protocol::Streams {
            warnings.extend(asyncapi::ignored_messages(&document));
        }
        let version = document["info"]["version"].as_str().unwrap_or_default();
        let version = visible(version, false);
        let content = match protocol {
            Protocol::Rest => format!("{} operations", spec::operations(&document).count()),
            Protocol::Streams => {
                let count = |key: &str| document[key].as_object().map_or(0, serde_json::Map::len);
                let (channels, operations) = (count("channels"), count("operations"));
                format!("{channels} channels, {operations} operations")
            }
        };
        let valid = Finding {
            check: "valid",
            summary: format!("version {version}, {content}"),
            action: None,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        };
        let strict = self.generate(protocol, FixupMode::Strict);
        let error = strict.as_ref().err().map(ToString::to_string);
        let output = strict.or_else(|_| self.generate(protocol, FixupMode::Lenient));
        let fixups = check_fixups(error, output.is_ok());
        let mut findings = vec![
            valid,
            check_descriptions(tree, &document, protocol),
            check_generation(output.as_ref().map(|output| output.rust.as_str())),
            fixups,
            self.check_lock(protocol, &version)?,
        ];
        if protocol == Protocol::Rest {
            let surface = output.as_ref().ok().map(|output| output.surface.as_str());
            findings.push(self.check_surface(surface));
        }
        Ok(findings)
    }

    /// Generates the code for the spec.
    fn generate(&self, protocol: Protocol, fixups: FixupMode) -> Result<Output, Error> {
        match protocol {
            Protocol::Rest => {
                let document = stages::checked_rest(yaml::parse(self.spec)?)?;
                let [sdk, perps, none] = hand_written_types(fixups);
                // A spec of another API has other enums.
                let Rest {
                    refined,
                    normalized,
                    ..
                } = stages::rest(document.clone(), &sdk)
                    .or_else(|_| stages::rest(document.clone(), &perps))
                    .or_else(|_| stages::rest(document, &none))?;
                Ok(Output {
                    rust: refine::to_source(&refined),
                    surface: surface::rest_surface(&refined, &normalized)?,
                })
            }
            Protocol::Streams => Ok(Output {
                rust: generate(self.spec, &Options::new().fixups(fixups))?.rust,
                surface: String::new(),
            }),
        }
    }

    fn check_lock(&self, protocol: Protocol, version: &str) -> Result<Finding, Error> {
        let check = "locked";
        let vendor = |summary: &str| Finding {
            check,
            summary: summary.to_owned(),
            action: Some("vendor the published spec again: kalshi-gen vendor UPSTREAM".to_owned()),
            warnings: Vec::new(),
        };
        let Some(text) = self.lock else {
            return Ok(vendor("there is no spec.lock"));
        };
        let locks = match Locks::parse(text) {
            Ok(locks) => locks,
            Err(error) => return Ok(vendor(&error.to_string())),
        };
        Ok(match locks.get(protocol) {
            None => vendor(&format!(
                "spec.lock has no entry `{}`",
                protocol.root_field()
            )),
            Some(lock) if visible(&lock.version, false) != version => vendor(&format!(
                "spec.lock has version {}, the spec has {version}",
                visible(&lock.version, false)
            )),
            Some(lock) if !lock.matches(self.spec)? => vendor(&format!(
                "{}.yaml differs from spec.lock: put corrections into fixups.rs, not into the spec",
                protocol.root_field()
            )),
            Some(lock) => Finding {
                check,
                summary: format!(
                    "vendored from {} on {}",
                    visible(&lock.source, false),
                    visible(&lock.date, false)
                ),
                action: None,
                warnings: Vec::new(),
            },
        })
    }

    fn check_surface(&self, expected: Option<&str>) -> Finding {
        let update = "run UPDATE=1 cargo test --test it snapshots, and review the diff of tests/generated/surface.txt";
        let (summary, action) = match (expected, self.surface) {
            (None, _) => (
                "not checked: the spec does not generate".to_owned(),
                Some("see above"),
            ),
            (Some(_), None) => ("there is no snapshot".to_owned(), Some(update)),
            (Some(expected), Some(committed)) if expected == committed => {
                (format!("current, {} lines", expected.lines().count()), None)
            }
            (Some(expected), Some(committed)) => {
                let same = expected
                    .lines()
                    .zip(committed.lines())
                    .take_while(|(expected, committed)| expected == committed);
                (
                    format!("differs from line {}", same.count() + 1),
                    Some(update),
                )
            }
        };
        Finding {
            check: "surface",
            summary,
            action: action.map(str::to_owned),
            warnings: Vec::new(),
        }
    }
}

/// The output of generation for a spec.
struct Output {
    rust: String,
    /// Empty for AsyncAPI specs.
    surface: String,
}

/// The maximum number of locations that are listed before the rest is only counted.
const MAX_LISTED: usize = 20;

fn check_descriptions(mut tree: yaml::Tree, document: &Value, protocol: Protocol) -> Finding {
    let mut missing = descriptions::mark_missing(&mut tree);
    let missing_descriptions = missing.len();
    for (path, method, operation) in spec::operations(document) {
        for key in ["x-token-cost", "x-rate-bucket"] {
            if !operation.contains_key(key) {
                missing.push(JsonPath::new(&["paths", path, method, key]).to_string());
            }
        }
    }
    if missing.is_empty() {
        let summary = match protocol {
            Protocol::Rest => "all descriptions and costs present",
            Protocol::Streams => "all descriptions present",
        };
        return Finding {
            check: "described",
            summary: summary.to_owned(),
            action: None,
            warnings: Vec::new(),
        };
    }
    let mut action = String::from("add what is missing; write descriptions in your own words");
    for location in missing.iter().take(MAX_LISTED) {
        _ = write!(action, "\n{location}");
    }
    if let Some(more @ 1..) = missing.len().checked_sub(MAX_LISTED) {
        _ = write!(
            action,
            "\nand {more} more: search for `{}`",
            descriptions::PLACEHOLDER
        );
    }
    let costs = missing.len() - missing_descriptions;
    Finding {
        check: "described",
        summary: match protocol {
            Protocol::Rest => {
                format!(
                    "descriptions missing: {missing_descriptions}; costs or buckets missing: {costs}"
                )
            }
            Protocol::Streams => format!("descriptions missing: {missing_descriptions}"),
        },
        action: Some(action),
        warnings: Vec::new(),
    }
}

fn check_generation(output: Result<&str, &Error>) -> Finding {
    let (summary, action) = match output {
        Ok(rust) => (format!("{} kB of Rust", rust.len() / 1000), None),
        Err(error) => (
            error.to_string(),
            Some("support the construct in kalshi-gen, or correct it with a fixup: see CONTRIBUTING.md, Adding a fixup".to_owned()),
        ),
    };
    Finding {
        check: "generates",
        summary,
        action,
        warnings: Vec::new(),
    }
}

fn check_fixups(error: Option<String>, is_generated: bool) -> Finding {
    let (summary, action) = match error {
        None => ("all apply".to_owned(), None),
        Some(_) if !is_generated => (
            "not checked: the spec does not generate".to_owned(),
            Some("see above"),
        ),
        Some(error) => (
            error,
            Some(
                "remove the fixup if the exchange has corrected the spec, or adapt it if a name has changed",
            ),
        ),
    };
    Finding {
        check: "fixups",
        summary,
        action: action.map(str::to_owned),
        warnings: Vec::new(),
    }
}

/// Returns the options for enums that the build scripts of kalshi-sdk, kalshi-perps and the other crates use. The committed surfaces
/// are generated with these.
fn hand_written_types(fixups: FixupMode) -> [Options; 3] {
    let none = Options::new().fixups(fixups);
    let perps = none
        .clone()
        .enum_type("BookSide", &["bid", "ask"], "::kalshi_core::BookSide");
    let sdk = perps
        .clone()
        .enum_type("OutcomeSide", &["yes", "no"], "crate::OutcomeSide");
    [sdk, perps, none]
}
