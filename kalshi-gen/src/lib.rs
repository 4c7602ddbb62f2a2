//! Turns Kalshi's published API contract into the Rust of `kalshi-sdk`: contract in, Rust out.
//!
//! [`generate`] is a pure function: the same contract gives the same bytes, and nothing is read, written or timed. It
//! works in four stages: *normalise* (the contract becomes one that progenitor accepts), *generate* (progenitor makes
//! types and builders), *refine* (those become this SDK's), and *what progenitor does not give* (open enums, the
//! operation table).
//!
//! The code it makes lives inside `kalshi-sdk`, whose `crate::{Client, Error, de, operation, transport}` and scalar types
//! it refers to.

mod check;
mod client;
mod compose;
mod contract;
mod enums;
mod error;
mod fixups;
mod inline;
mod names;
mod normalize;
mod operations;
mod paths;
mod refine;
#[cfg(feature = "testing")]
mod samples;
#[cfg(feature = "testing")]
mod surface;
mod yaml;

pub use error::Error;
#[cfg(feature = "testing")]
pub use samples::{Argument, Place, Sample, Samples};
#[cfg(feature = "testing")]
pub use surface::surface;

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

/// All stages: the refined code, and what it was made from.
fn stages(contract: &str, fixups: Fixups) -> Result<(syn::File, normalize::Normalized), Error> {
    let document = contract::parse(contract)?;
    let normalized = normalize::normalize(document, fixups == Fixups::AllMustApply)?;
    let operations = operations::list(&normalized.tree)?;
    let refined = refine::refine(client::generate(&normalized)?, &normalized, &operations)?;
    Ok((refined, normalized))
}
