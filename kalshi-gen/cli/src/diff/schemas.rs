//! Differences of named schemas, each reported once.

use super::{Class, Comparison, Kind, Location, Subject, owner::Owner, spec_index::SpecIndex};
use kalshi_gen::internals::error::JsonPath;

impl Comparison<'_> {
    /// Compares all named schemas.
    pub(super) fn schemas(&mut self) {
        let schemas = |spec_index: &SpecIndex| {
            spec_index
                .schemas()
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>()
        };
        let root = JsonPath::new(&["components", "schemas"]);
        let at = |old: &str, new: &str| Location {
            name: new.to_owned(),
            old: root.join(old),
            new: root.join(new),
        };
        for name in schemas(self.old) {
            let new_name = self.renames.schema(&name).unwrap_or(&name).to_owned();
            let location = at(&name, &new_name);
            let (Some(before), after) = (self.old.schema(&name), self.new.schema(&new_name)) else {
                continue;
            };
            let (used_before, used_after) = (self.old.is_used(&name), self.new.is_used(&new_name));
            // No program refers to a schema that has no type.
            let removal_class = if self.old.has_no_type(&name) {
                Class::Additive
            } else {
                Class::Breaking
            };
            let Some(after) = after else {
                if used_before {
                    self.push(
                        removal_class,
                        Kind::Removed,
                        Subject::Schema,
                        &location,
                        if removal_class == Class::Breaking {
                            "schema removed"
                        } else {
                            "schema removed; no type is named after it"
                        },
                    );
                } else {
                    self.push(
                        Class::Additive,
                        Kind::Removed,
                        Subject::Schema,
                        &location,
                        "schema removed; no operation used it",
                    );
                }
                continue;
            };
            if name != new_name {
                let text = format!("renamed from `{name}`");
                let change = self.push(
                    removal_class,
                    Kind::Renamed,
                    Subject::Schema,
                    &location,
                    text,
                );
                change.before = Some(name.clone());
                change.after = Some(new_name.clone());
            }
            match (used_before, used_after) {
                (true, false) => {
                    let text = "schema removed: no longer used by an operation";
                    self.push(
                        removal_class,
                        Kind::Removed,
                        Subject::Schema,
                        &location,
                        text,
                    );
                }
                (false, true) => {
                    self.push(
                        Class::Additive,
                        Kind::Added,
                        Subject::Schema,
                        &location,
                        "schema added: now used by an operation",
                    );
                }
                _ => {}
            }
            let owner = Owner::schema(self, &name, &new_name);
            let first = self.changes.len();
            self.schema(before, after, &location, "", &owner);
            self.nullable(Class::Behaviour, before, after, &location);
            if !used_before && !used_after {
                // A schema without a generated type does not affect programs.
                for change in self
                    .changes
                    .iter_mut()
                    .skip(first)
                    .filter(|change| change.class != Class::Prose)
                {
                    change.class = Class::Additive;
                    change.text.push_str("; no operation uses it");
                }
            }
        }
        for name in schemas(self.new) {
            if self.old.schema(&name).is_none() && !self.renames.is_renamed(&name) {
                let text = if self.new.is_used(&name) {
                    "schema added"
                } else {
                    "schema added; no operation uses it"
                };
                self.push(
                    Class::Additive,
                    Kind::Added,
                    Subject::Schema,
                    &at(&name, &name),
                    text,
                );
            }
        }
    }
}
