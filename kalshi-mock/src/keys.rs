//! API keys: authentication and scopes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use http::HeaderMap;
use kalshi_sdk::{
    Operation,
    auth::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, PublicKey, Verifier, VerifyError},
};

use crate::{
    Rejection,
    call::Caller,
    time::{Micros, Time, system},
};

/// Default tolerance of timestamps. The exchange was seen to accept 10 seconds and to reject 60.
const TOLERANCE: Duration = Duration::from_secs(15);

/// A registered key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) user: u32,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) subaccount: Option<u8>,
    verifier: Verifier,
}

/// All keys, by id.
pub(crate) struct Keys {
    keys: RwLock<BTreeMap<String, Key>>,
    window: Window,
}

/// Tolerances for timestamps behind and ahead of the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) past: Duration,
    pub(crate) future: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            past: TOLERANCE,
            future: TOLERANCE,
        }
    }
}

impl Key {
    /// Creates a key with all scopes.
    pub(crate) fn new(id: &str, user: u32, public: PublicKey) -> Self {
        Self {
            user,
            name: id.to_owned(),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            subaccount: None,
            verifier: Verifier::new(id, public),
        }
    }

    /// Returns true if the scopes allow an operation. A parent scope covers all operations of its kind, a child scope one group.
    fn allows(&self, operation: &Operation) -> bool {
        let (parent, child) = match operation.method == http::Method::GET {
            true => (
                "read",
                if operation.id == "GetBalance" {
                    "read::portfolio_balance"
                } else {
                    ""
                },
            ),
            false => ("write", child_of(operation)),
        };
        self.scopes
            .iter()
            .any(|scope| scope == parent || (scope == child && !child.is_empty()))
    }
}

/// Returns the child scope that covers a write, or the empty string if only `write` does.
fn child_of(operation: &Operation) -> &'static str {
    match (operation.tag, operation.id) {
        ("orders" | "order-groups", _) => "write::trade",
        (_, "AcceptBlockTradeProposal") => "write::block_trade_accept",
        (
            _,
            "ApplySubaccountTransfer"
            | "ApplyMarginSubaccountTransfer"
            | "IntraExchangeInstanceTransfer",
        ) => "write::transfer",
        ("fcm", _) => "write::fcm_risk",
        _ => "",
    }
}

impl Keys {
    pub(crate) fn new(window: Window) -> Self {
        Self {
            keys: RwLock::default(),
            window,
        }
    }

    pub(crate) fn insert(&self, id: &str, key: Key) {
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), key);
    }

    pub(crate) fn remove(&self, id: &str, user: u32) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).is_some_and(|key| key.user == user) && keys.remove(id).is_some()
    }

    /// Returns the keys of a user by id.
    pub(crate) fn of(&self, user: u32) -> Vec<(String, Key)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter()
            .filter(|(_, key)| key.user == user)
            .map(|(id, key)| (id.clone(), key.clone()))
            .collect()
    }

    /// Authenticates a request.
    ///
    /// The timestamp must match the clock of the exchange plus `skew`. Without skew, the system clock is accepted too.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        (method, path): (&str, &str),
        operation: &Operation,
        time: &Time,
        skew: Option<Micros>,
    ) -> Result<Caller, Rejection> {
        let id = headers
            .get(&ACCESS_KEY)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let key = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        let Some(key) = key else {
            let error = match headers.contains_key(&ACCESS_KEY) {
                true => VerifyError::UnknownKeyId,
                false => VerifyError::MissingHeader(ACCESS_KEY),
            };
            return Err(rejection(&error));
        };
        let at = |micros: Micros| u64::try_from(micros / 1000).unwrap_or_default();
        let now = at(time.micros().saturating_add(skew.unwrap_or(0)));
        let sent = headers
            .get(&ACCESS_TIMESTAMP)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let verify = |now: u64| {
            let tolerance = match sent.is_some_and(|sent| sent > now) {
                true => self.window.future,
                false => self.window.past,
            };
            let verifier = key.verifier.clone().with_tolerance(tolerance);
            verifier.verify(headers, method, path, now)
        };
        let mut verified = verify(now);
        if matches!(verified, Err(VerifyError::OutsideWindow { .. })) && skew.is_none() {
            verified = verify(at(system()));
        }
        verified.map_err(|error| rejection(&error))?;
        if !key.allows(operation) {
            return Err(Rejection::forbidden(format!(
                "the key's scopes are {}",
                key.scopes.join(", ")
            )));
        }
        Ok(Caller {
            user: key.user,
            key_id: id.to_owned(),
            locked_to: key.subaccount,
        })
    }
}

/// Returns the rejection of a request, with code and details as the exchange sends them. The message explains the cause.
fn rejection(error: &VerifyError) -> Rejection {
    let (code, details) = match error {
        VerifyError::MissingHeader(name) if *name == ACCESS_KEY => {
            ("token_authentication_failure", "")
        }
        VerifyError::MissingHeader(name) if *name == ACCESS_SIGNATURE => {
            ("signature_is_missing_from_headers", "")
        }
        VerifyError::UnknownKeyId => ("authentication_error", "NOT_FOUND"),
        VerifyError::OutsideWindow { .. } | VerifyError::TimestampInSeconds => {
            ("header_timestamp_expired", "")
        }
        _ => ("authentication_error", "INCORRECT_API_KEY_SIGNATURE"),
    };
    Rejection::unauthorized(code, details, error.to_string())
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}
