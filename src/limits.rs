//! Token buckets as the exchange keeps them, so that calls wait here in place of being refused there.

mod bucket;
mod costs;
#[cfg(test)]
mod model;

use std::{
    fmt,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

pub use self::bucket::NoTokens;
pub(crate) use self::costs::{EndpointCosts, items};
use self::{
    bucket::{Lane, TokenBucket},
    costs::Costs,
};
use crate::{Operation, operation::Bucket};

/// How long a call may wait for tokens.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// The usage tier of an account, which sets the size of its buckets.
///
/// | Tier     | Reads: tokens a second, at most | Writes: tokens a second, at most | Balance: calls a second |
/// |----------|---------------------------------|----------------------------------|-------------------------|
/// | Basic    | 200, 400                        | 100, 100                         | 1                       |
/// | Advanced | 300, 600                        | 300, 600                         | 1                       |
/// | Expert   | 600, 600                        | 600, 1200                        | 5                       |
/// | Premier  | 1000, 1000                      | 1000, 2000                       | 5                       |
/// | Paragon  | 2000, 2000                      | 2000, 4000                       | 5                       |
/// | Prime    | 4000, 4000                      | 4000, 8000                       | 5                       |
/// | Prestige | 6000, 6000                      | 8000, 16000                      | 5                       |
///
/// A call takes 10 tokens unless its documentation says otherwise. What an account has for sure,
/// [`Client::discover_limits`](crate::Client::discover_limits) asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// Every new account.
    #[default]
    Basic,
    /// Asked for, by accounts that have traded by API.
    Advanced,
    /// Earned by volume, like all above it.
    Expert,
    /// The fourth.
    Premier,
    /// The fifth.
    Paragon,
    /// The sixth.
    Prime,
    /// The highest.
    Prestige,
}

/// The size of one token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct BucketLimit {
    /// Tokens that come in a second.
    pub refill_rate: u32,
    /// Tokens that it holds at most.
    pub capacity: u32,
}

impl BucketLimit {
    /// So many tokens a second, and so many at most. Neither is less than 1.
    #[must_use]
    pub fn new(refill_rate: u32, capacity: u32) -> Self {
        Self {
            refill_rate: refill_rate.max(1),
            capacity: capacity.max(1),
        }
    }
}

/// The buckets of an account, and that of its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AccountLimits {
    /// Signed reads.
    pub read: BucketLimit,
    /// Signed writes, and the reads that the exchange counts among these.
    pub write: BucketLimit,
    /// The balance.
    pub balance: BucketLimit,
    /// Calls without a signature, which the exchange counts by the address they come from.
    pub public: BucketLimit,
}

impl AccountLimits {
    /// Those of a tier.
    #[must_use]
    pub fn of(tier: Tier) -> Self {
        // Reads a second, seconds of them the bucket holds; likewise for writes; balances a second.
        let (read, read_seconds, write, write_seconds, balances) = match tier {
            Tier::Basic => (200, 2, 100, 1, 1),
            Tier::Advanced => (300, 2, 300, 2, 1),
            Tier::Expert => (600, 1, 600, 2, 5),
            Tier::Premier => (1000, 1, 1000, 2, 5),
            Tier::Paragon => (2000, 1, 2000, 2, 5),
            Tier::Prime => (4000, 1, 4000, 2, 5),
            Tier::Prestige => (6000, 1, 8000, 2, 5),
        };
        Self {
            read: BucketLimit::new(read, read * read_seconds),
            write: BucketLimit::new(write, write * write_seconds),
            // One call at a time, which takes 10.
            balance: BucketLimit::new(balances * 10, 10),
            // 20 calls a second are served, 32 are not; how many at once is not known.
            public: BucketLimit::new(200, 200),
        }
    }

    /// The same with another bucket of reads.
    #[must_use]
    pub fn with_read(mut self, limit: BucketLimit) -> Self {
        self.read = limit;
        self
    }

    /// The same with another bucket of writes.
    #[must_use]
    pub fn with_write(mut self, limit: BucketLimit) -> Self {
        self.write = limit;
        self
    }

    /// The same with another bucket of balances.
    #[must_use]
    pub fn with_balance(mut self, limit: BucketLimit) -> Self {
        self.balance = limit;
        self
    }

    /// The same with another bucket of public calls.
    #[must_use]
    pub fn with_public(mut self, limit: BucketLimit) -> Self {
        self.public = limit;
        self
    }
}

/// Which limits a client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimits {
    /// Those of a tier. A client without credentials makes public calls only, whose allowance is the same for all.
    Tier(Tier),
    /// These.
    Account(AccountLimits),
    /// Those that the exchange names: asked for once, before the first signed call. Should that fail, those of the Basic tier
    /// hold, and [`Client::discover_limits`](crate::Client::discover_limits) tells why.
    Discovered,
    /// None: every call is sent at once.
    Unlimited,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self::Tier(Tier::Basic)
    }
}

impl From<Tier> for RateLimits {
    fn from(tier: Tier) -> Self {
        Self::Tier(tier)
    }
}

/// Keeps the token buckets of one account. All clones of a client share one; give the same to several clients of one account:
/// the exchange counts them together.
///
/// Waiting is fair: calls of one bucket go in the order they came, however much each takes. Only cancels (every DELETE of the
/// write bucket, and the trigger of an order group) go before the others, as they must not wait behind orders that open more. A call that was given up
/// leaves its place.
///
/// ```
/// use std::sync::Arc;
/// use kalshi_sdk::{Client, limits::{RateLimiter, Tier}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = Arc::new(RateLimiter::new(Tier::Advanced));
/// let quotes = Client::builder().rate_limiter(limiter.clone()).build()?;
/// let orders = Client::builder().rate_limiter(limiter.clone()).build()?;
/// assert_eq!(limiter.snapshot().write.tokens, 600);
/// # Ok(())
/// # }
/// ```
pub struct RateLimiter {
    unlimited: bool,
    /// To be asked of the exchange, and not asked yet.
    discover: AtomicBool,
    read: TokenBucket,
    write: TokenBucket,
    balance: TokenBucket,
    public: TokenBucket,
    costs: RwLock<Arc<Costs>>,
}

impl RateLimiter {
    /// A limiter with full buckets.
    #[must_use]
    pub fn new(limits: impl Into<RateLimits>) -> Self {
        let limits = limits.into();
        let account = match limits {
            RateLimits::Tier(tier) => AccountLimits::of(tier),
            RateLimits::Account(account) => account,
            RateLimits::Discovered | RateLimits::Unlimited => AccountLimits::of(Tier::Basic),
        };
        Self {
            unlimited: limits == RateLimits::Unlimited,
            discover: AtomicBool::new(limits == RateLimits::Discovered),
            read: TokenBucket::new(account.read),
            write: TokenBucket::new(account.write),
            balance: TokenBucket::new(account.balance),
            public: TokenBucket::new(account.public),
            costs: RwLock::default(),
        }
    }

    /// Sets other limits while it runs. Tokens that are there stay, as far as they fit.
    pub fn set_limits(&self, limits: AccountLimits) {
        self.read.resize(limits.read);
        self.write.resize(limits.write);
        self.balance.resize(limits.balance);
        self.public.resize(limits.public);
    }

    pub(crate) fn set_costs(&self, costs: &EndpointCosts) {
        *self
            .costs
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(Costs::new(costs));
    }

    /// Whether the limits are to be asked of the exchange now; says so once.
    pub(crate) fn take_discovery(&self) -> bool {
        self.discover.load(Relaxed) && self.discover.swap(false, Relaxed)
    }

    /// The limits are to be asked of the exchange by the next call.
    pub(crate) fn discover_later(&self) {
        self.discover.store(true, Relaxed);
    }

    /// What a call takes: a batch of `items`, or one.
    #[must_use]
    pub fn cost(&self, operation: &Operation, items: u32) -> u32 {
        let costs = self
            .costs
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        // The bucket of the balance is counted in calls.
        let each = match operation.bucket {
            Bucket::Balance if operation.auth => operation.token_cost,
            _ => costs.of(operation),
        };
        if operation.token_cost_per_item.is_some() {
            each.saturating_mul(items.max(1))
        } else {
            each
        }
    }

    fn bucket(&self, operation: &Operation) -> &TokenBucket {
        match operation.bucket {
            _ if !operation.auth => &self.public,
            Bucket::Read => &self.read,
            Bucket::Write => &self.write,
            Bucket::Balance => &self.balance,
        }
    }

    /// Waits until a call may go, `max_wait` at most, and takes its tokens: of a batch of `items`, or of one. A client does so by
    /// itself; this is for calls of the same account that are made otherwise.
    ///
    /// # Errors
    ///
    /// At once, when the wait would be longer or there can never be so many tokens; later, when cancels that came in between
    /// make it longer.
    pub async fn acquire(
        &self,
        operation: &Operation,
        items: u32,
        max_wait: Duration,
    ) -> Result<(), NoTokens> {
        if self.unlimited {
            return Ok(());
        }
        let cancels = operation.method == reqwest::Method::DELETE
            && operation.bucket == Bucket::Write
            || operation.id == "TriggerOrderGroup";
        let lane = if cancels { Lane::First } else { Lane::Ordinary };
        let cost = self.cost(operation, items);
        self.bucket(operation).acquire(cost, lane, max_wait).await
    }

    /// The exchange refused a call of the operation for an empty bucket: whatever we thought, it is empty.
    pub(crate) fn refused(&self, operation: &Operation) {
        self.bucket(operation).empty();
    }

    /// What is in the buckets now, and what has been.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            read: self.read.snapshot(),
            write: self.write.snapshot(),
            balance: self.balance.snapshot(),
            public: self.public.snapshot(),
        }
    }
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(RateLimits::default())
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RateLimiter");
        if self.unlimited {
            out.field("unlimited", &true);
        } else {
            out.field("now", &self.snapshot());
        }
        out.finish_non_exhaustive()
    }
}

/// The state of a [`RateLimiter`], for a dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Signed reads.
    pub read: BucketSnapshot,
    /// Signed writes.
    pub write: BucketSnapshot,
    /// The balance.
    pub balance: BucketSnapshot,
    /// Calls without a signature.
    pub public: BucketSnapshot,
}

/// The state of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketSnapshot {
    /// Its size.
    pub limit: BucketLimit,
    /// Whole tokens in it.
    pub tokens: u32,
    /// Calls that wait for tokens.
    pub waiting: u32,
    /// Calls that have had to wait so far.
    pub waits: u64,
    /// Refusals (429) so far.
    pub refusals: u64,
}
