//! Indents JSON without changing its values.

use std::fmt::Write;

use super::sanitize::is_unsafe;

/// Depth from which lines are not indented further, so that deep nesting does not multiply the length of the response.
const MAX_INDENT: usize = 32;

/// Indents valid JSON. Numbers are copied verbatim. Characters that control a terminal are escaped in strings, which does not change
/// the value.
pub(super) fn indent_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut chars = json.trim().chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
    };
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                copy_string(&mut chars, &mut out);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Copies a string up to its closing quote.
fn copy_string(chars: &mut impl Iterator<Item = char>, out: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            c if is_unsafe(c) => {
                // JSON escapes UTF-16, so a character may take two escapes.
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
        if c == '"' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::indent_json;

    #[test]
    fn numbers_and_strings_keep_their_text() {
        let json = r#"{"a":[0.10000000000000000000000001,1e400,-0],"b": {},"c":[ ],
            "d\"}":"x\\","e":{"f":null}}"#;
        let expected = r#"{
  "a": [
    0.10000000000000000000000001,
    1e400,
    -0
  ],
  "b": {},
  "c": [],
  "d\"}": "x\\",
  "e": {
    "f": null
  }
}
"#;
        assert_eq!(indent_json(json), expected);
        assert_eq!(indent_json(" \n"), "");
        assert_eq!(indent_json("7"), "7\n");
    }

    #[test]
    fn deep_nesting_is_not_indented_without_bound() {
        let depth = 10_000;
        let json = "[".repeat(depth) + &"]".repeat(depth);
        let indented = indent_json(&json);
        assert!(indented.len() < 100 * json.len(), "{}", indented.len());
        let compact: String = indented.split_whitespace().collect();
        assert_eq!(compact, json);
    }

    #[test]
    fn characters_that_control_a_terminal_are_escaped() {
        // The last one is a letter of a tag, of which flags consist.
        let json = "[\"a\u{9b}2J\u{202e}b\u{e0067}\"]";
        let indented = indent_json(json);
        assert_eq!(indented, "[\n  \"a\\u009b2J\\u202eb\\udb40\\udc67\"\n]\n");
        let (before, after): (Vec<String>, Vec<String>) = (
            serde_json::from_str(json).unwrap_or_default(),
            serde_json::from_str(&indented).unwrap_or_default(),
        );
        assert_eq!(before, after);
    }
}
