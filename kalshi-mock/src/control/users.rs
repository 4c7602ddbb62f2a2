//! Users, their keys and their money.

use kalshi_sdk::{Dollars, auth::PublicKey};
use serde::Deserialize;
use serde_json::json;

use super::{ControlError, Input, empty, routes::Reply, to_json};
use crate::{AddKeyError, KeyOptions, MockExchange, User};

pub(super) fn add(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NewUser {}
    let NewUser {} = input.body()?;
    let user = exchange
        .add_user()
        .map_err(|error| ControlError::internal(error.to_string()))?;
    Ok(json!({
        "user_id": user.id(),
        "key_id": user.credentials().key_id(),
        "private_key": user.private_key().to_pkcs8_pem().as_str(),
    }))
}

/// Returns the user of the path.
fn user(exchange: &MockExchange, input: &Input) -> Result<User, ControlError> {
    let id = input.parameter(0);
    let user = exchange.users().into_iter().find(|user| user.id() == id);
    user.ok_or_else(|| ControlError::not_found(format!("no user {id}: GET /mock/state lists them")))
}

pub(super) fn get(exchange: &MockExchange, input: &Input) -> Reply {
    to_json(user(exchange, input)?.snapshot())
}

#[cfg(feature = "perps")]
pub(super) fn put(exchange: &MockExchange, input: &Input) -> Reply {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        margin_enabled: Option<bool>,
    }
    let user = user(exchange, input)?;
    if let Some(enabled) = input.body::<Settings>()?.margin_enabled {
        user.set_margin_enabled(enabled);
    }
    to_json(user.snapshot())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    amount: Dollars,
    #[serde(default)]
    exchange_index: u16,
    #[serde(default)]
    margin: bool,
}

pub(super) fn deposit(exchange: &MockExchange, input: &Input) -> Reply {
    let user = user(exchange, input)?;
    let Deposit {
        amount,
        exchange_index,
        margin,
    } = input.body()?;
    if amount.micros() % 10_000 != 0 {
        return Err(ControlError::bad_request("amount must be in whole cents"));
    }
    if !margin {
        user.deposit(exchange_index.into(), amount);
    } else if exchange_index != 0 {
        let message = "the margin exchange has no shards: omit exchange_index";
        return Err(ControlError::bad_request(message));
    } else {
        #[cfg(feature = "perps")]
        user.margin_deposit(amount);
        #[cfg(not(feature = "perps"))]
        return Err(ControlError::bad_request(
            "the margin exchange is not enabled",
        ));
    }
    to_json(user.snapshot())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    key_id: Option<String>,
    public_key: Option<String>,
    scopes: Option<Vec<String>>,
    subaccount: Option<u8>,
}

/// Registers a public key, or generates a key.
pub(super) fn add_key(exchange: &MockExchange, input: &Input) -> Reply {
    let user = user(exchange, input)?;
    let new: NewKey = input.body()?;
    let mut options = KeyOptions::new();
    if let Some(scopes) = new.scopes {
        options = options.scopes(scopes);
    }
    if let Some(number) = new.subaccount {
        options = options.subaccount(number);
    }
    let key_error = |error: AddKeyError| match error {
        AddKeyError::InvalidOptions(_) => ControlError::bad_request(error.to_string()),
        AddKeyError::Key(_) => ControlError::internal(error.to_string()),
    };
    let Some(pem) = new.public_key else {
        if new.key_id.is_some() {
            return Err(ControlError::bad_request(
                "key_id requires public_key: a generated key has a generated id",
            ));
        }
        let (key_id, key) = user.generate_key(options).map_err(key_error)?;
        let private_key = key.to_pkcs8_pem();
        return Ok(json!({ "key_id": key_id, "private_key": private_key.as_str() }));
    };
    let public = PublicKey::from_pem(&pem)
        .map_err(|error| ControlError::bad_request(format!("public_key: {error}")))?;
    let key_id = new.key_id.unwrap_or_default();
    let is_visible = key_id.bytes().all(|byte| byte.is_ascii_graphic());
    // Clients normalise `.` and `..` in a path, so such a key could not be removed.
    if !(1..=100).contains(&key_id.len()) || !is_visible || key_id.starts_with('.') {
        return Err(ControlError::bad_request(
            "key_id must be 1 to 100 visible ASCII characters, and must not begin with a dot",
        ));
    }
    if exchange.shared.keys.has(&key_id) {
        return Err(ControlError::conflict(format!(
            "key {key_id} already exists"
        )));
    }
    user.register_key_with(&key_id, public, options)
        .map_err(key_error)?;
    Ok(json!({ "key_id": key_id, "private_key": null }))
}

pub(super) fn remove_key(exchange: &MockExchange, input: &Input) -> Reply {
    let (user, key_id) = (user(exchange, input)?, input.parameter(1));
    if user.credentials().key_id() == key_id {
        return Err(ControlError::conflict(
            "the first key of a user cannot be removed",
        ));
    }
    match user.remove_key(key_id) {
        true => empty(),
        false => Err(ControlError::not_found(format!(
            "the user has no key {key_id}"
        ))),
    }
}
