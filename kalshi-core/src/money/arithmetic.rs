//! Arithmetic of amounts. Operators panic on overflow, like those of `std::time::Duration`; the checked methods do not.

use std::{
    iter::Sum,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
};

use super::{Contracts, Dollars, MoneyError};

macro_rules! arithmetic {
    ($name:ident) => {
        /// # Arithmetic
        impl $name {
            /// Returns the sum, or `None` on overflow.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// Returns the difference, or `None` on overflow.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// Returns the negated amount, or `None` on overflow.
            #[must_use]
            pub const fn checked_neg(self) -> Option<Self> {
                match self.0.checked_neg() {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// Returns the absolute value, or `None` on overflow.
            #[must_use]
            pub const fn checked_abs(self) -> Option<Self> {
                match self.0.checked_abs() {
                    Some(units) => Some(Self(units)),
                    None => None,
                }
            }

            /// Returns the sum of all amounts, or `None` if the result overflows. Intermediate sums do not overflow, so the
            /// order does not matter.
            #[must_use]
            pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
                let units = amounts
                    .into_iter()
                    .try_fold(0_i128, |sum, amount| sum.checked_add(i128::from(amount.0)))?;
                i64::try_from(units).ok().map(Self)
            }

            /// Returns the absolute value.
            ///
            /// # Panics
            ///
            /// Panics on overflow, which only the lowest amount causes. [`checked_abs`](Self::checked_abs) does not panic.
            #[must_use]
            #[track_caller]
            #[allow(
                clippy::expect_used,
                reason = "documented, as for the operators of std"
            )]
            pub const fn abs(self) -> Self {
                self.checked_abs()
                    .expect("overflow when taking the absolute value")
            }

            /// Returns `true` if the amount is zero.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Returns `true` if the amount is less than zero.
            #[must_use]
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }
        }

        /// Panics on overflow; `checked_add` does not.
        #[allow(clippy::expect_used, reason = "as std does for Duration")]
        impl Add for $name {
            type Output = Self;

            #[track_caller]
            fn add(self, other: Self) -> Self {
                self.checked_add(other)
                    .expect("overflow when adding amounts")
            }
        }

        /// Panics on overflow; `checked_sub` does not.
        #[allow(clippy::expect_used, reason = "as std does for Duration")]
        impl Sub for $name {
            type Output = Self;

            #[track_caller]
            fn sub(self, other: Self) -> Self {
                self.checked_sub(other)
                    .expect("overflow when subtracting amounts")
            }
        }

        /// Panics on overflow; `checked_neg` does not.
        #[allow(clippy::expect_used, reason = "as std does for Duration")]
        impl Neg for $name {
            type Output = Self;

            #[track_caller]
            fn neg(self) -> Self {
                self.checked_neg()
                    .expect("overflow when negating an amount")
            }
        }

        impl AddAssign for $name {
            #[track_caller]
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            #[track_caller]
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        /// Panics if the result overflows; `checked_sum` does not.
        #[allow(clippy::expect_used, reason = "as std does for Duration")]
        impl Sum for $name {
            #[track_caller]
            fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
                Self::checked_sum(amounts).expect("overflow when summing amounts")
            }
        }

        /// Panics if the result overflows; `checked_sum` does not.
        impl<'a> Sum<&'a Self> for $name {
            #[track_caller]
            fn sum<I: Iterator<Item = &'a Self>>(amounts: I) -> Self {
                amounts.copied().sum()
            }
        }
    };
}

arithmetic!(Dollars);
arithmetic!(Contracts);

/// # Cents, whole dollars and prices
impl Dollars {
    /// Creates an amount from a number of units of `micros` millionths of a dollar each, or returns `None` on overflow.
    const fn scaled(number: i64, micros: i64) -> Option<Self> {
        match number.checked_mul(micros) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// Creates an amount from a number of cents.
    ///
    /// # Panics
    ///
    /// Panics on overflow, above 922 trillion cents. [`checked_from_cents`](Self::checked_from_cents) does not panic.
    #[must_use]
    #[track_caller]
    #[allow(
        clippy::expect_used,
        reason = "documented, as for the operators of std"
    )]
    pub const fn from_cents(cents: i64) -> Self {
        Self::checked_from_cents(cents).expect("overflow of an amount in cents")
    }

    /// Creates an amount from a number of cents, or returns `None` on overflow.
    #[must_use]
    pub const fn checked_from_cents(cents: i64) -> Option<Self> {
        Self::scaled(cents, 10_000)
    }

    /// Creates an amount from a whole number of dollars.
    ///
    /// # Panics
    ///
    /// Panics on overflow, above 9.2 trillion dollars. [`checked_from_whole`](Self::checked_from_whole) does not panic.
    ///
    /// ```
    /// # use kalshi_core::Dollars;
    /// assert_eq!(Dollars::from_whole(5), Dollars::from_cents(500));
    /// ```
    #[must_use]
    #[track_caller]
    #[allow(
        clippy::expect_used,
        reason = "documented, as for the operators of std"
    )]
    pub const fn from_whole(dollars: i64) -> Self {
        Self::checked_from_whole(dollars).expect("overflow of an amount in dollars")
    }

    /// Creates an amount from a whole number of dollars, or returns `None` on overflow.
    #[must_use]
    pub const fn checked_from_whole(dollars: i64) -> Option<Self> {
        Self::scaled(dollars, 1_000_000)
    }

    /// Creates an amount from a number of centicents (hundredths of a cent).
    ///
    /// # Panics
    ///
    /// Panics on overflow, above 92 quadrillion centicents.
    /// [`checked_from_centicents`](Self::checked_from_centicents) does not panic.
    ///
    /// ```
    /// # use kalshi_core::Dollars;
    /// assert_eq!(Dollars::from_centicents(12_345), "1.2345".parse()?);
    /// # Ok::<(), kalshi_core::MoneyError>(())
    /// ```
    #[must_use]
    #[track_caller]
    #[allow(
        clippy::expect_used,
        reason = "documented, as for the operators of std"
    )]
    pub const fn from_centicents(centicents: i64) -> Self {
        Self::checked_from_centicents(centicents).expect("overflow of an amount in centicents")
    }

    /// Creates an amount from a number of centicents, or returns `None` on overflow.
    #[must_use]
    pub const fn checked_from_centicents(centicents: i64) -> Option<Self> {
        Self::scaled(centicents, 100)
    }

    /// Returns the price of the opposite outcome: one dollar minus this price. The two outcomes of a market
    /// pay one dollar together.
    ///
    /// # Panics
    ///
    /// Panics on overflow, which a valid price cannot cause. [`checked_complement`](Self::checked_complement) does not panic.
    ///
    /// ```
    /// # use kalshi_core::Dollars;
    /// assert_eq!(Dollars::from_cents(56).complement(), Dollars::from_cents(44));
    /// ```
    #[must_use]
    #[track_caller]
    #[allow(
        clippy::expect_used,
        reason = "documented, as for the operators of std"
    )]
    pub const fn complement(self) -> Self {
        self.checked_complement()
            .expect("overflow of the complement of a price")
    }

    /// Returns one dollar minus this price, or `None` on overflow.
    #[must_use]
    pub const fn checked_complement(self) -> Option<Self> {
        Self::ONE.checked_sub(self)
    }

    /// Multiplies the price by a number of contracts. Returns `None` on overflow, or if the result has more than six decimal
    /// places: it is never rounded.
    ///
    /// ```
    /// # use kalshi_core::{Contracts, Dollars};
    /// let price = Dollars::from_cents(56);
    /// assert_eq!(price.checked_mul("2.50".parse()?), Some("1.40".parse()?));
    /// # Ok::<(), kalshi_core::MoneyError>(())
    /// ```
    #[must_use]
    pub fn checked_mul(self, count: Contracts) -> Option<Self> {
        let product = i128::from(self.0) * i128::from(count.0);
        if product % 100 != 0 {
            return None;
        }
        i64::try_from(product / 100).ok().map(Self)
    }
}

/// Conversion from integer types that always fit.
macro_rules! from_integers {
    ($($integer:ty),*) => {
        $(impl From<$integer> for Contracts {
            fn from(whole: $integer) -> Self {
                Self(i64::from(whole) * 100)
            }
        })*
    };
}

from_integers!(i32, u32);

/// Conversion from integer types that may not fit.
macro_rules! try_from_integers {
    ($($integer:ty),*) => {
        $(impl TryFrom<$integer> for Contracts {
            type Error = MoneyError;

            fn try_from(whole: $integer) -> Result<Self, MoneyError> {
                let whole = i64::try_from(whole).ok();
                let units = whole.and_then(|whole| whole.checked_mul(100));
                units.map(Self).ok_or(MoneyError::OutOfRange)
            }
        })*
    };
}

try_from_integers!(i64, u64, isize, usize, i128, u128);

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(text: &str) -> Dollars {
        text.parse().unwrap_or_default()
    }

    #[test]
    fn sum_overflows_only_if_the_result_does() {
        let max = Dollars::from_micros(i64::MAX);
        assert_eq!([max, max, -max].iter().sum::<Dollars>(), max);
        assert_eq!(Dollars::checked_sum([max, max, -max]), Some(max));
        assert_eq!(Dollars::checked_sum([max, max]), None);
        let mut total = dollars("1.50");
        total += dollars("0.25");
        total -= dollars("2");
        assert_eq!(total, dollars("-0.25"));
        assert_eq!(total.abs(), dollars("0.25"));
    }

    #[test]
    fn lowest_amount_cannot_be_negated() {
        let min = Contracts::from_hundredths(i64::MIN);
        assert_eq!((min.checked_neg(), min.checked_abs()), (None, None));
        assert_eq!(Dollars::from_micros(i64::MIN).checked_complement(), None);
        assert_eq!(Dollars::checked_from_cents(i64::MAX), None);
        assert_eq!(Dollars::checked_from_whole(-2), Some(dollars("-2")));
        assert_eq!(Dollars::checked_from_whole(9_223_372_036_855), None);
    }

    #[test]
    #[should_panic(expected = "overflow when adding amounts")]
    fn addition_panics_on_overflow() {
        let max = Dollars::from_micros(i64::MAX);
        assert!(max + Dollars::from_micros(1) < max);
    }

    #[test]
    fn product_is_exact_or_none() {
        let count = Contracts::from_hundredths(33);
        assert_eq!(dollars("0.01").checked_mul(count), Some(dollars("0.0033")));
        assert_eq!(dollars("0.000001").checked_mul(count), None);
        assert_eq!(dollars("-0.5").checked_mul(4.into()), Some(dollars("-2")));
        let max = Dollars::from_micros(i64::MAX);
        assert_eq!(max.checked_mul(2.into()), None);
        assert_eq!(max.checked_mul(i32::MAX.into()), None);
    }

    #[test]
    fn contracts_convert_from_integers_that_fit() {
        assert_eq!(Contracts::try_from(3_usize), Ok(Contracts::from(3)));
        assert_eq!(Contracts::try_from(-3_i64), Ok(Contracts::from(-3)));
        assert_eq!(Contracts::try_from(u64::MAX), Err(MoneyError::OutOfRange));
        assert_eq!(Contracts::try_from(i64::MAX), Err(MoneyError::OutOfRange));
    }
}
