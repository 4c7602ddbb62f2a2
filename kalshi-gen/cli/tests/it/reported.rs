//! Helpers that check the changes reported for a replacement in a spec, in both directions.

use kalshi_gen_cli::Diff;

/// Returns the spec with one substring, which must be unique, replaced.
pub(crate) fn with(spec: &str, old: &str, new: &str) -> String {
    assert_eq!(spec.matches(old).count(), 1, "{old}");
    spec.replace(old, new)
}

pub(crate) fn diff(old: &str, new: &str) -> Diff {
    Diff::new(old, new).unwrap()
}

/// Returns the changes, each as `class location: text`.
pub(crate) fn summaries(diff: &Diff) -> Vec<String> {
    diff.changes
        .iter()
        .map(|change| format!("{} {change}", change.class))
        .collect()
}

/// Checks the changes reported for replacing `old` by `new`, and for the reverse.
pub(crate) fn check(spec: &str, old: &str, new: &str, forward: &[&str], backward: &[&str]) {
    let changed = with(spec, old, new);
    assert_eq!(summaries(&diff(spec, &changed)), forward, "{old} -> {new}");
    assert_eq!(summaries(&diff(&changed, spec)), backward, "{new} -> {old}");
}
