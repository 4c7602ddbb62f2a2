//! Rate limiting with the exchange's token buckets, so that requests wait locally instead of being rejected.

mod bucket;
mod costs;
mod level;
#[cfg(test)]
mod model;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

pub use self::bucket::{BucketLimit, BucketSnapshot, RateLimitError, RateLimitPermit};
use self::bucket::{Lane, TokenBucket};
pub use self::costs::EndpointCosts;
pub(crate) use self::costs::{Costs, items};
pub use self::level::DEFAULT_SLACK;
use crate::{
    discovery::Schedule,
    operation::{Bucket, Operation},
};

/// Default maximum wait for tokens.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(5);

/// Maximum slack that can be set.
const SLACK_LIMIT: Duration = Duration::from_secs(10);

/// The usage tier of an account, which sets the size of its buckets.
///
/// | Tier     | Reads: tokens per second, capacity | Writes: tokens per second, capacity | Balance: requests per second |
/// |----------|------------------------------------|-------------------------------------|------------------------------|
/// | Basic    | 200, 400                           | 100, 100                            | 1                            |
/// | Advanced | 300, 600                           | 300, 600                            | 1                            |
/// | Expert   | 600, 600                           | 600, 1200                           | 5                            |
/// | Premier  | 1000, 1000                         | 1000, 2000                          | 5                            |
/// | Paragon  | 2000, 2000                         | 2000, 4000                          | 5                            |
/// | Prime    | 4000, 4000                         | 4000, 8000                          | 5                            |
/// | Prestige | 6000, 6000                         | 8000, 16000                         | 5                            |
///
/// A request takes 10 tokens unless its documentation says otherwise. To use the limits that the exchange reports for the account,
/// call the client's `discover_limits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// The tier of a new account.
    #[default]
    Basic,
    /// Granted on request to accounts that have traded through the API.
    Advanced,
    /// Earned by trading volume, as are all higher tiers.
    Expert,
    /// The tier above Expert.
    Premier,
    /// The tier above Premier.
    Paragon,
    /// The tier above Paragon.
    Prime,
    /// The highest tier, above Prime.
    Prestige,
}

/// The token buckets of an account, and the bucket of its IP address for unsigned requests.
///
/// A limiter replaces a limit of zero with that of the tier and logs a warning, because such a limit would never allow a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountLimits {
    read: BucketLimit,
    write: BucketLimit,
    balance: BucketLimit,
    public: BucketLimit,
    /// The tier that the limits are based on. Its limits replace unusable ones that the exchange reports.
    tier: Tier,
}

impl AccountLimits {
    /// Returns the limits of a tier.
    #[must_use]
    pub fn from_tier(tier: Tier) -> Self {
        // Reads: tokens per second, and capacity in seconds of refill. Writes: the same. Balance: requests per second.
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
            // The bucket holds one request, which takes 10 tokens.
            balance: BucketLimit::new(balances * 10, 10),
            // Measured: 20 requests per second were served, 32 were not. The burst size is unknown.
            public: BucketLimit::new(200, 200),
            tier,
        }
    }

    /// Returns the limits that replace unusable ones of a tier. `default` are the limits of the API's lowest tier.
    fn fallback(tier: Tier, default: Self) -> Self {
        match tier == default.tier {
            true => default,
            false => Self::from_tier(tier),
        }
    }

    /// Replaces zero limits with those of the tier.
    fn without_zeros(mut self, default: Self) -> Self {
        let tier = Self::fallback(self.tier, default);
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
                    "rate limit of zero, using that of the tier"
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

    /// Returns the bucket of signed reads.
    #[must_use]
    pub fn read(&self) -> BucketLimit {
        self.read
    }

    /// Returns the bucket of signed writes, which also covers the reads that the exchange charges as writes.
    #[must_use]
    pub fn write(&self) -> BucketLimit {
        self.write
    }

    /// Returns the bucket of balance requests.
    #[must_use]
    pub fn balance(&self) -> BucketLimit {
        self.balance
    }

    /// Returns the bucket of unsigned requests, which the exchange limits by IP address.
    #[must_use]
    pub fn public(&self) -> BucketLimit {
        self.public
    }
}

/// The rate limits that a client observes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateLimits {
    /// The limits of a tier. Clients without credentials send only unsigned requests, whose limit does not depend on the tier.
    Tier(Tier),
    /// Limits set by the application.
    Account(AccountLimits),
    /// The limits that the exchange reports, read once before the first signed request. Cancels and other operations with
    /// [`takes_priority`](Operation::takes_priority) neither read the limits nor wait for them.
    ///
    /// If reading fails or takes longer than 3 s (or half the client's timeout if that is shorter), the limits of the API's lowest tier apply.
    /// If the request is dropped while it reads the limits, the next one tries a second and last time. A reported limit that is zero
    /// or below the cost of the most expensive operation is replaced by that of the tier.
    Discovered,
    /// No limits: every request is sent immediately.
    Unlimited,
}

impl RateLimits {
    /// Returns the limits of the buckets before any are discovered. `default` is for variants that set none.
    pub(crate) fn account_or(self, default: AccountLimits) -> AccountLimits {
        match self {
            Self::Tier(tier) => AccountLimits::from_tier(tier),
            Self::Account(account) => account,
            Self::Discovered | Self::Unlimited => default,
        }
    }
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

/// The tokens that a request takes, and their bucket.
pub(crate) struct Charge<'a> {
    /// The operation that determines the bucket, the priority and the cost.
    pub(crate) operation: &'a Operation,
    /// `true` if the account is charged, `false` if the IP address is.
    pub(crate) is_signed: bool,
    /// Number of items of a batch. Ignored for other operations.
    pub(crate) items: u32,
    /// Explicit cost in tokens, or `None` to use that of the operation.
    pub(crate) tokens: Option<u32>,
    /// Cost of the operation with the request's query, or `None` if the query does not change it.
    pub(crate) cost_of_query: Option<u32>,
}

impl<'a> Charge<'a> {
    /// Returns the charge for a request.
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

/// The token buckets of one account. All clones of a client share a limiter. If an account has several clients, share one limiter
/// among them, because the exchange counts their requests together.
///
/// Waiting is fair: the requests of a bucket are sent in the order in which they started to wait, whatever they cost. Only cancels
/// ([`Operation::takes_priority`]) go ahead, so that they never wait behind orders that open more exposure. A request that is
/// dropped while it waits frees its slot. A request that waits but is not polled, such as one in another branch of a `select!`,
/// keeps its slot, and others overtake it only if the bucket holds the tokens for both.
///
/// The exchange counts a request when it arrives, and two requests may arrive closer together than they were sent. The limiter
/// allows for this with a slack, initially [`DEFAULT_SLACK`]. Every rejection with 429 doubles the slack, up to 400 ms, and
/// every minute without a rejection halves it again, down to the initial value.
/// The slack does not lower the long-run rate of a bucket that holds several requests. A request that takes
/// more than half of its bucket's capacity, such as a large batch or a balance request, counts as in flight until its response arrives; the
/// next such request waits for it, but a cancel waits no longer than the slack and the refill.
pub struct RateLimiter {
    unlimited: bool,
    discovery: Schedule,
    read: TokenBucket,
    write: TokenBucket,
    balance: TokenBucket,
    public: TokenBucket,
    costs: RwLock<Arc<Costs>>,
    /// The tier whose limits replace unusable ones.
    tier: Mutex<Tier>,
    /// The limits of the API's lowest tier.
    default: AccountLimits,
}

impl RateLimiter {
    /// Creates a limiter with full buckets.
    #[must_use]
    pub fn new(limits: impl Into<RateLimits>) -> Self {
        Self::with_default(limits.into(), AccountLimits::from_tier(Tier::Basic))
    }

    /// Creates a limiter for an API whose lowest tier has the limits `default`.
    pub(crate) fn with_default(limits: RateLimits, default: AccountLimits) -> Self {
        let account = limits.account_or(default).without_zeros(default);
        Self {
            unlimited: limits == RateLimits::Unlimited,
            discovery: Schedule::new(limits == RateLimits::Discovered),
            read: TokenBucket::new(account.read, DEFAULT_SLACK),
            write: TokenBucket::new(account.write, DEFAULT_SLACK),
            balance: TokenBucket::new(account.balance, DEFAULT_SLACK),
            public: TokenBucket::new(account.public, DEFAULT_SLACK),
            costs: RwLock::default(),
            tier: Mutex::new(account.tier),
            default,
        }
    }

    /// Sets the slack, which is the maximum variation in the time that requests take to reach the exchange. Defaults to
    /// [`DEFAULT_SLACK`], and is capped at 10 s. 0 turns the slack off, even after a 429; a bucket that holds one request
    /// still waits for responses.
    #[must_use]
    pub fn with_slack(self, slack: Duration) -> Self {
        for bucket in [&self.read, &self.write, &self.balance, &self.public] {
            bucket.set_slack(slack.min(SLACK_LIMIT));
        }
        self
    }

    /// Changes the limits, including for requests that are already waiting. Buckets keep their tokens, up to the new capacity.
    pub fn set_limits(&self, limits: AccountLimits) {
        let limits = limits.without_zeros(self.default);
        *self.tier.lock().unwrap_or_else(PoisonError::into_inner) = limits.tier;
        self.read.resize(limits.read);
        self.write.resize(limits.write);
        self.balance.resize(limits.balance);
        self.public.resize(limits.public);
    }

    /// Applies the costs that the exchange reports for `operations` and replaces limits that are too small for them.
    ///
    /// If the read or write bucket cannot hold the tokens of its most expensive operation, it gets the limit of the tier, unless
    /// that is smaller. An operation that costs even more takes all tokens that the bucket can hold: see [`cost`](Self::cost).
    pub(crate) fn set_costs(&self, costs: Costs, operations: &'static [Operation]) {
        let tier = *self.tier.lock().unwrap_or_else(PoisonError::into_inner);
        let tier = AccountLimits::fallback(tier, self.default);
        for (kind, bucket, fallback) in [
            (Bucket::Read, &self.read, tier.read),
            (Bucket::Write, &self.write, tier.write),
        ] {
            let limit = bucket.limit();
            let max_cost = costs.max_cost(operations, kind);
            if limit.capacity() < max_cost && limit.capacity() < fallback.capacity() {
                tracing::warn!(
                    bucket = ?kind,
                    ?limit,
                    max_cost,
                    ?fallback,
                    "rate limit below the cost of an operation, using that of the tier"
                );
                bucket.resize(fallback);
            }
        }
        *self.costs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(costs);
    }

    /// Returns the schedule for reading the limits from the exchange.
    pub(crate) fn discovery(&self) -> &Schedule {
        &self.discovery
    }

    /// Returns the tokens that a request takes. `items` is the number of items of a batch and is ignored for other operations.
    ///
    /// A request, or an item of a batch, never takes more tokens than its bucket can hold, even if the exchange reports a higher
    /// cost. The request can therefore always be sent; if the reported cost is right, the exchange rejects it.
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
        // The balance bucket counts requests, so reported costs do not apply.
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

    /// Takes the tokens for a request, waiting at most `max_wait` for them. `items` is the number of items of a batch and
    /// is ignored for other operations. Clients do this themselves; call it only for requests of the same account that are
    /// sent without a client.
    ///
    /// Keep the permit until the response has arrived, then call [`RateLimitPermit::received`].
    ///
    /// # Errors
    ///
    /// Returns an error immediately if the wait would exceed `max_wait` or the bucket can never hold that many tokens. Returns an
    /// error later if cancels that arrive in the interim make the wait exceed `max_wait`.
    pub async fn acquire(
        &self,
        operation: &Operation,
        items: u32,
        max_wait: Duration,
    ) -> Result<RateLimitPermit<'_>, RateLimitError> {
        self.take(&Charge::new(operation, items), max_wait).await
    }

    /// Takes the tokens for a charge. See [`acquire`](Self::acquire).
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

    /// Empties the bucket after the exchange rejected a request with 429.
    pub(crate) fn rejected(&self, charge: &Charge<'_>) {
        self.bucket(charge).empty();
    }

    /// Returns the tokens in each bucket and the numbers of waits and rejections.
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
    /// The bucket of signed reads.
    pub read: BucketSnapshot,
    /// The bucket of signed writes.
    pub write: BucketSnapshot,
    /// The bucket of balance requests.
    pub balance: BucketSnapshot,
    /// The bucket of unsigned requests.
    pub public: BucketSnapshot,
}

#[cfg(test)]
mod tests;
