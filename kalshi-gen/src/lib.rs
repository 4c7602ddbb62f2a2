//! Generates a Rust client from a published API spec of the Kalshi exchange.
//!
//! [`generate`] is a pure function: the same spec gives the same bytes, and nothing is read or written. It
//! works in four stages:
//!
//! 1. *Normalise*: converts the spec into one that progenitor accepts.
//! 2. *Generate*: runs progenitor, which emits types and request builders.
//! 3. *Refine*: adapts them to an API crate.
//! 4. *Complete*: adds what progenitor does not emit: open enums and the operation table.
//!
//! The generated code belongs in a module of an API crate, next to the crate's marker type and `Environment`. It calls
//! the runtime, `kalshi-core`, through that crate's hidden module `rt`. The two form one interface: a breaking change
//! to either requires a new version of both.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod asyncapi;
mod build_script;
mod check;
mod client;
mod compose;
mod deprecation;
mod docs;
mod duplicates;
mod enums;
mod error;
mod fixups;
mod generated;
mod inline;
#[doc(hidden)]
pub mod internals;
mod names;
mod normalize;
mod nullable;
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
pub use samples::{Argument, ParameterLocation, Sample, Samples};
#[cfg(feature = "testing")]
pub use surface::{defaulted_fields, surface};
pub use warning::Warning;

/// Generates the Rust code for `spec`, an OpenAPI 3.0 or AsyncAPI 3 document in YAML or JSON.
///
/// An OpenAPI spec becomes types, request builders, client methods and the operation table. An AsyncAPI
/// spec becomes message types, an enum of all messages and its decoder. The root field, `openapi` or
/// `asyncapi`, determines the kind.
///
/// # Errors
///
/// Returns an error if `spec` is neither kind of document, if a construct cannot be expressed in Rust, if an operation,
/// type or field that `options` require is missing, or if the name of the marker type is invalid. The error
/// includes the JSON path if it concerns one location.
pub fn generate(spec: &str, options: &Options) -> Result<Generated, Error> {
    options.marker_ident()?;
    let mut document = yaml::parse(spec)?;
    let mut warnings = check::keywords::remove_stray(&mut document);
    let document = stages::checked(document)?;
    let generated = match Protocol::from_document(&document) {
        Protocol::Rest => Generated::from_rest(&stages::rest(document, options)?, warnings),
        Protocol::Streams => {
            warnings.extend(asyncapi::ignored_messages(&document));
            let operations = generated::stream_operations(&document);
            Generated::from_streams(&stages::streams(document, options)?, operations, warnings)
        }
    };
    generated.require(options)?;
    Ok(generated)
}
