//! The cursors of a list, and the detection of cycles among them.

/// The cursor of the next page, and the state to detect a cycle of cursors (Brent's algorithm).
pub(super) struct Cursors {
    pub(super) next: String,
    /// An earlier cursor, replaced by the latest after 1, 2, 4, 8... pages. With it, cycles of any length are detected.
    anchor: String,
    until_next_anchor: u64,
    between_anchors: u64,
}

impl Cursors {
    pub(super) fn new(first: String) -> Self {
        Self {
            anchor: first.clone(),
            next: first,
            until_next_anchor: 1,
            between_anchors: 1,
        }
    }

    /// Advances to the next cursor. Returns `false` if it equals the current cursor or the anchor, which proves a cycle.
    pub(super) fn advance(&mut self, cursor: &str) -> bool {
        if cursor == self.next || cursor == self.anchor {
            return false;
        }
        self.until_next_anchor -= 1;
        if self.until_next_anchor == 0 {
            cursor.clone_into(&mut self.anchor);
            self.between_anchors = self.between_anchors.saturating_mul(2);
            self.until_next_anchor = self.between_anchors;
        }
        cursor.clone_into(&mut self.next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Cursors;

    #[test]
    fn cycles_are_detected_and_long_lists_are_not() {
        let mut long = Cursors::new(String::new());
        for page in 0..10_000 {
            assert!(long.advance(&format!("c{page}")));
        }
        for (lead, circle) in [(0, 1), (1, 1), (0, 2), (3, 2), (5, 7), (17, 100), (1000, 3)] {
            let mut cursors = Cursors::new(String::new());
            let noticed = (0..lead + circle * 4 + lead * 2 + 2).find(|page| {
                let at = if *page < lead {
                    *page
                } else {
                    lead + (page - lead) % circle
                };
                !cursors.advance(&format!("c{at}"))
            });
            assert!(noticed.is_some(), "{lead} then {circle}");
        }
    }
}
