//! Exact amounts: dollars and contracts as fixed-point numbers, encoded as decimal strings.

mod arithmetic;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

/// The error of parsing or converting an amount or a decimal number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// Not a plain decimal number such as `-12.34`: an optional minus sign, digits, and optionally a point and more digits.
    #[error("not a plain decimal number such as 12.34")]
    NotDecimal,
    /// More decimal places than the type can hold. Amounts are never rounded implicitly.
    #[error("more than {decimals} decimal places; round it first")]
    TooPrecise {
        /// Maximum number of decimal places of the type.
        decimals: u32,
    },
    /// Outside the range of the type.
    #[error("out of range")]
    OutOfRange,
}

/// Parses an amount with exactly `PLACES` decimal places. Returns `None` for any other input. The exchange writes most amounts this
/// way, and this takes half the time of [`parse`].
fn parse_fast<const PLACES: usize>(text: &str) -> Option<i64> {
    let (rest, fraction) = text.as_bytes().split_last_chunk::<PLACES>()?;
    let [whole @ .., b'.'] = rest else {
        return None;
    };
    let (negative, whole) = match whole {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    // At most nine digits, so that nothing overflows.
    if whole.is_empty() || whole.len() > 9 {
        return None;
    }
    let (mut value, mut largest) = (0, 0);
    let mut push = |byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        largest = largest.max(digit);
        value = value * 10 + i64::from(digit);
    };
    whole.iter().for_each(&mut push);
    fraction.iter().for_each(&mut push);
    (largest <= 9).then_some(if negative { -value } else { value })
}

/// Parses a plain decimal number as a multiple of 10^-`decimals`.
fn parse(text: &str, decimals: u32) -> Result<i64, MoneyError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut value: i64 = 0;
    let mut decimal_places: Option<u32> = None;
    let mut whole_digits = 0;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                match &mut decimal_places {
                    Some(count) if *count == decimals => {
                        return Err(MoneyError::TooPrecise { decimals });
                    }
                    Some(count) => *count += 1,
                    None => whole_digits += 1,
                }
                // Accumulates negative values, whose range is larger by one.
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_sub(i64::from(byte - b'0')))
                    .ok_or(MoneyError::OutOfRange)?;
            }
            b'.' if decimal_places.is_none() && whole_digits > 0 => decimal_places = Some(0),
            _ => return Err(MoneyError::NotDecimal),
        }
    }
    let missing = match decimal_places {
        Some(0) => return Err(MoneyError::NotDecimal),
        None if whole_digits == 0 => return Err(MoneyError::NotDecimal),
        given => decimals - given.unwrap_or(0),
    };
    let value = value
        .checked_mul(10_i64.pow(missing))
        .ok_or(MoneyError::OutOfRange)?;
    if negative {
        Ok(value)
    } else {
        value.checked_neg().ok_or(MoneyError::OutOfRange)
    }
}

/// Writes a multiple of 10^-`decimals`. Without a precision, writes `shown` decimal places, or all `decimals` if those do not suffice.
fn write(f: &mut fmt::Formatter<'_>, value: i64, decimals: u32, shown: u32) -> fmt::Result {
    let scale = 10_u64.pow(decimals);
    let magnitude = value.unsigned_abs();
    if let Some(places) = f.precision() {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let magnitude = round_half_even(magnitude, 10_u64.pow(decimals.saturating_sub(places)));
        let (whole, fraction) = (magnitude / scale, magnitude % scale);
        let digits = format!("{fraction:0width$}", width = decimals as usize);
        let kept = digits
            .get(..places.min(decimals) as usize)
            .unwrap_or_default();
        let text = match places {
            0 => whole.to_string(),
            _ => format!("{whole}.{kept:0<width$}", width = places as usize),
        };
        // A value that rounds to zero has no sign.
        return f.pad_integral(value >= 0 || magnitude == 0, "", &text);
    }
    let (whole, mut fraction) = (magnitude / scale, magnitude % scale);
    let mut width = decimals;
    if fraction % 10_u64.pow(decimals - shown) == 0 {
        fraction /= 10_u64.pow(decimals - shown);
        width = shown;
    }
    let text = format!("{whole}.{fraction:0width$}", width = width as usize);
    f.pad_integral(value >= 0, "", &text)
}

/// Rounds to the nearest multiple of a power of ten, ties to even.
fn round_half_even(value: u64, unit: u64) -> u64 {
    let (count, rest) = (value / unit, value % unit);
    let is_up = rest * 2 > unit || rest * 2 == unit && count % 2 == 1;
    (count + u64::from(is_up)).saturating_mul(unit)
}

macro_rules! fixed_point {
    ($name:ident, $decimals:literal, $shown:literal, $from_units:ident, $units:ident, $unit:literal, $one:literal, $max:literal) => {
        /// # Constants and units
        impl $name {
            /// An amount of zero.
            pub const ZERO: Self = Self(0);
            /// An amount of one.
            pub const ONE: Self = Self($one);
            /// Number of decimal places of the type.
            pub const DECIMALS: u32 = $decimals;

            #[doc = concat!("Creates an amount from a number of ", $unit, ".")]
            #[must_use]
            pub const fn $from_units(units: i64) -> Self {
                Self(units)
            }

            #[doc = concat!("Returns the amount as a number of ", $unit, ".")]
            #[must_use]
            pub const fn $units(self) -> i64 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match parse_fast::<$shown>(text) {
                    Some(value) => Ok(Self(value * 10_i64.pow($decimals - $shown))),
                    None => parse(text, $decimals).map(Self),
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = MoneyError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = MoneyError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        /// Writes the exact amount. With a precision, rounds half to even: `{:.2}` writes 0.125 as `0.12`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, self.0, $decimals, $shown)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            /// Limits the amount so that adding two decoded amounts does not overflow.
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!(
                            "a decimal string with at most ",
                            $decimals,
                            " decimal places"
                        ))
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        let is_bounded = |amount: &$name| amount.0.unsigned_abs() <= $max;
                        let amount = text.parse::<$name>().and_then(|amount| {
                            Some(amount)
                                .filter(is_bounded)
                                .ok_or(MoneyError::OutOfRange)
                        });
                        amount.map_err(|error| {
                            let start: String = text.chars().take(40).collect();
                            E::custom(format_args!("{start:?} is {error}"))
                        })
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }

        #[cfg(feature = "rust_decimal")]
        impl From<$name> for rust_decimal::Decimal {
            fn from(amount: $name) -> Self {
                Self::new(amount.0, $decimals)
            }
        }

        #[cfg(feature = "rust_decimal")]
        impl TryFrom<rust_decimal::Decimal> for $name {
            type Error = MoneyError;

            fn try_from(number: rust_decimal::Decimal) -> Result<Self, Self::Error> {
                let number = number.normalize();
                let missing = u32::from($decimals as u8)
                    .checked_sub(number.scale())
                    .ok_or(MoneyError::TooPrecise {
                        decimals: $decimals,
                    })?;
                let units = number.mantissa().checked_mul(10_i128.pow(missing));
                let units = units.and_then(|units| i64::try_from(units).ok());
                units.map(Self).ok_or(MoneyError::OutOfRange)
            }
        }
    };
}

/// An exact amount of US dollars, such as a price, a fee or a balance. Stored in millionths of a dollar, with a range of
/// about ±9.2 trillion dollars.
///
/// It is encoded as a decimal string with four decimal places, as the exchange writes prices, or six if four do not suffice. Decoding
/// accepts at most 10^12 dollars, so that adding two decoded amounts cannot overflow.
///
/// Operators panic on overflow, like those of [`std::time::Duration`]; the `checked_*` methods do not. There is no conversion from
/// an integer, which could mean cents or dollars: use [`from_cents`](Self::from_cents) or [`from_whole`](Self::from_whole).
///
/// ```
/// # use kalshi_core::Dollars;
///
/// let price: Dollars = "0.56".parse()?;
/// assert_eq!(price, Dollars::from_cents(56));
/// assert_eq!(price.to_string(), "0.5600");
/// assert!("0.1234567".parse::<Dollars>().is_err(), "never rounded");
/// # Ok::<(), kalshi_core::MoneyError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars(i64);

fixed_point!(
    Dollars,
    6,
    4,
    from_micros,
    micros,
    "millionths of a dollar",
    1_000_000,
    1_000_000_000_000_000_000
);

/// An exact number of contracts, in hundredths.
///
/// It is encoded as a decimal string with two decimal places. Positions and changes of order books may be negative. Decoding
/// accepts at most 10^15 contracts, so that adding two decoded amounts cannot overflow.
///
/// Operators panic on overflow, like those of [`std::time::Duration`]; the `checked_*` methods do not.
///
/// ```
/// # use kalshi_core::Contracts;
///
/// assert_eq!(Contracts::from(10).to_string(), "10.00");
/// assert_eq!("2.5".parse::<Contracts>()?, Contracts::from_hundredths(250));
/// # Ok::<(), kalshi_core::MoneyError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contracts(i64);

fixed_point!(
    Contracts,
    2,
    2,
    from_hundredths,
    hundredths,
    "hundredths of a contract",
    100,
    100_000_000_000_000_000
);

/// A level of an order book: a price and the contracts resting at it. Encoded as a pair of decimal strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(Dollars, Contracts)", into = "(Dollars, Contracts)")]
pub struct PriceLevel {
    /// The price in dollars.
    pub price: Dollars,
    /// Number of contracts resting at the price.
    pub count: Contracts,
}

impl From<(Dollars, Contracts)> for PriceLevel {
    fn from((price, count): (Dollars, Contracts)) -> Self {
        Self { price, count }
    }
}

impl From<PriceLevel> for (Dollars, Contracts) {
    fn from(level: PriceLevel) -> Self {
        (level.price, level.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_a_plain_decimal_is_rejected() {
        for text in [
            "", "-", ".", "5.", ".5", "+1", " 1", "1 ", "1e3", "NaN", "1,000", "0x1", "--1",
            "1.2.3", "\u{0661}",
        ] {
            assert_eq!(
                text.parse::<Dollars>(),
                Err(MoneyError::NotDecimal),
                "{text:?}"
            );
        }
        assert_eq!(
            "1.234".parse::<Contracts>(),
            Err(MoneyError::TooPrecise { decimals: 2 })
        );
        assert_eq!(
            "9999999999999".parse::<Dollars>(),
            Err(MoneyError::OutOfRange)
        );
    }

    #[test]
    fn fast_path_parses_like_the_general_parser() {
        for whole in [
            "",
            "0",
            "7",
            "00",
            "-1",
            "-",
            "--1",
            "123456789",
            "1234567890",
            "+1",
            "1/",
            ":",
        ] {
            for fraction in [
                "", ".", ".0", ".12", ".1234", ".12345", ".123/", ".:234", ".1.34", "1234", " 12",
            ] {
                let text = format!("{whole}{fraction}");
                let fast = [
                    parse_fast::<4>(&text).map(|n| n * 100),
                    parse_fast::<2>(&text).map(|n| n * 10_000),
                ];
                let expected = parse(&text, 6);
                assert!(fast.iter().flatten().all(|n| Ok(*n) == expected), "{text}");
            }
        }
        assert_eq!(parse_fast::<4>("-12.3456"), Some(-123_456));
        assert_eq!(parse_fast::<2>("1234567.05"), Some(123_456_705));
    }

    #[test]
    fn extreme_amounts_round_trip() {
        for units in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX] {
            let amount = Dollars::from_micros(units);
            assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }

    #[test]
    fn precision_rounds_half_to_even() {
        let text = |micros, places: usize| format!("{:.places$}", Dollars::from_micros(micros));
        for (micros, places, expected) in [
            (125_000, 2, "0.12"),
            (135_000, 2, "0.14"),
            (-125_001, 2, "-0.13"),
            (999_999, 2, "1.00"),
            (500_000, 0, "0"),
            (1_500_000, 0, "2"),
            (1_000, 2, "0.00"),
            (-1_000, 2, "0.00"),
            (1, 6, "0.000001"),
            (1, 8, "0.00000100"),
        ] {
            assert_eq!(text(micros, places), expected);
        }
        assert_eq!(format!("{:8.1}", Dollars::from_cents(-256)), "    -2.6");
        assert_eq!(format!("{:+.2}", Contracts::from(3)), "+3.00");
        assert_eq!(text(i64::MIN, 0), "-9223372036855");
    }

    #[test]
    fn decoded_amounts_are_bounded() {
        let dollars = |text: &str| serde_json::from_str::<Dollars>(&format!("{text:?}"));
        assert!(dollars("1000000000000").is_ok() && dollars("-1000000000000").is_ok());
        for text in ["1000000000000.000001", "-1000000000000.01"] {
            let error = dollars(text).map(|_| ()).map_err(|error| error.to_string());
            assert!(
                error.is_err_and(|error| error.contains("out of range")),
                "{text}"
            );
        }
        let contracts = |text: &str| serde_json::from_str::<Contracts>(&format!("{text:?}"));
        assert!(contracts("1000000000000000").is_ok());
        assert!(contracts("1000000000000000.01").is_err());
    }

    #[test]
    fn amounts_are_written_in_the_exchange_format() {
        assert_eq!(Dollars::from_micros(15_930).to_string(), "0.015930");
        assert_eq!(Dollars::from_micros(-41_160_000).to_string(), "-41.1600");
        assert_eq!(Contracts::from_hundredths(22_727).to_string(), "227.27");
        assert_eq!(
            format!("{:>10}", Contracts::from_hundredths(-5)),
            "     -0.05"
        );
    }
}
