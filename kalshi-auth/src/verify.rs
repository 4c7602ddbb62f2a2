//! Verification of signed requests, as performed by the exchange.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::{HeaderMap, HeaderName};

use crate::message::{signing_text, signing_text_with_query};
use crate::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, MismatchHint, PublicKey, VerifyError};

const PATH_PREFIX: &str = "/trade-api/v2";

/// A verifier of signed requests for one API key, for mock servers, tests and debugging a 401 response.
#[derive(Clone)]
pub struct Verifier {
    key_id: String,
    key: PublicKey,
    tolerance_ms: u64,
}

impl Verifier {
    /// Creates a verifier that accepts timestamps up to 5 s off. The exchange does not publish its own tolerance.
    pub fn new(key_id: impl Into<String>, key: PublicKey) -> Self {
        Self {
            key_id: key_id.into(),
            key,
            tolerance_ms: 5_000,
        }
    }

    /// Sets the accepted difference of timestamps, in whole milliseconds.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance_ms = u64::try_from(tolerance.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Verifies a request that arrived at `now_ms`, in Unix milliseconds.
    ///
    /// `path` is the path as received, with or without a query.
    ///
    /// # Errors
    /// Returns an error that names the first invalid header. If the signature does not match, it is compared with
    /// common mistakes, and the error names the one that matches.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        method: &str,
        path: &str,
        now_ms: u64,
    ) -> Result<(), VerifyError> {
        let key_id = single_header(headers, ACCESS_KEY)?;
        let timestamp = single_header(headers, ACCESS_TIMESTAMP)?;
        let signature = single_header(headers, ACCESS_SIGNATURE)?;
        if key_id != self.key_id.as_bytes() {
            return Err(VerifyError::UnknownKeyId);
        }
        let timestamp_ms = parse_timestamp(timestamp).ok_or(VerifyError::InvalidTimestamp)?;
        self.check_window(timestamp_ms, now_ms)?;
        let signature = BASE64_STANDARD
            .decode(signature)
            .map_err(|_| VerifyError::InvalidBase64)?;

        let matches = |text: String| self.key.verify(text.as_bytes(), &signature);
        let text = signing_text(timestamp_ms, method, path);
        if matches(text) {
            return Ok(());
        }
        let without_prefix = path.strip_prefix(PATH_PREFIX).unwrap_or(path);
        let hint = if matches(signing_text_with_query(timestamp_ms, method, path)) {
            Some(MismatchHint::QueryIncluded)
        } else if matches(signing_text(timestamp_ms, method, without_prefix)) {
            Some(MismatchHint::PrefixMissing)
        } else {
            None
        };
        Err(VerifyError::SignatureMismatch { hint })
    }

    fn check_window(&self, timestamp_ms: u64, now_ms: u64) -> Result<(), VerifyError> {
        let excess = |time_ms: u64| now_ms.abs_diff(time_ms).saturating_sub(self.tolerance_ms);
        match excess(timestamp_ms) {
            0 => Ok(()),
            // A timestamp in whole seconds may be up to one second old.
            _ if excess(timestamp_ms.saturating_mul(1000)) <= 1000 => {
                Err(VerifyError::TimestampInSeconds)
            }
            by_ms => Err(VerifyError::OutsideWindow {
                by_ms,
                ahead: timestamp_ms > now_ms,
            }),
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("tolerance_ms", &self.tolerance_ms)
            .finish_non_exhaustive()
    }
}

/// Returns the value of a header that must occur exactly once.
fn single_header(headers: &HeaderMap, name: HeaderName) -> Result<&[u8], VerifyError> {
    let mut values = headers.get_all(&name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None, _) => Err(VerifyError::MissingHeader(name)),
        (Some(_), Some(_)) => Err(VerifyError::DuplicateHeader(name)),
    }
}

/// Parses digits only. `u64::from_str` would accept a leading `+`, but the signed string must
/// contain the same characters.
fn parse_timestamp(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
