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
mod generated;
mod inline;
#[cfg(feature = "cli")]
mod lock;
mod names;
mod normalize;
mod operations;
mod options;
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
pub use contract::Protocol;
#[cfg(feature = "cli")]
pub use diff::{Change, Class, ContractsError, Diff, Format, Kind, Subject};
pub use error::Error;
pub use generated::{Generated, GeneratedOperation, GeneratedType, Warning};
#[cfg(feature = "cli")]
pub use lock::{Lock, Locks};
pub use options::{FixupMode, Options};
#[cfg(feature = "testing")]
pub use samples::{Argument, Place, Sample, Samples};
#[cfg(feature = "cli")]
pub use show::show;
#[cfg(feature = "testing")]
pub use surface::surface;

#[cfg(feature = "cli")]
pub use vendor::{Vendored, vendor};

/// Generates the Rust for `spec`, the text of an OpenAPI 3.0 or an AsyncAPI 3 document in YAML or JSON.
///
/// An OpenAPI spec becomes types, request builders, the client's methods and the operation table. An AsyncAPI spec becomes
/// the types of its messages, an enum of them all, and its decoder. The field `openapi` or `asyncapi` at the root tells
/// which one a spec is.
///
/// # Errors
///
/// Returns an error if the text is neither, if a construct cannot be expressed in Rust, or if an operation, a type or a field
/// that `options` require is missing. The error has the JSON path where there is one.
pub fn generate(spec: &str, options: &Options) -> Result<Generated, Error> {
    let document = yaml::parse(spec)?;
    let generated = match Protocol::of_document(&document) {
        Protocol::Rest => rest(document, options.fixup_mode())?.generated(),
        Protocol::Streams => streams(document, options.fixup_mode())?,
    };
    generated.require(options)?;
    Ok(generated)
}

/// The same as [`generate`], formatted for reading.
///
/// # Errors
///
/// Those of [`generate`].
#[cfg(feature = "cli")]
pub fn generate_formatted(spec: &str, mode: FixupMode) -> Result<String, Error> {
    let generated = generate(spec, &Options::new().fixups(mode))?;
    let file = syn::parse_file(&generated.rust)
        .map_err(|error| Error::document(format!("the generated source is not Rust: {error}")))?;
    Ok(prettyplease::unparse(&file))
}

/// The result of all stages for an OpenAPI spec.
struct Rest {
    refined: syn::File,
    normalized: normalize::Normalized,
    operations: Vec<operations::Operation>,
}

impl Rest {
    fn generated(&self) -> Generated {
        Generated {
            rust: refine::text(&self.refined),
            operations: generated::rest_operations(&self.operations),
            types: generated::types(&self.refined),
            warnings: Vec::new(),
        }
    }
}

/// All stages for an OpenAPI spec.
fn rest(document: serde_json::Value, mode: FixupMode) -> Result<Rest, Error> {
    let document = contract::read(document)?;
    let normalized = normalize::normalize(document, mode == FixupMode::Strict)?;
    let operations = operations::list(&normalized.tree)?;
    let refined = refine::refine(client::generate(&normalized)?, &normalized, &operations)?;
    Ok(Rest {
        refined,
        normalized,
        operations,
    })
}

/// All stages for an AsyncAPI spec.
fn streams(document: serde_json::Value, mode: FixupMode) -> Result<Generated, Error> {
    let operations = generated::stream_operations(&document);
    let file = asyncapi::generate(document, mode == FixupMode::Strict)?;
    Ok(Generated {
        rust: refine::text(&file),
        operations,
        types: generated::types(&file),
        warnings: Vec::new(),
    })
}
