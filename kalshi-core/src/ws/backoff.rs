//! Pauses between attempts to connect or subscribe.

use std::time::Duration;

/// Longest pause before the first attempt; it doubles with each failure.
const INITIAL_BACKOFF: Duration = Duration::from_millis(500);

/// Longest pause before any attempt.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// A connection or subscription that lasted this long was not a failure.
pub(super) const STABLE_AFTER: Duration = Duration::from_secs(60);

/// A random pause before attempt `attempt`, counted from 0. Full jitter, so that many clients do not come back at once.
pub(super) fn pause(attempt: u32) -> Duration {
    let longest = INITIAL_BACKOFF
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(MAX_BACKOFF);
    Duration::from_millis(fastrand::u64(
        0..=u64::try_from(longest.as_millis()).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_jittered_and_double_to_a_minute() {
        for (attempt, longest) in [(0, 500), (1, 1_000), (6, 32_000), (7, 60_000), (99, 60_000)] {
            let pauses: Vec<_> = (0..500).map(|_| pause(attempt).as_millis()).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > longest / 2), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause < longest / 2), "{attempt}");
        }
    }
}
