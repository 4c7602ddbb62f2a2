//! JSON path of a line and column, so that a decoding error can name the field.

/// The path of the field or item at a line and column of `text`, both from 1 as serde_json counts them.
pub(crate) fn at(text: &[u8], line: usize, column: usize) -> String {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .by_ref()
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let end = before.saturating_add(column).min(text.len());
    let mut open: Vec<Segment> = Vec::new();
    let mut rest = text.get(..end).unwrap_or_default();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'"' => {
                let (string, tail) = string(rest);
                rest = tail;
                if let Some(Segment::Field {
                    name,
                    in_value: false,
                }) = open.last_mut()
                {
                    *name = String::from_utf8_lossy(string).into_owned();
                }
            }
            b'{' => open.push(Segment::Field {
                name: String::new(),
                in_value: false,
            }),
            b'[' => open.push(Segment::Item(0)),
            b'}' | b']' => {
                open.pop();
            }
            b':' => {
                if let Some(Segment::Field { in_value, .. }) = open.last_mut() {
                    *in_value = true;
                }
            }
            b',' => match open.last_mut() {
                Some(Segment::Item(index)) => *index += 1,
                Some(Segment::Field { in_value, .. }) => *in_value = false,
                None => {}
            },
            _ => {}
        }
    }
    open.iter()
        .fold(String::from("$"), |path, segment| match segment {
            Segment::Item(index) => format!("{path}[{index}]"),
            Segment::Field { name, .. } => format!("{path}.{name}"),
        })
}

/// The path of the missing field `name`; the error is reported at the end of its object.
pub(crate) fn missing(text: &[u8], line: usize, column: usize, name: &str) -> String {
    format!("{}.{name}", at(text, line, column))
}

/// One level of a path.
enum Segment {
    Field { name: String, in_value: bool },
    Item(usize),
}

/// Splits at the end of a string whose opening quote has been consumed.
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
mod tests {
    use std::fmt;

    use proptest::prelude::*;
    use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn places_have_their_path() {
        let text = br#"{"a":1,"b":[{"c\"d":"x"},{"e":tru"#;
        assert_eq!(at(text, 1, text.len()), "$.b[1].e");
        assert_eq!(at(text, 1, 6), "$.a");
        assert_eq!(at(b"", 1, 0), "$");
        assert_eq!(at(b"[\n[1,\n2]]", 3, 1), "$[0][1]");
    }

    #[test]
    fn a_missing_member_is_found_in_its_object() {
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

    /// Takes any JSON but `null`.
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

    /// Trees with at least one `null`, and texts full of what JSON is made of.
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
        /// The path is the one that a reader which keeps track of it finds.
        #[test]
        fn the_path_of_a_fault_is_right(tree in tree(), pretty in any::<bool>()) {
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
        fn no_text_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..64), line in 0_usize..9, column in 0_usize..99) {
            at(&text, line, column);
            missing(&text, line, column, "x");
        }
    }
}
