//! Setters of request builders: each has a name of its own.

use crate::generate::compact_code;

/// A spec with the operation and query parameters that a fixup turns into lists.
fn spec(operation: &str, parameters: &[&str]) -> String {
    let parameters: Vec<_> = parameters
        .iter()
        .map(|name| format!("{{name: {name}, in: query, schema: {{type: string}}}}"))
        .collect();
    format!(
        "openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\npaths:\n  /things:\n    get: {{operationId: {operation}, parameters: [{}], responses: {{'204': {{description: ok}}}}}}\n",
        parameters.join(", ")
    )
}

#[test]
fn setter_for_several_values_gives_way_to_a_parameter_of_that_name() {
    for (operation, singular, plural) in [
        ("GetFills", "ticker", "tickers"),
        ("GetOrders", "event_ticker", "event_tickers"),
    ] {
        let setters = |code: &str| {
            [singular, plural].map(|name| {
                let [plain, generic] = ["(", "<"].map(|end| format!("pubfn{name}{end}"));
                code.matches(&plain).count() + code.matches(&generic).count()
            })
        };
        let alone = compact_code(&spec(operation, &[singular]));
        assert_eq!(setters(&alone), [1, 1]);
        assert!(alone.contains(&format!("pubfn{singular}(self,item:")));
        let both = compact_code(&spec(operation, &[singular, plural]));
        assert_eq!(setters(&both), [1, 1], "{both}");
        assert!(
            both.contains(&format!("pubfn{singular}(mutself,items:")),
            "{both}"
        );
    }
}
