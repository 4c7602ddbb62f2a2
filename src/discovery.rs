//! Asking the exchange for an account's own limits and costs.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{
    Client, Error, Operation,
    limits::{AccountLimits, BucketLimit, EndpointCosts, RateLimiter, Tier},
    operation::{self, Bucket},
    transport,
};

/// The two calls, for contracts that do not have them.
static LIMITS: Operation = read("GetAccountApiLimits", "/account/limits", true);
static COSTS: Operation = read("GetAccountEndpointCosts", "/account/endpoint_costs", false);

const fn read(id: &'static str, path: &'static str, auth: bool) -> Operation {
    Operation {
        id,
        method: reqwest::Method::GET,
        path,
        tag: "account",
        auth,
        token_cost: 10,
        token_cost_per_item: None,
        bucket: Bucket::Read,
        idempotent: true,
        deprecated: false,
        paging: None,
    }
}

#[derive(Deserialize)]
struct ApiLimits {
    usage_tier: String,
    read: ApiBucket,
    write: ApiBucket,
}

#[derive(Deserialize)]
struct ApiBucket {
    refill_rate: u32,
    bucket_capacity: u32,
}

impl Client {
    /// Asks the exchange for the limits of the account and the costs of calls, and keeps to them from now on: this client, its
    /// clones, and all others that share its [`rate_limiter`](Self::rate_limiter). Two reads.
    ///
    /// The exchange names the buckets of reads and writes. That of the balance follows from the tier.
    ///
    /// # Errors
    ///
    /// When the exchange cannot be asked. The limits are as they were then.
    pub async fn discover_limits(&self) -> Result<AccountLimits, Error> {
        let limits: ApiLimits = self.read(&LIMITS).await?;
        let costs: EndpointCosts = self.read(&COSTS).await?;
        let tier = match limits.usage_tier.to_ascii_lowercase().as_str() {
            "expert" | "premier" | "paragon" | "prime" | "prestige" => Tier::Expert,
            // Also for a tier of tomorrow.
            _ => Tier::Basic,
        };
        let bucket =
            |bucket: ApiBucket| BucketLimit::new(bucket.refill_rate, bucket.bucket_capacity);
        let limits = AccountLimits::of(tier)
            .with_read(bucket(limits.read))
            .with_write(bucket(limits.write));
        let limiter = self.rate_limiter();
        limiter.set_limits(limits);
        limiter.set_costs(&costs);
        Ok(limits)
    }

    /// The same before the first signed call, which goes on in any case, and soon.
    pub(crate) async fn discover_or_warn(&self) {
        let mut asked = Asked {
            limiter: self.rate_limiter(),
            done: false,
        };
        // Boxed, as this call is part of a call.
        let discovered = timeout(PATIENCE, Box::pin(self.discover_limits())).await;
        asked.done = true;
        let unknown = "the limits of the account are not known; those of the Basic tier hold";
        match discovered {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "{unknown}"),
            Err(_) => tracing::warn!("{unknown}: no answer within {PATIENCE:?}"),
        }
    }

    async fn read<T: DeserializeOwned>(&self, operation: &'static Operation) -> Result<T, Error> {
        let operation = operation::find(operation.id).unwrap_or(operation);
        let url = format!("{}{}", self.base_url(), operation.path);
        let request = transport::built(operation, self.http().get(url));
        Ok(self.call::<T>(operation, request).await?.into_inner())
    }
}

/// How long a call waits for the limits.
const PATIENCE: Duration = Duration::from_secs(3);

/// A discovery under way; given up halfway, it is for the next call.
struct Asked<'a> {
    limiter: &'a RateLimiter,
    done: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.limiter.discover_later();
        }
    }
}
