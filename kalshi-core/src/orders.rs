//! Types for placing and changing orders that the API crates share. Each crate re-exports them in its module `orders`.

mod change_request;
mod decrease;
mod expiry;
mod methods;
mod rejection;

pub use change_request::ChangeRequest;
pub use decrease::Decrease;
pub use expiry::InvalidExpiry;
pub use rejection::{Rejection, Unresolved};
