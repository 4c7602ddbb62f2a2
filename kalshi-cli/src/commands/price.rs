//! Prices and counts on the command line.

use kalshi_sdk::{Contracts, Dollars};

/// Parses a price: `0.45` in dollars or `45c` in cents. A bare integer is rejected, because 1 could be either.
pub(super) fn price(text: &str) -> Result<Dollars, String> {
    let price = match text.strip_suffix(['c', '¢']) {
        Some(cents) => {
            let scaled: Dollars = cents
                .parse()
                .map_err(|error| format!("the price {text:?} is invalid: {error}"))?;
            if scaled.micros() % 100 != 0 {
                return Err(format!("the price {text:?} has too many decimal places"));
            }
            Dollars::from_micros(scaled.micros() / 100)
        }
        None => {
            let dollars = text.strip_prefix('$').unwrap_or(text);
            if !dollars.contains('.') {
                return Err(format!(
                    "the price {text:?} is ambiguous: write 0.45 for dollars or 45c for cents"
                ));
            }
            dollars
                .parse()
                .map_err(|error| format!("the price {text:?} is invalid: {error}"))?
        }
    };
    if price <= Dollars::ZERO || price >= Dollars::ONE {
        return Err(format!(
            "the price {text:?} is not above 0 and below 1 dollar: write 0.45 for dollars or 45c for cents"
        ));
    }
    Ok(price)
}

/// Parses a count of contracts above zero, such as `10` or `2.50`.
pub(super) fn count(text: &str) -> Result<Contracts, String> {
    let count: Contracts = text
        .parse()
        .map_err(|error| format!("the count {text:?} is invalid: {error}"))?;
    if count <= Contracts::ZERO {
        return Err(format!("the count {text:?} is not above zero"));
    }
    // A larger count would overflow the estimates.
    if Dollars::ONE.checked_mul(count).is_none() {
        return Err(format!("the count {text:?} is too large"));
    }
    Ok(count)
}

/// Parses `COUNT @ PRICE`. The `@` is optional, and so are the spaces around it.
pub(super) fn count_at_price(arguments: &[String]) -> Result<(Contracts, Dollars), String> {
    let text = arguments.join(" ");
    let parts: Vec<_> = match text.split_once('@') {
        Some((count, price)) => vec![count.trim(), price.trim()],
        None => text.split_whitespace().collect(),
    };
    match parts[..] {
        [count_text, price_text] => Ok((count(count_text)?, price(price_text)?)),
        _ => Err(format!(
            "{text:?} is not a count and a price, such as 10 @ 0.45 or 10 @ 45c"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn terms(text: &str) -> Result<(Contracts, Dollars), String> {
        let arguments: Vec<_> = text.split(' ').map(str::to_owned).collect();
        count_at_price(&arguments)
    }

    #[test]
    fn prices_are_in_dollars_or_cents_and_never_ambiguous() {
        for (text, expected) in [
            ("0.45", "0.45"),
            ("$0.45", "0.45"),
            ("45c", "0.45"),
            ("45¢", "0.45"),
            ("45.5c", "0.455"),
            ("0.5c", "0.005"),
            ("0.001", "0.001"),
        ] {
            assert_eq!(price(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for (text, expected) in [
            ("45", "ambiguous"),
            ("1", "ambiguous"),
            ("0", "ambiguous"),
            ("45.0", "is not above 0 and below 1 dollar"),
            ("100c", "is not above 0 and below 1 dollar"),
            ("0.00", "is not above 0 and below 1 dollar"),
            ("-0.45", "is not above 0 and below 1 dollar"),
            (".45", "invalid"),
            ("0.45.1", "invalid"),
            ("c", "invalid"),
            ("4e1c", "invalid"),
            ("0.00001c", "too many decimal places"),
        ] {
            let error = price(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn at_sign_and_its_spaces_are_optional() {
        let expected = Ok((10.into(), Dollars::from_cents(45)));
        for text in ["10 @ 0.45", "10 0.45", "10 @0.45", "10@ 0.45", "10@45c"] {
            assert_eq!(terms(text), expected, "{text}");
        }
        for text in [
            "10",
            "10 @",
            "@ 0.45",
            "10 @ @ 0.45",
            "10 0.45 0.46",
            "0 @ 0.45",
            "-1 @ 0.45",
            "90000000000000 @ 0.45",
        ] {
            assert!(terms(text).is_err(), "{text}");
        }
    }
}
