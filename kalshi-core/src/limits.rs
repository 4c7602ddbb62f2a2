//! Rate limits: token buckets as the exchange counts them, so that requests wait locally instead of being rejected.

mod bucket;
mod costs;
mod level;
#[cfg(test)]
mod model;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

pub use self::bucket::{BucketLimit, BucketSnapshot, RateLimitError, RateLimitPermit};
use self::bucket::{Lane, TokenBucket};
pub use self::costs::EndpointCosts;
pub(crate) use self::costs::{Costs, items};
pub use self::level::DEFAULT_SLACK;
use crate::operation::{Bucket, Operation};

/// Longest wait for tokens unless set.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// Widest slack that can be set.
const SLACK_LIMIT: Duration = Duration::from_secs(10);

/// The usage tier of an account, which sets the size of its buckets.
///
/// | Tier     | Reads: tokens a second, bucket size | Writes: tokens a second, bucket size | Balance: requests a second |
/// |----------|-------------------------------------|--------------------------------------|----------------------------|
/// | Basic    | 200, 400                        | 100, 100                         | 1                       |
/// | Advanced | 300, 600                        | 300, 600                         | 1                       |
/// | Expert   | 600, 600                        | 600, 1200                        | 5                       |
/// | Premier  | 1000, 1000                      | 1000, 2000                       | 5                       |
/// | Paragon  | 2000, 2000                      | 2000, 4000                       | 5                       |
/// | Prime    | 4000, 4000                      | 4000, 8000                       | 5                       |
/// | Prestige | 6000, 6000                      | 8000, 16000                      | 5                       |
///
/// A request takes 10 tokens unless its documentation says otherwise. The exchange reports the limits of an account; the client's
/// `discover_limits` reads and applies them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// The tier of a new account.
    #[default]
    Basic,
    /// Granted on request to accounts that have traded through the API.
    Advanced,
    /// Earned by trading volume, like the tiers above it.
    Expert,
    /// Above Expert.
    Premier,
    /// Above Premier.
    Paragon,
    /// Above Paragon.
    Prime,
    /// The highest tier.
    Prestige,
}

/// The sizes of an account's token buckets, and of its IP address's.
///
/// A limiter replaces a limit of zero by that of the tier, with a warning, because it would fail every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountLimits {
    read: BucketLimit,
    write: BucketLimit,
    balance: BucketLimit,
    public: BucketLimit,
    /// The tier that the limits began with. Its limits replace unusable ones that the exchange reports.
    tier: Tier,
}

impl AccountLimits {
    /// The limits of a tier.
    #[must_use]
    pub fn from_tier(tier: Tier) -> Self {
        // Read tokens a second, seconds of them that the bucket holds; the same for writes; balance requests a second.
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
            // One request at a time, which takes 10.
            balance: BucketLimit::new(balances * 10, 10),
            // 20 requests a second were served and 32 were not; the burst size is unknown.
            public: BucketLimit::new(200, 200),
            tier,
        }
    }

    /// Replaces limits that never allow a request by those of the tier.
    fn without_zeros(mut self) -> Self {
        let tier = Self::from_tier(self.tier);
        for (bucket, limit, fallback) in [
            ("read", &mut self.read, tier.read),
            ("write", &mut self.write, tier.write),
            ("balance", &mut self.balance, tier.balance),
            ("public", &mut self.public, tier.public),
        ] {
            if limit.refill_rate() == 0 || limit.capacity() == 0 {
                tracing::warn!(
                    bucket,
                    ?limit,
                    ?fallback,
                    "rate limit of zero; the tier's applies"
                );
                *limit = fallback;
            }
        }
        self
    }

    /// Sets the bucket of reads.
    #[must_use]
    pub fn with_read(mut self, limit: BucketLimit) -> Self {
        self.read = limit;
        self
    }

    /// Sets the bucket of writes.
    #[must_use]
    pub fn with_write(mut self, limit: BucketLimit) -> Self {
        self.write = limit;
        self
    }

    /// Sets the bucket of balance requests.
    #[must_use]
    pub fn with_balance(mut self, limit: BucketLimit) -> Self {
        self.balance = limit;
        self
    }

    /// Sets the bucket of unsigned requests.
    #[must_use]
    pub fn with_public(mut self, limit: BucketLimit) -> Self {
        self.public = limit;
        self
    }

    /// The bucket of signed reads.
    #[must_use]
    pub fn read(&self) -> BucketLimit {
        self.read
    }

    /// The bucket of signed writes, and of the reads that the exchange counts among these.
    #[must_use]
    pub fn write(&self) -> BucketLimit {
        self.write
    }

    /// The bucket of balance requests.
    #[must_use]
    pub fn balance(&self) -> BucketLimit {
        self.balance
    }

    /// The bucket of unsigned requests, which the exchange counts by IP address.
    #[must_use]
    pub fn public(&self) -> BucketLimit {
        self.public
    }
}

/// The rate limits that a client keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimits {
    /// The limits of a tier. A client without credentials sends unsigned requests only, whose limit is the same for every tier.
    Tier(Tier),
    /// These limits.
    Account(AccountLimits),
    /// The limits that the exchange reports, read once before the first signed request. If that fails, the limits of the Basic tier
    /// apply. A reported limit of zero, or below the cost of the dearest operation, is replaced by that of the tier.
    Discovered,
    /// None: every request is sent immediately.
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

/// The bucket and the tokens of a request.
pub(crate) struct Charge<'a> {
    /// The operation whose bucket, priority and cost apply.
    pub(crate) operation: &'a Operation,
    /// `true` if the account is charged, `false` if the IP address is.
    pub(crate) is_signed: bool,
    /// Items of a batch, ignored otherwise.
    pub(crate) items: u32,
    /// Tokens that the program set, or `None` for the cost of the operation.
    pub(crate) tokens: Option<u32>,
    /// The cost of the operation with the query of the request, or `None` if the query does not change it.
    pub(crate) cost_of_query: Option<u32>,
}

impl<'a> Charge<'a> {
    /// The charge of a request of an operation.
    pub(crate) fn new(operation: &'a Operation, items: u32) -> Self {
        Self {
            operation,
            is_signed: operation.auth,
            items,
            tokens: None,
            cost_of_query: None,
        }
    }
}

/// The token buckets of one account. All clones of a client share one; give the same one to several clients of an account, because
/// the exchange counts their requests together.
///
/// Waiting is fair: requests of a bucket go in the order they came, whatever each costs. Only cancels
/// ([`Operation::takes_priority`]) go ahead, so that they never wait behind orders that open more. A request that is dropped while
/// it waits gives up its slot.
///
/// The exchange counts a request when it arrives, so two requests may be counted closer together than they left. The limiter allows
/// for a slack of [`DEFAULT_SLACK`], which each rejection with 429 doubles, up to 400 ms, and each minute without one halves again. The
/// slack does not lower the long-run rate of a bucket that holds several requests. A bucket that holds only one, such as that of the
/// balance, sends the next one by the response of the previous one.
pub struct RateLimiter {
    unlimited: bool,
    /// The limits have yet to be read from the exchange.
    discover: AtomicBool,
    read: TokenBucket,
    write: TokenBucket,
    balance: TokenBucket,
    public: TokenBucket,
    costs: RwLock<Arc<Costs>>,
    /// The tier whose limits replace unusable ones.
    tier: Mutex<Tier>,
}

impl RateLimiter {
    /// Creates a limiter with full buckets.
    #[must_use]
    pub fn new(limits: impl Into<RateLimits>) -> Self {
        let limits = limits.into();
        let account = match limits {
            RateLimits::Tier(tier) => AccountLimits::from_tier(tier),
            RateLimits::Account(account) => account,
            RateLimits::Discovered | RateLimits::Unlimited => AccountLimits::from_tier(Tier::Basic),
        }
        .without_zeros();
        Self {
            unlimited: limits == RateLimits::Unlimited,
            discover: AtomicBool::new(limits == RateLimits::Discovered),
            read: TokenBucket::new(account.read, DEFAULT_SLACK),
            write: TokenBucket::new(account.write, DEFAULT_SLACK),
            balance: TokenBucket::new(account.balance, DEFAULT_SLACK),
            public: TokenBucket::new(account.public, DEFAULT_SLACK),
            costs: RwLock::default(),
            tier: Mutex::new(account.tier),
        }
    }

    /// Sets the slack: the most by which the time to the exchange varies between requests, instead of [`DEFAULT_SLACK`]. Capped at
    /// 10 s. 0 turns it off, also after a 429; a bucket that holds one request still waits for responses.
    #[must_use]
    pub fn with_slack(self, slack: Duration) -> Self {
        for bucket in [&self.read, &self.write, &self.balance, &self.public] {
            bucket.set_slack(slack.min(SLACK_LIMIT));
        }
        self
    }

    /// Changes the limits while requests are waiting. Tokens in the buckets stay, as far as they fit.
    pub fn set_limits(&self, limits: AccountLimits) {
        let limits = limits.without_zeros();
        *self.tier.lock().unwrap_or_else(PoisonError::into_inner) = limits.tier;
        self.read.resize(limits.read);
        self.write.resize(limits.write);
        self.balance.resize(limits.balance);
        self.public.resize(limits.public);
    }

    /// Applies the costs that the exchange reports for `operations`, and replaces limits that do not allow all of them.
    ///
    /// A bucket of reads or writes that does not hold the tokens of its dearest operation gets the limit of the tier instead, unless
    /// that is smaller. An operation that costs more even so takes all tokens that its bucket holds: see [`cost`](Self::cost).
    pub(crate) fn set_costs(&self, costs: Costs, operations: &'static [Operation]) {
        let tier = *self.tier.lock().unwrap_or_else(PoisonError::into_inner);
        let tier = AccountLimits::from_tier(tier);
        for (kind, bucket, fallback) in [
            (Bucket::Read, &self.read, tier.read),
            (Bucket::Write, &self.write, tier.write),
        ] {
            let limit = bucket.limit();
            let dearest = costs.dearest(operations, kind);
            if limit.capacity() < dearest && limit.capacity() < fallback.capacity() {
                tracing::warn!(
                    bucket = ?kind,
                    ?limit,
                    dearest,
                    ?fallback,
                    "rate limit below the dearest operation; the tier's applies"
                );
                bucket.resize(fallback);
            }
        }
        *self.costs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(costs);
    }

    /// Returns `true` once if the limits have yet to be read from the exchange.
    pub(crate) fn take_discovery(&self) -> bool {
        self.discover.load(Relaxed) && self.discover.swap(false, Relaxed)
    }

    /// Leaves reading the limits to the next request.
    pub(crate) fn discover_later(&self) {
        self.discover.store(true, Relaxed);
    }

    /// Tokens that a request takes; `items` is the number of items of a batch, and ignored otherwise.
    ///
    /// A request, or one item of a batch, takes at most what its bucket holds, whatever cost the exchange reports. So a request can
    /// always be sent, and if the reported cost is right, the exchange rejects it.
    #[must_use]
    pub fn cost(&self, operation: &Operation, items: u32) -> u32 {
        self.tokens(&Charge::new(operation, items))
    }

    fn tokens(&self, charge: &Charge<'_>) -> u32 {
        let operation = charge.operation;
        if let Some(tokens) = charge.tokens {
            return tokens;
        }
        let costs = self
            .costs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // The bucket of the balance is counted in requests.
        let each = match operation.bucket {
            Bucket::Balance if charge.is_signed => operation.token_cost,
            _ => charge.cost_of_query.unwrap_or_else(|| costs.of(operation)),
        };
        let each = each.min(self.bucket(charge).capacity());
        if operation.token_cost_per_item.is_some() {
            each.saturating_mul(charge.items.max(1))
        } else {
            each
        }
    }

    fn bucket(&self, charge: &Charge<'_>) -> &TokenBucket {
        match charge.operation.bucket {
            _ if !charge.is_signed => &self.public,
            Bucket::Read => &self.read,
            Bucket::Write => &self.write,
            Bucket::Balance => &self.balance,
        }
    }

    /// Takes the tokens of a request, waiting at most `max_wait` for them. `items` is the number of items of a batch, and ignored
    /// otherwise. Clients do this themselves; call it for requests of the same account that are sent in another way.
    ///
    /// Keep the permit until the response has arrived, and report it with [`RateLimitPermit::received`].
    ///
    /// # Errors
    ///
    /// Returns an error immediately if the wait would be longer or the bucket can never hold that many tokens, and later if cancels
    /// that came in between make the wait longer.
    pub async fn acquire(
        &self,
        operation: &Operation,
        items: u32,
        max_wait: Duration,
    ) -> Result<RateLimitPermit<'_>, RateLimitError> {
        self.take(&Charge::new(operation, items), max_wait).await
    }

    /// Takes the tokens of a charge: see [`acquire`](Self::acquire).
    pub(crate) async fn take(
        &self,
        charge: &Charge<'_>,
        max_wait: Duration,
    ) -> Result<RateLimitPermit<'_>, RateLimitError> {
        if self.unlimited {
            return Ok(RateLimitPermit::unlimited());
        }
        let lane = if charge.operation.takes_priority {
            Lane::Priority
        } else {
            Lane::Ordinary
        };
        let tokens = self.tokens(charge);
        self.bucket(charge).acquire(tokens, lane, max_wait).await
    }

    /// Records that the exchange rejected a request for an empty bucket: it is empty, whatever was counted here.
    pub(crate) fn rejected(&self, charge: &Charge<'_>) {
        self.bucket(charge).empty();
    }

    /// The tokens in the buckets and the counters of waits and rejections.
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

/// The state of a [`RateLimiter`] at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Signed reads.
    pub read: BucketSnapshot,
    /// Signed writes.
    pub write: BucketSnapshot,
    /// Balance requests.
    pub balance: BucketSnapshot,
    /// Unsigned requests.
    pub public: BucketSnapshot,
}

#[cfg(test)]
mod tests;
