//! Library of the `kalshi-gen` program, which tracks Kalshi's published specs: diffs, vendoring and checks.

mod audit;
mod cost;
mod descriptions;
mod diff;
mod formatted;
mod lock;
mod show;
mod structure;
mod vendor;
mod write;

pub use audit::{Committed, Finding};
pub use diff::{Change, Class, Diff, Format, Kind, SpecsError, Subject};
pub use formatted::generate_formatted;
pub use lock::{Lock, Locks};
pub use show::{find, show};
pub use vendor::{Vendored, vendor};
