//! The operations of the REST API, as the spec lists them: one table used for signing, rate limits, retries and pagination.

#[doc(inline)]
pub use kalshi_core::operation::{
    Bucket, ListFormat, Location, Operation, Paging, Parameter, ParameterType,
};

pub use crate::generated::operations::*;
