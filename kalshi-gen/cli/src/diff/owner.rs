//! The owner of a field: the schema or operation that its inline type is named after.

use super::Comparison;

/// The owner of a field: the name from which inline types are derived, and whether the field is sent or received.
pub(super) struct Owner {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) sent: bool,
    pub(super) received: bool,
}

impl Owner {
    /// Creates the owner for a named schema, with its names in both specs.
    pub(super) fn schema(comparison: &Comparison<'_>, old: &str, new: &str) -> Self {
        Self {
            old: old.to_owned(),
            new: new.to_owned(),
            sent: comparison.old.is_sent(old) || comparison.new.is_sent(new),
            received: comparison.old.is_received(old) || comparison.new.is_received(new),
        }
    }
}
