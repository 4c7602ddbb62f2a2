//! Reads an account's own rate limits from the exchange.

use kalshi_core::{
    Error,
    limits::{AccountLimits, BucketLimit, Tier},
    rt,
};
use serde::Deserialize;

use crate::{Client, operation, types};

/// Returns the limits of the Basic tier. They differ from those of the Trade API, which counts its requests separately.
pub(crate) fn basic() -> AccountLimits {
    AccountLimits::from_tier(Tier::Basic)
        .with_read(BucketLimit::new(400, 400))
        .with_write(BucketLimit::new(100, 100))
}

/// # Rate limits of the account
impl Client {
    /// Reads the account's rate limits from the exchange and applies them to this client, its clones, and all others that share its
    /// [`rate_limiter`](Self::rate_limiter). Sends one read.
    ///
    /// The exchange reports the read and write buckets. The others stay as they are.
    ///
    /// The exchange counts requests to this API separately from those to the Trade API, so clients of the two must not share a limiter.
    ///
    /// # Errors
    ///
    /// Returns an error if the request fails or the response is invalid. The limits are then unchanged.
    pub async fn discover_limits(&self) -> Result<AccountLimits, Error> {
        let operation = operation::GET_PERPS_ACCOUNT_API_LIMITS;
        let response = rt::read::<Limits>(&self.core, operation).await?;
        let bucket = |bucket: &types::BucketLimit| {
            let (rate, capacity) = (bucket.refill_rate, bucket.bucket_capacity);
            rt::bucket_limit(operation, response.status(), rate, capacity)
        };
        let current = self.rate_limiter().snapshot();
        let limits = basic()
            .with_read(bucket(&response.read)?)
            .with_write(bucket(&response.write)?)
            .with_balance(current.balance.limit)
            .with_public(current.public.limit);
        self.rate_limiter().set_limits(limits);
        Ok(limits)
    }
}

/// The fields of the response that are used. A change to the others does not break discovery.
#[derive(Deserialize)]
struct Limits {
    read: types::BucketLimit,
    write: types::BucketLimit,
}
