//! Results of checks, and the report of them.

use anstyle::{AnsiColor, Style};

use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Format, Part, Record, Table, sanitize},
};

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    Info,
    Warning,
    Failure,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }

    fn style(self) -> Style {
        let color = match self {
            Self::Ok => AnsiColor::Green,
            Self::Info => return Style::new(),
            Self::Warning => AnsiColor::Yellow,
            Self::Failure => AnsiColor::Red,
        };
        Style::new().fg_color(Some(color.into()))
    }
}

/// Columns of the table of checks.
const COLUMNS: [&str; 4] = ["check", "result", "detail", "remedy"];

/// Fields of the summary.
const SUMMARY: [&str; 2] = ["exchange", "passed"];

/// One line of a report.
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    remedy: Option<String>,
}

/// The lines of a report.
#[derive(Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    pub(crate) fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Status::Ok, detail.into(), None);
    }

    /// Adds a line that is neither a success nor a problem.
    pub(crate) fn info(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Status::Info, detail.into(), None);
    }

    pub(crate) fn warning(
        &mut self,
        name: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(name, Status::Warning, detail.into(), Some(remedy.into()));
    }

    pub(crate) fn failure(
        &mut self,
        name: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(name, Status::Failure, detail.into(), Some(remedy.into()));
    }

    fn push(&mut self, name: &'static str, status: Status, detail: String, remedy: Option<String>) {
        self.0.push(Check {
            name,
            status,
            detail,
            remedy,
        });
    }

    /// Checks `--fields` before the checks, which take a while.
    pub(crate) fn check_fields(context: &Context) -> Result<(), Failure> {
        context.output.check_fields(COLUMNS, SUMMARY)
    }

    /// Prints the report. The exit code is a failure if a check failed.
    pub(crate) fn print(&self, context: &Context) -> Result<Exit, Failure> {
        let has_failed = self.0.iter().any(|check| check.status == Status::Failure);
        let printed = self.write(context, !has_failed);
        // A failed check determines the exit code even if the report cannot be written, so that the bot does not start.
        match has_failed {
            true => Ok(Exit::Failure),
            false => printed.map(|()| Exit::Success),
        }
    }

    fn write(&self, context: &Context, has_passed: bool) -> Result<(), Failure> {
        let output = &context.output;
        if output.format == Format::Text && !output.selects_fields() {
            for check in &self.0 {
                output.line(&check.text())?;
            }
        } else {
            let [exchange, passed] = SUMMARY;
            let summary = Record::new("summary")
                .field(exchange, context.exchange())
                .field(passed, has_passed);
            output.print([Part::from(self.table()), summary.into()])?;
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new("checks", COLUMNS)
            .flexible("detail")
            .flexible("remedy");
        for check in &self.0 {
            table.push([
                check.name.into(),
                check.status.name().into(),
                check.detail.clone().into(),
                check.remedy.clone().into(),
            ]);
        }
        table
    }
}

impl Check {
    /// Returns the line of a check, followed by a line with the remedy if there is one.
    fn text(&self) -> String {
        let style = self.status.style();
        let indent = format!("\n{:27}", "");
        let detail = sanitize(&self.detail).replace('\n', &indent);
        let mut text = format!(
            "{style}{:7}{style:#}  {:16}  {detail}",
            self.status.name(),
            self.name
        );
        if let Some(remedy) = &self.remedy {
            let remedy = sanitize(remedy).replace('\n', &indent);
            text.push_str(&format!("{indent}-> {remedy}"));
        }
        text
    }
}
