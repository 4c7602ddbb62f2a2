//! A bounded YAML (and therefore JSON) reader: large enough for a spec, and safe against input
//! that expands without limit.
//!
//! A crate provides the parser. The tree is built here because the serde layers above such parsers add several seconds
//! to the build of every dependent crate.

use std::{borrow::Cow, collections::BTreeMap};

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Number, Value};

use crate::error::{Error, JsonPath};

/// The maximum number of values after alias expansion. The largest spec today has 40,000. A long
/// string counts as several.
const MAX_NODES: usize = 1_000_000;

/// The number of bytes of a string that count as one value.
const BYTES_PER_NODE: usize = 64;

/// The maximum nesting depth: deeper than any spec, shallow enough for any stack.
pub(crate) const MAX_DEPTH: usize = 64;

/// A document whose mappings keep the order in which they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A string, a number, a boolean or null.
    Leaf(Value),
    /// The items of a list.
    List(Vec<Tree>),
    /// The fields of a mapping, in document order.
    Mapping(IndexMap<String, Tree>),
}

impl Tree {
    /// Returns the value under a key, or `None` if this is not a mapping or the key is absent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping()?.get(key)
    }

    /// Returns the value under a key mutably, or `None` if this is not a mapping or the key is absent.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_mapping_mut()?.get_mut(key)
    }

    /// Returns the string, or `None` for any other value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the items, or `None` for anything but a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the fields in order, or `None` for anything but a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the fields mutably, or `None` for anything but a mapping.
    pub fn as_mapping_mut(&mut self) -> Option<&mut IndexMap<String, Self>> {
        match self {
            Self::Mapping(entries) => Some(entries),
            _ => None,
        }
    }
}

impl From<Tree> for Value {
    fn from(tree: Tree) -> Self {
        match tree {
            Tree::Leaf(value) => value,
            Tree::List(items) => items.into_iter().map(Self::from).collect(),
            Tree::Mapping(entries) => entries
                .into_iter()
                .map(|(key, value)| (key, Self::from(value)))
                .collect(),
        }
    }
}

/// A list or a mapping that is being read.
enum Partial {
    List(Vec<Tree>),
    /// Includes the key whose value is read next.
    Mapping(IndexMap<String, Tree>, Option<String>),
}

/// Parses `text`, which must contain exactly one document.
pub fn parse(text: &str) -> Result<Value, Error> {
    parse_in_order(text).map(Value::from)
}

/// Parses `text`, which must contain exactly one document, and keeps the order of mappings.
pub fn parse_in_order(text: &str) -> Result<Tree, Error> {
    let mut reader = Reader::default();
    let text = join_surrogates(text.trim_start_matches('\u{feff}'));
    for event in Parser::new_from_str(&text) {
        let (event, span) = event.map_err(|error| {
            let (line, column) = (error.marker().line(), error.marker().col() + 1);
            Error::document(format!(
                "not YAML: line {line}, column {column}: {}",
                error.info()
            ))
        })?;
        let line = span.start.line();
        reader.event(event).map_err(|message| {
            let location = reader.location();
            Error::at(&location, format!("{message} (line {line})"))
        })?;
    }
    reader
        .root
        .ok_or_else(|| Error::document("the document is empty"))
}

/// Joins surrogate pairs. JSON escapes characters outside the Basic Multilingual Plane as two
/// escapes, which YAML rejects.
fn join_surrogates(text: &str) -> Cow<'_, str> {
    if !text.trim_start().starts_with('{') || !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let unit = |rest: &str| u16::from_str_radix(rest.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let pair = [unit(tail), tail.get(6..).and_then(unit)].map(Option::unwrap_or_default);
        match char::decode_utf16(pair).next() {
            Some(Ok(c)) if c.len_utf16() == 2 => {
                out.push(c);
                rest = tail.get(12..).unwrap_or_default();
            }
            // Copies any other escape together with the escaped character.
            _ => {
                let end = tail
                    .char_indices()
                    .nth(2)
                    .map_or(tail.len(), |(end, _)| end);
                let (escape, tail) = tail.split_at(end);
                out.push_str(escape);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The value of an anchor.
struct Anchored {
    value: Tree,
    /// The number of values in it.
    nodes: usize,
    /// The number of levels of lists and mappings in it.
    depth: usize,
}

#[derive(Default)]
struct Reader {
    stack: Vec<(Partial, usize)>,
    anchors: BTreeMap<usize, Anchored>,
    root: Option<Tree>,
    nodes: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_string = tag.as_deref().is_some_and(is_string_tag);
                if !is_string {
                    reject_tag(tag.as_deref())?;
                }
                let is_plain = style == ScalarStyle::Plain && !is_string;
                let expects_key = matches!(self.stack.last(), Some((Partial::Mapping(_, None), _)));
                if expects_key {
                    if is_plain && text == "<<" {
                        return Err("merge keys are not supported: write the fields out".to_owned());
                    }
                    return self.key(text.into_owned());
                }
                let value = if is_plain {
                    plain(&text)
                } else {
                    Value::String(text.into_owned())
                };
                let nodes = leaf_size(&value);
                self.value(Tree::Leaf(value), anchor, nodes)
            }
            Event::SequenceStart(anchor, tag) => {
                reject_tag(tag.as_deref())?;
                self.begin(Partial::List(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                reject_tag(tag.as_deref())?;
                self.begin(Partial::Mapping(IndexMap::new(), None), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some((Partial::List(items), anchor)) => {
                    let nodes = items.len() + 1;
                    self.value(Tree::List(items), anchor, nodes)
                }
                Some((Partial::Mapping(entries, _), anchor)) => {
                    let nodes = entries.len() + 1;
                    self.value(Tree::Mapping(entries), anchor, nodes)
                }
                None => Err("an unmatched end of a list or mapping".to_owned()),
            },
            Event::Alias(anchor) => {
                let anchored = self
                    .anchors
                    .get(&anchor)
                    .ok_or("an alias without its anchor")?;
                if self.stack.len() + anchored.depth > MAX_DEPTH {
                    return Err(too_deep());
                }
                self.nodes = self.nodes.saturating_add(anchored.nodes);
                self.check_size()?;
                let value = anchored.value.clone();
                self.value(value, 0, 1)
            }
            Event::DocumentStart(_) if self.root.is_some() => Err("a second document".to_owned()),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, partial: Partial, anchor: usize) -> Result<(), String> {
        if matches!(self.stack.last(), Some((Partial::Mapping(_, None), _))) {
            return Err("a key must be a string".to_owned());
        }
        if self.stack.len() == MAX_DEPTH {
            return Err(too_deep());
        }
        self.stack.push((partial, anchor));
        Ok(())
    }

    fn key(&mut self, text: String) -> Result<(), String> {
        if let Some((Partial::Mapping(entries, key), _)) = self.stack.last_mut() {
            if entries.contains_key(&text) {
                return Err(format!("duplicate key `{text}`"));
            }
            *key = Some(text);
        }
        Ok(())
    }

    fn value(&mut self, value: Tree, anchor: usize, nodes: usize) -> Result<(), String> {
        self.nodes += match &value {
            Tree::Leaf(_) => nodes,
            _ => 1,
        };
        self.check_size()?;
        if anchor > 0 {
            let nodes = size(&value);
            self.nodes = self.nodes.saturating_add(nodes);
            self.check_size()?;
            let anchored = Anchored {
                value: value.clone(),
                nodes,
                depth: depth(&value),
            };
            self.anchors.insert(anchor, anchored);
        }
        match self.stack.last_mut() {
            Some((Partial::List(items), _)) => items.push(value),
            Some((Partial::Mapping(entries, key), _)) => match key.take() {
                Some(key) => {
                    entries.insert(key, value);
                }
                None => return Err("a key must be a string".to_owned()),
            },
            None => self.root = Some(value),
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), String> {
        if self.nodes > MAX_NODES {
            return Err(format!(
                "more than {MAX_NODES} values after alias expansion"
            ));
        }
        Ok(())
    }

    fn location(&self) -> JsonPath {
        let mut location = JsonPath::new(&[]);
        for (partial, _) in &self.stack {
            location = match partial {
                Partial::List(items) => location.item(items.len()),
                Partial::Mapping(_, Some(key)) => location.join(key),
                Partial::Mapping(_, None) => location,
            };
        }
        location
    }
}

/// Returns `true` for `!!str`, which makes a string of any scalar.
fn is_string_tag(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "str"
}

fn reject_tag(tag: Option<&Tag>) -> Result<(), String> {
    match tag {
        None => Ok(()),
        Some(_) => Err("tags other than `!!str` are not supported: remove the tag".to_owned()),
    }
}

fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} levels deep")
}

/// Returns the number of values that a scalar counts as.
fn leaf_size(value: &Value) -> usize {
    1 + value.as_str().map_or(0, str::len) / BYTES_PER_NODE
}

/// Returns the number of values in a tree.
fn size(tree: &Tree) -> usize {
    1 + match tree {
        Tree::List(items) => items.iter().map(size).sum(),
        Tree::Mapping(entries) => entries.values().map(size).sum(),
        Tree::Leaf(value) => leaf_size(value) - 1,
    }
}

/// Returns the number of levels of lists and mappings in a tree.
fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Tree::Mapping(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        Tree::Leaf(_) => 0,
    }
}

/// Parses a plain scalar according to the core schema of YAML 1.2.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number = numeric
        .then(|| {
            let digits = text.strip_prefix('+').unwrap_or(text);
            let integer = digits
                .parse::<i64>()
                .map(Number::from)
                .or_else(|_| digits.parse::<u64>().map(Number::from));
            let hexadecimal = |_| {
                i64::from_str_radix(digits.strip_prefix("0x").unwrap_or("-"), 16).map(Number::from)
            };
            let float = |_| Number::from_f64(digits.parse().unwrap_or(f64::NAN)).ok_or(());
            integer.or_else(hexadecimal).or_else(float).ok()
        })
        .flatten();
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;
    use serde_json::json;

    #[test]
    fn yaml_and_json_give_the_same_tree() {
        let yaml = "a: 1\nb: [x, '2', 3.5, null, true, -7, 0x10]\nc:\n  '200': >-\n    two\n    lines\n  404: n\n";
        let tree = json!({ "a": 1, "b": ["x", "2", 3.5, null, true, -7, 16], "c": { "200": "two lines", "404": "n" } });
        assert_eq!(parse(yaml).unwrap(), tree);
        assert_eq!(parse(&tree.to_string()).unwrap(), tree);
    }

    #[test]
    fn strings_that_resemble_numbers_stay_strings() {
        let tree = json!({ "a": "3.0.0", "b": "1_000", "c": "-", "d": "2026-01-02", "e": ".", "f": "no", "g": "3.34.0" });
        assert_eq!(
            parse("a: 3.0.0\nb: 1_000\nc: '-'\nd: 2026-01-02\ne: .\nf: no\ng: 3.34.0\n").unwrap(),
            tree
        );
    }

    #[test]
    fn string_tag_makes_a_string_of_any_scalar() {
        let tree = json!({ "a": ["404", "null", "x"], "b": "true", "1": 2 });
        let text = "a: [!!str 404, !!str null, !!str x]\nb: !!str true\n!!str 1: 2\n";
        assert_eq!(parse(text).unwrap(), tree);
        for text in [
            "a: !!int 1",
            "a: ! 1",
            "a: !t x",
            "a: !!map {}",
            "a: !!seq []",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("$.a: tags other than `!!str`"), "{error}");
        }
    }

    #[test]
    fn merge_keys_are_rejected() {
        let error = parse("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "$.b: merge keys are not supported: write the fields out (line 3)"
        );
        for text in ["{'<<': 1}", "{\"<<\": 1}", "{!!str <<: 1}"] {
            assert_eq!(parse(text).unwrap(), json!({ "<<": 1 }), "{text}");
        }
        assert_eq!(parse("a: <<").unwrap(), json!({ "a": "<<" }));
    }

    #[test]
    fn errors_have_a_path() {
        for (text, message) in [
            ("a: [1, 2", "not YAML: line "),
            ("a:\n  b: 1\n  b: 2\n", "$.a: duplicate key `b` (line 3)"),
            ("{[1]: 2}", "a key must be a string"),
            ("", "the document is empty"),
            ("a: 1\n---\nb: 2\n", "a second document"),
            ("a: *b", "not YAML"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn json_may_escape_any_character() {
        let text = r#"{"a": "\ud83d\ude00 \u00e9 \\ud83d \"\n", "b\ud83d\ude00": 1}"#;
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text).unwrap(), expected);
        assert!(parse(r#"{"a": "\ud83d"}"#).is_err());
    }

    #[test]
    fn long_strings_count_as_several_values() {
        let text = "A".repeat(100_000);
        let many = vec!["*s"; 20_000].join(",");
        let error = parse(&format!("s: &s {text}\nl: [{many}]\n"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("after alias expansion"), "{error}");
    }

    #[test]
    fn bombs_are_rejected() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!(
                "a{level}: &a{level} [{}]\n",
                below.trim_end_matches(", ")
            ));
        }
        assert!(
            parse(&bomb)
                .unwrap_err()
                .to_string()
                .contains("after alias expansion")
        );
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
        let error = parse(&format!("{}{}", "[".repeat(80), "]".repeat(80)))
            .unwrap_err()
            .to_string();
        assert!(error.contains("levels deep"), "{error}");
        // Each anchor contains the one before it.
        let chain = |count: usize, levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let mut text = format!("a0: &a0 {open}{close}\n");
            for n in 1..count {
                text.push_str(&format!("a{n}: &a{n} {open}*a{}{close}\n", n - 1));
            }
            parse(&text).map_err(|error| error.to_string())
        };
        for (count, levels) in [(120, 60), (2, 40), (64, 1)] {
            let error = chain(count, levels).unwrap_err();
            assert!(error.contains("levels deep"), "{error}");
        }
        assert!(chain(63, 1).is_ok() && chain(2, 31).is_ok());
    }
}
