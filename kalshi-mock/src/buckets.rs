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
    held: i64,
    at: Micros,
}

impl TokenBucket {
    /// Creates a full bucket.
    pub(crate) fn new(limit: BucketLimit, now: Micros) -> Self {
        Self {
            limit,
            held: i64::from(limit.capacity()) * SECOND,
            at: now,
        }
    }

    /// Takes tokens, or rejects the request if there are too few.
    pub(crate) fn take(&mut self, tokens: u32, now: Micros) -> Result<(), Rejection> {
        let capacity = i64::from(self.limit.capacity()) * SECOND;
        let elapsed = now.saturating_sub(self.at).max(0);
        let gained = elapsed.saturating_mul(i64::from(self.limit.refill_rate()));
        self.held = self.held.saturating_add(gained).min(capacity);
        // If the clock was set back, the same interval must not refill the bucket twice.
        self.at = self.at.max(now);
        let wanted = i64::from(tokens) * SECOND;
        if wanted > self.held {
            return Err(Rejection::new(
                http::StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!(
                    "the request needs {tokens} tokens, {} are available",
                    self.held / SECOND
                ),
            ));
        }
        self.held -= wanted;
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

    pub(crate) fn of(&mut self, bucket: Bucket) -> &mut TokenBucket {
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
}
