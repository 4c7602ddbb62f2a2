//! Formats results as text and as comma-separated values.

use anstyle::Style;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};

use unicode_width::UnicodeWidthStr;

use super::{Cell, Part, Record, Table};
use crate::failure::Failure;

/// Returns the parts, separated by empty lines. If `width` is given, flexible columns are truncated to fit it.
pub(crate) fn text(parts: &[Part], width: Option<u16>) -> String {
    let part = |part: &Part| match part {
        Part::Table(table) => Some(table_text(table, width)),
        Part::Record(record) => Some(record_text(record)),
        Part::Unknown { .. } => None,
    };
    parts.iter().filter_map(part).collect::<Vec<_>>().join("\n")
}

/// Number of spaces between columns.
const PADDING: usize = 2;
/// Minimum width of a flexible column.
const MIN_FLEXIBLE: usize = 10;

fn table_text(table: &Table, width: Option<u16>) -> String {
    if table.rows.is_empty() {
        return format!("no {}\n", table.name.replace('_', " "));
    }
    let visible_columns = width.map_or(table.columns.len(), |width| columns_that_fit(table, width));
    let mut rendered = comfy_table::Table::new();
    rendered
        .load_style(presets::NOTHING)
        .set_truncation_indicator("…");
    let header = table.columns.iter().take(visible_columns);
    rendered.set_header(header.map(|name| name.replace('_', " ")));
    for row in &table.rows {
        let mut rendered_row = comfy_table::Row::new();
        rendered_row.max_height(1);
        for cell in row.iter().take(visible_columns) {
            rendered_row.add_cell(comfy_table::Cell::new(one_line(cell)));
        }
        rendered.add_row(rendered_row);
    }
    for (index, name) in table.columns.iter().enumerate() {
        let Some(column) = rendered.column_mut(index) else {
            break;
        };
        column.set_padding((0, PADDING as u16));
        if table.rows.iter().any(|row| row[index].is_number()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !table.flexible.contains(name) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let Some(width) = width {
        rendered
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    let rendered = rendered.to_string();
    let mut lines = rendered.lines().map(str::trim_end);
    let bold = Style::new().bold();
    let mut text = format!("{bold}{}{bold:#}\n", lines.next().unwrap_or_default());
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    if visible_columns < table.columns.len() {
        let hidden = table.columns[visible_columns..].join(", ");
        text.push_str(&format!("(the terminal is too narrow for: {hidden})\n"));
    }
    text
}

/// Returns the number of columns that fit if flexible columns are truncated, at least one.
fn columns_that_fit(table: &Table, width: u16) -> usize {
    let mut remaining = usize::from(width);
    for (index, name) in table.columns.iter().enumerate() {
        let cells = table.rows.iter().map(|row| one_line(&row[index]).width());
        let mut needed = cells.chain([name.len()]).max().unwrap_or_default();
        if table.flexible.contains(name) {
            needed = needed.min(MIN_FLEXIBLE.max(name.len()));
        }
        match remaining.checked_sub(needed + PADDING) {
            Some(rest) => remaining = rest,
            None => return index.max(1),
        }
    }
    table.columns.len()
}

/// Returns the values of a record on one line, without absent ones.
pub(crate) fn line(part: &Part) -> String {
    let Part::Record(record) = part else {
        return String::new();
    };
    let values = record.fields.iter().map(|(_, cell)| one_line(cell));
    let values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
    format!("{}\n", values.join("  "))
}

fn one_line(cell: &Cell) -> String {
    cell.to_text().replace('\n', " ")
}

fn record_text(record: &Record) -> String {
    // Text omits absent values; JSON has null.
    let fields = || {
        let fields = record.fields.iter();
        fields.filter(|(_, cell)| *cell != Cell::Absent)
    };
    let widths = fields().map(|(name, _)| name.len());
    let max_width = widths.max().unwrap_or_default();
    let bold = Style::new().bold();
    let mut text = String::new();
    for (name, cell) in fields() {
        let name = name.replace('_', " ");
        // Indents the continuation lines of a value.
        let value = cell
            .to_text()
            .replace('\n', &format!("\n{:max_width$}  ", ""));
        text.push_str(&format!("{bold}{name:max_width$}{bold:#}  {value}\n"));
    }
    text
}

/// Returns a part as comma-separated values with a header.
pub(crate) fn csv(part: Option<&Part>) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    match part {
        Some(Part::Table(table)) => {
            writer.write_record(&table.columns)?;
            for row in &table.rows {
                writer.write_record(row.iter().map(Cell::to_csv))?;
            }
        }
        Some(Part::Record(record)) => {
            writer.write_record(record.fields.iter().map(|(name, _)| name))?;
            writer.write_record(record.fields.iter().map(|(_, cell)| cell.to_csv()))?;
        }
        Some(Part::Unknown { .. }) | None => {}
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_part_is_left_out() -> Result<(), Failure> {
        let table = || Table::new("orders", ["order_id"]);
        let record = || Record::new("outcome").field("left", None::<i64>);
        assert_eq!(text(&[table().into()], None), "no orders\n");
        let parts = [Part::from(record()), Part::unknown(table())];
        assert_eq!(parts[1].fields(), ["order_id"]);
        assert_eq!(text(&parts, None), text(&[record().into()], None));
        assert_eq!(csv(parts.last())?, "");
        Ok(())
    }
}
