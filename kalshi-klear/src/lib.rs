//! A typed client for Kalshi Klear's API for clearing members.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api;
mod environment;
pub mod operation;

pub(crate) mod generated;

pub use api::KlearApi;
pub use environment::Environment;
pub use generated::{Client, ClientBuilder, builder, types};
#[doc(inline)]
pub use kalshi_core::{
    ApiError, ConfigError, Contracts, CustomRequest, CustomUrls, Dollars, Error, ErrorResponse,
    Operation, Response, RetryPolicy,
};
pub use kalshi_core::{auth, reqwest, reqwest_middleware};
