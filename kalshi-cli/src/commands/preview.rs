//! The preview of an order or amendment: shown before it is sent, and printed beside the outcome in JSON.

use crate::{
    context::Context,
    failure::Failure,
    output::{Format, Part, Record},
};

/// The preview of a write that was confirmed.
pub(super) struct Preview(Part);

impl Preview {
    /// Shows the preview and asks the question. Returns `None` if the answer is no. `outcome_fields` are the fields of the outcome, so
    /// that an unknown name in `--fields` is an error before anything is sent.
    pub(super) fn confirm(
        context: &Context,
        preview: Record,
        outcome_fields: &[&'static str],
        question: &str,
    ) -> Result<Option<Self>, Failure> {
        let preview = [Part::from(preview)];
        // Only JSON has the preview beside the outcome.
        let preview_fields = match context.output.format {
            Format::Json => preview[0].fields(),
            _ => Vec::new(),
        };
        context
            .output
            .check_fields(outcome_fields.iter().copied(), preview_fields)?;
        context.output.print_to_stderr(&preview);
        if !context.confirm(question)? {
            context.output.note("nothing was sent");
            return Ok(None);
        }
        let [preview] = preview;
        Ok(Some(Self(preview)))
    }

    /// Prints the outcome. The exit code reports it even if the output cannot be written, so that failure is only a note.
    pub(super) fn print_outcome(self, context: &Context, outcome: Record) {
        let mut parts = vec![Part::from(outcome)];
        if context.output.format == Format::Json {
            parts.push(self.0);
        }
        if let Err(failure) = context.output.print(parts) {
            context.output.note(&failure.to_string());
        }
    }
}
