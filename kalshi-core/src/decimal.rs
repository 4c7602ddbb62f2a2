//! Exact decimal numbers: the JSON numbers of the exchange that are rates, ratios and multipliers.

mod convert;

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::money::{Dollars, MoneyError};

/// Maximum length of a number's text, so that an absurd one is rejected before it is read.
const MAX_LENGTH: usize = 128;

/// An exact decimal number: a funding rate, a fee rate, a leverage, a multiplier.
///
/// The exchange sends rates and ratios as JSON numbers with up to 17 digits, such as `0.0000143268415739`. A `Decimal` holds the
/// digits themselves; decoding does not pass through an `f64`. It has at most 38 digits and 38 decimal places; more is an error,
/// never a rounding. Two numbers are equal if their values are: `1.50`, `1.5` and `15e-1` are one number.
///
/// It is encoded as a JSON number, or, in the fields where the exchange does so, as a decimal string. Decoding accepts either.
///
/// ```
/// # use kalshi_core::{Decimal, Dollars, Rounding};
/// let rate: Decimal = serde_json::from_str("0.0000143268415739")?;
/// assert_eq!(rate.to_string(), "0.0000143268415739");
/// assert_eq!("1e-5".parse::<Decimal>()?.to_string(), "0.00001");
///
/// let notional: Dollars = "2500".parse()?;
/// let payment = notional.checked_mul_decimal(rate, Rounding::HalfEven);
/// assert_eq!(payment, Some("0.035817".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// Without trailing zeros, unless the scale is zero: one value has one representation.
    mantissa: i128,
    /// At most [`Decimal::MAX_DECIMALS`].
    scale: u32,
}

/// How a result with more decimal places than its type holds is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest, and to the even one of two that are equally near.
    HalfEven,
    /// Towards positive infinity.
    Up,
    /// Towards negative infinity.
    Down,
    /// Towards zero.
    TowardsZero,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };
    /// One.
    pub const ONE: Self = Self {
        mantissa: 1,
        scale: 0,
    };
    /// Decimal places that the type holds.
    pub const MAX_DECIMALS: u32 = 38;

    /// Creates the number `mantissa` × 10^-`scale`.
    ///
    /// # Errors
    ///
    /// Returns an error if the number has more than [`MAX_DECIMALS`](Self::MAX_DECIMALS) decimal places or is out of range.
    pub fn new(mantissa: i128, scale: u32) -> Result<Self, MoneyError> {
        Self::from_exponent(mantissa, -i64::from(scale))
    }

    /// The digits of the number without its point: 15 for 1.5, and -3 for -0.03.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Decimal places that the number needs: 1 for 1.5, and none for 1.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// Returns `true` if the number is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Returns `true` if the number is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The `f64` nearest to the number. It loses digits: for statistics and display, not for what decides.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Correctly rounded, which a division by a power of ten is not.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The number rounded to at most `places` decimal places.
    #[must_use]
    pub fn round(self, places: u32, rounding: Rounding) -> Self {
        let Some(excess) = self.scale.checked_sub(places).filter(|&excess| excess > 0) else {
            return self;
        };
        // In range: the scale is at most 38, and a quotient by ten or more can grow by one.
        let mantissa = divide(self.mantissa, 10_i128.pow(excess), rounding);
        Self::from_exponent(mantissa, -i64::from(places)).unwrap_or(self)
    }

    /// `mantissa` × 10^`exponent`.
    fn from_exponent(mut mantissa: i128, mut exponent: i64) -> Result<Self, MoneyError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        while exponent < 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let scale = match u32::try_from(exponent) {
            Ok(zeros) => {
                let factor = 10_i128.checked_pow(zeros).ok_or(MoneyError::OutOfRange)?;
                mantissa = mantissa.checked_mul(factor).ok_or(MoneyError::OutOfRange)?;
                0
            }
            Err(_) if exponent > 0 => return Err(MoneyError::OutOfRange),
            Err(_) => u32::try_from(-exponent)
                .ok()
                .filter(|scale| *scale <= Self::MAX_DECIMALS)
                .ok_or(MoneyError::TooPrecise {
                    decimals: Self::MAX_DECIMALS,
                })?,
        };
        // The range is symmetric, so that every number has a magnitude with at most 38 digits.
        match mantissa.unsigned_abs() < 10_u128.pow(Self::MAX_DECIMALS) {
            true => Ok(Self { mantissa, scale }),
            false => Err(MoneyError::OutOfRange),
        }
    }
}

/// Divides by a positive number.
fn divide(value: i128, by: i128, rounding: Rounding) -> i128 {
    let (quotient, rest) = (value.div_euclid(by), value.rem_euclid(by));
    let is_up = match rounding {
        Rounding::Down => false,
        Rounding::Up => rest != 0,
        Rounding::TowardsZero => rest != 0 && value < 0,
        Rounding::HalfEven => match rest.cmp(&(by - rest)) {
            Ordering::Less => false,
            Ordering::Equal => quotient % 2 != 0,
            Ordering::Greater => true,
        },
    };
    quotient + i128::from(is_up)
}

/// Parses a decimal number, with an exponent or without: `-0.25`, `1e-05`.
impl FromStr for Decimal {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        if text.len() > MAX_LENGTH {
            return Err(MoneyError::OutOfRange);
        }
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (is_negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(MoneyError::NotDecimal),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return Err(MoneyError::NotDecimal);
        }
        // Zeros at the end count only once another digit follows.
        let (mut mantissa, mut zeros) = (0_i128, 0_u32);
        for byte in whole.bytes().chain(fraction.bytes()) {
            zeros += 1;
            if byte != b'0' {
                mantissa = 10_i128
                    .checked_pow(zeros)
                    .and_then(|factor| mantissa.checked_mul(factor))
                    .and_then(|value| value.checked_add(i128::from(byte - b'0')))
                    .ok_or(MoneyError::OutOfRange)?;
                zeros = 0;
            } else if mantissa == 0 {
                zeros = 0;
            }
        }
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let exponent = exponent + i64::from(zeros) - places;
        Self::from_exponent(if is_negative { -mantissa } else { mantissa }, exponent)
    }
}

/// Parses an exponent; a longer one than any number needs is out of range.
fn parse_exponent(text: &str) -> Result<i64, MoneyError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotDecimal);
    }
    let exponent: i32 = digits.parse().map_err(|_| MoneyError::OutOfRange)?;
    Ok(i64::from(exponent) * if text.starts_with('-') { -1 } else { 1 })
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares values.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = |number: &Self| {
            let unit = 10_i128.pow(number.scale);
            (
                number.mantissa.div_euclid(unit),
                number.mantissa.rem_euclid(unit),
            )
        };
        let ((whole, fraction), (other_whole, other_fraction)) = (parts(self), parts(other));
        whole.cmp(&other_whole).then_with(|| {
            // Fractions are below 10^scale, so both fit with the larger scale.
            let scale = self.scale.max(other.scale);
            let fraction = fraction * 10_i128.pow(scale - self.scale);
            fraction.cmp(&(other_fraction * 10_i128.pow(scale - other.scale)))
        })
    }
}

/// Writes the decimal places that are needed, without an exponent. With a precision, writes that many, rounded half to even.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision();
        let number = match places.and_then(|places| u32::try_from(places).ok()) {
            Some(places) => self.round(places, Rounding::HalfEven),
            None => *self,
        };
        let (magnitude, scale) = (number.mantissa.unsigned_abs(), number.scale as usize);
        let unit = 10_u128.pow(number.scale);
        let (whole, fraction) = (magnitude / unit, magnitude % unit);
        let mut digits = match scale {
            0 => String::new(),
            _ => format!("{fraction:0scale$}"),
        };
        if let Some(places) = places {
            digits.extend(std::iter::repeat_n('0', places.saturating_sub(scale)));
        }
        let point = if digits.is_empty() { "" } else { "." };
        f.pad_integral(
            !number.is_negative(),
            "",
            &format!("{whole}{point}{digits}"),
        )
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

impl Dollars {
    /// The amount times a rate, rounded to a millionth of a dollar. `None` on overflow.
    ///
    /// ```
    /// # use kalshi_core::{Decimal, Dollars, Rounding};
    /// let notional: Dollars = "62590.1234".parse()?;
    /// let taker_rate: Decimal = "0.0012".parse()?;
    /// let fee = notional.checked_mul_decimal(taker_rate, Rounding::Up);
    /// assert_eq!(fee, Some("75.108149".parse()?));
    /// # Ok::<(), kalshi_core::MoneyError>(())
    /// ```
    #[must_use]
    pub fn checked_mul_decimal(self, rate: Decimal, rounding: Rounding) -> Option<Self> {
        let product = rate.mantissa.checked_mul(i128::from(self.micros()))?;
        let micros = divide(product, 10_i128.pow(rate.scale), rounding);
        i64::try_from(micros).ok().map(Self::from_micros)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
