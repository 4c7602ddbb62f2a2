//! Turns a published API spec of the Kalshi exchange into the Rust of a client: spec in, Rust out.
//!
//! [`generate`] is a pure function: the same spec gives the same bytes, and nothing is read, written or timed. It
//! works in four stages: *normalise* (the spec becomes one that progenitor accepts), *generate* (progenitor makes
//! types and builders), *refine* (those become an API crate's), and *what progenitor does not give* (open enums, the
//! operation table).
//!
//! The generated code belongs into a module of an API crate, beside its marker type and `Environment`; it calls the runtime,
//! `kalshi-core`, by that crate's hidden module `rt`. The two are one interface: a breaking change of either bumps both.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod asyncapi;
mod build_script;
mod check;
mod client;
mod compose;
mod deprecation;
mod docs;
mod enums;
mod error;
mod fixups;
mod generated;
mod inline;
#[doc(hidden)]
pub mod internals;
mod names;
mod normalize;
mod operations;
mod options;
mod pages;
mod paths;
mod protocol;
#[cfg(feature = "testing")]
mod public_api;
mod refine;
mod reserved;
mod runtime;
#[cfg(feature = "testing")]
mod samples;
mod scalars;
mod spec;
mod stages;
#[cfg(feature = "testing")]
mod surface;
mod syntax;
mod unix_time;
mod visit;
mod warning;
mod yaml;

pub use build_script::build_script;
pub use error::Error;
pub use generated::{Generated, GeneratedOperation, GeneratedType};
pub use options::{FixupMode, Options};
pub use protocol::Protocol;
#[cfg(feature = "testing")]
pub use public_api::public_items;
#[cfg(feature = "testing")]
pub use samples::{Argument, Place, Sample, Samples};
#[cfg(feature = "testing")]
pub use surface::{defaulted_fields, surface};
pub use warning::Warning;

/// Generates the Rust for `spec`, the text of an OpenAPI 3.0 or an AsyncAPI 3 document in YAML or JSON.
///
/// An OpenAPI spec becomes types, request builders, the client's methods and the operation table. An AsyncAPI spec becomes
/// the types of its messages, an enum of them all, and its decoder. The field `openapi` or `asyncapi` at the root tells
/// which one a spec is.
///
/// # Errors
///
/// Returns an error if the text is neither, if a construct cannot be expressed in Rust, if an operation, a type, a field or a
/// variant that `options` require is missing, or if the name of the marker type is invalid. The error has the JSON path where there is one.
pub fn generate(spec: &str, options: &Options) -> Result<Generated, Error> {
    options.marker_ident()?;
    let mut document = yaml::parse(spec)?;
    let mut warnings = check::keywords::remove_stray(&mut document);
    let document = stages::checked(document)?;
    let generated = match Protocol::from_document(&document) {
        Protocol::Rest => Generated::from_rest(&stages::rest(document, options)?, warnings),
        Protocol::Streams => {
            warnings.extend(asyncapi::ignored(&document));
            let operations = generated::stream_operations(&document);
            Generated::from_streams(&stages::streams(document, options)?, operations, warnings)
        }
    };
    generated.require(options)?;
    Ok(generated)
}
