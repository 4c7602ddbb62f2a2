//! API keys and limits of the caller's account.

use kalshi_sdk::{
    PrivateKey,
    auth::{KeyAlgorithm, PublicKey},
    limits::{AccountLimits, BucketLimit},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::common::HandlerResult;
use crate::{
    Rejection,
    call::Call,
    keys::{Key, Keys},
    state::State,
};

pub(super) fn limits(state: &State, call: &Call<'_>) -> HandlerResult {
    let user = state.user(call.caller.user);
    let limits = user.limits.unwrap_or_else(|| match state.margin {
        #[cfg(feature = "perps")]
        Some(_) => crate::state::margin_limits(user.tier),
        _ => AccountLimits::from_tier(user.tier),
    });
    let bucket_json = |limit: BucketLimit| json!({ "refill_rate": limit.refill_rate(), "bucket_capacity": limit.capacity() });
    Ok(json!({
        "usage_tier": format!("{:?}", user.tier).to_lowercase(),
        "read": bucket_json(limits.read()),
        "write": bucket_json(limits.write()),
        "grants": [],
    }))
}

pub(super) fn keys(keys: &Keys, call: &Call<'_>) -> HandlerResult {
    let is_readable = |key: &Key| {
        call.caller
            .subaccount
            .is_none_or(|locked| key.subaccount == Some(locked))
    };
    let own = keys
        .for_user(call.caller.user)
        .into_iter()
        .filter(|(_, key)| is_readable(key));
    let rows = own.map(|(id, key)| {
        json!({ "api_key_id": id, "name": key.name, "scopes": key.scopes, "subaccount": key.subaccount })
    });
    Ok(json!({ "api_keys": rows.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
struct NewKey {
    name: String,
    public_key: Option<String>,
    scopes: Option<Vec<String>>,
    subaccount: Option<i64>,
}

pub(super) fn create_key(state: &mut State, keys: &Keys, call: &Call<'_>) -> HandlerResult {
    let body: NewKey = call.parse()?;
    let pem = body.public_key.as_deref().unwrap_or_default();
    let public = PublicKey::from_pem(pem)
        .map_err(|error| Rejection::invalid(format!("public_key: {error}")))?;
    let id = register(state, keys, call, public, body)?;
    Ok(json!({ "api_key_id": id }))
}

/// Generates a key of the type that the request body names.
pub(crate) fn new_private_key(body: &Value) -> Result<PrivateKey, Rejection> {
    let key = match body["key_type"].as_str() {
        Some("ed25519") => PrivateKey::generate_ed25519(),
        _ => PrivateKey::generate_rsa(2048),
    };
    key.map_err(|error| {
        let status = http::StatusCode::INTERNAL_SERVER_ERROR;
        Rejection::new(status, "internal_server_error", error.to_string())
    })
}

pub(super) fn generate_key(state: &mut State, keys: &Keys, call: &Call<'_>) -> HandlerResult {
    let body: NewKey = call.parse()?;
    let private = call
        .generated_key
        .clone()
        .unwrap_or_else(|| new_private_key(&call.body))?;
    let key_type = match private.algorithm() {
        KeyAlgorithm::Ed25519 => "ed25519",
        _ => "rsa",
    };
    let id = register(state, keys, call, private.public_key(), body)?;
    keys.set_generated(&id, &private);
    Ok(
        json!({ "api_key_id": id, "key_type": key_type, "private_key": private.to_pkcs8_pem().as_str() }),
    )
}

fn register(
    state: &mut State,
    keys: &Keys,
    call: &Call<'_>,
    public: PublicKey,
    new: NewKey,
) -> Result<String, Rejection> {
    let subaccount = match (new.subaccount, call.caller.subaccount) {
        (None, None) => None,
        (requested, _) => Some(call.account(state, requested)?.subaccount),
    };
    let id = keys.unused_id(state);
    let mut key = Key::new(&id, call.caller.user, public);
    key.name = new.name;
    key.subaccount = subaccount;
    if let Some(scopes) = new.scopes {
        key.set_scopes(scopes).map_err(Rejection::invalid)?;
    }
    keys.insert(&id, key);
    Ok(id)
}

pub(super) fn delete_key(keys: &Keys, call: &Call<'_>) -> HandlerResult {
    if call.caller.subaccount.is_some() {
        return Err(Rejection::forbidden("the key is for one subaccount only"));
    }
    match keys.delete(call.string("api_key").unwrap_or_default(), call.caller.user) {
        true => Ok(Value::Null),
        false => Err(Rejection::not_found("the caller has no such key")),
    }
}
