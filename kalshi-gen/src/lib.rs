//! Turns Kalshi's published API contract into the Rust of `kalshi-sdk`: contract in, Rust out.
//!
//! [`generate`] is a pure function: the same contract gives the same bytes, and nothing is read, written or timed. It
//! works in four stages: *normalise* (the contract becomes one that progenitor accepts), *generate* (progenitor makes
//! types and builders), *refine* (those become this SDK's), and *what progenitor does not give* (open enums, the
//! operation table).
//!
//! The code it makes lives inside `kalshi-sdk`, whose `crate::{Client, Error, de, operation, transport}` and scalar types
//! it refers to.

mod asyncapi;
#[cfg(feature = "cli")]
mod audit;
mod check;
mod client;
mod compose;
mod contract;
#[cfg(feature = "cli")]
mod cost;
#[cfg(feature = "cli")]
mod diff;
mod enums;
mod error;
#[cfg(feature = "cli")]
mod facts;
mod fixups;
mod inline;
#[cfg(feature = "cli")]
mod lock;
mod names;
mod normalize;
mod operations;
mod pages;
mod paths;
mod refine;
#[cfg(feature = "testing")]
mod samples;
#[cfg(feature = "cli")]
mod show;
#[cfg(feature = "testing")]
mod surface;
#[cfg(feature = "cli")]
mod vendor;
#[cfg(feature = "cli")]
mod words;
mod yaml;

#[cfg(feature = "cli")]
pub use audit::{Committed, Finding};
#[cfg(feature = "cli")]
pub use contract::Protocol;
#[cfg(feature = "cli")]
pub use diff::{Change, Class, ContractsError, Diff, Format, Kind, Subject};
pub use error::Error;
#[cfg(feature = "cli")]
pub use lock::{Lock, Locks};
#[cfg(feature = "testing")]
pub use samples::{Argument, Place, Sample, Samples};
#[cfg(feature = "cli")]
pub use show::show;
#[cfg(feature = "testing")]
pub use surface::surface;

#[cfg(feature = "cli")]
pub use vendor::{Vendored, vendor};

/// How to treat a contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fixups {
    /// Mend what there is to mend: for any published contract.
    #[default]
    WhereTheyApply,
    /// A fixup that finds nothing to mend is an error: for the contract the fixups were written for.
    AllMustApply,
}

/// The Rust for `contract`, the text of an OpenAPI 3.0 document in YAML or JSON.
///
/// # Errors
///
/// One [`Error`] with the JSON path of what is wrong, for a text that is no such contract and for a construct that cannot be
/// expressed.
pub fn generate(contract: &str, fixups: Fixups) -> Result<String, Error> {
    let (refined, _) = stages(contract, fixups)?;
    Ok(refine::text(&refined))
}

/// The Rust for the messages of `contract`, the text of an AsyncAPI 3 document in YAML or JSON: their types, an enum of them all,
/// and its reader.
///
/// # Errors
///
/// Those of [`generate`].
pub fn generate_streams(contract: &str, fixups: Fixups) -> Result<String, Error> {
    asyncapi::generate(contract, fixups == Fixups::AllMustApply)
}

/// The same as [`generate`] or [`generate_streams`], by what the contract is about, formatted for reading.
///
/// # Errors
///
/// Those of [`generate`].
#[cfg(feature = "cli")]
pub fn generate_formatted(contract: &str, fixups: Fixups) -> Result<String, Error> {
    let rust = match Protocol::of(contract)? {
        Protocol::Rest => generate(contract, fixups)?,
        Protocol::Streams => generate_streams(contract, fixups)?,
    };
    let file = syn::parse_file(&rust)
        .map_err(|error| Error::document(format!("what was generated is no Rust: {error}")))?;
    Ok(prettyplease::unparse(&file))
}

/// All stages: the refined code, and what it was made from.
fn stages(contract: &str, fixups: Fixups) -> Result<(syn::File, normalize::Normalized), Error> {
    let document = contract::parse(contract)?;
    let normalized = normalize::normalize(document, fixups == Fixups::AllMustApply)?;
    let operations = operations::list(&normalized.tree)?;
    let refined = refine::refine(client::generate(&normalized)?, &normalized, &operations)?;
    Ok((refined, normalized))
}
