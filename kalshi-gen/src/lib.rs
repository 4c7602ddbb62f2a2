//! Turns Kalshi's published API spec into the Rust of `kalshi-sdk`: spec in, Rust out.
//!
//! [`generate`] is a pure function: the same spec gives the same bytes, and nothing is read, written or timed. It
//! works in four stages: *normalise* (the spec becomes one that progenitor accepts), *generate* (progenitor makes
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
#[cfg(feature = "cli")]
mod cost;
#[cfg(feature = "cli")]
mod diff;
mod docs;
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
mod protocol;
mod refine;
mod runtime;
#[cfg(feature = "testing")]
mod samples;
mod scalars;
#[cfg(feature = "cli")]
mod show;
mod spec;
mod stages;
#[cfg(feature = "testing")]
mod surface;
mod syntax;
#[cfg(feature = "cli")]
mod vendor;
mod visit;
mod warning;
#[cfg(feature = "cli")]
mod words;
mod yaml;

#[cfg(feature = "cli")]
pub use audit::{Committed, Finding};
#[cfg(feature = "cli")]
pub use diff::{Change, Class, Diff, Format, Kind, SpecsError, Subject};
pub use error::Error;
pub use generated::{Generated, GeneratedOperation, GeneratedType};
#[cfg(feature = "cli")]
pub use lock::{Lock, Locks};
pub use options::{FixupMode, Options};
pub use protocol::Protocol;
#[cfg(feature = "testing")]
pub use samples::{Argument, Place, Sample, Samples};
#[cfg(feature = "cli")]
pub use show::show;
#[cfg(feature = "testing")]
pub use surface::surface;
#[cfg(feature = "cli")]
pub use vendor::{Vendored, vendor};
pub use warning::Warning;

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
    let document = stages::checked(yaml::parse(spec)?)?;
    let (mode, warnings) = (options.fixup_mode(), check::keywords::warnings(&document));
    let generated = match Protocol::from_document(&document) {
        Protocol::Rest => Generated::from_rest(&stages::rest(document, mode)?, warnings),
        Protocol::Streams => {
            let operations = generated::stream_operations(&document);
            Generated::from_streams(&stages::streams(document, mode)?, operations, warnings)
        }
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
