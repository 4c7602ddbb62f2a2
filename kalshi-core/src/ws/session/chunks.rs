//! Subscribing to many targets in chunks, so that the snapshots that follow do not overflow the exchange's queue once more.
//!
//! A subscription is made with all of its targets at once, until the exchange reports an overflow. Then it is made with a first chunk,
//! and each further chunk is added when the snapshots of the one before have arrived. Every overflow makes the chunks smaller;
//! a subscription that lasted makes the next ones larger.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// Divisor of the chunk size after an overflow.
const SHRINK: usize = 4;

/// Multiplier of the chunk size after a subscription that lasted.
const GROW: usize = 2;

/// Time after which the next chunk is sent although snapshots of the one before are missing.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of a subscription has been requested on the current socket.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Most targets of one command.
    size: usize,
    /// Targets that are not requested yet.
    unsent: BTreeSet<String>,
    /// Targets of the last chunk without a snapshot so far.
    awaited: BTreeSet<String>,
    /// Time at which the next chunk is sent in any case.
    next_at: Option<Instant>,
}

impl Default for Chunks {
    fn default() -> Self {
        Self {
            size: usize::MAX,
            unsent: BTreeSet::new(),
            awaited: BTreeSet::new(),
            next_at: None,
        }
    }
}

impl Chunks {
    /// Begins again with all targets. Returns the first chunk.
    pub(super) fn start(&mut self, targets: &BTreeSet<String>) -> Vec<String> {
        self.stop();
        if targets.len() <= self.size {
            return targets.iter().cloned().collect();
        }
        self.unsent.clone_from(targets);
        self.next_chunk()
    }

    /// Forgets what is not requested yet: the socket is lost, or the subscription.
    pub(super) fn stop(&mut self) {
        self.unsent.clear();
        self.awaited.clear();
        self.next_at = None;
    }

    /// Takes the next chunk.
    pub(super) fn next_chunk(&mut self) -> Vec<String> {
        let chunk: Vec<_> = self.unsent.iter().take(self.size).cloned().collect();
        for target in &chunk {
            self.unsent.remove(target);
        }
        self.awaited = match self.unsent.is_empty() {
            true => BTreeSet::new(),
            false => chunk.iter().cloned().collect(),
        };
        self.next_at = (!self.unsent.is_empty()).then(|| Instant::now() + CHUNK_TIMEOUT);
        chunk
    }

    /// Notes the snapshot of a target. Returns `true` if the next chunk is due.
    pub(super) fn received(&mut self, target: &str) -> bool {
        self.awaited.remove(target) && self.awaited.is_empty()
    }

    /// Puts back the targets of a rejected chunk, to be requested with the next one.
    pub(super) fn return_targets(&mut self, targets: Vec<String>) {
        self.unsent.extend(targets);
        self.next_at = Some(Instant::now() + CHUNK_TIMEOUT);
    }

    /// Leaves out a target that is no longer selected. Returns `false` if it has been requested.
    pub(super) fn remove_unsent(&mut self, target: &str) -> bool {
        self.unsent.remove(target)
    }

    /// Waits for the next chunk once more.
    pub(super) fn postpone(&mut self) {
        self.next_at = self.next_at.map(|_| Instant::now() + CHUNK_TIMEOUT);
    }

    /// Time at which the next chunk is sent although snapshots are missing. `None` if there is none.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Most targets whose snapshots are requested at once.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns `true` unless the target still has to be requested. Assumes that the target is selected.
    pub(super) fn has_sent(&self, target: &str) -> bool {
        !self.unsent.contains(target)
    }

    /// Shrinks chunks after an overflow of the exchange's queue with this number of targets selected.
    pub(super) fn shrink(&mut self, selected: usize) {
        self.size = (self.size.min(selected) / SHRINK).max(1);
    }

    /// The subscription lasted.
    pub(super) fn grow(&mut self) {
        self.size = self.size.saturating_mul(GROW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("M{number:03}")).collect()
    }

    /// Sizes of all chunks, each sent when the snapshots of the one before have come.
    fn sizes(chunks: &mut Chunks, targets: &BTreeSet<String>) -> Vec<usize> {
        let mut chunk = chunks.start(targets);
        let mut sizes = vec![chunk.len()];
        while chunks.next_at().is_some() {
            let last = chunk
                .iter()
                .filter(|target| chunks.received(target))
                .count();
            assert_eq!(last, 1);
            chunk = chunks.next_chunk();
            sizes.push(chunk.len());
        }
        sizes
    }

    #[test]
    fn chunks_shrink_by_overflows_and_grow_again() {
        let (mut chunks, targets) = (Chunks::default(), targets(600));
        assert_eq!(sizes(&mut chunks, &targets), [600]);
        chunks.shrink(600);
        assert_eq!(sizes(&mut chunks, &targets), [150; 4]);
        chunks.shrink(600);
        assert_eq!(sizes(&mut chunks, &targets).first(), Some(&37));
        for _ in 0..5 {
            chunks.grow();
        }
        assert_eq!(sizes(&mut chunks, &targets), [600]);
        for _ in 0..9 {
            chunks.shrink(600);
        }
        assert_eq!(sizes(&mut chunks, &targets), [1; 600]);
    }
}
