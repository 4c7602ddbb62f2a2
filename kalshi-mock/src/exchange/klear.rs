//! The clearing API of a [`MockExchange`].

use crate::{MockExchange, server};

impl MockExchange {
    /// Returns the base URL of the clearing API: `http://127.0.0.1:PORT/klear-api/v1`.
    #[must_use]
    pub fn klear_url(&self) -> String {
        format!("http://{}{}", self.address, server::KLEAR_PREFIX)
    }

    /// Returns the admin user of the clearing API.
    #[must_use]
    pub fn klear_admin_user_id(&self) -> &str {
        &self.shared.klear.admin_user_id
    }

    /// Returns the access token of the admin user.
    #[must_use]
    pub fn klear_access_token(&self) -> &str {
        &self.shared.klear.access_token
    }
}
