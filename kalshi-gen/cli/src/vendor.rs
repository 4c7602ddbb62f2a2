//! Vendoring: adopts the structure of a published spec and keeps this project's descriptions and `x-` fields.

mod additions;
mod merge;

use std::fmt::Write as _;

use self::merge::{Merge, operations};
use serde_json::Value;

use kalshi_gen::{
    Protocol,
    internals::{
        asyncapi,
        error::{self, JsonPath},
        keywords,
        names::visible,
        protocol, stages, yaml,
    },
};

use crate::{
    descriptions,
    diff::{self, Diff, Format, SpecsError},
    structure::{self, Keys},
    write,
};

/// A published spec with this project's descriptions and `x-` fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Vendored {
    /// The new content of `openapi.yaml` or `asyncapi.yaml`.
    pub text: String,
    /// The `info.version` of the published spec.
    pub version: String,
    /// The JSON paths of the elements without a description. Each is marked `DESCRIPTION NEEDED`.
    pub missing_descriptions: Vec<String>,
    /// Other points to review, one line each.
    pub notes: Vec<String>,
    /// The differences from the previous vendored spec, or `None` for the first version.
    pub diff: Option<Diff>,
}

impl Vendored {
    /// Formats the differences and the remaining work. The text format contains ANSI colours.
    #[must_use]
    pub fn report(&self, format: Format) -> String {
        if format == Format::Json {
            let report = serde_json::json!({
                "version": self.version,
                "diff": self.diff,
                "verdict": self.diff.as_ref().map(Diff::verdict),
                "missing_descriptions": self.missing_descriptions,
                "notes": self.notes,
            });
            return format!("{report:#}\n");
        }
        let escape = |text: &str| match format {
            Format::Markdown => diff::escape_markdown(text),
            _ => visible(text, false),
        };
        let mut out = self.diff.as_ref().map_or_else(
            || format!("spec {}, first version\n", escape(&self.version)),
            |diff| diff.report(format, false),
        );
        let (heading, item) = match format {
            Format::Markdown => ("### ", "- [ ] "),
            _ => ("", "  "),
        };
        for (title, lines) in [
            ("To review", &self.notes),
            ("Descriptions needed", &self.missing_descriptions),
        ] {
            if !lines.is_empty() {
                _ = write!(out, "\n{heading}{title} ({})\n", lines.len());
                if format == Format::Markdown {
                    out.push('\n');
                }
                for line in lines {
                    let line = if title == "Descriptions needed" && format == Format::Markdown {
                        diff::inline_code(line)
                    } else {
                        escape(line)
                    };
                    _ = writeln!(out, "{item}{line}");
                }
            }
        }
        out
    }
}

/// Adopts the structure of `upstream`, and keeps the descriptions and `x-` fields of `ours` for every
/// element that still exists.
///
/// Existing elements keep the order of `ours`, and new ones follow the order of `upstream`. The output is
/// deterministic, and vendoring the same spec twice changes nothing.
///
/// # Errors
///
/// Returns an error that identifies the spec if one of the two is not valid.
pub fn vendor(ours: Option<&str>, upstream: &str) -> Result<Vendored, SpecsError> {
    let new = yaml::parse_in_order(upstream).map_err(SpecsError::New)?;
    let new_value = Value::from(new.clone());
    let mut ignored = keywords::warnings(&new_value);
    let new_value = stages::checked(new_value).map_err(SpecsError::New)?;
    if protocol::detect(&new_value) == Protocol::Streams {
        ignored.extend(asyncapi::ignored_messages(&new_value));
    }
    let old = ours
        .map(yaml::parse_in_order)
        .transpose()
        .map_err(SpecsError::Old)?;
    let old_value = old
        .clone()
        .map(|tree| stages::checked(tree.into()))
        .transpose()
        .map_err(SpecsError::Old)?;
    if let Some(old) = &old_value {
        diff::check_same_protocol(old, &new_value)?;
    }
    let renames = old_value
        .as_ref()
        .map(|old| diff::compare(old, &new_value).1)
        .unwrap_or_default();

    let merge = Merge {
        operations: operations(old.as_ref()),
        renames,
    };
    let mut tree = merge.merge(old.as_ref(), &new, Keys::Keywords, "", &JsonPath::new(&[]));
    additions::list_tags(&mut tree, old.as_ref(), &new);
    let mut notes: Vec<String> = ignored.iter().map(ToString::to_string).collect();
    additions::add_costs(&mut tree, &new_value, &merge, &mut notes);
    if let Some(old) = &old {
        additions::describe_responses(&mut tree, old);
    }
    let missing_descriptions = descriptions::mark_missing(&mut tree);

    let header = ours.map_or("", header);
    let text = format!("{header}{}", write::write(&tree));
    let dropped_comments = ours.map_or(0, |text| {
        count_comments(text.strip_prefix(header).unwrap_or(text))
    });
    if dropped_comments > 0 {
        notes.push(format!(
            "comments dropped below the top of the file: {dropped_comments}"
        ));
    }
    // Check that the output parses to the same structure. A difference would be a bug in this module.
    let written = yaml::parse_in_order(&text).map_err(SpecsError::New)?;
    if structure::canonical(&written.clone().into()) != structure::canonical(&new.into()) {
        return Err(SpecsError::New(error::document(
            "cannot be written without losing some of its structure",
        )));
    }
    let written = stages::checked(written.into()).map_err(SpecsError::New)?;
    let version = written["info"]["version"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut diff = old_value.map(|old| diff::compare(&old, &written).0);
    if let (Some(diff), Some(ours)) = (&mut diff, ours) {
        diff.add_failure(ours, &text);
    }
    Ok(Vendored {
        text,
        version,
        missing_descriptions,
        notes,
        diff,
    })
}

/// Returns the comments at the top of a file.
fn header(text: &str) -> &str {
    let lines = text
        .split_inclusive('\n')
        .take_while(|line| line.trim_start().starts_with('#') || line.trim().is_empty());
    let length = lines.map(str::len).sum();
    text.get(..length).unwrap_or_default()
}

/// Returns the number of comment lines.
fn count_comments(text: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .count()
}
