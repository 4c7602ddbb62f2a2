//! Types and constants that handlers share.

use serde_json::Value;

use crate::{
    Rejection,
    time::{Micros, SECOND},
};

/// The body of a successful response, or a rejection. The body is null if the operation has none.
pub(crate) type HandlerResult = Result<Value, Rejection>;

/// Age at which orders, trades and markets move from the live lists to the archive.
pub(super) const LIVE_WINDOW: Micros = 60 * 24 * 3600 * SECOND;
