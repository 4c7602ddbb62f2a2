//! The operations of the REST API: the table that signing, rate limits, retries and pagination use.

#[doc(inline)]
pub use kalshi_core::operation::{
    Bucket, ListFormat, Location, Operation, Paging, Parameter, ParameterType,
};

pub use crate::generated::operations::*;
