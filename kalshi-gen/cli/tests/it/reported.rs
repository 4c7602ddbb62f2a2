//! What a difference tells, there and back, of a spec with one piece of its text replaced.

use kalshi_gen_cli::Diff;

/// A spec with one piece of text, which stands there once, replaced.
pub(crate) fn with(spec: &str, old: &str, new: &str) -> String {
    assert_eq!(spec.matches(old).count(), 1, "{old}");
    spec.replace(old, new)
}

pub(crate) fn diff(old: &str, new: &str) -> Diff {
    Diff::new(old, new).unwrap()
}

/// The changes, each as `class place: text`.
pub(crate) fn told(diff: &Diff) -> Vec<String> {
    diff.changes
        .iter()
        .map(|change| format!("{} {change}", change.class))
        .collect()
}

/// What replacing `old` by `new` tells, and what going back does.
pub(crate) fn check(spec: &str, old: &str, new: &str, there: &[&str], back: &[&str]) {
    let changed = with(spec, old, new);
    assert_eq!(told(&diff(spec, &changed)), there, "{old} -> {new}");
    assert_eq!(told(&diff(&changed, spec)), back, "{new} -> {old}");
}
