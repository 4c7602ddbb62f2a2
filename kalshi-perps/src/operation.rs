//! The operations of the REST API: the table that signing, rate limits, retries and pagination use.

#[doc(inline)]
pub use kalshi_core::operation::{Bucket, Operation, Paging};

pub use crate::generated::operations::*;
