//! Excerpts of response bodies for error messages: short, on one line, without secrets.

/// Maximum length of an excerpt in characters.
pub(crate) const EXCERPT: usize = 200;

/// Replaces an excerpt of a body that contains a secret.
pub(crate) const WITHHELD: &str = "(not shown: the response contains a secret)";

pub(crate) fn holds_private_key(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"PRIVATE KEY").is_some()
}

/// Returns the byte offset of a line and column as counted by serde_json: both from 1, columns in bytes.
pub(crate) fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let line_start = match line.checked_sub(2) {
        Some(nth) => memchr::memchr_iter(b'\n', text)
            .nth(nth)
            .map_or(text.len(), |newline| newline + 1),
        None => 0,
    };
    line_start.saturating_add(column).min(text.len())
}

/// Returns the excerpt around a line and column. Decodes only that part, however long the body is.
pub(crate) fn excerpt(body: &[u8], line: usize, column: usize, length: usize) -> String {
    let mut start = offset(body, line, column).saturating_sub(length / 2);
    // Move to the start of a character, which has at most three continuation bytes.
    for _ in 0..3 {
        let is_continuation = body.get(start).is_some_and(|byte| byte & 0xC0 == 0x80);
        start -= usize::from(is_continuation && start > 0);
    }
    // A character has at most four bytes. One more character is needed to detect that the text continues.
    let end = start.saturating_add((length + 1) * 4).min(body.len());
    let window = body.get(start..end).unwrap_or_default();
    short(&String::from_utf8_lossy(window), length)
}

/// Truncates a string to `length` characters and replaces control characters with spaces.
pub(crate) fn short(text: &str, length: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(length).collect();
    if chars.next().is_some() {
        // The ellipsis counts towards the length.
        out.pop();
        out.push('\u{2026}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_is_around_the_position() {
        let body = format!(
            "{}\n{}!{}",
            "a".repeat(9_000),
            "b".repeat(9_000),
            "c".repeat(9_000)
        );
        let text = excerpt(body.as_bytes(), 2, 9_001, 20);
        assert_eq!(text, format!("{}!{}\u{2026}", "b".repeat(9), "c".repeat(9)));
        assert_eq!(excerpt(b"{}", 1, 2, EXCERPT), "{}");
        assert_eq!(excerpt(b"{\n}", 2, 1, EXCERPT), "{ }");
    }

    #[test]
    fn excerpt_is_short_and_never_splits_a_character() {
        let body = "\u{20ac}".repeat(1_000);
        for column in 0..900 {
            assert!(excerpt(body.as_bytes(), 1, column, EXCERPT).chars().count() <= EXCERPT);
        }
        assert!(excerpt(b"\xff\xfe", 9, 9, EXCERPT).chars().count() <= EXCERPT);
    }
}
