//! Subscription to many targets in chunks, so that the resulting snapshots do not overflow the exchange's queue again.
//!
//! A subscription is made with all its targets at once until the exchange reports an overflow. From then on it is made with a first chunk,
//! and each further chunk is added once the snapshots of the previous one have arrived. Each overflow makes the chunks smaller; a
//! subscription that lasts makes later ones larger.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

/// Factor by which an overflow divides the chunk size.
const SHRINK: usize = 4;

/// A stable subscription doubles the chunk size once, and once more for each such period that it lasted.
const GROW_TIME: Duration = Duration::from_secs(60);

/// Time after which the next chunk is sent even if snapshots of the previous one are missing.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(2);

/// Progress of a subscription on the current socket, and its chunk size.
#[derive(Debug)]
pub(super) struct Chunks {
    /// Maximum number of targets per command.
    size: usize,
    /// Targets that have not been requested yet.
    unsent: BTreeSet<String>,
    /// Targets of a rejected chunk. They are requested individually to find the one that is rejected.
    alone: BTreeSet<String>,
    /// Targets of the last chunk that have no snapshot yet.
    awaited: BTreeSet<String>,
    /// Time at which the next chunk is sent regardless of missing snapshots. `None` if there is no next chunk.
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
    /// Starts over with all targets. Returns the first chunk.
    pub(super) fn start(&mut self, targets: &BTreeSet<String>) -> Vec<String> {
        self.stop();
        if targets.len() <= self.size {
            return targets.iter().cloned().collect();
        }
        self.unsent.clone_from(targets);
        self.next_chunk()
    }

    /// Drops all targets that have not been requested, because the socket or the subscription is lost.
    pub(super) fn stop(&mut self) {
        self.unsent.clear();
        self.alone.clear();
        self.awaited.clear();
        self.next_at = None;
    }

    /// Removes and returns the next chunk.
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

    /// Records the snapshot of a target. Returns `true` if the next chunk is due.
    pub(super) fn received(&mut self, target: &str) -> bool {
        self.awaited.remove(target) && self.awaited.is_empty()
    }

    /// Returns the targets of a rejected chunk to the queue, to be requested with the next one.
    pub(super) fn return_targets(&mut self, targets: Vec<String>) {
        self.unsent.extend(targets);
        self.next_at = Some(Instant::now() + CHUNK_TIMEOUT);
    }

    /// Makes the next chunk due now, because no snapshot of the last one will arrive.
    pub(super) fn skip(&mut self) {
        self.next_at = self.next_at.map(|_| Instant::now());
    }

    /// Queues the targets of a rejected chunk to be requested individually, starting now.
    pub(super) fn isolate(&mut self, targets: Vec<String>) {
        self.alone.extend(targets);
        self.next_at = Some(Instant::now());
    }

    /// Removes a target that is no longer selected, or was requested by another command. Returns `false` if it has already been requested.
    pub(super) fn remove_unsent(&mut self, target: &str) -> bool {
        self.unsent.remove(target) | self.alone.remove(target)
    }

    /// Restarts the timeout of the next chunk.
    pub(super) fn postpone(&mut self) {
        self.next_at = self.next_at.map(|_| Instant::now() + CHUNK_TIMEOUT);
    }

    /// Returns the time at which the next chunk is sent regardless of missing snapshots. `None` if there is no next chunk.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Returns the maximum number of targets whose snapshots are requested at once.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Returns `true` if the target has been requested. The target must be selected.
    pub(super) fn has_sent(&self, target: &str) -> bool {
        !self.unsent.contains(target) && !self.alone.contains(target)
    }

    /// Reduces the chunk size after an overflow of the exchange's queue with this number of selected targets.
    pub(super) fn shrink(&mut self, selected: usize) {
        self.size = (self.size.min(selected) / SHRINK).max(1);
    }

    /// Increases the chunk size after a subscription that lasted this long.
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

    /// Returns the sizes of all chunks, each sent once the snapshots of the previous one have arrived.
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
    fn overflows_shrink_chunks_and_stability_grows_them() {
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
