//! Formats one operation for reading: path, parameters, request, response and cost.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

use kalshi_gen::{
    Error, FixupMode,
    internals::{
        error, names,
        operations::{self, Operation},
        scalars,
        spec::{self, follow, str_field},
        stages, yaml,
    },
};

use crate::write;

/// The maximum depth of nested fields that are shown.
const MAX_DEPTH: usize = 6;

/// The maximum width of a field's description.
const MAX_DESCRIPTION_WIDTH: usize = 72;

/// Formats the operation `id` of a spec, with ANSI colours. The id may be in any case: `GetMarkets`, `get_markets`.
///
/// # Errors
///
/// Returns an error if [`generate`](kalshi_gen::generate) does, or if no operation has the id. The
/// error suggests similar ids.
pub fn show(spec: &str, id: &str) -> Result<String, Error> {
    let document = stages::checked_rest(yaml::parse(spec)?)?;
    let tree = escaped(stages::normalized(document, FixupMode::Lenient)?.tree);
    let all = operations::list(&tree)?;
    let ids: Vec<&str> = all.iter().map(|operation| operation.id.as_str()).collect();
    let id = find(&ids, id)?;
    let Some(operation) = all.iter().find(|operation| operation.id == id) else {
        return Err(error::document(format!("there is no operation `{id}`")));
    };
    let node = spec::operations(&tree)
        .map(|(_, _, node)| node)
        .find(|node| str_field(node, "operationId") == Some(operation.id.as_str()));
    let mut out = header(operation);
    let node = node.cloned().unwrap_or_default();
    let bold = Style::new().bold();
    let parameters = node
        .get("parameters")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if !parameters.is_empty() {
        _ = writeln!(out, "\n{bold}Parameters{bold:#}");
        for parameter in &parameters {
            let location = parameter["in"].as_str().unwrap_or_default();
            let required = parameter["required"] == true;
            let name = parameter["name"].as_str().unwrap_or_default();
            let schema = parameter.get("schema").cloned().unwrap_or_default();
            write_line(
                &mut out,
                &tree,
                &Line {
                    name,
                    schema: &schema,
                    optional: !required,
                    note: location,
                    described: parameter,
                    indent: 1,
                },
            );
        }
    }
    let body = node.get("requestBody").and_then(spec::json_schema);
    let response = operations::success_schema(&node);
    for (heading, schema) in [("Request", body), ("Response", response)] {
        match schema {
            Some(schema) => {
                _ = writeln!(
                    out,
                    "\n{bold}{heading}{bold:#}  {}",
                    type_name(&tree, schema)
                );
                write_fields(&mut out, &tree, schema, 1, &mut Vec::new());
            }
            None if heading == "Response" => _ = writeln!(out, "\n{bold}Response{bold:#}  none"),
            None => {}
        }
    }
    Ok(out)
}

/// Returns the tree with strings that are safe to print to a terminal.
fn escaped(node: Value) -> Value {
    match node {
        Value::String(text) => Value::String(names::visible(&text, true)),
        Value::Array(items) => items.into_iter().map(escaped).collect(),
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(key, value)| (names::visible(&key, false), escaped(value)));
            Value::Object(fields.collect())
        }
        leaf => leaf,
    }
}

/// Returns the element of `ids` that matches `id` in any case: `GetMarkets`, `get_markets`.
pub fn find<'a>(ids: &[&'a str], id: &str) -> Result<&'a str, Error> {
    let snake_id = names::snake(id);
    let found = ids
        .iter()
        .find(|other| names::snake(other) == snake_id || other.eq_ignore_ascii_case(id));
    found.copied().ok_or_else(|| {
        let mut similar: Vec<(f64, &str)> = ids
            .iter()
            .map(|other| {
                let name = names::snake(other);
                let bonus = if name.contains(&snake_id) { 0.2 } else { 0.0 };
                (strsim::jaro_winkler(&name, &snake_id) + bonus, *other)
            })
            .filter(|(similarity, _)| *similarity > 0.8)
            .collect();
        similar.sort_by(|a, b| b.0.total_cmp(&a.0));
        let similar: Vec<_> = similar
            .iter()
            .take(3)
            .map(|(_, id)| format!("`{id}`"))
            .collect();
        let hint = if similar.is_empty() {
            String::new()
        } else {
            format!("; did you mean {}?", similar.join(", "))
        };
        error::document(format!(
            "there is no operation `{id}` among the {}{hint}",
            ids.len()
        ))
    })
}

fn header(operation: &Operation) -> String {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let mut out = format!(
        "{bold}{}{bold:#}  {} {}\n",
        operation.id, operation.method, operation.path
    );
    let cost = match operation.token_cost_per_item {
        Some(cost) => format!("{cost} tokens per item"),
        None => format!("{} tokens", operation.token_cost),
    };
    let mut attributes = vec![
        if operation.auth { "signed" } else { "public" }.to_owned(),
        match &operation.token_cost_with {
            Some((parameter, with)) => format!(
                "{cost}, {with} with {parameter}, from the {} bucket",
                operation.bucket
            ),
            None => format!("{cost} from the {} bucket", operation.bucket),
        },
    ];
    if let Some(paging) = &operation.paging {
        attributes.push(format!("paginated by `{}`", paging.cursor_field));
    }
    if operation.deprecated {
        attributes.push("deprecated".to_owned());
    }
    _ = writeln!(out, "{}", attributes.join(", "));
    _ = writeln!(out, "{dim}client.{}(){dim:#}", names::snake(&operation.id));
    for text in [&operation.summary, &operation.description] {
        if !text.is_empty() {
            _ = write!(out, "\n{}\n", wrapped(text, 100));
        }
    }
    out
}

/// A field or a parameter, as one line of output.
struct Line<'a> {
    name: &'a str,
    schema: &'a Value,
    optional: bool,
    note: &'a str,
    /// The node with the description.
    described: &'a Value,
    indent: usize,
}

fn write_line(out: &mut String, tree: &Value, line: &Line<'_>) {
    let (green, dim) = (AnsiColor::Green.on_default(), Style::new().dimmed());
    let Line {
        name,
        schema,
        optional,
        note,
        described,
        indent,
    } = line;
    let optional = if *optional { "?" } else { "" };
    let note = if note.is_empty() {
        String::new()
    } else {
        format!(" ({note})")
    };
    let description = described
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let single_line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = single_line.chars().take(MAX_DESCRIPTION_WIDTH).collect();
    if short.len() < single_line.len() {
        short.push('…');
    }
    if !short.is_empty() {
        short = format!("  {dim}{short}{dim:#}");
    }
    let type_name = type_name(tree, schema);
    _ = writeln!(
        out,
        "{:width$}{name}{optional}: {green}{type_name}{green:#}{note}{short}",
        "",
        width = indent * 2
    );
}

/// Writes the fields of an object and of its nested objects. `ancestors` has the names of the schemas that are being shown.
fn write_fields(
    out: &mut String,
    tree: &Value,
    schema: &Value,
    indent: usize,
    ancestors: &mut Vec<String>,
) {
    let name = spec::reference(schema).unwrap_or_default().to_owned();
    if indent > MAX_DEPTH || (!name.is_empty() && ancestors.contains(&name)) {
        return;
    }
    ancestors.push(name);
    let node = follow(tree, schema);
    let required: Vec<&str> = node
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in node
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&Map::new())
    {
        write_line(
            out,
            tree,
            &Line {
                name,
                schema: field,
                optional: !required.contains(&name.as_str()),
                note: "",
                described: field,
                indent,
            },
        );
        write_fields(out, tree, field, indent + 1, ancestors);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = node.get(key).filter(|inner| inner.is_object()) {
            write_fields(out, tree, inner, indent, ancestors);
        }
    }
    ancestors.pop();
}

/// Describes the type of a schema in a few words.
fn type_name(tree: &Value, schema: &Value) -> String {
    if let Some(name) = spec::reference(schema).and_then(spec::schema_name) {
        let scalar = scalars::SCALARS
            .iter()
            .find(|(component, _)| *component == name);
        let values = follow(tree, schema).get("enum").and_then(Value::as_array);
        return match (scalar, values) {
            (Some((_, rust)), _) => rust.trim_start_matches("::kalshi_core::").to_owned(),
            (None, Some(values)) => {
                let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
                format!("{name} = {}", values.join(" | "))
            }
            (None, None) => name.to_owned(),
        };
    }
    let keyword = |key: &str| schema.get(key).and_then(Value::as_str);
    match (keyword("type"), keyword("format")) {
        (Some("array"), _) => format!(
            "list of {}",
            schema
                .get("items")
                .map_or_else(|| "anything".to_owned(), |items| type_name(tree, items))
        ),
        (Some("object"), _) if schema.get("properties").is_none() => match schema
            .get("additionalProperties")
            .filter(|node| node.is_object())
        {
            Some(values) => format!("map of {}", type_name(tree, values)),
            None => "object".to_owned(),
        },
        (Some("string"), Some(format)) => format.to_owned(),
        (Some(name), _) => name.to_owned(),
        (None, _) => "anything".to_owned(),
    }
}

/// Wraps a string to lines of at most `width` characters and keeps its paragraphs.
fn wrapped(text: &str, width: usize) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        write::wrapped(&words, width).join("\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
