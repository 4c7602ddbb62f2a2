//! Tests of decimal numbers: parsing, JSON, comparison and rounding.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Decodes with the deserializer used for responses and with serde_json alone, which must agree.
fn json(text: &str) -> Option<Decimal> {
    let by_serde: Option<Decimal> = serde_json::from_str(text).ok();
    assert_eq!(crate::rt::from_json(text).ok(), by_serde, "{text}");
    by_serde
}

#[test]
fn numbers_sent_by_the_exchange_round_trip() {
    for text in [
        "0",
        "0.0005",
        "0.0012",
        "0.0000143268415739",
        "-0.0002874630134201",
        "5.899",
        "-3.1239",
        "1.3",
        "7.6679",
        "0.02",
        "12345678901234567890.123456789012345678",
    ] {
        assert_eq!(decimal(text).to_string(), text);
        assert_eq!(json(text), Some(decimal(text)), "{text}");
        assert_eq!(serde_json::to_string(&decimal(text)).unwrap(), text);
    }
}

#[test]
fn equal_values_are_equal_numbers() {
    for (text, same) in [
        ("-0", "0"),
        ("0.000", "0"),
        ("0e7", "0"),
        ("-0.0e-3", "0"),
        ("1e-05", "0.00001"),
        ("1E-7", "0.0000001"),
        ("15e-1", "1.50"),
        ("1.0", "1"),
        ("120", "1.2e+2"),
        ("1e37", "10000000000000000000000000000000000000"),
        ("1e-38", "0.00000000000000000000000000000000000001"),
        ("1000e-41", "1e-38"),
        ("007.50", "7.5"),
    ] {
        assert_eq!(decimal(text), decimal(same), "{text}");
        assert_eq!(decimal(text).cmp(&decimal(same)), Ordering::Equal, "{text}");
    }
    assert_eq!(decimal("120").scale(), 0);
    assert_eq!(
        (decimal("-0.0300").mantissa(), decimal("-0.0300").scale()),
        (-3, 2)
    );
    assert_eq!(Decimal::new(1500, 3), Ok(decimal("1.5")));
}

#[test]
fn malformed_and_oversized_numbers_are_errors() {
    for text in [
        "", "-", ".", "5.", ".5", "+1", " 1", "1 ", "NaN", "inf", "1,0", "0x1", "--1", "1.2.3",
        "1e", "1e+", "1e1.5", "1ee1", "e5", "\u{0661}", "1_0",
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(MoneyError::NotDecimal),
            "{text:?}"
        );
    }
    for text in [
        "1e38",
        "1e999999999",
        "1e99999999999",
        "999999999999999999999999999999999999999",
    ] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(MoneyError::OutOfRange),
            "{text}"
        );
        assert_eq!(json(text), None, "{text}");
    }
    let long = format!("0.{}", "0".repeat(200));
    assert_eq!(long.parse::<Decimal>(), Err(MoneyError::OutOfRange));
    let decimals = Decimal::MAX_DECIMALS;
    for text in ["1e-39", "1e-999999999"] {
        assert_eq!(
            text.parse::<Decimal>(),
            Err(MoneyError::TooPrecise { decimals }),
            "{text}"
        );
    }
    assert_eq!(Decimal::new(i128::MIN, 0), Err(MoneyError::OutOfRange));
}

#[test]
fn json_other_than_a_number_is_an_error() {
    for text in [
        "null",
        "true",
        "false",
        "{}",
        "[1]",
        "\"\"",
        "\"abc\"",
        "-",
        "01",
        "1.",
        "{\"a\":1}",
    ] {
        assert_eq!(json(text), None, "{text}");
    }
    let error = serde_json::from_str::<Decimal>("[1]").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("invalid type: sequence, expected a number"),
        "{error}"
    );
    let error = serde_json::from_str::<Decimal>("1e50").unwrap_err();
    assert!(
        error.to_string().starts_with("\"1e50\" is out of range"),
        "{error}"
    );
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Row {
    rate: Decimal,
    #[serde(default)]
    optional: Option<Decimal>,
    #[serde(default)]
    by_ticker: BTreeMap<String, Decimal>,
    #[serde(default)]
    list: Vec<Vec<Decimal>>,
}

#[derive(Debug, Deserialize)]
struct Flat {
    #[serde(flatten)]
    row: Row,
}

const ROW: &str = r#"{"rate":0.0000143268415739,"optional":null,"by_ticker":{"KXBTCPERP":5.899,"KXETHPERP":0},"list":[[-0.02,1e-05],[]]}"#;

#[test]
fn numbers_decode_in_nested_and_flattened_fields() {
    let row: Row = crate::rt::from_json(ROW).unwrap();
    assert_eq!(row, serde_json::from_str(ROW).unwrap());
    let value: serde_json::Value = serde_json::from_str(ROW).unwrap();
    assert_eq!(row, serde_json::from_value(value.clone()).unwrap());
    assert_eq!(row, serde_json::from_reader(ROW.as_bytes()).unwrap());
    // Flattened fields go through an `f64`, which is exact for the digits that the exchange sends.
    assert_eq!(row, serde_json::from_str::<Flat>(ROW).unwrap().row);
    assert_eq!(serde_json::to_value(&row).unwrap(), value);
    assert_eq!(row.rate, decimal("0.0000143268415739"));
    assert_eq!(row.optional, None);
    assert_eq!(row.by_ticker["KXETHPERP"], Decimal::ZERO);
    assert_eq!(row.list[0], [decimal("-0.02"), decimal("0.00001")]);
    assert_eq!(json(r#""0.25""#), Some(decimal("0.25")));
    assert_eq!(json(r#""0.2\u0035""#), Some(decimal("0.25")));
}

/// With the feature `arbitrary_precision` of serde_json, which another dependency may enable, a flattened number is a map.
#[test]
fn number_buffered_with_its_exact_text_decodes() {
    let buffered = |text| {
        let fields = std::iter::once(("$serde_json::private::Number", text));
        let map = serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(fields);
        Decimal::deserialize(map)
    };
    assert_eq!(buffered("0.5"), Ok(decimal("0.5")));
    assert_eq!(buffered("-1e-5"), Ok(decimal("-0.00001")));
    assert!(buffered("{}").is_err());
}

#[test]
fn rounding_modes_round_as_documented() {
    use Rounding::{Down, HalfEven, TowardsZero, Up};
    for (text, places, rounding, expected) in [
        ("0.125", 2, HalfEven, "0.12"),
        ("0.135", 2, HalfEven, "0.14"),
        ("-0.125", 2, HalfEven, "-0.12"),
        ("-0.1251", 2, HalfEven, "-0.13"),
        ("0.121", 2, Up, "0.13"),
        ("-0.129", 2, Up, "-0.12"),
        ("0.129", 2, Down, "0.12"),
        ("-0.121", 2, Down, "-0.13"),
        ("0.129", 2, TowardsZero, "0.12"),
        ("-0.129", 2, TowardsZero, "-0.12"),
        ("0.996", 2, HalfEven, "1"),
        ("7", 2, Up, "7"),
    ] {
        assert_eq!(
            decimal(text).round(places, rounding),
            decimal(expected),
            "{text} {rounding:?}"
        );
    }
    assert_eq!(format!("{:.4}", decimal("0.00005")), "0.0000");
    assert_eq!(format!("{:.4}", decimal("-0.00005")), "0.0000");
    assert_eq!(
        format!(
            "{:.3}|{:>8.2}|{:.0}",
            decimal("5.8"),
            decimal("-1.005"),
            decimal("2.5")
        ),
        "5.800|   -1.00|2"
    );
}

#[test]
fn product_with_a_rate_is_exact_before_rounding() {
    let amount: Dollars = "-2500.000001".parse().unwrap();
    let product = |rounding| amount.checked_mul_decimal(decimal("0.0003"), rounding);
    assert_eq!(
        product(Rounding::Down),
        Some(Dollars::from_micros(-750_001))
    );
    assert_eq!(product(Rounding::Up), Some(Dollars::from_micros(-750_000)));
    assert_eq!(
        product(Rounding::HalfEven),
        Some(Dollars::from_micros(-750_000))
    );
    let max = Dollars::from_micros(i64::MAX);
    assert_eq!(
        max.checked_mul_decimal(decimal("1.1"), Rounding::Down),
        None
    );
    assert_eq!(
        max.checked_mul_decimal(decimal("1e37"), Rounding::Down),
        None
    );
    assert_eq!(
        max.checked_mul_decimal(Decimal::ONE, Rounding::Down),
        Some(max)
    );
}

fn numbers() -> impl Strategy<Value = Decimal> {
    (any::<i128>(), 0..=38_u32, 0..=38_u32)
        .prop_filter_map("in range", |(mantissa, digits, scale)| {
            Decimal::new(mantissa % 10_i128.pow(digits), scale).ok()
        })
}

proptest! {
    #[test]
    fn text_and_json_round_trip(number in numbers()) {
        let text = number.to_string();
        prop_assert_eq!(text.parse(), Ok(number));
        prop_assert_eq!(json(&text), Some(number));
        prop_assert_eq!(json(&serde_json::to_string(&number).unwrap()), Some(number));
        prop_assert_eq!(text, serde_json::to_string(&number).unwrap().parse::<Decimal>().unwrap().to_string());
    }

    /// Go prints a `float64` as the shortest digits that denote it, sometimes with an exponent.
    #[test]
    fn every_float_round_trips(float in prop::num::f64::NORMAL, exponent in -15..20_i32) {
        let float = (float % 1000.0) * 10_f64.powi(exponent);
        for text in [format!("{float}"), format!("{float:e}")] {
            if let Ok(number) = text.parse::<Decimal>() {
                prop_assert_eq!(json(&text), Some(number));
                prop_assert_eq!(number.to_f64(), float);
                let written = serde_json::to_string(&number).unwrap();
                prop_assert_eq!(json(&written), Some(number));
            }
        }
    }

    #[test]
    fn order_follows_the_values(a in any::<i64>(), b in any::<i64>(), scale in 0..19_u32, other in 0..19_u32) {
        let (one, two) = (Decimal::new(a.into(), scale).unwrap(), Decimal::new(b.into(), other).unwrap());
        let expected = (i128::from(a) * 10_i128.pow(other)).cmp(&(i128::from(b) * 10_i128.pow(scale)));
        prop_assert_eq!(one.cmp(&two), expected);
        prop_assert_eq!(one == two, expected.is_eq());
    }

    #[test]
    fn any_two_numbers_can_be_compared(a in numbers(), b in numbers()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
    }

    #[test]
    fn parsing_never_panics(text in "[-+0-9.eE]{0,60}") {
        if let Ok(number) = text.parse::<Decimal>() {
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }
    }
}

#[cfg(feature = "rust_decimal")]
proptest! {
    #[test]
    fn rust_decimal_keeps_the_value(mantissa in any::<i64>(), scale in 0..=28_u32) {
        let number = Decimal::new(mantissa.into(), scale).unwrap();
        let other = rust_decimal::Decimal::try_from(number).unwrap();
        prop_assert_eq!(other.normalize().to_string(), number.to_string());
        prop_assert_eq!(Decimal::from(other), number);
    }
}
