//! Additional keys of a [`User`].

use std::fmt;

use kalshi_sdk::{
    PrivateKey,
    auth::{KeyAlgorithm, KeyError, PublicKey},
};

use super::User;
use crate::{keys::Key, state::State};

/// Scopes of a key, and the subaccount that it is restricted to.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct KeyOptions {
    scopes: Option<Vec<String>>,
    subaccount: Option<u8>,
}

/// Error when adding a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum AddKeyError {
    /// A scope is unknown, `write` is not accompanied by `read`, or the subaccount does not exist. The string explains which.
    InvalidOptions(String),
    /// No key could be generated.
    Key(KeyError),
}

impl fmt::Display for AddKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOptions(reason) => f.write_str(reason),
            Self::Key(_) => f.write_str("cannot generate a key"),
        }
    }
}

impl std::error::Error for AddKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidOptions(_) => None,
            Self::Key(source) => Some(source),
        }
    }
}

impl KeyOptions {
    /// Returns options with the scopes `read` and `write` and all subaccounts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the scopes, such as `read` or `write::trade`.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Restricts the key to a subaccount; 0 is the primary account.
    pub fn subaccount(mut self, number: u8) -> Self {
        self.subaccount = Some(number);
        self
    }

    fn apply(self, key: &mut Key, state: &State) -> Result<(), AddKeyError> {
        if let Some(scopes) = self.scopes {
            key.set_scopes(scopes)
                .map_err(AddKeyError::InvalidOptions)?;
        }
        if let Some(number) = self.subaccount {
            state.account(key.user, number).map_err(|_| {
                AddKeyError::InvalidOptions(format!("subaccount: {number} does not exist"))
            })?;
            key.subaccount = Some(number);
        }
        Ok(())
    }
}

/// # Keys
impl User {
    /// Registers the public half of another key of this user, with all scopes. Replaces the key with that id, even one of another
    /// user.
    pub fn register_key(&self, key_id: &str, key: PublicKey) {
        let key = Key::new(key_id, self.index, key);
        self.shared.keys.insert(key_id, key.permanent());
    }

    /// Registers the public half of another key of this user. Replaces the key with that id, even one of another user.
    ///
    /// # Errors
    ///
    /// Returns an error if the options are invalid.
    pub fn register_key_with(
        &self,
        key_id: &str,
        key: PublicKey,
        options: KeyOptions,
    ) -> Result<(), AddKeyError> {
        let state = self.shared.state();
        let mut key = Key::new(key_id, self.index, key);
        options.apply(&mut key, &state)?;
        self.shared.keys.insert(key_id, key.permanent());
        Ok(())
    }

    /// Generates another key of this user, with the algorithm of its first key, and returns its id and the private key. Unlike the
    /// first keys, it is random even if the exchange has a seed.
    ///
    /// # Errors
    ///
    /// Returns an error if the options are invalid, or no key can be generated.
    pub fn generate_key(&self, options: KeyOptions) -> Result<(String, PrivateKey), AddKeyError> {
        let private = match self.keys.algorithm {
            KeyAlgorithm::Rsa => PrivateKey::generate_rsa(2048),
            _ => PrivateKey::generate_ed25519(),
        };
        let private = private.map_err(AddKeyError::Key)?;
        let mut state = self.shared.state();
        let id = self.shared.keys.unused_id(&mut state);
        let mut key = Key::generated(&id, self.index, &private);
        options.apply(&mut key, &state)?;
        self.shared.keys.insert(&id, key.permanent());
        Ok((id, private))
    }

    /// Removes a key of this user. Returns false if the user has no key with that id.
    pub fn remove_key(&self, key_id: &str) -> bool {
        self.shared.keys.remove(key_id, self.index).is_some()
    }
}
