//! The cost of a request, from this project's `x-` fields or else from the exchange's description.

use serde_json::{Map, Value};

use kalshi_gen::internals::{operations::DEFAULT_TOKEN_COST, spec::str_field};

/// The tokens that a request takes, and from which bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) tokens: u64,
    /// `true` if each item of a batch takes this many tokens.
    pub(crate) per_item: bool,
    pub(crate) bucket: String,
}

impl Cost {
    /// Returns the cost given by the `x-` fields of an operation, else by its description, else the default.
    pub(crate) fn from_operation(method: &str, operation: &Map<String, Value>) -> Self {
        let number = |key: &str| operation.get(key).and_then(Value::as_u64);
        let from_fields = match (number("x-token-cost-per-item"), number("x-token-cost")) {
            (Some(tokens), _) => Some((tokens, true)),
            (None, tokens) => tokens.map(|tokens| (tokens, false)),
        };
        let (tokens, per_item) = from_fields
            .or_else(|| stated_cost(operation))
            .unwrap_or((DEFAULT_TOKEN_COST, false));
        let bucket = str_field(operation, "x-rate-bucket").unwrap_or(if method == "get" {
            "read"
        } else {
            "write"
        });
        Self {
            tokens,
            per_item,
            bucket: bucket.to_owned(),
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            tokens,
            per_item,
            bucket,
        } = self;
        let plural = if *tokens == 1 { "" } else { "s" };
        let per = if *per_item { " per item" } else { "" };
        write!(f, "{tokens} token{plural}{per} ({bucket})")
    }
}

/// Returns the cost stated in an operation's description or, if it is not there, in its `x-mint` documentation page.
pub(crate) fn stated_cost(operation: &Map<String, Value>) -> Option<(u64, bool)> {
    let page = operation
        .get("x-mint")
        .and_then(|page| page.get("content")?.as_str());
    [str_field(operation, "description"), page]
        .into_iter()
        .flatten()
        .find_map(parse_cost)
}

/// Parses the cost after `Rate limit:`, and whether it applies to each item of a batch.
pub(crate) fn parse_cost(text: &str) -> Option<(u64, bool)> {
    let text = text.to_ascii_lowercase();
    let (_, rest) = text.split_once("rate limit:")?;
    // The label may be bold in Markdown.
    let rest = rest.trim_start_matches(['*', ' ', '\n']);
    let (number, rest) = rest.split_once(char::is_whitespace)?;
    let unit = rest.split(['.', ',', ';']).next()?;
    let basis = unit
        .strip_prefix("tokens")
        .or(unit.strip_prefix("token"))?
        .trim_start();
    let per_item = basis
        .strip_prefix("per ")
        .is_some_and(|basis| !basis.starts_with("request") && !basis.starts_with("call"));
    Some((number.parse().ok()?, per_item))
}

#[cfg(test)]
mod tests {
    use super::parse_cost;

    #[test]
    fn costs_are_parsed_from_descriptions() {
        for (text, cost) in [
            (
                "Cancels it.\n\n**Rate limit:** 2 tokens per request. More elsewhere.",
                Some((2, false)),
            ),
            (
                "**Rate limit:** 10 tokens per order in the batch, so N times that.",
                Some((10, true)),
            ),
            (
                "**Rate limit:** 5 tokens per request, or 50 tokens with a flag.",
                Some((5, false)),
            ),
            ("Rate limit: 1 token", Some((1, false))),
            (
                "**Rate limit:** as many as a batch of the greatest size takes.",
                None,
            ),
            ("Takes 3 tokens per request.", None),
        ] {
            assert_eq!(parse_cost(text), cost, "{text}");
        }
    }
}
