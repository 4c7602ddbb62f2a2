//! Subscribing to many targets in chunks, so that the snapshots that follow do not overflow the exchange's queue once more.
//!
//! A subscription is made with all of its targets at once, until the exchange reports an overflow. Then it is made with a first chunk,
//! and each further chunk is added when the snapshots of the one before have arrived. Every overflow makes the chunks smaller;
//! a subscription that lasted makes the next ones larger.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// Divisor of the chunk size after an overflow.
const SHRINK: usize = 4;

/// Time that a subscription has to last to double the chunk size, and to double it again.
const GROW_TIME: Duration = Duration::from_secs(60);

/// Time after which the next chunk is sent although snapshots of the one before are missing.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of a subscription has been requested on the current socket.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Most targets of one command.
    size: usize,
    /// Targets that are not requested yet.
    unsent: BTreeSet<String>,
    /// Targets of a rejected chunk, which are requested one by one to find out which is at fault.
    alone: BTreeSet<String>,
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
            alone: BTreeSet::new(),
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
        self.alone.clear();
        self.awaited.clear();
        self.next_at = None;
    }

    /// Takes the next chunk.
    pub(super) fn next_chunk(&mut self) -> Vec<String> {
        let chunk: Vec<_> = match self.alone.pop_first() {
            Some(target) => vec![target],
            None => self.unsent.iter().take(self.size).cloned().collect(),
        };
        for target in &chunk {
            self.unsent.remove(target);
        }
        let is_last = self.unsent.is_empty() && self.alone.is_empty();
        self.awaited = match is_last {
            true => BTreeSet::new(),
            false => chunk.iter().cloned().collect(),
        };
        self.next_at = (!is_last).then(|| Instant::now() + CHUNK_TIMEOUT);
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

    /// Sends the next chunk now: no snapshot of the last one will come.
    pub(super) fn skip(&mut self) {
        self.next_at = self.next_at.map(|_| Instant::now());
    }

    /// Requests the targets of a rejected chunk one by one, beginning now.
    pub(super) fn isolate(&mut self, targets: Vec<String>) {
        self.alone.extend(targets);
        self.next_at = Some(Instant::now());
    }

    /// Leaves out a target that is no longer selected, or was requested otherwise. Returns `false` if it has been requested.
    pub(super) fn remove_unsent(&mut self, target: &str) -> bool {
        self.unsent.remove(target) | self.alone.remove(target)
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
        !self.unsent.contains(target) && !self.alone.contains(target)
    }

    /// Shrinks chunks after an overflow of the exchange's queue with this number of targets selected.
    pub(super) fn shrink(&mut self, selected: usize) {
        self.size = (self.size.min(selected) / SHRINK).max(1);
    }

    /// Enlarges chunks after a subscription that lasted.
    pub(super) fn grow(&mut self, lasted: Duration) {
        let minutes = lasted.as_secs() / GROW_TIME.as_secs();
        let doublings = u32::try_from(minutes).unwrap_or(u32::MAX).saturating_add(1);
        self.size = self.size.saturating_mul(2_usize.saturating_pow(doublings));
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
        chunks.grow(Duration::from_secs(11));
        assert_eq!(sizes(&mut chunks, &targets).first(), Some(&74));
        chunks.grow(Duration::from_secs(86_400));
        assert_eq!(sizes(&mut chunks, &targets), [600]);
        for _ in 0..9 {
            chunks.shrink(600);
        }
        assert_eq!(sizes(&mut chunks, &targets), [1; 600]);
    }
}
