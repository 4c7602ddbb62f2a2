//! Checks of the key and the account on the exchange.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use kalshi_sdk::{
    ApiError, AuthFailure, Client, Credentials, Dollars, Environment, Error, PrivateKey,
    RetryPolicy, limits::Tier, operation, types::ExchangeStatus,
};

use super::Checks;
use crate::{context::Context, failure::Failure};

/// Clock skew above which the check warns, and above which it fails. In a test, the exchange accepted 10 s and rejected 60 s.
const SKEW_LIMITS: [TimeDelta; 2] = [TimeDelta::seconds(2), TimeDelta::seconds(10)];

/// Checks that the exchange accepts a key.
pub(crate) async fn check_with_exchange(
    checks: &mut Checks,
    context: &Context,
    id: &str,
    key: PrivateKey,
) -> Result<(), Failure> {
    let client = Client::builder()
        .environment(context.environment()?)
        .credentials(Credentials::new(id, key)?)
        .build()?;
    if check_access(checks, &client).await.is_ok() {
        check_scopes(checks, &client, id).await;
    }
    Ok(())
}

/// Checks that the exchange accepts signatures, and reports what the token buckets allow.
///
/// # Errors
///
/// Returns an error if the limits cannot be read: the cause if the exchange rejected the signature, else `None`.
pub(super) async fn check_access(
    checks: &mut Checks,
    client: &Client,
) -> Result<(), Option<AuthFailure>> {
    let limits = match client.get_account_api_limits().send().await {
        Ok(limits) => limits,
        Err(error) => {
            let (detail, remedy) = explain_rejection(&error);
            checks.failure("access", detail, remedy);
            return Err(error.api().and_then(ApiError::auth_failure));
        }
    };
    checks.ok("access", "the exchange accepts the key");
    let per_second = |bucket: i64, cost: u32| bucket / i64::from(cost.max(1));
    let (read, write) = (&limits.read, &limits.write);
    let order = operation::CREATE_ORDER_V2.token_cost;
    let cancel = operation::CANCEL_ORDER_V2.token_cost;
    checks.ok(
        "tier",
        format!(
            "{}; reads {} tokens/s up to {} ({} requests/s), writes {} tokens/s up to {} ({} orders/s or {} cancels/s)",
            limits.usage_tier,
            read.refill_rate,
            read.bucket_capacity,
            per_second(read.refill_rate, operation::GET_ORDERS.token_cost),
            write.refill_rate,
            write.bucket_capacity,
            per_second(write.refill_rate, order),
            per_second(write.refill_rate, cancel),
        ),
    );
    Ok(())
}

/// Returns the meaning of a rejected signature, and the remedy.
fn explain_rejection(error: &Error) -> (String, String) {
    let Some(cause) = error.api().and_then(ApiError::auth_failure) else {
        let remedy = match error.status() {
            Some(status) if status.as_u16() == 401 => {
                "check the key id, the key file, the environment and this machine's clock"
            }
            Some(_) => "try again later; if the error persists, check the exchange's status page",
            None => "check the network and proxies in between",
        };
        return (error.to_string(), remedy.to_owned());
    };
    let code = error.code().unwrap_or_default();
    let (problem, remedy) = match cause {
        AuthFailure::UnknownKeyId => (
            "unknown key id",
            "check the key id. Keys of demo and production are not interchangeable: use --production or --demo, according to \
             the key. If it was deleted, create another",
        ),
        AuthFailure::WrongPrivateKey => (
            "wrong private key: the exchange knows the key id, but the private key is not the one that belongs to it",
            "use the key file that was created with this key id; if it is lost, create another key",
        ),
        AuthFailure::ExpiredTimestamp => (
            "wrong clock: the timestamp of the signature is too far from the exchange's time",
            "synchronise this machine's clock, such as by `timedatectl set-ntp true`",
        ),
        AuthFailure::MissingSignature | AuthFailure::NotSigned => (
            "the signature did not arrive",
            "find the proxy that removes the KALSHI-ACCESS-* headers",
        ),
        _ => (
            "the exchange does not accept the signature",
            "check the key",
        ),
    };
    let mut detail = format!("{problem} (401 {code})");
    if let Some(behind) = error.clock_behind_ms() {
        detail.push_str(&format!(
            "; this machine's clock is {}",
            describe_skew(TimeDelta::milliseconds(behind))
        ));
    }
    (detail, remedy.to_owned())
}

/// Returns the name of the other exchange if it accepts the key.
pub(super) async fn other_environment(
    environment: &Environment,
    credentials: Credentials,
) -> Option<&'static str> {
    let (other, name) = match environment {
        Environment::Production | Environment::ProductionShared => (Environment::Demo, "--demo"),
        Environment::Demo | Environment::DemoShared => (Environment::Production, "--production"),
        _ => return None,
    };
    let client = Client::builder()
        .environment(other)
        .credentials(credentials)
        .retry(RetryPolicy::none())
        .build()
        .ok()?;
    let response = client.get_account_api_limits().send().await;
    response.is_ok().then_some(name)
}

/// Checks the clock against the times of the responses so far.
pub(super) fn check_clock(checks: &mut Checks, client: &Client) {
    let Some(ahead) = client.clock_skew() else {
        checks.warning(
            "clock",
            "not measured: there were too few responses of the exchange",
            "try again",
        );
        return;
    };
    let [warn_above, fail_from] = SKEW_LIMITS;
    let detail = match ahead.abs() {
        size if size <= warn_above => return checks.ok("clock", describe_skew(ahead)),
        size if size < fail_from => describe_skew(ahead),
        _ => {
            return checks.failure(
                "clock",
                format!(
                    "{}: the exchange rejects signatures unless the client corrects its timestamps",
                    describe_skew(ahead)
                ),
                "synchronise this machine's clock, such as by `timedatectl set-ntp true`",
            );
        }
    };
    checks.warning(
        "clock",
        detail,
        "synchronise this machine's clock: signatures are rejected if it is off by 10 s or more",
    );
}

fn describe_skew(exchange_ahead: TimeDelta) -> String {
    let ms = exchange_ahead.num_milliseconds();
    let seconds = format!("{}.{} s", ms.abs() / 1000, ms.abs() % 1000 / 100);
    match ms {
        ..0 => format!("{seconds} ahead of the exchange"),
        0 => "no difference from the exchange's clock was measured".to_owned(),
        1.. => format!("{seconds} behind the exchange"),
    }
}

/// Checks the scopes of the key.
pub(super) async fn check_scopes(checks: &mut Checks, client: &Client, id: &str) {
    let keys = match client.get_api_keys().send().await {
        Ok(keys) => keys,
        Err(error) => {
            checks.warning(
                "scopes",
                error.to_string(),
                "use a key with the scope `read`, which is needed to read scopes",
            );
            return;
        }
    };
    if let Some(key) = keys.api_keys.iter().find(|key| key.api_key_id == id) {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut detail = scopes.join(", ");
        if let Some(subaccount) = key.subaccount {
            detail.push_str(&format!("; locked to subaccount {subaccount}"));
        }
        let has_scope = |accepted: &[&str]| scopes.iter().any(|scope| accepted.contains(scope));
        match has_scope(&["read"]) && has_scope(&["write", "write::trade"]) {
            true => checks.ok("scopes", detail),
            false => checks.warning(
                "scopes",
                format!("{detail}: the key cannot both read and trade"),
                "create a key with the scopes `read` and `write` if the bot is to trade",
            ),
        }
    } else {
        checks.info("scopes", "the exchange does not list this key");
    }
    let expiry = keys.api_key_region_expiration_ts;
    if let Some(expiry) = expiry.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) {
        let remaining = expiry - Utc::now();
        let detail = format!(
            "location attestation until {}",
            expiry.format("%Y-%m-%d %H:%M UTC")
        );
        let remedy = "renew it on the exchange's site: without it orders in some categories are rejected with 403";
        match remaining < TimeDelta::days(3) {
            true => checks.warning("location", detail, remedy),
            false => checks.ok("location", detail),
        }
    }
}

/// Checks the funds of subaccounts on all shards.
pub(super) async fn check_funds(
    checks: &mut Checks,
    client: &Client,
    status: Option<&ExchangeStatus>,
) {
    let balances = match client.get_subaccount_balances().send().await {
        Ok(balances) => balances,
        Err(error) => {
            checks.warning("funds", error.to_string(), "try again");
            return;
        }
    };
    let mut funds: BTreeMap<i64, BTreeMap<i64, Dollars>> = BTreeMap::new();
    for row in &balances.subaccount_balances {
        let shards = funds.entry(row.subaccount_number.into()).or_default();
        shards.insert(row.exchange_index.unwrap_or_default(), row.balance);
    }
    let shard_statuses = status.map(|status| &status.exchange_index_statuses);
    let mut all_shards: BTreeSet<i64> = funds
        .values()
        .flat_map(|shards| shards.keys().copied())
        .collect();
    for shard in shard_statuses.into_iter().flatten() {
        all_shards.insert(shard.exchange_index.0);
    }
    for (subaccount, shards) in &funds {
        let text: Vec<_> = shards
            .iter()
            .map(|(shard, balance)| format!("shard {shard} ${balance}"))
            .collect();
        let detail = format!("subaccount {subaccount}: {}", text.join(", "));
        let is_funded = |shard: &i64| shards.get(shard).is_some_and(|it| *it > Dollars::ZERO);
        let empty: Vec<_> = all_shards
            .iter()
            .filter(|shard| !is_funded(shard))
            .collect();
        if empty.is_empty() {
            checks.ok("funds", detail);
        } else if empty.len() == all_shards.len() {
            checks.warning(
                "funds",
                format!("{detail}: no money"),
                "deposit on the exchange's site, or transfer from another subaccount",
            );
        } else {
            let empty: Vec<_> = empty.iter().map(ToString::to_string).collect();
            checks.warning(
                "funds",
                format!("{detail}: no money on shard {}", empty.join(", ")),
                "orders of markets there are rejected: transfer money to the shard, or set a target balance allocation",
            );
        }
    }
}

/// Compares the token costs that the exchange reports with those of the spec.
pub(super) async fn check_costs(checks: &mut Checks, client: &Client) {
    if let Err(error) = client.discover_limits().await {
        checks.warning("costs", error.to_string(), "try again");
        return;
    }
    let limiter = client.rate_limiter();
    let spec_limiter = kalshi_sdk::limits::RateLimiter::new(Tier::Basic);
    let differing: Vec<_> = operation::ALL
        .iter()
        .filter(|operation| limiter.cost(operation, 1) != spec_limiter.cost(operation, 1))
        .map(|operation| format!("{} {}", operation.id, limiter.cost(operation, 1)))
        .collect();
    match differing.is_empty() {
        true => checks.ok("costs", "token costs are those of the spec"),
        false => checks.warning(
            "costs",
            format!("token costs differ from the spec: {}", differing.join(", ")),
            "let the bot read them: `RateLimits::Discovered`, or `Client::discover_limits`",
        ),
    }
}
