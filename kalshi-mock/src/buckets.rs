//! Token buckets of the exchange.

use kalshi_sdk::{
    limits::{AccountLimits, BucketLimit},
    operation::Bucket,
};

use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// A token bucket. It counts in millionths of a token, to avoid rounding errors.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    limit: BucketLimit,
    available: i64,
    updated: Micros,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(crate) fn new(limit: BucketLimit, now: Micros) -> Self {
        Self {
            limit,
            available: i64::from(limit.capacity()) * SECOND,
            updated: now,
        }
    }

    /// Takes tokens, or rejects the request if there are too few.
    pub(crate) fn take(&mut self, tokens: u32, now: Micros) -> Result<(), Rejection> {
        let capacity = i64::from(self.limit.capacity()) * SECOND;
        let elapsed = now.saturating_sub(self.updated).max(0);
        let refill = elapsed.saturating_mul(i64::from(self.limit.refill_rate()));
        self.available = self.available.saturating_add(refill).min(capacity);
        // If the clock was set back, the bucket refills from the new time on.
        self.updated = now;
        let needed = i64::from(tokens) * SECOND;
        if needed > self.available {
            return Err(Rejection::new(
                http::StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!(
                    "the request needs {tokens} tokens, {} are available",
                    self.available / SECOND
                ),
            ));
        }
        self.available -= needed;
        Ok(())
    }
}

/// The buckets of a user.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    read: TokenBucket,
    write: TokenBucket,
    balance: TokenBucket,
}

impl Buckets {
    pub(crate) fn new(limits: AccountLimits, now: Micros) -> Self {
        let full = |limit| TokenBucket::new(limit, now);
        Self {
            read: full(limits.read()),
            write: full(limits.write()),
            balance: full(limits.balance()),
        }
    }

    pub(crate) fn get_mut(&mut self, bucket: Bucket) -> &mut TokenBucket {
        match bucket {
            Bucket::Write => &mut self.write,
            Bucket::Balance => &mut self.balance,
            _ => &mut self.read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_rejects_missing_tokens_and_refills_over_time() {
        let mut bucket = TokenBucket::new(BucketLimit::new(100, 100), 0);
        for _ in 0..10 {
            assert!(bucket.take(10, 0).is_ok());
        }
        assert!(bucket.take(1, 0).is_err());
        assert!(bucket.take(10, SECOND / 10 - 1).is_err());
        assert!(bucket.take(10, SECOND / 10).is_ok());
        assert!(
            bucket.take(100, 60 * SECOND).is_ok(),
            "the bucket is full again"
        );
        assert!(
            bucket.take(1, 60 * SECOND).is_err(),
            "the bucket holds at most its capacity"
        );
    }

    #[test]
    fn bucket_refills_after_the_clock_was_set_back() {
        let mut bucket = TokenBucket::new(BucketLimit::new(100, 100), 3_600 * SECOND);
        assert!(bucket.take(100, 3_600 * SECOND).is_ok());
        assert!(
            bucket.take(1, 0).is_err(),
            "setting it back refills nothing"
        );
        assert!(bucket.take(100, SECOND).is_ok());
    }
}
