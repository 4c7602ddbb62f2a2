//! Exact decimal numbers, for the rates, ratios and multipliers that the exchange sends as JSON numbers.

mod convert;

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::money::{Dollars, MoneyError};

/// Maximum length of a number in bytes. Longer input is rejected before it is parsed.
const MAX_LENGTH: usize = 128;

/// An exact decimal number: a funding rate, a fee rate, a leverage, a multiplier.
///
/// The exchange sends rates and ratios as JSON numbers with up to 17 digits, such as `0.0000143268415739`. A `Decimal` keeps all of
/// them: decoding does not go through an `f64`. It holds at most 38 digits and 38 decimal places; a number with more is an error
/// and is never rounded. Numbers compare by value: `1.50`, `1.5` and `15e-1` are equal.
///
/// It is encoded as a JSON number, or as a string in the fields where the exchange uses strings. Decoding accepts both.
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
    /// Has no trailing zeros unless the scale is zero, so that every value has one representation.
    mantissa: i128,
    /// Number of decimal places, at most [`Decimal::MAX_DECIMALS`].
    scale: u32,
}

/// Rounding of a result that has more decimal places than its type can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// Nearest value; if two are equally near, the one with an even last digit.
    HalfEven,
    /// Towards positive infinity: 1.2 becomes 2, and -1.2 becomes -1.
    Up,
    /// Towards negative infinity: 1.2 becomes 1, and -1.2 becomes -2.
    Down,
    /// Towards zero: 1.2 becomes 1, and -1.2 becomes -1.
    TowardsZero,
}

impl Decimal {
    /// The number 0, which is the default.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };
    /// The number 1.
    pub const ONE: Self = Self {
        mantissa: 1,
        scale: 0,
    };
    /// Maximum number of decimal places.
    pub const MAX_DECIMALS: u32 = 38;

    /// Creates the number `mantissa` × 10^-`scale`.
    ///
    /// # Errors
    ///
    /// Returns an error if the number has more than [`MAX_DECIMALS`](Self::MAX_DECIMALS) decimal places or is out of range.
    pub fn new(mantissa: i128, scale: u32) -> Result<Self, MoneyError> {
        Self::from_exponent(mantissa, -i64::from(scale))
    }

    /// Returns the digits of the number without the decimal point: 15 for 1.5 and -3 for -0.03.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// Returns the number of decimal places that the number needs: 1 for 1.5 and 0 for 1.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// Returns `true` if the number is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Returns `true` if the number is less than zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Returns the nearest `f64`. This loses digits, so use it for statistics and display only.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Parsing rounds correctly; dividing by a power of ten would not.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Rounds the number to at most `places` decimal places.
    #[must_use]
    pub fn round(self, places: u32, rounding: Rounding) -> Self {
        let Some(excess) = self.scale.checked_sub(places).filter(|&excess| excess > 0) else {
            return self;
        };
        // Cannot fail: the mantissa was divided by at least 10 and grew by at most 1.
        let mantissa = divide(self.mantissa, 10_i128.pow(excess), rounding);
        Self::from_exponent(mantissa, -i64::from(places)).unwrap_or(self)
    }

    /// Returns `mantissa` × 10^`exponent`, or an error if it does not fit.
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
        // A symmetric range: every magnitude has at most 38 digits.
        match mantissa.unsigned_abs() < 10_u128.pow(Self::MAX_DECIMALS) {
            true => Ok(Self { mantissa, scale }),
            false => Err(MoneyError::OutOfRange),
        }
    }
}

/// Divides by a positive number and rounds.
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

/// Parses a decimal number with or without an exponent, such as `-0.25` or `1e-05`.
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
        // Trailing zeros are applied only when another digit follows, so that they cannot overflow.
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

/// Parses an exponent. One that does not fit an `i32` is out of range.
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

/// Compares by value.
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
            // Each fraction is below 10^scale, so both fit at the larger scale.
            let scale = self.scale.max(other.scale);
            let fraction = fraction * 10_i128.pow(scale - self.scale);
            fraction.cmp(&(other_fraction * 10_i128.pow(scale - other.scale)))
        })
    }
}

/// Writes as many decimal places as needed, without an exponent. With a precision, writes exactly that many and
/// rounds half to even.
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

/// # Rates
impl Dollars {
    /// Multiplies the amount by a rate and rounds to a millionth of a dollar. Returns `None` on overflow.
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
