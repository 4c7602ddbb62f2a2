//! Sanitises untrusted strings for the terminal.

/// Replaces characters that control the terminal or the direction of writing. Titles of markets and messages of servers are
/// untrusted.
pub(crate) fn sanitize(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c })
        .collect()
}

/// Returns `true` for control characters except the line feed, and for invisible formatting characters.
pub(super) fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::sanitize;

    #[test]
    fn control_characters_and_direction_marks_are_replaced() {
        assert_eq!(
            sanitize("a\x1b[2Jb\u{9b}c\u{202e}d\re"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e"
        );
        // A soft hyphen, and letters of tags, which are invisible.
        assert_eq!(sanitize("a\u{ad}b\u{e0041}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(
            sanitize("Höchstwert ≥ 80° — 東京"),
            "Höchstwert ≥ 80° — 東京"
        );
    }
}
