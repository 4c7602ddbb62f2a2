//! Reads an account's own rate limits and token costs from the exchange.

use kalshi_core::{
    Error,
    limits::{AccountLimits, EndpointCosts, Tier},
    rt,
};
use serde::Deserialize;

use crate::{Client, operation, types};

/// Path prefix of the endpoints that the exchange lists.
const BASE_PATH: &str = "/trade-api/v2";

/// # Rate limits of the account
impl Client {
    /// Reads the account's rate limits and token costs from the exchange and applies them to this client, its clones, and all others
    /// that share its [`rate_limiter`](Self::rate_limiter). Sends two reads.
    ///
    /// The exchange reports the read and write buckets. The balance bucket follows from the tier, and that of unsigned requests stays as
    /// it is.
    ///
    /// # Errors
    ///
    /// Returns an error if a request fails or a response is invalid. The limits are then unchanged.
    pub async fn discover_limits(&self) -> Result<AccountLimits, Error> {
        let operation = operation::GET_ACCOUNT_API_LIMITS;
        let response = rt::read::<Limits>(&self.core, operation).await?;
        let bucket = |bucket: &types::BucketLimit| {
            let (rate, capacity) = (bucket.refill_rate, bucket.bucket_capacity);
            rt::bucket_limit(operation, response.status(), rate, capacity)
        };
        let tier = match response.usage_tier.to_ascii_lowercase().as_str() {
            "expert" | "premier" | "paragon" | "prime" | "prestige" => Tier::Expert,
            // Includes tiers that this version does not know.
            _ => Tier::Basic,
        };
        let limits = AccountLimits::from_tier(tier)
            .with_read(bucket(&response.read)?)
            .with_write(bucket(&response.write)?)
            .with_public(self.rate_limiter().snapshot().public.limit);
        let costs = endpoint_costs(self).await?;
        self.rate_limiter().set_limits(limits);
        rt::set_endpoint_costs(&self.core, &costs);
        Ok(limits)
    }
}

/// The fields of the response that are used. A change to the others does not break discovery.
#[derive(Deserialize)]
struct Limits {
    usage_tier: String,
    read: types::BucketLimit,
    write: types::BucketLimit,
}

async fn endpoint_costs(client: &Client) -> Result<EndpointCosts, Error> {
    let response = client.get_account_endpoint_costs().send().await?;
    let cost = |number: i64| {
        u32::try_from(number).map_err(|_| {
            let message = format!("invalid token cost {number}");
            let operation = operation::GET_ACCOUNT_ENDPOINT_COSTS;
            rt::unexpected_response(operation, response.status(), message)
        })
    };
    let mut costs = EndpointCosts::new(cost(response.default_cost)?);
    for endpoint in &response.endpoint_costs {
        let path = endpoint.path.strip_prefix(BASE_PATH);
        let path = path.unwrap_or(&endpoint.path);
        costs = costs.with_endpoint(&endpoint.method, path, cost(endpoint.cost)?);
    }
    Ok(costs)
}
