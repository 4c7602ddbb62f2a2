//! Random walk of the fair values of the markets of an event.

use super::{MarketIndex, Settlement};

/// Dependency between the outcomes of the markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Exactly one market settles to YES, so fair values sum to one dollar.
    Exclusive,
    /// Each market implies the one before it, so fair values decrease.
    Nested,
    /// No dependency, as in a margin market.
    Free,
}

/// Markets with fair values that move together, in millionths of a dollar.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub(super) kind: Kind,
    pub(super) markets: Vec<MarketIndex>,
    pub(super) fair: Vec<i64>,
    /// Size of one step.
    pub(super) step_size: i64,
    /// Lowest and highest fair value.
    pub(super) bounds: (i64, i64),
}

impl Walk {
    /// Starts a walk of an event at random fair values.
    pub(super) fn for_event(
        kind: Kind,
        markets: Vec<MarketIndex>,
        random: &mut fastrand::Rng,
    ) -> Self {
        const MIN_CENTS: i64 = 10;
        let count = i64::try_from(markets.len()).unwrap_or(1).max(1);
        let cents: Vec<i64> = if kind == Kind::Exclusive {
            let weights: Vec<i64> = markets.iter().map(|_| random.i64(1..=10)).collect();
            let (divisible, sum) = (100 - MIN_CENTS * count, weights.iter().sum::<i64>().max(1));
            let mut remaining = 100;
            let last = markets.len().saturating_sub(1);
            let share = |(index, weight): (usize, &i64)| {
                let share = if index == last {
                    remaining
                } else {
                    MIN_CENTS + divisible * weight / sum
                };
                remaining -= share;
                share
            };
            weights.iter().enumerate().map(share).collect()
        } else {
            let mut next = random.i64(65..=88);
            let decrease = |_| {
                let cents = next;
                next -= random.i64(8..=25);
                cents
            };
            markets.iter().map(decrease).collect()
        };
        Self {
            kind,
            markets,
            fair: cents.into_iter().map(|cents| cents * 10_000).collect(),
            step_size: 5_000,
            bounds: (70_000, 930_000),
        }
    }

    /// Moves one fair value up or down, unless the values would become inconsistent.
    pub(super) fn step(&mut self, random: &mut fastrand::Rng) {
        let count = self.fair.len();
        if count == 0 {
            return;
        }
        let one = random.usize(..count);
        let change = if random.bool() {
            self.step_size
        } else {
            -self.step_size
        };
        let mut next = self.fair.clone();
        if let Some(fair) = next.get_mut(one) {
            *fair += change;
        }
        if self.kind == Kind::Exclusive && count > 1 {
            let other = (one + 1 + random.usize(..count - 1)) % count;
            if let Some(fair) = next.get_mut(other) {
                *fair -= change;
            }
        }
        let (low, high) = self.bounds;
        let decreases =
            |pair: &[i64]| matches!(pair, [one, next] if one - next >= 2 * self.step_size);
        if next.iter().all(|fair| (low..=high).contains(fair))
            && (self.kind != Kind::Nested || next.windows(2).all(decreases))
        {
            self.fair = next;
        }
    }

    /// Returns past fair values, oldest first, that lead to the current ones.
    pub(super) fn past(&self, length: usize, random: &mut fastrand::Rng) -> Vec<Vec<i64>> {
        let mut walk = self.clone();
        let mut past: Vec<Vec<i64>> = (0..length)
            .map(|_| {
                for _ in 0..4 {
                    walk.step(random);
                }
                walk.fair.clone()
            })
            .collect();
        past.reverse();
        past
    }

    /// Returns the most likely results, which are consistent with each other.
    pub(super) fn results(&self) -> Vec<(MarketIndex, Settlement)> {
        let best = (0..self.fair.len()).max_by_key(|index| self.fair.get(*index));
        let rows = self.markets.iter().zip(&self.fair).enumerate();
        rows.map(|(index, (market, fair))| {
            let wins = match self.kind {
                Kind::Exclusive => best == Some(index),
                _ => *fair >= 500_000,
            };
            let result = if wins {
                Settlement::Yes
            } else {
                Settlement::No
            };
            (*market, result)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fair_values_stay_coherent() {
        let mut random = fastrand::Rng::with_seed(3);
        for (kind, count) in [
            (Kind::Exclusive, 4),
            (Kind::Exclusive, 2),
            (Kind::Nested, 3),
        ] {
            let mut walk = Walk::for_event(kind, (0..count).collect(), &mut random);
            let start = walk.fair.clone();
            for _ in 0..10_000 {
                walk.step(&mut random);
                assert!(
                    walk.fair
                        .iter()
                        .all(|fair| (70_000..=930_000).contains(fair))
                );
                match kind {
                    Kind::Exclusive => assert_eq!(walk.fair.iter().sum::<i64>(), 1_000_000),
                    _ => assert!(walk.fair.is_sorted_by(|one, next| one > next)),
                }
            }
            assert_ne!(walk.fair, start);
        }
    }
}
