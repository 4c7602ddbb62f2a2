//! How names of the spec become names of Rust.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// A text with nothing in it that a terminal would obey: control characters as escapes, lines of its own only where `lines` allows.
#[cfg(feature = "cli")]
pub(crate) fn visible(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && !(lines && c == '\n'))
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// `get_markets` for `GetMarkets`: as progenitor names methods.
pub(crate) fn snake(text: &str) -> String {
    text.to_snake_case()
}

/// Returns true if `ident` is the Rust field or method for `name`: snake case, with `_` behind a keyword.
pub(crate) fn is_ident(name: &str, ident: &str) -> bool {
    let name = snake(name);
    let ident = ident.strip_prefix("r#").unwrap_or(ident);
    ident == name || ident.strip_suffix('_') == Some(name.as_str())
}

/// `TimeInForce` for `time_in_force`.
pub(crate) fn pascal(text: &str) -> String {
    text.to_upper_camel_case()
}

/// The type name for what `owner` holds inline under `member`: `MarketStatus` for `status` of `Market`. Words that
/// would stand twice stand once: `market_type` of `Market` is a `MarketType`.
pub(crate) fn member_type(owner: &str, member: &str) -> String {
    let (owner, member) = (pascal(owner), pascal(member));
    match member.strip_prefix(owner.as_str()) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => member,
        _ => format!("{owner}{member}"),
    }
}

/// Whether `name` has several words, and so says by itself what it is.
pub(crate) fn is_compound(name: &str) -> bool {
    name.to_snake_case().contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_types_are_named_after_owner_and_member() {
        assert_eq!(member_type("Market", "status"), "MarketStatus");
        assert_eq!(member_type("Market", "market_type"), "MarketType");
        assert_eq!(member_type("RFQ", "status"), "RfqStatus");
        assert!(is_compound("time_in_force"));
        assert!(!is_compound("side"));
    }
}
