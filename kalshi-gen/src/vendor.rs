//! Takes the structure of a published contract and keeps this project's words and `x-` members.

mod additions;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use indexmap::IndexMap;
use serde_json::Value;

use crate::{
    contract::{self, METHODS},
    diff::{self, ContractsError, Diff, Format, Renames},
    error::{Error, Place},
    facts::{self, Keys},
    words,
    yaml::{self, Tree},
};

/// A published contract in this project's form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Vendored {
    /// The new text of `openapi.yaml` or `asyncapi.yaml`.
    pub text: String,
    /// The version the exchange gives it.
    pub version: String,
    /// The JSON path of every place that needs words; each carries the text `WORDS NEEDED`.
    pub needs_words: Vec<String>,
    /// What else a person should look at, a line each.
    pub notes: Vec<String>,
    /// What changed against the contract that was there, if there was one.
    pub diff: Option<Diff>,
}

impl Vendored {
    /// What changed and what is left to do, in a form; text carries ANSI colours.
    #[must_use]
    pub fn report(&self, format: Format) -> String {
        if format == Format::Json {
            let report = serde_json::json!({
                "version": self.version,
                "diff": self.diff,
                "verdict": self.diff.as_ref().map(Diff::verdict),
                "needs_words": self.needs_words,
                "notes": self.notes,
            });
            return format!("{report:#}\n");
        }
        let mut out = self.diff.as_ref().map_or_else(
            || format!("contract {}, the first\n", self.version),
            |diff| diff.report(format, false),
        );
        let (heading, item) = match format {
            Format::Markdown => ("### ", "- [ ] "),
            _ => ("", "  "),
        };
        for (title, lines) in [
            ("To look at", &self.notes),
            ("Words needed", &self.needs_words),
        ] {
            if !lines.is_empty() {
                _ = write!(out, "\n{heading}{title} ({})\n", lines.len());
                if format == Format::Markdown {
                    out.push('\n');
                }
                for line in lines {
                    let code = if title == "Words needed" && format == Format::Markdown {
                        "`"
                    } else {
                        ""
                    };
                    _ = writeln!(out, "{item}{code}{line}{code}");
                }
            }
        }
        out
    }
}

/// Takes the structure of `upstream`, and the words and `x-` members of `ours` wherever their place still exists.
///
/// The order is that of `ours` for what is there, and that of `upstream` for what is new. So the same contracts give the
/// same text, and taking the same contract twice changes nothing.
///
/// # Errors
///
/// A text that is no contract, and which of the two it is.
pub fn vendor(ours: Option<&str>, upstream: &str) -> Result<Vendored, ContractsError> {
    let new = yaml::parse_in_order(upstream).map_err(ContractsError::New)?;
    let new_value = contract::read_either(new.clone().into()).map_err(ContractsError::New)?;
    let old = ours
        .map(yaml::parse_in_order)
        .transpose()
        .map_err(ContractsError::Old)?;
    let old_value = old
        .clone()
        .map(|tree| contract::read_either(tree.into()))
        .transpose()
        .map_err(ContractsError::Old)?;
    if let Some(old) = &old_value {
        diff::of_one_kind(old, &new_value)?;
    }
    let renames = old_value
        .as_ref()
        .map(|old| diff::compare(old, &new_value).1)
        .unwrap_or_default();

    let taking = Taking {
        operations: operations(old.as_ref()),
        renames,
    };
    let mut tree = taking.merge(old.as_ref(), &new, Keys::Keywords, "", &Place::of(&[]));
    additions::list_tags(&mut tree, old.as_ref(), &new);
    let mut notes = Vec::new();
    additions::costs(&mut tree, &new_value, &taking, &mut notes);
    if let Some(old) = &old {
        additions::word_answers(&mut tree, old);
    }
    let needs_words = words::mark(&mut tree);

    let header = ours.map_or("", header);
    let text = format!("{header}{}", yaml::write(&tree));
    let lost = ours.map_or(0, |text| {
        comments(text.strip_prefix(header).unwrap_or(text))
    });
    if lost > 0 {
        notes.push(format!(
            "{lost} comments below the top of the file are not kept"
        ));
    }
    // What is written must read back as the same facts; anything else would be a fault of this module.
    let written = yaml::parse_in_order(&text).map_err(ContractsError::New)?;
    if facts::facts(&written.clone().into()) != facts::facts(&new.into()) {
        return Err(ContractsError::New(Error::document(
            "cannot be written without losing some of its structure",
        )));
    }
    let written = contract::read_either(written.into()).map_err(ContractsError::New)?;
    let version = written["info"]["version"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let diff = old_value.map(|old| diff::compare(&old, &written).0);
    Ok(Vendored {
        text,
        version,
        needs_words,
        notes,
        diff,
    })
}

/// The operations of a document by id.
fn operations(document: Option<&Tree>) -> BTreeMap<String, Tree> {
    let paths = document
        .and_then(|document| document.get("paths"))
        .and_then(Tree::as_mapping)
        .into_iter()
        .flatten();
    paths
        .filter_map(|(_, item)| item.as_mapping())
        .flatten()
        .filter(|(method, _)| METHODS.contains(&method.as_str()))
        .filter_map(|(_, operation)| {
            Some((
                operation.get("operationId")?.as_str()?.to_owned(),
                operation.clone(),
            ))
        })
        .collect()
}

/// A contract that is being taken.
struct Taking {
    /// Our operations by id.
    operations: BTreeMap<String, Tree>,
    renames: Renames,
}

impl Taking {
    /// The facts of `new` with the words and own members of `old`; `keys` tells what the keys here are, `key` is the one
    /// that leads here.
    fn merge(&self, old: Option<&Tree>, new: &Tree, keys: Keys, key: &str, place: &Place) -> Tree {
        match new {
            Tree::Leaf(_) => new.clone(),
            _ if keys == Keys::Data && !facts::is_set(key) => match old {
                // The same value in another order is the same value.
                Some(old) if Value::from(old.clone()) == Value::from(new.clone()) => old.clone(),
                _ => new.clone(),
            },
            Tree::List(items) => Tree::List(self.list(
                old.and_then(Tree::as_list).unwrap_or_default(),
                items,
                keys,
                key,
                place,
            )),
            Tree::Mapping(members) => {
                let empty = IndexMap::new();
                let ours = old.and_then(Tree::as_mapping).unwrap_or(&empty);
                let taken: Vec<&str> = members
                    .keys()
                    .map(String::as_str)
                    .filter(|key| keys.is_fact(key))
                    .collect();
                let merged = in_order(ours.keys().map(String::as_str), &taken, |key| {
                    taken.contains(&key) || !keys.is_fact(key)
                });
                let merged = merged.into_iter().filter_map(|key| {
                    let place = place.join(key);
                    let value = match members.get(key).filter(|_| keys.is_fact(key)) {
                        Some(new) => {
                            let old = self.counterpart(ours, key, new, keys, &place);
                            let below = keys.below(key, matches!(new, Tree::Mapping(_)));
                            self.merge(old, new, below, key, &place)
                        }
                        None => ours.get(key)?.clone(),
                    };
                    Some((key.to_owned(), value))
                });
                Tree::Mapping(merged.collect())
            }
        }
    }

    /// What we have of the member `key`, also under another name or in another place.
    fn counterpart<'a>(
        &'a self,
        ours: &'a IndexMap<String, Tree>,
        key: &str,
        new: &Tree,
        keys: Keys,
        place: &Place,
    ) -> Option<&'a Tree> {
        // An operation is known by its id, wherever it is called.
        if keys == Keys::Keywords
            && METHODS.contains(&key)
            && let Some(id) = new.get("operationId").and_then(Tree::as_str)
        {
            return self
                .operations
                .get(id)
                .or_else(|| self.operations.get(self.renames.old_operation(id)?));
        }
        let renamed = || {
            let text = place.to_string();
            let member = self.renames.old_member(&text);
            let below = |place: &str| text.starts_with(place);
            let renames = &self.renames;
            member
                .or_else(|| {
                    let old = renames.old_schema(key);
                    old.filter(|_| below("$.components.schemas."))
                })
                .or_else(|| {
                    let old = renames.old_message(key);
                    old.filter(|_| below("$.components.messages."))
                })
                .or_else(|| {
                    let old = renames.old_operation(key);
                    old.filter(|_| below("$.operations."))
                })
        };
        ours.get(key)
            .or_else(|| ours.get(renamed().filter(|_| keys == Keys::Names)?))
    }

    fn list(&self, ours: &[Tree], new: &[Tree], keys: Keys, key: &str, place: &Place) -> Vec<Tree> {
        if facts::is_set(key) && new.iter().all(|item| matches!(item, Tree::Leaf(_))) {
            let text = |item: &Tree| Value::from(item.clone()).to_string();
            let (ours, taken): (Vec<_>, Vec<_>) = (
                ours.iter().map(text).collect(),
                new.iter().map(text).collect(),
            );
            let names: Vec<&str> = taken.iter().map(String::as_str).collect();
            let order = in_order(ours.iter().map(String::as_str), &names, |item| {
                names.contains(&item)
            });
            return order
                .into_iter()
                .filter_map(|item| {
                    new.get(names.iter().position(|name| *name == item)?)
                        .cloned()
                })
                .collect();
        }
        let taken: Vec<String> = new
            .iter()
            .enumerate()
            .map(|(index, item)| identity(item, index))
            .collect();
        let names: Vec<&str> = taken.iter().map(String::as_str).collect();
        let known: Vec<String> = ours
            .iter()
            .enumerate()
            .map(|(index, item)| identity(item, index))
            .collect();
        // The order of a list that is no set is the exchange's.
        names
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let place = place.item(index);
                let old = known
                    .iter()
                    .position(|name| name == item)
                    .and_then(|index| ours.get(index));
                let renamed = || {
                    let name = self.renames.old_member(&place.to_string())?;
                    ours.iter()
                        .find(|item| item.get("name").and_then(Tree::as_str) == Some(name))
                };
                Some(self.merge(old.or_else(renamed), new.get(index)?, keys, "", &place))
            })
            .collect()
    }
}

/// What an item of a list is known by.
fn identity(item: &Tree, index: usize) -> String {
    let text = |key: &str| item.get(key).and_then(Tree::as_str);
    match (text("$ref"), text("name"), text("url")) {
        (Some(reference), _, _) => reference.to_owned(),
        (None, Some(name), _) => format!("{} {name}", text("in").unwrap_or_default()),
        (None, None, Some(url)) => url.to_owned(),
        (None, None, None) => format!("#{index}"),
    }
}

/// The names in `ours` that are kept, in their order, and every other of `new` behind the one it follows there.
fn in_order<'a>(
    ours: impl Iterator<Item = &'a str>,
    new: &[&'a str],
    kept: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let mut order: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    order.extend(ours.filter(|name| kept(name) && seen.insert(*name)));
    let mut before: Option<&str> = None;
    for name in new {
        if seen.insert(*name) {
            let at = before
                .and_then(|before| order.iter().position(|other| *other == before))
                .map_or(0, |at| at + 1);
            order.insert(at, name);
        }
        before = Some(name);
    }
    order
}

/// The comments at the top of a file.
fn header(text: &str) -> &str {
    let lines = text
        .split_inclusive('\n')
        .take_while(|line| line.trim_start().starts_with('#') || line.trim().is_empty());
    let length = lines.map(str::len).sum();
    text.get(..length).unwrap_or_default()
}

/// How many lines of a text are comments.
fn comments(text: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .count()
}
