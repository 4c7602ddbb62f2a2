//! Whether the vendored contract is ready to build on: valid, in words, generating, mended, locked, reviewed.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Error, Fixups, Lock, contract, surface, words, yaml};

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
}

/// The texts of what is committed beside each other.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Committed<'a> {
    /// `openapi.yaml`.
    pub contract: &'a str,
    /// `spec.lock`, if it is there.
    pub lock: Option<&'a str>,
    /// `tests/generated/surface.txt`, if it is there.
    pub surface: Option<&'a str>,
}

impl<'a> Committed<'a> {
    /// A contract, its lock and the snapshot of its public surface.
    #[must_use]
    pub fn new(contract: &'a str, lock: Option<&'a str>, surface: Option<&'a str>) -> Self {
        Self {
            contract,
            lock,
            surface,
        }
    }

    /// Looks at everything; one finding for each thing, in the order to mend them.
    ///
    /// # Errors
    ///
    /// For a text that is no contract.
    pub fn audit(&self) -> Result<Vec<Finding>, Error> {
        let tree = yaml::parse_in_order(self.contract)?;
        let document = contract::read(tree.clone().into())?;
        let version = document["info"]["version"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let operations = contract::operations(&document).count();
        let valid = Finding {
            what: "valid",
            found: format!("version {version}, {operations} operations"),
            to_do: None,
        };
        let generates = generates(self.contract);
        let findings = vec![
            valid,
            described(tree, &document),
            generates,
            fixups(self.contract),
            self.locked(&version)?,
            self.reviewed(),
        ];
        Ok(findings)
    }

    fn locked(&self, version: &str) -> Result<Finding, Error> {
        let what = "locked";
        let vendor = |found: &str| Finding {
            what,
            found: found.to_owned(),
            to_do: Some("take the published contract again: kalshi-gen vendor UPSTREAM".to_owned()),
        };
        let Some(text) = self.lock else {
            return Ok(vendor("there is no lock"));
        };
        Ok(match Lock::parse(text) {
            Err(error) => vendor(&error.to_string()),
            Ok(lock) if lock.version != version => vendor(&format!(
                "the lock is of version {}, the contract of {version}",
                lock.version
            )),
            Ok(lock) if !lock.matches(self.contract)? => vendor(
                "the structure is not the one that was taken: mend a fault by a fixup, not here",
            ),
            Ok(lock) => Finding {
                what,
                found: format!("as taken from {} on {}", lock.source, lock.date),
                to_do: None,
            },
        })
    }

    fn reviewed(&self) -> Finding {
        let what = "surface";
        let update =
            "UPDATE=1 cargo test --test current, and read the diff of tests/generated/surface.txt";
        match (surface(self.contract, Fixups::WhereTheyApply), self.surface) {
            (Err(_), _) => Finding {
                what,
                found: "not made, as the contract does not generate".to_owned(),
                to_do: Some("see above".to_owned()),
            },
            (Ok(_), None) => Finding {
                what,
                found: "there is no snapshot".to_owned(),
                to_do: Some(update.to_owned()),
            },
            (Ok(expected), Some(committed)) => {
                let line = expected
                    .lines()
                    .zip(committed.lines())
                    .position(|(expected, committed)| expected != committed);
                if expected == committed {
                    Finding {
                        what,
                        found: format!("current, {} lines", expected.lines().count()),
                        to_do: None,
                    }
                } else {
                    let line = line
                        .unwrap_or_else(|| expected.lines().count().min(committed.lines().count()));
                    Finding {
                        what,
                        found: format!("another from line {} on", line + 1),
                        to_do: Some(update.to_owned()),
                    }
                }
            }
        }
    }
}

/// How many places are named before the rest is counted.
const SHOWN: usize = 20;

fn described(mut tree: yaml::Tree, document: &Value) -> Finding {
    let mut places = words::mark(&mut tree);
    let missing_words = places.len();
    for (path, method, operation) in contract::operations(document) {
        for key in ["x-token-cost", "x-rate-bucket"] {
            if !operation.contains_key(key) {
                places.push(crate::error::Place::of(&["paths", path, method, key]).to_string());
            }
        }
    }
    if places.is_empty() {
        return Finding {
            what: "described",
            found: "words and costs everywhere".to_owned(),
            to_do: None,
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
        found: format!("{missing_words} places need words, {costs} a cost or a bucket"),
        to_do: Some(to_do),
    }
}

fn generates(contract: &str) -> Finding {
    let what = "generates";
    match crate::generate(contract, Fixups::WhereTheyApply) {
        Ok(rust) => Finding { what, found: format!("{} kB of Rust", rust.len() / 1000), to_do: None },
        Err(error) => Finding {
            what,
            found: error.to_string(),
            to_do: Some("teach kalshi-gen the construct, or mend it by a fixup: CONTRIBUTING.md, Adding a fixup".to_owned()),
        },
    }
}

fn fixups(contract: &str) -> Finding {
    let what = "fixups";
    match crate::generate(contract, Fixups::AllMustApply) {
        Ok(_) => Finding { what, found: "every one applies".to_owned(), to_do: None },
        Err(error) => Finding {
            what,
            found: error.to_string(),
            to_do: Some("remove it where the exchange has mended the fault, adapt it where a name has changed".to_owned()),
        },
    }
}
