//! Row-by-row decoding of a page that does not decode because of some of its rows.

use std::fmt;

use bytes::{Buf, Bytes};
use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Deserializer, value::RawValue};

use crate::{error::Error, json_path};

/// The rows of a page, which are decoded one at a time.
pub(crate) struct Rows {
    /// The error of the whole page.
    pub(crate) error: Error,
    /// The rest of the list after the last row returned. Valid JSON, because the page was parsed before.
    list: Bytes,
    field: &'static str,
    index: usize,
}

impl Rows {
    /// Splits the page that failed with `error` into the rows of the list `field` and the page without the rows of any of its
    /// `lists`. Returns the error if the invalid value is outside these lists.
    pub(crate) fn split<T: DeserializeOwned>(
        field: &'static str,
        lists: &[&str],
        error: Error,
    ) -> Result<(T, Self), Error> {
        let Some(body) = error.shared_body().cloned() else {
            return Err(error);
        };
        let is_of_row = error.decode_path().is_some_and(|path| {
            let rest = path.strip_prefix("$.").unwrap_or_default();
            let mut lists = lists.iter().filter_map(|list| rest.strip_prefix(list));
            lists.any(|rest| rest.starts_with('['))
        });
        if !is_of_row {
            return Err(error);
        }
        let Some((list, rest)) = list_and_rest(field, lists, &body) else {
            return Err(error);
        };
        match serde_json::from_str(&rest) {
            Ok(page) => Ok((
                page,
                Self {
                    error,
                    list: body.slice_ref(list),
                    field,
                    index: 0,
                },
            )),
            Err(_) => Err(error),
        }
    }

    /// Returns `true` if every row was returned.
    pub(crate) fn is_finished(&self) -> bool {
        let is_separator = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        self.list.iter().all(is_separator)
    }

    /// Decodes the next row. Returns `None` after the last one.
    pub(crate) fn next<I: DeserializeOwned>(&mut self) -> Option<Result<I, Error>> {
        let separators = self
            .list
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace() || **byte == b',')
            .count();
        self.list.advance(separators);
        if self.list.is_empty() {
            return None;
        }
        let mut values = Deserializer::from_slice(&self.list).into_iter::<&RawValue>();
        let row = values.next()?.ok()?.get();
        let result = serde_json::from_str(row).map_err(|error| {
            let inner = json_path::of(row.as_bytes(), &error);
            let inner = inner.strip_prefix('$').unwrap_or(&inner);
            let path = format!("$.{}[{}]{inner}", self.field, self.index);
            let row = Bytes::copy_from_slice(row.as_bytes());
            self.error.for_row(path, row, &error)
        });
        let length = row.len();
        self.list.advance(length);
        self.index += 1;
        Some(result)
    }
}

/// Returns the content of the list `field` of an object, and the object with all `lists` emptied. Returns `None` if a list occurs
/// twice or `field` is not a list.
fn list_and_rest<'a>(field: &str, lists: &[&str], body: &'a [u8]) -> Option<(&'a [u8], String)> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Deserializer::from_str(text);
    let found = reader.deserialize_map(ListsOf(lists)).ok()??;
    reader.end().ok()?;
    let (mut own, mut rest, mut end) = (None, String::new(), 0);
    for (name, list) in found {
        let content = list.get().strip_prefix('[');
        let Some(content) = content.and_then(|content| content.strip_suffix(']')) else {
            continue;
        };
        let start = content.as_ptr() as usize - text.as_ptr() as usize;
        rest.push_str(text.get(end..start)?);
        end = start + content.len();
        if name == field {
            own = Some(content.as_bytes());
        }
    }
    rest.push_str(text.get(end..)?);
    Some((own?, rest))
}

/// Visitor that finds the lists of an object, in the order of the JSON. Returns `None` if a list occurs twice.
struct ListsOf<'a>(&'a [&'a str]);

impl<'de, 'a> Visitor<'de> for ListsOf<'a> {
    type Value = Option<Vec<(&'a str, &'de RawValue)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found: Vec<(&str, _)> = Vec::new();
        let mut are_unique = true;
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.0.iter().find(|list| **list == name) {
                Some(list) => {
                    are_unique &= found.iter().all(|(other, _)| other != list);
                    found.push((list, fields.next_value()?));
                }
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(are_unique.then_some(found))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use reqwest::{Method, StatusCode};
    use serde::Deserialize;

    use super::*;
    use crate::operation::{Bucket, Operation};

    static OPERATION: Operation =
        Operation::new("GetThings", Method::GET, "/things", "", Bucket::Read);

    #[derive(Debug, Deserialize)]
    struct Page {
        cursor: String,
        things: Vec<Thing>,
        #[serde(default)]
        others: Option<Vec<u64>>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Thing {
        id: String,
        prices: Vec<u64>,
    }

    fn split(body: &str) -> Result<(Page, Rows), Error> {
        let source = serde_json::from_str::<Page>(body).unwrap_err();
        let path = json_path::of(body.as_bytes(), &source);
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let error = Error::decode(&OPERATION, StatusCode::OK, path, bytes, &source);
        Rows::split("things", &["things", "others"], error)
    }

    #[test]
    fn rows_are_decoded_separately() {
        let body = r#" { "things" : [ {"id":"a","prices":[]} ,{"id":"b","prices":[1, "x"]}, null,
            {"prices":[]}, 7 ,[{}], {"id":"\"],[","prices":[1]}] , "cursor":"c", "new":[1,2]} "#;
        let (page, mut rows) = split(body).unwrap();
        assert_eq!((page.cursor.as_str(), page.things.len()), ("c", 0));
        let all: Vec<Result<Thing, Error>> = std::iter::from_fn(|| rows.next()).collect();
        let good: Vec<_> = all
            .iter()
            .flatten()
            .map(|thing| thing.id.as_str())
            .collect();
        assert_eq!(good, ["a", "\"],["]);
        let bad: Vec<_> = all.iter().filter_map(|row| row.as_ref().err()).collect();
        let paths: Vec<_> = bad
            .iter()
            .map(|error| error.decode_path().unwrap())
            .collect();
        assert_eq!(
            paths,
            [
                "$.things[1].prices[1]",
                "$.things[2]",
                "$.things[3].id",
                "$.things[4]",
                "$.things[5][0]"
            ]
        );
        assert_eq!(bad[0].body().unwrap(), br#"{"id":"b","prices":[1, "x"]}"#);
        assert!(bad.iter().all(|error| error.is_row() && error.is_decode()));
    }

    #[test]
    fn invalid_rows_of_another_list_do_not_matter() {
        for body in [
            r#"{"others":["x"],"things":[{"id":"a","prices":[]},{"id":1}],"cursor":"c"}"#,
            r#"{"things":[{"id":"a","prices":[]},{"id":1}],"cursor":"c","others":[null]}"#,
            r#"{"things":[{"id":"a","prices":[]},{"id":1}],"cursor":"c","others":null}"#,
        ] {
            let (page, mut rows) = split(body).unwrap();
            assert_eq!(page.others.unwrap_or_default(), [0; 0]);
            assert!(!rows.is_finished());
            let all: Vec<Result<Thing, Error>> = std::iter::from_fn(|| rows.next()).collect();
            assert_eq!(all[0].as_ref().unwrap().id, "a");
            let path = all[1].as_ref().unwrap_err().decode_path();
            assert!(path.unwrap().starts_with("$.things[1].id"));
            assert!(rows.is_finished() && all.len() == 2);
        }
    }

    #[test]
    fn invalid_value_outside_the_rows_is_an_error_of_the_page() {
        for body in [
            r#"{"things":[{"id":1}],"cursor":7}"#,
            r#"{"things":[{"id":1}]}"#,
            r#"{"things":[{"id":1}],"cursor":""#,
            r#"{"things":[{"id":1}],"cursor":""} x"#,
            r#"{"things":[{"id":1}],"things":[],"cursor":""}"#,
            r#"{"things":{"id":1},"cursor":""}"#,
            r#"{"cursor":""}"#,
            "<html>",
            "",
        ] {
            let error = split(body).err().unwrap();
            assert!(error.is_decode() && !error.is_row(), "{body}");
            assert_eq!(error.body(), Some(body.as_bytes()));
        }
    }

    proptest! {
        /// The rows that decode are the same as if each were decoded alone, in the same order.
        #[test]
        fn valid_rows_are_returned_despite_invalid_ones(rows in prop::collection::vec("[ -~]{0,12}", 0..8), kinds in prop::collection::vec(any::<bool>(), 8)) {
            let thing = |(id, good): (&String, &bool)| match good {
                true => serde_json::json!({"id": id, "prices": [1]}),
                false => serde_json::json!({"id": id, "prices": id}),
            };
            let list: Vec<_> = rows.iter().zip(&kinds).map(thing).collect();
            let body = serde_json::json!({"things": list, "cursor": "c"}).to_string();
            let good = rows.iter().zip(&kinds).filter(|(_, good)| **good).count();
            if good < rows.len() {
                let (_, mut rest) = split(&body).unwrap();
                let all: Vec<Result<Thing, Error>> = std::iter::from_fn(|| rest.next()).collect();
                prop_assert_eq!(all.len(), rows.len());
                for (row, (id, good)) in all.into_iter().zip(rows.iter().zip(&kinds)) {
                    match row {
                        Ok(thing) => prop_assert!(*good && thing.id == *id),
                        Err(error) => prop_assert!(!good && error.is_row()),
                    }
                }
            }
        }
    }
}
