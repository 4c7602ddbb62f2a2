//! API keys: authentication and scopes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use http::HeaderMap;
use kalshi_sdk::{
    Operation, PrivateKey,
    auth::{
        ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, PublicKey, SignerError, Verifier,
        VerifyError, signing_text,
    },
};

use crate::{
    Rejection,
    call::Caller,
    state::State,
    time::{Micros, Time, system_now},
};

/// Default tolerance of timestamps. The exchange has been observed to accept 10 seconds and to reject 60.
const TOLERANCE: Duration = Duration::from_secs(15);

/// The scopes that a key can have.
const SCOPES: [&str; 8] = [
    "read",
    "write",
    "read::block_trade_accept",
    "read::portfolio_balance",
    "write::trade",
    "write::transfer",
    "write::fcm_risk",
    "write::block_trade_accept",
];

/// A registered API key of a user.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) user: u32,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) subaccount: Option<u8>,
    verifier: Verifier,
    /// The private key, if the exchange generated it itself. Other keys may be production keys, with which it never signs.
    generated: Option<PrivateKey>,
    /// True if a reset keeps the key.
    is_permanent: bool,
}

/// All keys, by id.
pub(crate) struct Keys {
    keys: RwLock<BTreeMap<String, Key>>,
    /// Keys that a client deleted and that a reset restores.
    deleted: RwLock<BTreeMap<String, Key>>,
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
            generated: None,
            is_permanent: false,
        }
    }

    /// Creates a key that the exchange generated and can sign with.
    pub(crate) fn generated(id: &str, user: u32, key: &PrivateKey) -> Self {
        Self {
            generated: Some(key.clone()),
            ..Self::new(id, user, key.public_key())
        }
    }

    /// Sets the scopes of the key.
    ///
    /// # Errors
    ///
    /// Returns an error if there are none, one is unknown, or `write` is not accompanied by `read`.
    pub(crate) fn set_scopes(&mut self, scopes: Vec<String>) -> Result<(), String> {
        if scopes.is_empty() {
            return Err("scopes: must be gte 1 items".to_owned());
        }
        if !scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
            return Err(format!("scopes: must be oneof {}", SCOPES.join(" ")));
        }
        let has = |scope: &str| scopes.iter().any(|other| other == scope);
        if has("write") && !has("read") {
            return Err("scopes: write requires read".to_owned());
        }
        self.scopes = scopes;
        Ok(())
    }

    /// Keeps the key on a reset.
    pub(crate) fn permanent(self) -> Self {
        Self {
            is_permanent: true,
            ..self
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
            false => ("write", child_scope(operation)),
        };
        self.scopes
            .iter()
            .any(|scope| scope == parent || (scope == child && !child.is_empty()))
    }
}

/// Returns the child scope that covers a write, or the empty string if only `write` does.
fn child_scope(operation: &Operation) -> &'static str {
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
            deleted: RwLock::default(),
            window,
        }
    }

    /// Returns true if a key has this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.contains_key(id)
    }

    /// Returns an id that no key has. After a reset, the state generates ids again that kept keys may have.
    pub(crate) fn unused_id(&self, state: &mut State) -> String {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let deleted = self.deleted.read().unwrap_or_else(PoisonError::into_inner);
        loop {
            let id = state.new_id().to_string();
            if !keys.contains_key(&id) && !deleted.contains_key(&id) {
                return id;
            }
        }
    }

    pub(crate) fn insert(&self, id: &str, key: Key) {
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), key);
    }

    /// Removes a key of a user and returns it.
    pub(crate) fn remove(&self, id: &str, user: u32) -> Option<Key> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).filter(|key| key.user == user)?;
        keys.remove(id)
    }

    /// Removes a key of a user until the next reset, for a client. Returns false if the user has no key with that id.
    pub(crate) fn delete(&self, id: &str, user: u32) -> bool {
        let Some(key) = self.remove(id, user) else {
            return false;
        };
        if key.is_permanent {
            let mut deleted = self.deleted.write().unwrap_or_else(PoisonError::into_inner);
            deleted.insert(id.to_owned(), key);
        }
        true
    }

    /// Returns the keys of a user by id.
    pub(crate) fn for_user(&self, user: u32) -> Vec<(String, Key)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter()
            .filter(|(_, key)| key.user == user)
            .map(|(id, key)| (id.clone(), key.clone()))
            .collect()
    }

    /// Records that the exchange generated a registered key.
    pub(crate) fn set_generated(&self, id: &str, private: &PrivateKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get_mut(id) {
            key.generated = Some(private.clone());
        }
    }

    /// Removes the keys that clients created over the API, and restores those that they deleted.
    pub(crate) fn reset(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, key| key.is_permanent);
        let mut deleted = self.deleted.write().unwrap_or_else(PoisonError::into_inner);
        for (id, key) in std::mem::take(&mut *deleted) {
            keys.entry(id).or_insert(key);
        }
    }

    /// Returns the signature of a request in base64, or `None` if the exchange did not generate the key.
    pub(crate) fn sign(
        &self,
        id: &str,
        (method, path): (&str, &str),
        now_ms: u64,
    ) -> Option<Result<String, SignerError>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(id)?.generated.clone()?;
        drop(keys);
        let signature = key.sign(signing_text(now_ms, method, path).as_bytes());
        Some(signature.map(|signature| signature.to_base64()))
    }

    /// Authenticates a request by its signature.
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
        let to_ms = |micros: Micros| u64::try_from(micros / 1000).unwrap_or_default();
        let now = to_ms(time.micros().saturating_add(skew.unwrap_or(0)));
        let timestamp = headers
            .get(&ACCESS_TIMESTAMP)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let verify = |now: u64| {
            let tolerance = match timestamp.is_some_and(|timestamp| timestamp > now) {
                true => self.window.future,
                false => self.window.past,
            };
            let verifier = key.verifier.clone().with_tolerance(tolerance);
            verifier.verify(headers, method, path, now)
        };
        let mut verified = verify(now);
        if matches!(verified, Err(VerifyError::OutsideWindow { .. })) && skew.is_none() {
            verified = verify(to_ms(system_now()));
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
            subaccount: key.subaccount,
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
