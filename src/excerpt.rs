//! What an error shows of a body: little, on one line, and never a private key.

/// How much of a body an error shows, in characters.
pub(crate) const EXCERPT: usize = 200;

/// What stands in place of a private key.
pub(crate) const WITHHELD: &str = "(not shown: the answer holds a private key)";

pub(crate) fn holds_private_key(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"PRIVATE KEY").is_some()
}

/// The part of a body around a place.
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

/// At most `length` characters of a text, on one line.
pub(crate) fn short(text: &str, length: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = chars.by_ref().take(length).collect();
    if chars.next().is_some() {
        // The mark of the cut counts too.
        out.pop();
        out.push('\u{2026}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_never_split_a_character() {
        let body = "\u{20ac}".repeat(1_000);
        for column in 0..900 {
            assert!(excerpt(body.as_bytes(), 1, column, EXCERPT).chars().count() <= EXCERPT);
        }
        assert!(excerpt(b"\xff\xfe", 9, 9, EXCERPT).chars().count() <= EXCERPT);
    }
}
