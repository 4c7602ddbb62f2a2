//! How names of the spec become names of Rust.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// A text with nothing in it that a terminal would obey or a reader would not see: control characters and the like as
/// escapes. Line breaks stay where `lines` allows them.
pub fn visible(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !(lines && c == '\n') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns true for characters that do not show but act: controls, line ends of Unicode, the byte order mark, and those that
/// change the direction of text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// `get_markets` for `GetMarkets`: as progenitor names methods.
pub fn snake(text: &str) -> String {
    text.to_snake_case()
}

/// Returns true if `ident` is the Rust field or method for `name`: snake case, with `_` behind a keyword.
pub fn is_ident(name: &str, ident: &str) -> bool {
    let name = snake(name);
    let ident = ident.strip_prefix("r#").unwrap_or(ident);
    ident == name || ident.strip_suffix('_') == Some(name.as_str())
}

/// `TimeInForce` for `time_in_force`.
pub fn pascal(text: &str) -> String {
    text.to_upper_camel_case()
}

/// The type name for what `owner` holds inline under `member`: `MarketStatus` for `status` of `Market`. Words that
/// would stand twice stand once: `market_type` of `Market` is a `MarketType`.
pub fn member_type(owner: &str, member: &str) -> String {
    let (owner, member) = (pascal(owner), pascal(member));
    match member.strip_prefix(owner.as_str()) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => member,
        _ => format!("{owner}{member}"),
    }
}

/// Whether `name` has several words, and so says by itself what it is.
pub fn is_compound(name: &str) -> bool {
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
