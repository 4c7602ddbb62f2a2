//! Text from strangers, made safe for a terminal.

/// Replaces characters that control a terminal or the direction of text. Titles of markets and messages of servers are written by
/// strangers.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_hostile(c) { '\u{FFFD}' } else { c })
        .collect()
}

/// Returns `true` for control characters except the line feed, and for invisible characters that change how others are shown.
pub(super) fn is_hostile(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn control_characters_and_direction_marks_are_replaced() {
        assert_eq!(
            clean("a\x1b[2Jb\u{9b}c\u{202e}d\re"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e"
        );
        assert_eq!(clean("Höchstwert ≥ 80° — 東京"), "Höchstwert ≥ 80° — 東京");
    }
}
