//! What a command prints: tables and records, as text, JSON or comma-separated values.

mod cell;
mod clean;
mod json;
mod progress;
mod raw;
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
    clean::clean,
    progress::Progress,
    table::{Part, Record, Table},
};
use crate::{
    failure::Failure,
    options::{Color, Global},
};

/// Version of the JSON that `--json` prints. It changes if a field is removed or changes its meaning.
pub(crate) const JSON_VERSION: u32 = 1;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Csv,
}

/// Where results go, and how.
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

    /// Prints the parts of a result: as text one below the other, as JSON fields of one object. Comma-separated values have a single
    /// part, the first.
    ///
    /// # Errors
    ///
    /// Returns an error if `--fields` names a field that no part has, or if the output cannot be written.
    pub(crate) fn print<P: Into<Part>>(
        &self,
        parts: impl IntoIterator<Item = P>,
    ) -> Result<(), Failure> {
        let mut parts: Vec<Part> = parts.into_iter().map(Into::into).collect();
        self.select_fields(&mut parts)?;
        match self.format {
            Format::Json => self.write(&json::document(&parts)),
            Format::Csv => self.write(&text::csv(parts.first())?),
            Format::Text => self.write(&text::text(&parts, terminal_width())),
        }
    }

    /// Checks that no option asks for another form than the JSON that [`raw_json`](Self::raw_json) prints.
    ///
    /// # Errors
    ///
    /// Returns an error with `--csv` or `--fields`.
    pub(crate) fn check_raw(&self) -> Result<(), Failure> {
        if self.format == Format::Csv || !self.fields.is_empty() {
            return Err(Failure::usage(
                "the response is printed as received, in JSON: leave out --csv and --fields",
            ));
        }
        Ok(())
    }

    /// Prints JSON of a server, indented and otherwise unchanged: numbers keep all their digits. Prints nothing if it is empty.
    pub(crate) fn raw_json(&self, json: &str) -> Result<(), Failure> {
        self.write(&raw::indented(json))
    }

    /// Prints a line of text, such as a JSON event.
    pub(crate) fn line(&self, line: &str) -> Result<(), Failure> {
        self.write(&format!("{line}\n"))
    }

    /// Prints a remark to standard error, so that it never mixes with results.
    pub(crate) fn note(&self, text: &str) {
        // A closed standard error must not end the command.
        let _ = writeln!(anstream::stderr(), "{}", clean(text));
    }

    /// Returns a count of items on standard error, drawn only on a terminal.
    pub(crate) fn progress(&self, items: &'static str) -> Progress {
        Progress::new(items)
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::auto(io::stdout());
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }

    /// Keeps the fields of `--fields`, in the order of the command line.
    fn select_fields(&self, parts: &mut [Part]) -> Result<(), Failure> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let known: BTreeSet<_> = parts.iter().flat_map(Part::fields).collect();
        if let Some(unknown) = self
            .fields
            .iter()
            .find(|name| !known.contains(name.as_str()))
        {
            let known: Vec<_> = known.into_iter().collect();
            return Err(Failure::usage(format!(
                "there is no field {unknown:?}; fields are: {}",
                known.join(", ")
            )));
        }
        for part in parts {
            part.select(&self.fields);
        }
        Ok(())
    }
}

/// Returns the width of the terminal, or `None` if the output goes elsewhere.
fn terminal_width() -> Option<u16> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout).map(|(width, _)| width.0)
}

/// Prints an error to standard error.
pub(crate) fn print_error(text: &str) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    // Nothing is left to do if standard error is closed.
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {}", clean(text));
}
