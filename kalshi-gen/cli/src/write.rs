//! Writes a tree as YAML in this project's canonical format, which keeps diffs between versions minimal.

use std::fmt::Write as _;

use serde_json::Value;

use kalshi_gen::internals::{
    names,
    yaml::{Tree, plain},
};

/// The maximum width of a line of prose.
const MAX_WIDTH: usize = 112;

/// Mappings whose fields are separated by an empty line.
const SPACED: [&str; 7] = [
    "paths",
    "responses",
    "parameters",
    "schemas",
    "channels",
    "operations",
    "messages",
];

/// Writes a document. Parsing it returns the same tree.
pub(crate) fn write(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Mapping(fields) if !fields.is_empty() => {
            for (index, (key, value)) in fields.iter().enumerate() {
                if index > 0 && !matches!(value, Tree::Leaf(_)) {
                    out.push('\n');
                }
                write_field(&mut out, key, value, 0);
            }
        }
        other => write_value(&mut out, other, 0, None),
    }
    out
}

/// Writes a field of a mapping, from the start of its line.
fn write_field(out: &mut String, key: &str, value: &Tree, indent: usize) {
    _ = write!(out, "{:indent$}{}:", "", inline_string(key));
    write_value(out, value, indent, (indent <= 2).then_some(key));
}

/// Writes the value after `key:` or `-`. `key` is set for mappings whose fields may be separated by empty lines.
fn write_value(out: &mut String, value: &Tree, indent: usize, key: Option<&str>) {
    match value {
        Tree::Mapping(fields) if !fields.is_empty() => {
            out.push('\n');
            let spaced = key.is_some_and(|key| SPACED.contains(&key));
            for (index, (key, value)) in fields.iter().enumerate() {
                if spaced && index > 0 {
                    out.push('\n');
                }
                write_field(out, key, value, indent + 2);
            }
        }
        Tree::List(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                write_item(out, item, indent + 2);
            }
        }
        Tree::Mapping(_) => out.push_str(" {}\n"),
        Tree::List(_) => out.push_str(" []\n"),
        Tree::Leaf(Value::String(text)) => {
            // The column at which an inline string would begin.
            let column = out.len() - out.rfind('\n').map_or(0, |at| at + 1) + 1;
            write_string(out, text, indent + 2, column);
        }
        Tree::Leaf(value) => _ = writeln!(out, " {value}"),
    }
}

/// Writes an item of a list, whose first line begins with a dash.
fn write_item(out: &mut String, item: &Tree, indent: usize) {
    match item {
        Tree::Mapping(fields) if !fields.is_empty() => {
            let mut inner = String::new();
            for (key, value) in fields {
                write_field(&mut inner, key, value, indent + 2);
            }
            // The dash replaces the indentation of the first field.
            _ = write!(out, "{:indent$}- ", "");
            out.push_str(inner.trim_start_matches(' '));
        }
        other => {
            _ = write!(out, "{:indent$}-", "");
            write_value(out, other, indent, None);
        }
    }
}

/// Writes a string: inline if it fits, folded if it is long, literal if it has several lines.
fn write_string(out: &mut String, text: &str, indent: usize, column: usize) {
    // A block scalar is only lossless without surrounding white space and with plain lines.
    let is_block_safe = !text.is_empty()
        && text.trim() == text
        && !text.chars().any(|c| needs_escape(c) && c != '\n')
        && text
            .lines()
            .all(|line| !line.starts_with([' ', '\t']) && !line.ends_with([' ', '\t']));
    let inline = inline_string(text);
    if is_block_safe && text.contains('\n') {
        out.push_str(" |-\n");
        for line in text.split('\n') {
            if !line.is_empty() {
                _ = write!(out, "{:indent$}{line}", "");
            }
            out.push('\n');
        }
    } else if is_block_safe
        && column + inline.chars().count() > MAX_WIDTH
        && text.contains(' ')
        && !text.contains("  ")
    {
        out.push_str(" >-\n");
        for line in wrapped(text, MAX_WIDTH.saturating_sub(indent)) {
            _ = writeln!(out, "{:indent$}{line}", "");
        }
    } else {
        _ = writeln!(out, " {inline}");
    }
}

/// Wraps `text` to lines of at most `width` characters.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns `true` for characters that some YAML parsers interpret differently, or that are invisible.
fn needs_escape(c: char) -> bool {
    names::is_hidden(c)
}

/// Writes a string on one line: plain if all YAML parsers agree on it, quoted otherwise.
fn inline_string(text: &str) -> String {
    if text.chars().any(needs_escape) {
        // YAML supports JSON's escapes, but may not accept every non-ASCII character that JSON leaves unescaped.
        let mut quoted = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                c if needs_escape(c) && u32::from(c) > 0xffff => {
                    _ = write!(quoted, "\\U{:08x}", u32::from(c));
                }
                c if needs_escape(c) => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
                c => quoted.push(c),
            }
        }
        return quoted + "\"";
    }
    // YAML 1.1 reads these as booleans or null.
    let reserved = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
    ];
    let plain_text = plain(text) == Value::String(text.to_owned())
        && text.trim() == text
        && !reserved.contains(&text.to_ascii_lowercase().as_str())
        && !text
            .starts_with(|c: char| c.is_ascii_digit() || "+-.!&*?|>%@`\"'#,[]{}=<:".contains(c))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':');
    if plain_text {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use kalshi_gen::internals::yaml::parse_in_order;

    /// Writes the tree that `yaml` parses to.
    fn rewritten(yaml: &str) -> String {
        write(&parse_in_order(yaml).unwrap())
    }

    #[test]
    fn canonical_format_is_stable() {
        let canonical = "openapi: '3.0.0'\n\ninfo:\n  title: 'A: b'\n  version: '1'\n\npaths:\n  /a:\n    get:\n      tags: []\n      list:\n        - name: a\n          in: query\n        - - 1\n          - null\n        - {}\n      responses:\n        '200':\n          description: Fine.\n        '404': {}\n\n  /b: {}\n\nx-data:\n  - 'no'\n  - true\n  - 0.5\n";
        assert_eq!(
            rewritten(
                &canonical.replace("        - - 1\n          - null\n", "        - [1, null]\n")
            ),
            rewritten(canonical)
        );
        assert_eq!(rewritten(&rewritten(canonical)), rewritten(canonical));
        assert_eq!(
            rewritten("b: 1\na: {d: 2, c: 3}\n"),
            "b: 1\n\na:\n  d: 2\n  c: 3\n"
        );
    }

    #[test]
    fn long_strings_are_folded_and_lines_kept() {
        let long = "word ".repeat(60);
        let written = rewritten(&format!("a:\n  b: {}\n", long.trim()));
        assert!(
            written.starts_with("a:\n  b: >-\n    word word"),
            "{written}"
        );
        assert!(
            written.lines().all(|line| line.len() <= MAX_WIDTH),
            "{written}"
        );
        assert_eq!(
            rewritten("a: |-\n  one\n\n  two: # three\n"),
            "a: |-\n  one\n\n  two: # three\n"
        );
    }

    proptest::proptest! {
        /// Every written document parses to the same tree.
        #[test]
        fn written_documents_parse_to_the_same_tree(texts in proptest::collection::vec(r"[ -~\n\t\u{0}-\u{20}é€—\u{85}\u{ad}\u{200b}\u{202e}\u{feff}\u{2028}\u{e0041}]{0,24}|( ?[a-z:#'\x22-]{1,9}){0,40}|yes|NO|~|0x1F|1e5|\.inf|-|- a|2026-01-02|: |a: b|# c|[0-9.]{1,6}", 1..8)) {
            let mut tree = Tree::Mapping(texts.iter().map(|text| (text.clone(), Tree::Leaf(Value::String(text.clone())))).collect());
            tree = Tree::List(vec![tree.clone(), Tree::Mapping([("k".to_owned(), Tree::List(vec![tree]))].into_iter().collect())]);
            let written = write(&tree);
            proptest::prop_assert_eq!(parse_in_order(&written).map_err(|e| format!("{e}\n{written}")).unwrap(), tree, "{}", written);
        }
    }
}
