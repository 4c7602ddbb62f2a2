//! Whether a vendored spec is ready to build on: valid, in words, generating, fixed, locked, reviewed.

use std::fmt::Write as _;

use serde_json::Value;

use kalshi_gen::{
    Error, FixupMode, Options, Protocol, generate,
    internals::{
        error::JsonPath,
        keywords,
        names::visible,
        protocol, refine, spec,
        stages::{self, Rest},
        surface, yaml,
    },
};

use crate::{lock::Locks, words};

/// One thing that was looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// What is to be true.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it; nothing if it is true.
    pub to_do: Option<String>,
    /// What is ignored, a line each. Nothing has to be done about it.
    pub warnings: Vec<String>,
}

/// The texts of what is committed beside each other.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Committed<'a> {
    /// `openapi.yaml` or `asyncapi.yaml`.
    pub spec: &'a str,
    /// `spec.lock`, if it is there.
    pub lock: Option<&'a str>,
    /// `tests/generated/surface.txt`, if it is there. It is of `openapi.yaml` alone.
    pub surface: Option<&'a str>,
}

impl<'a> Committed<'a> {
    /// A spec, its lock and the snapshot of its public surface.
    #[must_use]
    pub fn new(spec: &'a str, lock: Option<&'a str>, surface: Option<&'a str>) -> Self {
        Self {
            spec,
            lock,
            surface,
        }
    }

    /// Checks everything. Returns one finding for each check, in the order to fix them.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a spec.
    pub fn audit(&self) -> Result<Vec<Finding>, Error> {
        let tree = yaml::parse_in_order(self.spec)?;
        let document = Value::from(tree.clone());
        let warnings = keywords::warnings(&document);
        let document = stages::checked(document)?;
        let protocol = protocol::of(&document);
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
            what: "valid",
            found: format!("version {version}, {content}"),
            to_do: None,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        };
        let strict = self.made(protocol, FixupMode::Strict);
        let fault = strict.as_ref().err().map(ToString::to_string);
        let made = strict.or_else(|_| self.made(protocol, FixupMode::Lenient));
        let fixups = fixups(fault, made.is_ok());
        let mut findings = vec![
            valid,
            described(tree, &document, protocol),
            generates(made.as_ref().map(|made| made.rust.as_str())),
            fixups,
            self.locked(protocol, &version)?,
        ];
        if protocol == Protocol::Rest {
            let surface = made.as_ref().ok().map(|made| made.surface.as_str());
            findings.push(self.reviewed(surface));
        }
        Ok(findings)
    }

    /// The result of generation for the spec.
    fn made(&self, protocol: Protocol, fixups: FixupMode) -> Result<Made, Error> {
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
                Ok(Made {
                    rust: refine::text(&refined),
                    surface: surface::of(&refined, &normalized)?,
                })
            }
            Protocol::Streams => Ok(Made {
                rust: generate(self.spec, &Options::new().fixups(fixups))?.rust,
                surface: String::new(),
            }),
        }
    }

    fn locked(&self, protocol: Protocol, version: &str) -> Result<Finding, Error> {
        let what = "locked";
        let vendor = |found: &str| Finding {
            what,
            found: found.to_owned(),
            to_do: Some("take the published spec again: kalshi-gen vendor UPSTREAM".to_owned()),
            warnings: Vec::new(),
        };
        let Some(text) = self.lock else {
            return Ok(vendor("there is no lock"));
        };
        let locks = match Locks::parse(text) {
            Ok(locks) => locks,
            Err(error) => return Ok(vendor(&error.to_string())),
        };
        Ok(match locks.get(protocol) {
            None => vendor(&format!("there is no lock under `{}`", protocol.member())),
            Some(lock) if visible(&lock.version, false) != version => vendor(&format!(
                "the lock is of version {}, the spec of {version}",
                visible(&lock.version, false)
            )),
            Some(lock) if !lock.matches(self.spec)? => vendor(&format!(
                "{}.yaml differs from spec.lock: put corrections into fixups.rs, not into the spec",
                protocol.member()
            )),
            Some(lock) => Finding {
                what,
                found: format!(
                    "as taken from {} on {}",
                    visible(&lock.source, false),
                    visible(&lock.date, false)
                ),
                to_do: None,
                warnings: Vec::new(),
            },
        })
    }

    fn reviewed(&self, expected: Option<&str>) -> Finding {
        let update = "UPDATE=1 cargo test --test it snapshots, and read the diff of tests/generated/surface.txt";
        let (found, to_do) = match (expected, self.surface) {
            (None, _) => (
                "not made, as the spec does not generate".to_owned(),
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
                    format!("another from line {} on", same.count() + 1),
                    Some(update),
                )
            }
        };
        Finding {
            what: "surface",
            found,
            to_do: to_do.map(str::to_owned),
            warnings: Vec::new(),
        }
    }
}

/// What a spec becomes.
struct Made {
    rust: String,
    /// Nothing for streams.
    surface: String,
}

/// How many places are named before the rest is counted.
const SHOWN: usize = 20;

fn described(mut tree: yaml::Tree, document: &Value, protocol: Protocol) -> Finding {
    let mut places = words::mark(&mut tree);
    let missing_words = places.len();
    for (path, method, operation) in spec::operations(document) {
        for key in ["x-token-cost", "x-rate-bucket"] {
            if !operation.contains_key(key) {
                places.push(JsonPath::new(&["paths", path, method, key]).to_string());
            }
        }
    }
    if places.is_empty() {
        let found = match protocol {
            Protocol::Rest => "words and costs everywhere",
            Protocol::Streams => "words everywhere",
        };
        return Finding {
            what: "described",
            found: found.to_owned(),
            to_do: None,
            warnings: Vec::new(),
        };
    }
    let mut to_do = String::from("write what is missing, in your own words");
    for place in places.iter().take(SHOWN) {
        _ = write!(to_do, "\n{place}");
    }
    if let Some(more @ 1..) = places.len().checked_sub(SHOWN) {
        _ = write!(to_do, "\nand {more} more: search for `{}`", words::NEEDED);
    }
    let costs = places.len() - missing_words;
    Finding {
        what: "described",
        found: match protocol {
            Protocol::Rest => {
                format!("{missing_words} places need words, {costs} a cost or a bucket")
            }
            Protocol::Streams => format!("{missing_words} places need words"),
        },
        to_do: Some(to_do),
        warnings: Vec::new(),
    }
}

fn generates(made: Result<&str, &Error>) -> Finding {
    let (found, to_do) = match made {
        Ok(rust) => (format!("{} kB of Rust", rust.len() / 1000), None),
        Err(error) => (
            error.to_string(),
            Some("teach kalshi-gen the construct, or mend it by a fixup: CONTRIBUTING.md, Adding a fixup".to_owned()),
        ),
    };
    Finding {
        what: "generates",
        found,
        to_do,
        warnings: Vec::new(),
    }
}

fn fixups(fault: Option<String>, generates: bool) -> Finding {
    let (found, to_do) = match fault {
        None => ("every one applies".to_owned(), None),
        Some(_) if !generates => (
            "not tried, as the spec does not generate".to_owned(),
            Some("see above"),
        ),
        Some(fault) => (
            fault,
            Some(
                "remove it where the exchange has mended the fault, adapt it where a name has changed",
            ),
        ),
    };
    Finding {
        what: "fixups",
        found,
        to_do: to_do.map(str::to_owned),
        warnings: Vec::new(),
    }
}

/// The options by which the build scripts use hand-written types for enums: of kalshi-sdk, of kalshi-perps, and of crates without
/// any. The committed surfaces are of those.
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
