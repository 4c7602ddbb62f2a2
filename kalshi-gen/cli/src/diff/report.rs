//! Formats a diff: text for a terminal, Markdown for a pull request, JSON for a program.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::{Change, Class, Diff, Subject};
use kalshi_gen::internals::names::visible;

/// The format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[non_exhaustive]
pub enum Format {
    /// Text with ANSI colours, for a terminal.
    #[default]
    Text,
    /// Markdown, for a pull request.
    Markdown,
    /// JSON, for programs: one object with `from`, `to`, `verdict`, `counts` and `changes`.
    Json,
}

/// The classes and their headings, in report order.
const CLASSES: [(Class, &str); 4] = [
    (Class::Breaking, "Breaking"),
    (Class::Behaviour, "Behaviour"),
    (Class::Additive, "Additive"),
    (Class::Prose, "Prose"),
];

impl Diff {
    /// Formats the report. Text contains ANSI colours. With `quote`, changed descriptions are shown before and after.
    #[must_use]
    pub fn report(&self, format: Format, quote: bool) -> String {
        match format {
            Format::Text => self.text(quote),
            Format::Markdown => self.markdown(quote),
            Format::Json => self.json(),
        }
    }

    fn changes_of(&self, class: Class) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.class == class)
    }

    fn versions(&self, escape: impl Fn(&str) -> String) -> String {
        let to = escape(&self.to);
        if self.changes.is_empty() && self.from == self.to {
            to
        } else if self.from == self.to {
            format!("{to}, changed content")
        } else {
            format!("{} -> {to}", escape(&self.from))
        }
    }

    fn text(&self, quote: bool) -> String {
        let bold = Style::new().bold();
        let mut out = format!(
            "{bold}spec {}{bold:#}\n",
            self.versions(|text| visible(text, false))
        );
        for (class, heading) in CLASSES {
            let count = self.count(class);
            if count == 0 {
                continue;
            }
            let style = match class {
                Class::Breaking => AnsiColor::Red.on_default().bold(),
                Class::Behaviour => AnsiColor::Yellow.on_default().bold(),
                Class::Additive => AnsiColor::Green.on_default().bold(),
                Class::Prose => Style::new().dimmed(),
            };
            _ = write!(out, "\n{style}{heading} ({count}){style:#}\n");
            for change in self.changes_of(class) {
                _ = writeln!(out, "  {}", visible(&change.to_string(), false));
                for (sign, text) in quoted(change, quote) {
                    _ = writeln!(out, "      {sign} {text}");
                }
            }
        }
        _ = write!(out, "\n{bold}{}{bold:#}\n", self.verdict());
        out
    }

    fn markdown(&self, quote: bool) -> String {
        let mut out = format!("## Spec {}\n", self.versions(escape_markdown));
        for (class, heading) in CLASSES {
            let count = self.count(class);
            if count == 0 {
                continue;
            }
            // Prose changes are many and rarely read, so they are collapsed.
            let is_collapsed = class == Class::Prose;
            if is_collapsed {
                _ = write!(out, "\n<details><summary>{heading} ({count})</summary>\n\n");
            } else {
                _ = write!(out, "\n### {heading} ({count})\n\n");
            }
            for change in self.changes_of(class) {
                let text = visible(&change.text, false).replace('<', "&lt;");
                _ = writeln!(out, "- **{}** {text}", inline_code(&change.location));
                for (sign, text) in quoted(change, quote) {
                    let word = if sign == '-' { "was" } else { "is" };
                    _ = writeln!(out, "  - {word}: {}", escape_markdown(&text));
                }
            }
            if is_collapsed {
                out.push_str("\n</details>\n");
            }
        }
        _ = write!(out, "\n{}\n", self.verdict());
        out
    }

    fn json(&self) -> String {
        let counts: serde_json::Map<_, _> = CLASSES
            .iter()
            .map(|(class, _)| (class.to_string(), json!(self.count(*class))))
            .collect();
        let report = json!({
            "from": self.from,
            "to": self.to,
            "verdict": self.verdict(),
            "counts": counts,
            "changes": self.changes,
        });
        format!("{report:#}\n")
    }
}

/// Returns the old and new description of a change if they are requested.
fn quoted(change: &Change, quote: bool) -> impl Iterator<Item = (char, String)> {
    let is_shown = quote && change.subject == Subject::Description;
    let texts = [
        ('-', change.before.as_deref()),
        ('+', change.after.as_deref()),
    ];
    texts
        .into_iter()
        .filter(move |_| is_shown)
        .filter_map(|(sign, text)| Some((sign, single_line(text?))))
}

/// Returns a description on one line.
fn single_line(text: &str) -> String {
    visible(
        &text.split_whitespace().collect::<Vec<_>>().join(" "),
        false,
    )
}

/// Formats a string as inline code in Markdown, whatever it contains.
pub(crate) fn inline_code(text: &str) -> String {
    let text = visible(text, false);
    let max_run = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    if max_run == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(max_run + 1);
    format!("{fence} {text} {fence}")
}

/// Escapes a string of the spec as plain Markdown text: one line, without links, images, HTML and mentions.
pub(crate) fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text, false).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '&' => {
                out.extend(['\\', c])
            }
            c => out.push(c),
        }
    }
    out
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.text)
    }
}

/// Formats the report as plain text.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", anstream::adapter::strip_str(&self.text(false)))
    }
}
