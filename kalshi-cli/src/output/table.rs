//! Tables and records, before they are printed.

use super::Cell;

/// Part of a result.
pub(crate) enum Part {
    Table(Table),
    Record(Record),
    /// A part whose content is unknown: `null` in JSON, and nothing in the other formats.
    Unknown {
        name: &'static str,
        fields: Vec<&'static str>,
    },
}

impl From<Table> for Part {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl From<Record> for Part {
    fn from(record: Record) -> Self {
        Self::Record(record)
    }
}

impl Part {
    /// Returns a part of this name and with these fields whose content is unknown. An empty table would say that there are no rows.
    pub(crate) fn unknown(part: impl Into<Self>) -> Self {
        let part = part.into();
        let fields = part.fields();
        let name = match part {
            Self::Table(table) => table.name,
            Self::Record(record) => record.name,
            Self::Unknown { name, .. } => name,
        };
        Self::Unknown { name, fields }
    }

    /// Returns the names of the fields.
    pub(crate) fn fields(&self) -> Vec<&'static str> {
        match self {
            Self::Table(table) => table.columns.clone(),
            Self::Record(record) => record.fields.iter().map(|(name, _)| *name).collect(),
            Self::Unknown { fields, .. } => fields.clone(),
        }
    }

    /// Keeps only the fields with these names, in this order.
    pub(crate) fn select(&mut self, names: &[String]) {
        let indices: Vec<_> = {
            let fields = self.fields();
            names
                .iter()
                .filter_map(|name| fields.iter().position(|field| field == name))
                .collect()
        };
        match self {
            Self::Table(table) => {
                table.columns = indices.iter().map(|index| table.columns[*index]).collect();
                for row in &mut table.rows {
                    *row = indices.iter().map(|index| row[*index].clone()).collect();
                }
            }
            Self::Record(record) => {
                record.fields = indices
                    .iter()
                    .map(|index| record.fields[*index].clone())
                    .collect();
            }
            Self::Unknown { .. } => {}
        }
    }
}

/// Rows with the same fields.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Columns that are truncated if the terminal is too narrow.
    pub(crate) flexible: Vec<&'static str>,
}

impl Table {
    /// Returns an empty table. `name` is its field in JSON.
    pub(crate) fn new<const N: usize>(name: &'static str, columns: [&'static str; N]) -> Self {
        Self {
            name,
            columns: columns.into(),
            rows: Vec::new(),
            flexible: Vec::new(),
        }
    }

    /// Allows a column to be truncated if the terminal is too narrow.
    pub(crate) fn flexible(mut self, column: &'static str) -> Self {
        self.flexible.push(column);
        self
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn push<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(row.into());
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Named fields of one object.
pub(crate) struct Record {
    pub(crate) name: &'static str,
    pub(crate) fields: Vec<(&'static str, Cell)>,
}

impl Record {
    /// Returns an empty record. `name` is its field in JSON.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            fields: Vec::new(),
        }
    }

    /// Adds a field after the existing ones.
    pub(crate) fn field(mut self, name: &'static str, value: impl Into<Cell>) -> Self {
        self.fields.push((name, value.into()));
        self
    }
}
