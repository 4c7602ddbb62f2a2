//! Results as JSON.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Cell, JSON_VERSION, Part};

/// Returns one object with its version and a field for each part.
pub(crate) fn document(parts: &[Part]) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&Document(parts))? + "\n")
}

/// Returns the same in a single line.
pub(crate) fn line(parts: &[Part]) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(&Document(parts))? + "\n")
}

/// The parts of a result. Serialized directly, because a `serde_json::Value` would sort the fields.
struct Document<'a>(&'a [Part]);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(self.0.len() + 1))?;
        fields.serialize_entry("version", &JSON_VERSION)?;
        for part in self.0 {
            match part {
                Part::Record(record) => fields.serialize_entry(
                    record.name,
                    &Object(|| record.fields.iter().map(|(name, cell)| (*name, cell))),
                )?,
                Part::Unknown { name, .. } => fields.serialize_entry(name, &())?,
                Part::Table(table) => {
                    let rows = table
                        .rows
                        .iter()
                        .map(|row| Object(move || table.columns.iter().copied().zip(row)));
                    fields.serialize_entry(table.name, &rows.collect::<Vec<_>>())?;
                }
            }
        }
        fields.end()
    }
}

/// An object whose fields the function returns.
struct Object<F>(F);

impl<'a, F, I> Serialize for Object<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (&'a str, &'a Cell)>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)().map(|(name, cell)| (name, cell.to_json())))
    }
}
