//! JSON paths for the line and column of decoding errors, so that an error can name the field.
//!
//! Bodies are untrusted: the work is linear in the length of the body, and the depth and length of a path are limited.

use std::fmt::Write as _;

use crate::excerpt;

/// Maximum depth of a path. serde_json decodes no deeper, but it skips values that are nested deeper.
const MAX_DEPTH: usize = 128;

/// Maximum length of a path in characters. A longer one is truncated with an ellipsis.
const MAX_LENGTH: usize = 256;

/// Maximum length of one field name in a path, in characters.
const MAX_NAME: usize = 64;

/// Returns the path of the field or item at a line and column of `text`, as counted by serde_json (both from 1).
pub(crate) fn at(text: &[u8], line: usize, column: usize) -> String {
    let end = excerpt::offset(text, line, column);
    render(&open_segments(text.get(..end).unwrap_or_default()))
}

/// Returns the path of the missing field `name`. serde_json reports the end of the object that lacks it.
pub(crate) fn missing(text: &[u8], line: usize, column: usize, name: &str) -> String {
    format!(
        "{}.{}",
        at(text, line, column),
        excerpt::short(name, MAX_NAME)
    )
}

/// Returns the path of the value that caused `error`.
pub(crate) fn of(text: &[u8], error: &serde_json::Error) -> String {
    let message = error.to_string();
    let missing_field = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'));
    if let Some((name, _)) = missing_field {
        return missing(text, error.line(), error.column(), name);
    }
    let end = excerpt::offset(text, error.line(), error.column());
    let text = text.get(..end).unwrap_or_default();
    // For a value that was parsed from raw JSON, serde_json reports a position after the next comma or closing bracket.
    let before = match text.trim_ascii_end() {
        [rest @ .., b'}' | b']' | b','] => rest.trim_ascii_end(),
        _ => text,
    };
    let text = match is_about_end_of(before, &message) {
        true => before,
        false => text,
    };
    render(&open_segments(text))
}

/// Returns `true` if the message can be about the value at the end of `text`: if it is about a scalar, or about an object or a list as
/// which the text ends. The message may also be about the parent, whose path is one level shorter: the two cannot be distinguished.
fn is_about_end_of(text: &[u8], message: &str) -> bool {
    const SCALARS: [&str; 5] = ["boolean", "floating point", "integer", "null", "string"];
    // Messages about the content of an object that was parsed from raw JSON.
    const CONTENT: [&str; 6] = [
        "invalid unicode",
        "lone",
        "number out of range",
        "recursion limit",
        "reserved field name",
        "unexpected end of hex escape",
    ];
    let found = message.strip_prefix("invalid type: ").unwrap_or_default();
    let is_invalid_object = || CONTENT.iter().any(|start| message.starts_with(start));
    // Messages about amounts and numbers begin with the quoted value.
    message.starts_with('"')
        || SCALARS.iter().any(|kind| found.starts_with(kind))
        || text.ends_with(b"}") && (found.starts_with("map") || is_invalid_object())
        || found.starts_with("sequence") && text.ends_with(b"]")
}

/// One level of a path. Names are raw, with their escapes.
enum Segment<'a> {
    Field { name: &'a [u8], in_value: bool },
    Item(usize),
}

/// Returns the objects and lists that are open at the end of `text`, the outermost first and at most [`MAX_DEPTH`].
fn open_segments(text: &[u8]) -> Vec<Segment<'_>> {
    let mut open: Vec<Segment<'_>> = Vec::new();
    // Number of open levels below the last segment of `open`.
    let mut deeper = 0_usize;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => {
                let (string, tail) = string(rest);
                rest = tail;
                if let (
                    0,
                    Some(Segment::Field {
                        name,
                        in_value: false,
                    }),
                ) = (deeper, open.last_mut())
                {
                    *name = string;
                }
            }
            b'{' | b'[' if open.len() >= MAX_DEPTH => deeper += 1,
            b'{' => open.push(Segment::Field {
                name: b"",
                in_value: false,
            }),
            b'[' => open.push(Segment::Item(0)),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => {
                open.pop();
            }
            b':' if deeper == 0 => {
                if let Some(Segment::Field { in_value, .. }) = open.last_mut() {
                    *in_value = true;
                }
            }
            b',' if deeper == 0 => match open.last_mut() {
                Some(Segment::Item(index)) => *index += 1,
                Some(Segment::Field { in_value, .. }) => *in_value = false,
                None => {}
            },
            _ => {}
        }
    }
    open
}

fn render(segments: &[Segment<'_>]) -> String {
    let mut path = String::from("$");
    for segment in segments {
        // Writing to a string does not fail.
        _ = match segment {
            Segment::Item(index) => write!(path, "[{index}]"),
            Segment::Field { name, .. } => {
                // A character has at most four bytes.
                let start = name.get(..MAX_NAME * 4 + 4).unwrap_or(name);
                let name = String::from_utf8_lossy(start);
                write!(path, ".{}", excerpt::short(&name, MAX_NAME))
            }
        };
        if path.len() > MAX_LENGTH {
            break;
        }
    }
    excerpt::short(&path, MAX_LENGTH)
}

/// Splits after a string whose opening quote has been consumed.
fn string(text: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'"' if !escaped => return (&text[..index], &text[index + 1..]),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (text, &[])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fmt;

    use proptest::prelude::*;
    use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn path_leads_to_the_position() {
        let text = br#"{"a":1,"b":[{"c\"d":"x"},{"e":tru"#;
        assert_eq!(at(text, 1, text.len()), "$.b[1].e");
        assert_eq!(at(text, 1, 6), "$.a");
        assert_eq!(at(b"", 1, 0), "$");
        assert_eq!(at(b"[\n[1,\n2]]", 3, 1), "$[0][1]");
    }

    /// The path shows the outermost levels, and the work does not depend on the depth.
    #[test]
    fn depth_and_length_of_a_path_are_bounded() {
        let started = std::time::Instant::now();
        for unit in ["[", "{\"a\":", "{\"", "\"\\", "[{\"a\":["] {
            let text = unit.repeat(4_000_000 / unit.len());
            let path = at(text.as_bytes(), 1, text.len());
            assert!(path.chars().count() <= MAX_LENGTH, "{unit}: {path}");
            assert!(open_segments(text.as_bytes()).len() <= MAX_DEPTH, "{unit}");
        }
        let lists = "[".repeat(4_000_000);
        assert!(at(lists.as_bytes(), 1, lists.len()).starts_with("$[0][0][0]"));
        let long_name = format!("{{\"{}\": 1}}", "n".repeat(4_000_000));
        let path = at(long_name.as_bytes(), 1, long_name.len() - 1);
        assert!(path.chars().count() <= MAX_NAME + 2, "{path}");
        let lines = "\n".repeat(4_000_000);
        assert_eq!(at(lines.as_bytes(), 4_000_000, 1), "$");
        // A quadratic search would take hours.
        let elapsed = started.elapsed();
        assert!(elapsed.as_secs() < 60, "{elapsed:?}");
    }

    #[test]
    fn levels_beyond_the_limit_do_not_change_the_path() {
        for depth in [1, 127, 128, 129, 5_000] {
            let nested = format!("{}{}", "[{\"x\":".repeat(depth), "}]".repeat(depth));
            let text = format!("{{\"a\":[0,{nested},{{\"b\":!");
            assert_eq!(at(text.as_bytes(), 1, text.len()), "$.a[2].b", "{depth}");
        }
    }

    #[test]
    fn control_characters_in_names_are_replaced() {
        assert_eq!(at(b"{\"a\tb\x1b\": !", 1, 9), "$.a b ");
    }

    #[test]
    fn scalars_parsed_from_raw_json_are_located() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its errors matter")]
        struct Rates {
            rate: crate::Decimal,
            #[serde(default)]
            list: Vec<crate::Decimal>,
            #[serde(default)]
            map: std::collections::BTreeMap<String, crate::Decimal>,
            #[serde(default)]
            amount: Option<crate::Dollars>,
            #[serde(default)]
            details: crate::JsonObject,
            #[serde(default)]
            objects: Vec<crate::JsonObject>,
            #[serde(default)]
            inner: Option<Box<Rates>>,
        }
        for (text, path) in [
            (r#"{"rate":"x","list":[]}"#, "$.rate"),
            (r#"{"list":[],"rate":"x"}"#, "$.rate"),
            (r#"{"list":[], "rate": null }"#, "$.rate"),
            (r#"{"rate":1e99 , "list":[]}"#, "$.rate"),
            (r#"{"rate":1,"list":[1,true,2]}"#, "$.list[1]"),
            (r#"{"rate":1,"list":[1,true]}"#, "$.list[1]"),
            (r#"{"rate":1,"map":{"a":1,"b":"x"}}"#, "$.map.b"),
            (r#"{"rate":1,"map":{"a":"x","b":1}}"#, "$.map.a"),
            (r#"{"rate":1,"map":{},"amount":"x"}"#, "$.amount"),
            (r#"{"rate":1,"map":{},"amount":7}"#, "$.amount"),
            (r#"{"list":[],"rate":{}}"#, "$.rate"),
            (r#"{"rate":{"a":1} , "list":[]}"#, "$.rate"),
            (r#"{"rate":[[1]]}"#, "$.rate"),
            (r#"{"rate":1,"list":[1,[],2]}"#, "$.list[1]"),
            (r#"{"rate":1,"list":[1,{}]}"#, "$.list[1]"),
            (r#"{"rate":1,"list":{}}"#, "$.list"),
            (r#"{"rate":1,"map":{"a":[]}}"#, "$.map.a"),
            (r#"{"rate":1,"details":[1]}"#, "$.details"),
            (r#"{"rate":1,"details":[1],"map":{}}"#, "$.details"),
            (r#"{"rate":1,"details":{"a":1e999} }"#, "$.details"),
            (r#"{"details":{"a":1e999},"rate":1}"#, "$.details"),
            (r#"{"details":true,"rate":1}"#, "$.details"),
            (
                r#"{"rate":1,"objects":[{},{"a":1e999},{}]}"#,
                "$.objects[1]",
            ),
            (r#"{"rate":1,"objects":[{},[]]}"#, "$.objects[1]"),
            (
                r#"{"rate":1,"inner":{"rate":1,"details":[1]}}"#,
                "$.inner.details",
            ),
            (r#"{"inner":{"rate":{}},"rate":1}"#, "$.inner.rate"),
            (r#"{"rate":1,"map":[]}"#, "$.map"),
            (r#"{"rate":1,"objects":{}}"#, "$.objects"),
        ] {
            let error = serde_json::from_str::<Rates>(text).unwrap_err();
            assert_eq!(of(text.as_bytes(), &error), path, "{text}: {error}");
        }
    }

    #[test]
    fn missing_field_is_located_in_its_object() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its errors matter")]
        struct Outer {
            rows: Vec<Row>,
            total: u64,
        }
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its errors matter")]
        struct Row {
            price: u64,
            tags: Vec<u64>,
        }
        for (text, path) in [
            (
                r#"{"rows":[{"price":1,"tags":[]},{"tags":[1,2]}],"total":1}"#,
                "$.rows[1].price",
            ),
            (
                "{\n \"rows\": [ {\"price\": 1,\n \"tags\": [] } ]\n }",
                "$.total",
            ),
            (r#"{"rows":[{}],"total":1}"#, "$.rows[0].price"),
            ("{}", "$.rows"),
        ] {
            let error = serde_json::from_str::<Outer>(text).err();
            let error = error
                .as_ref()
                .map(|error| (error.line(), error.column(), error.to_string()));
            let (line, column, message) = error.unwrap_or_default();
            let name = message.split('`').nth(1).unwrap_or_default();
            assert_eq!(
                missing(text.as_bytes(), line, column, name),
                path,
                "{message}"
            );
        }
    }

    /// Deserializes any JSON except `null`.
    struct NoNull;

    impl<'de> Deserialize<'de> for NoNull {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Any;

            impl<'de> Visitor<'de> for Any {
                type Value = NoNull;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("no null")
                }

                fn visit_u64<E: Error>(self, _: u64) -> Result<NoNull, E> {
                    Ok(NoNull)
                }

                fn visit_str<E: Error>(self, _: &str) -> Result<NoNull, E> {
                    Ok(NoNull)
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NoNull, A::Error> {
                    while items.next_element::<NoNull>()?.is_some() {}
                    Ok(NoNull)
                }

                fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NoNull, A::Error> {
                    while members.next_entry::<String, NoNull>()?.is_some() {}
                    Ok(NoNull)
                }
            }

            deserializer.deserialize_any(Any)
        }
    }

    /// Generates trees with at least one `null`.
    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(7)),
            "[\"\\\\{}\\[\\],:a]{0,5}".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z{}:,_]{1,4}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// Compares the path with that of a deserializer that tracks its position.
        #[test]
        fn path_equals_that_of_a_tracking_deserializer(tree in tree(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap_or_default();
            if let Err(error) = serde_json::from_str::<NoNull>(&text) {
                let mut reader = serde_json::Deserializer::from_str(&text);
                let tracked = serde_path_to_error::deserialize::<_, NoNull>(&mut reader).err();
                let tracked = tracked.map(|error| error.path().to_string()).unwrap_or_default();
                let expected = match tracked.as_str() {
                    "." => "$".to_owned(),
                    path if path.starts_with('[') => format!("${path}"),
                    path => format!("$.{path}"),
                };
                prop_assert_eq!(at(text.as_bytes(), error.line(), error.column()), expected, "{}", text);
            }
        }

        #[test]
        fn arbitrary_input_does_not_panic(text in prop::collection::vec(any::<u8>(), 0..64), line in 0_usize..9, column in 0_usize..99) {
            prop_assert!(at(&text, line, column).chars().count() <= MAX_LENGTH);
            missing(&text, line, column, "x");
        }

        #[test]
        fn json_like_input_does_not_panic(text in "[\\[\\]{}:,\"\\\\ab\n]{0,600}", line in 0_usize..9, column in 0_usize..700) {
            prop_assert!(at(text.as_bytes(), line, column).chars().count() <= MAX_LENGTH);
            prop_assert!(open_segments(text.as_bytes()).len() <= MAX_DEPTH);
        }
    }
}
