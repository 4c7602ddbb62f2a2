//! Tests of the compact deserializer against serde_json: whatever it accepts must have the same value.

use std::{collections::BTreeMap, fmt::Debug};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use super::Compact;
use crate::{Contracts, Decimal, Dollars, Id, json_object::JsonObject};

/// A struct with fields of all types that occur in messages.
#[derive(Deserialize, Debug, PartialEq)]
struct Body {
    ticker: String,
    id: Option<Id>,
    price: Dollars,
    count: Option<Contracts>,
    number: i64,
    unsigned: Option<u64>,
    small: Option<u8>,
    flag: Option<bool>,
    share: Option<f64>,
    #[serde(default, with = "crate::rt::optional_time")]
    ts: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    levels: Vec<(Dollars, Contracts)>,
    #[serde(default)]
    names: BTreeMap<String, i64>,
    #[serde(default)]
    numbers: BTreeMap<i64, bool>,
    details: Option<JsonObject>,
    rate: Option<Decimal>,
    #[serde(default)]
    rates: Vec<Decimal>,
    kind: Option<Kind>,
    any: Option<Value>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    With(u8),
}

const BODIES: [&str; 6] = [
    r#"{"ticker":"KXRAIN-26DEC01-T1.99","id":"943fcfe7-68a7-48aa-84b0-9b5ed2d5b922","price":"0.4300","count":"-12.50","number":1795532645123,"flag":true,"ts":"2026-11-24T15:04:05.123Z"}"#,
    r#"{"ticker":"é","price":"0.99","number":-5,"levels":[["0.0100","5.00"],["0.0200","7.00"]],"names":{"a":1,"b":2},"later":[{},[null,false]],"unsigned":18446744073709551615}"#,
    r#"{"ticker":"","price":"1","number":0,"numbers":{"7":true},"small":255,"share":0.5,"any":{"a":[1,-2,"x",null]},"id":null}"#,
    r#"{"ticker":"A","price":"0.1","number":7,"share":-0.125e1,"details":{"a":[1.5,{"b":"\u00e9 }"}], "c":null},"any":{"b":15}}"#,
    r#"{"ticker":"quoted \"","price":"0.1","number":9223372036854775807,"details":{"a":1},"kind":"plain","any":{"b":1.5}}"#,
    r#"{"ticker":"A","price":"0.1","number":7,"rate":-0.0000143268415739,"rates":[0,-0,1.5,10,1e-05,-2E+3,0.1000000000000000055],"count":null}"#,
];

const PIECES: [&str; 45] = [
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "0",
    "1",
    "-",
    ".",
    "e",
    " ",
    "\n",
    "\t",
    "\u{7f}",
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "é",
    "-0",
    "00",
    "01",
    "1.5",
    "1e3",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "\\u0041",
    "\\n",
    "\\/\\\"",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\x",
    "\u{1f}",
    "\"\"",
    r#""number":1,"#,
    r#","price":"1""#,
    r#"{"with":3}"#,
    "256",
    "99999999999999999999",
];

fn compact<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    let mut compact = Compact::new(text);
    let value = T::deserialize(&mut compact).ok()?;
    compact.end().ok()?;
    Some(value)
}

/// Returns `true` if the compact deserializer accepts the text. Panics if it then differs from serde_json.
fn equals_serde_json<'de, T: Deserialize<'de> + Debug + PartialEq>(text: &'de str) -> bool {
    let Some(value) = compact::<T>(text) else {
        return false;
    };
    let expected = serde_json::from_str::<T>(text);
    assert!(
        expected.as_ref().is_ok_and(|expected| *expected == value),
        "{text}: {value:?}, not {expected:?}"
    );
    true
}

fn check(text: &str) -> usize {
    let is_ignored = compact::<IgnoredAny>(text).is_some();
    assert!(
        !is_ignored || serde_json::from_str::<IgnoredAny>(text).is_ok(),
        "{text}"
    );
    let accepted = [
        equals_serde_json::<Body>(text),
        equals_serde_json::<Value>(text),
        equals_serde_json::<Vec<i64>>(text),
    ];
    accepted.into_iter().filter(|accepted| *accepted).count()
}

#[test]
fn usual_bodies_are_accepted_and_equal() {
    let [first, second, _, fractions, _, numbers] = BODIES;
    assert!(equals_serde_json::<Body>(numbers));
    assert_eq!(
        check(fractions),
        1,
        "whitespace is accepted in free-form objects only"
    );
    assert_eq!(
        (check(first), equals_serde_json::<Body>(second)),
        (2, false),
        "a number of 20 digits"
    );
    let fewer = second.replace("18446744073709551615", "1844674407370955161");
    assert_eq!((check(&fewer), check("[1,-2,0]")), (2, 2));
    assert!(compact::<IgnoredAny>(first).is_some());
}

#[test]
fn modified_bodies_are_rejected_or_equal() {
    let mut accepted = 0;
    for text in BODIES {
        for at in 0..=text.len() {
            for piece in PIECES {
                for taken in 0..=3 {
                    if let (Some(before), Some(after)) = (text.get(..at), text.get(at + taken..)) {
                        accepted += check(&format!("{before}{piece}{after}"));
                    }
                }
            }
        }
    }
    assert!(accepted > 10_000, "{accepted}");
}

#[test]
fn random_json_is_rejected_or_equal() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut text = String::new();
        write_value(&mut text, &mut random, 0);
        accepted += usize::from(check(&text) > 0);
        let mut spliced = BODIES[random.usize(..BODIES.len())].to_owned();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..=spliced.len());
            if spliced.is_char_boundary(at) {
                spliced.insert_str(at, PIECES[random.usize(..PIECES.len())]);
            }
        }
        check(&spliced);
    }
    assert!(accepted > 5_000, "{accepted}");
}

/// Appends a random value, usually a valid one.
fn write_value(text: &mut String, random: &mut fastrand::Rng, depth: usize) {
    let kind = random.usize(..if depth < 4 { 8 } else { 4 });
    match kind {
        0 => text.push_str(["null", "true", "false", "\"\""][random.usize(..4)]),
        1 => text.push_str(&random.i64(..).to_string()),
        2 => text.push_str(&(random.i64(..) >> random.u8(1..63)).to_string()),
        3 => write_string(text, random),
        4 | 5 => {
            text.push('[');
            for index in 0..random.usize(..4) {
                text.push_str(if index > 0 { "," } else { "" });
                write_value(text, random, depth + 1);
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            for index in 0..random.usize(..4) {
                text.push_str(if index > 0 { "," } else { "" });
                write_string(text, random);
                text.push(':');
                write_value(text, random, depth + 1);
            }
            text.push('}');
        }
    }
    if random.usize(..200) == 0 {
        text.push_str(PIECES[random.usize(..PIECES.len())]);
    }
}

fn write_string(text: &mut String, random: &mut fastrand::Rng) {
    let letters = [
        'a', 'Z', '0', ' ', 'é', '\u{7f}', '€', '😀', '/', '!', '#', '[',
    ];
    text.push('"');
    for _ in 0..random.usize(..30) {
        text.push(letters[random.usize(..letters.len())]);
    }
    if random.usize(..3) == 0 {
        text.push_str([r"\n", r"\u00e9", r#"\""#, r"\\"][random.usize(..4)]);
    }
    if random.usize(..20) == 0 {
        text.push_str(["\\", "\u{1}", "\"", r"\ude00"][random.usize(..4)]);
    }
    text.push('"');
}

#[test]
fn strings_end_at_every_length() {
    for length in 0..40 {
        for fill in ["a", "!", "#", "[", "]", "\u{7f}", " "] {
            let text = format!("\"{}\"", fill.repeat(length));
            assert_eq!(compact::<&str>(&text), Some(&text[1..=length]), "{text}");
            for special in (0..0x20).map(char::from).chain(['"', '\\']) {
                for at in 1..=length {
                    let mut text = text.clone();
                    text.insert(at, special);
                    assert_eq!(compact::<&str>(&text), None, "{text:?}");
                }
            }
        }
    }
}

#[test]
fn escapes_are_decoded() {
    let body = BODIES[0].replace("KXRAIN", r#"\"KX\u00e9\""#);
    assert!(equals_serde_json::<Body>(&body));
    for text in [
        r#""\"""#,
        r#""\\""#,
        r#""a\n\n""#,
        r#""\u00b0C""#,
        r#""\ud83d\ude00""#,
        r#"{"na\u006de\"":["\/"]}"#,
    ] {
        assert!(equals_serde_json::<Value>(text), "{text}");
    }
    assert_eq!(compact::<String>(r#""a\tb""#).as_deref(), Some("a\tb"));
    for text in [
        r#""\""#,
        r#""\"#,
        r#""\\\""#,
        r#""\ud83d""#,
        r#""\u12""#,
        r#""\é""#,
        "\"\\n\n\"",
        r#""a\n"#,
    ] {
        assert!(compact::<IgnoredAny>(text).is_none(), "{text}");
        assert!(compact::<String>(text).is_none(), "{text}");
    }
}

/// A value that is `None` if it does not decode.
#[derive(Debug, PartialEq)]
struct Lenient<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

#[derive(Deserialize, Debug, PartialEq)]
struct Inner {
    _a: i64,
}

#[test]
fn ignored_errors_do_not_make_invalid_json_valid() {
    type Outer<T> = BTreeMap<String, Lenient<T>>;
    for text in [
        r#"{"x":{}"#,
        r#"{"x":{"_a":"b"}"#,
        r#"{"x":{}}"#,
        r#"{"x":[]}"#,
    ] {
        assert_eq!(compact::<Outer<Inner>>(text), None, "{text}");
    }
    for text in [
        r#"{"x":-9999999999999999999}"#,
        r#"{"x":-0}"#,
        r#"{"x":-}"#,
        r#"{"x":1.0.0}"#,
        r#"{"x":1e99999999999}"#,
        r#"{"x":}"#,
        r#"{"x":,"y":1}"#,
    ] {
        assert_eq!(compact::<Outer<f64>>(text), None, "{text}");
    }
    for text in [
        r#"{"x":"}"#,
        r#"{"x":"\}"#,
        r#"{"x":"\ud83d"}"#,
        "{\"x\":\"\n}",
        r#"{"x":}"#,
        r#"{"x":,"y":"a"}"#,
    ] {
        assert_eq!(compact::<Outer<String>>(text), None, "{text}");
        equals_serde_json::<Outer<JsonObject>>(text);
    }
    for text in [r#"[",1]"#, r#"["]"#, "[1,]", "[,1]", "[,]"] {
        assert_eq!(compact::<Vec<Lenient<String>>>(text), None, "{text}");
        assert_eq!(compact::<Vec<Lenient<i64>>>(text), None, "{text}");
        assert_eq!(compact::<Vec<Lenient<bool>>>(text), None, "{text}");
        assert_eq!(compact::<Vec<Lenient<char>>>(text), None, "{text}");
        assert_eq!(compact::<Vec<Lenient<Option<f32>>>>(text), None, "{text}");
    }
    let small = r#"{"x":300,"y":3}"#;
    assert_eq!(
        compact::<Outer<u8>>(small),
        serde_json::from_str(small).ok()
    );
}

#[test]
fn exact_text_of_fractions_is_left_to_serde_json() {
    for text in ["1.5", "1e3", "-0.1", "[1.10]"] {
        assert_eq!(compact::<Value>(text), None, "{text}");
        assert!(compact::<IgnoredAny>(text).is_some(), "{text}");
    }
    assert_eq!(
        (compact::<f64>("1.5"), compact::<f32>("1.5")),
        (Some(1.5), None)
    );
}

#[test]
fn deep_and_special_values_are_left_to_serde_json() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(compact::<IgnoredAny>(&nested(32)).is_some());
    assert!(compact::<IgnoredAny>(&nested(33)).is_none());
    assert!(compact::<IgnoredAny>(&"[".repeat(100_000)).is_none());
    assert!(compact::<&RawValue>("{}").is_none());
    assert_eq!(compact::<JsonObject>("{}"), serde_json::from_str("{}").ok());
    assert!(
        compact::<JsonObject>("[]").is_none() && compact::<JsonObject>("{\"a\":1e999}").is_none()
    );
    for text in [
        "-0",
        "01",
        "1.",
        "1.0.0",
        "1e",
        "1e999",
        "-01.5",
        "-0",
        "-",
        "",
        "1 ",
        " 1",
        "-9223372036854775809",
        "tru",
        "nul",
    ] {
        assert!(compact::<Value>(text).is_none(), "{text}");
    }
    assert_eq!(compact::<i64>("-9223372036854775808"), Some(i64::MIN));
}
