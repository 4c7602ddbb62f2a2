//! The operations of the REST API: the table that signing, rate limits, retries and pagination use.
//!
//! [`ALL`] lists them with method, path, token cost, bucket and parameters, [`find`] looks one up by its id, and each has a constant. To send
//! an operation, call its method of [`Client`](crate::Client).

#[doc(inline)]
pub use kalshi_core::operation::{
    Bucket, ListFormat, Location, Operation, Paging, Parameter, ParameterType,
};

pub use crate::generated::operations::*;
