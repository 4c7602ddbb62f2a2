//! Credentials of the clearing API: one admin user and its access token.

use std::fmt;

use http::{HeaderMap, header};

use crate::{Rejection, state::State};

/// The admin user of the clearing API and its token.
#[derive(Clone)]
pub(crate) struct KlearAccess {
    pub(crate) admin_user_id: String,
    pub(crate) access_token: String,
}

impl KlearAccess {
    /// Generates an admin user and a token.
    pub(crate) fn new(state: &mut State) -> Self {
        Self {
            admin_user_id: state.new_id().to_string(),
            access_token: state.new_id().simple().to_string(),
        }
    }

    /// Authenticates a request by its bearer token, `admin_user_id:access_token`.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let expected = format!("{}:{}", self.admin_user_id, self.access_token);
        match token == Some(&expected) {
            true => Ok(()),
            false => Err(Rejection::unauthorized(
                "unauthorized",
                "",
                "send Authorization: Bearer admin_user_id:access_token".to_owned(),
            )),
        }
    }
}

/// Shows the admin user and omits the access token.
impl fmt::Debug for KlearAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KlearAccess")
            .field("admin_user_id", &self.admin_user_id)
            .finish_non_exhaustive()
    }
}
