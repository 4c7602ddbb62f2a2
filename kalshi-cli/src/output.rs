//! Output of commands: tables and records, as text, JSON or comma-separated values.

mod cell;
mod indent;
mod json;
mod progress;
mod sanitize;
mod table;
mod text;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

pub(crate) use self::{
    cell::Cell,
    progress::Progress,
    sanitize::sanitize,
    table::{Part, Record, Table},
};
use crate::{
    failure::Failure,
    options::{Color, Global},
};

/// Version of the JSON that `--json` prints. It changes if a field is removed or changes its meaning.
pub(crate) const JSON_VERSION: u32 = 1;

/// Format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
}

/// Output with the selected format and fields.
pub(crate) struct Output {
    pub(crate) format: Format,
    fields: Vec<String>,
}

impl Output {
    pub(crate) fn new(options: &Global) -> Self {
        match options.color {
            Color::Auto => {}
            Color::Always => ColorChoice::Always.write_global(),
            Color::Never => ColorChoice::Never.write_global(),
        }
        let format = match (options.json, options.csv) {
            (true, _) => Format::Json,
            (_, true) => Format::Csv,
            _ => Format::Text,
        };
        Self {
            format,
            fields: options.fields.clone(),
        }
    }

    /// Prints the parts of a result. As text, they follow each other; in JSON, they are fields of one object; as comma-separated values,
    /// only the first part is printed.
    ///
    /// # Errors
    ///
    /// Returns an error if `--fields` names a field that no printed part has, or if the output cannot be written.
    pub(crate) fn print<P: Into<Part>>(
        &self,
        parts: impl IntoIterator<Item = P>,
    ) -> Result<(), Failure> {
        let mut parts: Vec<Part> = parts.into_iter().map(Into::into).collect();
        self.select_fields(&mut parts)?;
        match self.format {
            Format::Json => self.write(&json::document(&parts)?),
            Format::Csv => self.write(&text::csv(parts.first())?),
            Format::Text => self.write(&text::text(&parts, terminal_width())),
        }
    }

    /// Checks that no option conflicts with [`raw_json`](Self::raw_json).
    ///
    /// # Errors
    ///
    /// Returns an error with `--csv` or `--fields`.
    pub(crate) fn check_raw_json(&self) -> Result<(), Failure> {
        if self.format == Format::Csv || !self.fields.is_empty() {
            return Err(Failure::usage(
                "the response is printed as received, in JSON: leave out --csv and --fields",
            ));
        }
        Ok(())
    }

    /// Prints JSON as received, indented. Numbers keep all their digits. Prints nothing if `json` is empty.
    pub(crate) fn raw_json(&self, json: &str) -> Result<(), Failure> {
        self.write(&indent::indent_json(json))
    }

    /// Returns `true` if `--fields` selects fields.
    pub(crate) fn selects_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Prints a line of text, such as a JSON event.
    pub(crate) fn line(&self, line: &str) -> Result<(), Failure> {
        self.write(&format!("{line}\n"))
    }

    /// Prints an event as a line: its values, or with `--json` one object that contains the version and the event. Call
    /// [`check_line_fields`](Self::check_line_fields) first.
    pub(crate) fn print_line(&self, record: Record) -> Result<(), Failure> {
        let mut part = Part::from(record);
        if !self.fields.is_empty() {
            part.select(&self.fields);
        }
        match self.format {
            Format::Json => self.write(&json::line(&[part])?),
            Format::Text | Format::Csv => self.write(&text::line(&part)),
        }
    }

    /// Checks the output options for lines, which do not all have the same fields.
    ///
    /// # Errors
    ///
    /// Returns an error if `--fields` names a field that no line has, or for comma-separated values.
    pub(crate) fn check_line_fields(&self, known: &[&'static str]) -> Result<(), Failure> {
        if self.format == Format::Csv {
            return Err(Failure::usage(
                "events have no common columns for --csv: use --json",
            ));
        }
        self.check_field_names(&known.iter().copied().collect())
    }

    /// Prints a remark to standard error, so that it never mixes with results.
    pub(crate) fn note(&self, text: &str) {
        note(text);
    }

    /// Shows a count of items on standard error, if that is a terminal.
    pub(crate) fn progress(&self, items: &'static str) -> Progress {
        Progress::new(items)
    }

    /// Prints parts before a question: as text on standard error, so that standard output contains only results.
    pub(crate) fn print_to_stderr(&self, parts: &[Part]) {
        let stderr = io::stderr();
        let size = match stderr.is_terminal() {
            true => terminal_size::terminal_size_of(&stderr),
            false => None,
        };
        let width = size.map(|(width, _)| width.0);
        // A closed standard error must not end the command.
        let _ = write!(anstream::stderr(), "{}", text::text(parts, width));
    }

    /// Checks `--fields` against the fields of the first part and of the others, before the command does anything that cannot be undone.
    ///
    /// # Errors
    ///
    /// Returns an error if `--fields` names a field that no printed part has.
    pub(crate) fn check_fields(
        &self,
        first: impl IntoIterator<Item = &'static str>,
        others: impl IntoIterator<Item = &'static str>,
    ) -> Result<(), Failure> {
        let mut known: BTreeSet<_> = first.into_iter().collect();
        // Comma-separated values are those of the first part only.
        if self.format != Format::Csv {
            known.extend(others);
        }
        self.check_field_names(&known)
    }

    /// Shows a spinner on standard error, if that is a terminal.
    pub(crate) fn spinner(&self, what: &'static str) -> Progress {
        Progress::spinner(what)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::auto(io::stdout());
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Failure::output)
    }

    /// Keeps the fields that `--fields` names, in its order.
    fn select_fields(&self, parts: &mut [Part]) -> Result<(), Failure> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let mut fields = parts.iter().map(Part::fields);
        let first = fields.next().unwrap_or_default();
        self.check_fields(first, fields.flatten())?;
        for part in parts {
            part.select(&self.fields);
        }
        Ok(())
    }

    fn check_field_names(&self, known: &BTreeSet<&'static str>) -> Result<(), Failure> {
        match self
            .fields
            .iter()
            .find(|name| !known.contains(name.as_str()))
        {
            None => Ok(()),
            Some(unknown) => {
                let known: Vec<_> = known.iter().copied().collect();
                Err(Failure::usage(format!(
                    "there is no field {unknown:?}; fields are: {}",
                    known.join(", ")
                )))
            }
        }
    }
}

/// Returns the width of the terminal, or `None` if the output goes elsewhere.
pub(crate) fn terminal_width() -> Option<u16> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout).map(|(width, _)| width.0)
}

/// Prints a remark to standard error.
pub(crate) fn note(text: &str) {
    // A closed standard error must not end the command.
    let _ = writeln!(anstream::stderr(), "{}", sanitize(text));
}

/// Prints an error to standard error.
pub(crate) fn print_error(text: &str) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(
        anstream::stderr(),
        "{style}error:{style:#} {}",
        sanitize(text)
    );
}
