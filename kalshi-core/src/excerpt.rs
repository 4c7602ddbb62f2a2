//! The part of a body that an error shows: short, on one line, never a private key.

/// Length of the part of a body that an error shows, in characters.
pub(crate) const EXCERPT: usize = 200;

/// Shown instead of a private key.
pub(crate) const WITHHELD: &str = "(not shown: the response contains a private key)";

pub(crate) fn holds_private_key(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"PRIVATE KEY").is_some()
}

/// The part of a body around a line and column.
pub(crate) fn excerpt(body: &[u8], line: usize, column: usize, length: usize) -> String {
    let text = String::from_utf8_lossy(body);
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut start = (line_start + column)
        .saturating_sub(length / 2)
        .min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    short(text.get(start..).unwrap_or_default(), length)
}

/// At most `length` characters of a string, on one line.
pub(crate) fn short(text: &str, length: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(length).collect();
    if chars.next().is_some() {
        // The ellipsis counts too.
        out.pop();
        out.push('\u{2026}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_is_short_and_never_splits_a_character() {
        let body = "\u{20ac}".repeat(1_000);
        for column in 0..900 {
            assert!(excerpt(body.as_bytes(), 1, column, EXCERPT).chars().count() <= EXCERPT);
        }
        assert!(excerpt(b"\xff\xfe", 9, 9, EXCERPT).chars().count() <= EXCERPT);
    }
}
