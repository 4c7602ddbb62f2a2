//! The operations of the REST API, as the spec lists them: one table that signing, rate limits, retries and pagination go by.

#[doc(inline)]
pub use kalshi_core::operation::{Bucket, Operation, Paging};

pub use crate::generated::operations::*;
