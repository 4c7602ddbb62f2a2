//! Conversion of spec names to Rust names.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// Escapes control characters and other characters that a terminal would interpret or a reader would not see. Line
/// breaks are kept if `lines` is set.
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

/// Returns `true` for invisible characters: control characters, Unicode line ends, the byte order mark,
/// zero-width characters, tag characters, and those that change the text direction. Joiners are excluded, because
/// scripts and emoji need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00ad}'
                | '\u{061c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Returns `GetRfqs` for `GetRFQs`: the plural of an acronym is one word. Other names are returned unchanged, among them
/// those in which the `s` may belong to `Is`, `As` or `Us`, such as `RFQIsOpen`.
pub fn join_plurals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_uppercase()) {
        let (before, tail) = rest.split_at(start);
        out.push_str(before);
        let length = tail
            .find(|c: char| !c.is_ascii_uppercase())
            .unwrap_or(tail.len());
        let (acronym, tail) = tail.split_at(length);
        let after = tail.strip_prefix('s');
        let is_plural = acronym.len() > 1
            && after.is_some_and(|after| match after.chars().next() {
                None => true,
                Some(next) => next.is_ascii_uppercase() && !acronym.ends_with(['A', 'I', 'U']),
            });
        if is_plural {
            let (initial, others) = acronym.split_at(1);
            out.push_str(initial);
            out.push_str(&others.to_ascii_lowercase());
        } else {
            out.push_str(acronym);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Returns `get_markets` for the operation `GetMarkets`.
pub fn snake(text: &str) -> String {
    join_plurals(text).to_snake_case()
}

/// The keywords of Rust, to which typify adds a `_`.
const KEYWORDS: [&str; 53] = [
    "Self", "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Returns the Rust field or method for `name`, as typify and progenitor name it: snake case, `x` before a leading
/// digit, `_` after a keyword.
pub fn field(name: &str) -> String {
    let name = match name {
        "+1" => "plus1".to_owned(),
        "-1" => "minus1".to_owned(),
        name => {
            let is_part = |c: char| c == '_' || c.is_alphanumeric();
            let name = name.replace('\'', "").replace(|c| !is_part(c), "-");
            name.to_snake_case()
        }
    };
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("x{name}")
    } else if KEYWORDS.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}

/// Returns the name that progenitor gives the request builder of the operation `id`.
pub fn builder(id: &str) -> String {
    let name = pascal(&snake(id));
    if KEYWORDS.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}

/// Returns `true` if `ident` is the Rust field or method for `name`.
pub fn is_ident(name: &str, ident: &str) -> bool {
    ident.strip_prefix("r#").unwrap_or(ident) == field(name)
}

/// Returns `market_position` for `market_positions`. A name that is not a plural is returned unchanged.
pub fn singular(name: &str) -> String {
    match (name.strip_suffix("ies"), name.strip_suffix('s')) {
        (Some(stem), _) if name != "series" && !name.ends_with("_series") => format!("{stem}y"),
        (None, Some(stem)) if !stem.ends_with('s') => stem.to_owned(),
        _ => name.to_owned(),
    }
}

/// Returns `TimeInForce` for `time_in_force`.
pub fn pascal(text: &str) -> String {
    join_plurals(&join_plurals(text).to_upper_camel_case())
}

/// Returns the type name for what `owner` contains inline under `field`: `MarketStatus` for `status` of `Market`.
/// Words that would be repeated are written once: `market_type` of `Market` is a `MarketType`.
pub fn inline_type(owner: &str, field: &str) -> String {
    let (owner, field) = (pascal(owner), pascal(field));
    match field.strip_prefix(owner.as_str()) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => field,
        _ => format!("{owner}{field}"),
    }
}

/// Returns the last word of a name in snake case: `side` for `OutcomeSide` and `taker_side`.
pub fn last_word(name: &str) -> String {
    let name = snake(name);
    name.rsplit('_').next().unwrap_or_default().to_owned()
}

/// Returns `true` if `name` has several words, and is therefore specific enough without its owner.
pub fn is_compound(name: &str) -> bool {
    snake(name).contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plural_of_an_acronym_is_one_word() {
        for (name, snake_case, pascal_case) in [
            ("GetRFQs", "get_rfqs", "GetRfqs"),
            ("GetRFQsResponse", "get_rfqs_response", "GetRfqsResponse"),
            ("GetRFQ", "get_rfq", "GetRfq"),
            ("GetFCMFills", "get_fcm_fills", "GetFcmFills"),
            ("RFQIsOpen", "rfq_is_open", "RfqIsOpen"),
            ("GetDNSsuffix", "get_dn_ssuffix", "GetDnSsuffix"),
            ("x_y_zs", "x_y_zs", "Xyzs"),
            ("a_is_x", "a_is_x", "AIsX"),
            ("Ids", "ids", "Ids"),
            ("market_ids", "market_ids", "MarketIds"),
        ] {
            assert_eq!(
                (snake(name), pascal(name)),
                (snake_case.to_owned(), pascal_case.to_owned())
            );
            assert_eq!(pascal(pascal_case), pascal_case);
        }
    }

    #[test]
    fn singular_of_a_list_names_its_item() {
        for (plural, expected) in [
            ("market_positions", "market_position"),
            ("categories", "category"),
            ("series", "series"),
            ("event_series", "event_series"),
            ("access", "access"),
            ("data", "data"),
        ] {
            assert_eq!(singular(plural), expected);
        }
    }

    #[test]
    fn inline_types_are_named_after_owner_and_field() {
        assert_eq!(inline_type("Market", "status"), "MarketStatus");
        assert_eq!(inline_type("Market", "market_type"), "MarketType");
        assert_eq!(inline_type("RFQ", "status"), "RfqStatus");
        assert!(is_compound("time_in_force"));
        assert!(!is_compound("side"));
    }

    #[test]
    fn fields_are_named_as_typify_names_them() {
        for (name, ident) in [
            ("a", "a"),
            ("type", "type_"),
            ("camelCase", "camel_case"),
            ("FOO_BAR", "foo_bar"),
            ("a_", "a"),
            ("1abc", "x1abc"),
            ("+1", "plus1"),
            ("it's", "its"),
            ("a/b", "a_b"),
        ] {
            assert_eq!(field(name), ident);
            assert!(is_ident(name, ident));
        }
        assert!(is_ident("type", "r#type_"));
        assert!(!is_ident("a", "a_"));
        assert!(!is_ident("1abc", "_1abc"));
    }

    #[test]
    fn hidden_characters_are_visible() {
        for c in [
            '\u{ad}',
            '\u{7f}',
            '\u{180e}',
            '\u{200b}',
            '\u{2060}',
            '\u{206a}',
            '\u{202e}',
            '\u{feff}',
            '\u{e0041}',
            '\u{1b}',
        ] {
            assert!(visible(&c.to_string(), false).is_ascii(), "{c:?}");
        }
        assert_eq!(visible("\u{e9} \u{200d}", false), "\u{e9} \u{200d}");
    }
}
