//! Formats results as JSON.

use serde_json::{Map, Value, json};

use super::{Cell, JSON_VERSION, Part};

/// Returns one object with the version and a field for each part, indented.
pub(crate) fn document(parts: &[Part]) -> String {
    format!("{:#}\n", value(parts))
}

/// Returns the same object on a single line.
pub(crate) fn line(parts: &[Part]) -> String {
    format!("{}\n", value(parts))
}

fn value(parts: &[Part]) -> Value {
    let mut document = Map::new();
    document.insert("version".to_owned(), json!(JSON_VERSION));
    for part in parts {
        let (name, value) = match part {
            Part::Record(record) => (
                record.name,
                object(record.fields.iter().map(|(name, cell)| (*name, cell))),
            ),
            Part::Table(table) => {
                let row = |row: &Vec<Cell>| object(table.columns.iter().copied().zip(row));
                (
                    table.name,
                    Value::Array(table.rows.iter().map(row).collect()),
                )
            }
        };
        document.insert(name.to_owned(), value);
    }
    Value::Object(document)
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a Cell)>) -> Value {
    Value::Object(
        fields
            .map(|(name, cell)| (name.to_owned(), cell.to_json()))
            .collect(),
    )
}
