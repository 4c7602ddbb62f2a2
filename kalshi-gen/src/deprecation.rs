//! `#[deprecated]` attributes for deprecated elements, with the replacement that the description names.

use syn::{Attribute, parse_quote};

use crate::docs;

/// Returns the attribute for an element with this description.
pub(crate) fn attribute(description: &str) -> Attribute {
    match replacement(description) {
        Some(note) => parse_quote!(#[deprecated(note = #note)]),
        None => parse_quote!(#[deprecated(note = "deprecated by the exchange")]),
    }
}

/// Returns the clause that names the replacement, such as "use `GetRFQQuote`", or `None` if the description does not name one.
fn replacement(description: &str) -> Option<String> {
    let text = docs::markdown(description);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split(". ").find_map(|sentence| {
        let clauses = sentence.split([';', ':', ',']).map(str::trim);
        let mut clauses = clauses.map(|clause| clause.trim_end_matches('.'));
        clauses.find_map(|clause| {
            let (verb, rest) = clause.split_once(' ')?;
            let verb = verb.to_ascii_lowercase();
            let names_replacement =
                ["use", "read", "send"].contains(&verb.as_str()) && rest.starts_with('`');
            names_replacement.then(|| format!("{verb} {rest}"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::replacement;

    #[test]
    fn notes_name_the_replacement() {
        for (description, expected) in [
            (
                "Deprecated: use `GetRFQQuote`, which names the RFQ as well. Reads one quote.",
                Some("use `GetRFQQuote`"),
            ),
            (
                "Deprecated: side of the taker, `yes` or `no`. Read `taker_outcome_side` or `taker_book_side` instead; since May.",
                Some("read `taker_outcome_side` or `taker_book_side` instead"),
            ),
            (
                "Keeps only RFQs of the user. For your own, use `user_filter=self`.",
                Some("use `user_filter=self`"),
            ),
            ("Deprecated. A number.", None),
            ("", None),
        ] {
            assert_eq!(
                replacement(description).as_deref(),
                expected,
                "{description}"
            );
        }
    }
}
