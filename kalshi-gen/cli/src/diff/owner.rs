//! The owner of a field: the schema or operation that its inline type is named after.

use super::Comparison;

/// Whose field something is: what its type would be called, and which way it goes.
pub(super) struct Owner {
    pub(super) old: String,
    pub(super) new: String,
    pub(super) sent: bool,
    pub(super) received: bool,
}

impl Owner {
    /// A named schema, with its names in both specs.
    pub(super) fn schema(comparison: &Comparison<'_>, old: &str, new: &str) -> Self {
        Self {
            old: old.to_owned(),
            new: new.to_owned(),
            sent: comparison.old.is_sent(old) || comparison.new.is_sent(new),
            received: comparison.old.is_received(old) || comparison.new.is_received(new),
        }
    }
}
