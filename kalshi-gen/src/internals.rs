//! Internals for the maintainers' program. Not part of the public interface: anything here may change without notice.

pub mod asyncapi {
    //! AsyncAPI specs: messages, schemas and fixups.
    pub use crate::asyncapi::{
        boxed_messages, fixups, ignored_messages, payloads,
        schemas::{convert, scalars},
    };
}
pub mod compose {
    //! Flattening of schema compositions.
    pub use crate::compose::merge_all_of;
}
pub mod enums {
    //! Enums of strings.
    pub use crate::enums::variant_names;
}
pub mod error {
    //! JSON paths and errors that refer to them.
    use crate::error::Error;
    pub use crate::error::JsonPath;

    /// Creates an error about a document as a whole.
    #[must_use]
    pub fn document(message: impl Into<String>) -> Error {
        Error::document(message)
    }
}
pub mod fixups {
    //! Fixups of OpenAPI specs.
    pub use crate::fixups::apply;
}
pub mod keywords {
    //! Keys that the generator ignores.
    pub use crate::check::keywords::warnings;
}
pub mod names {
    //! Conversion of spec names to Rust names, and escaping of hidden characters.
    pub use crate::names::*;
}
pub mod normalize {
    //! Specs in the form that the later stages use.
    pub use crate::normalize::Normalized;
}
pub mod operations {
    //! Operations of a spec.
    pub use crate::operations::{
        DEFAULT_TOKEN_COST, Operation, Paging, Parameter, list, success_schema,
    };
}
pub mod paths {
    //! Bodies and responses of operations.
    pub use crate::paths::{is_empty_object, success};
}
pub mod protocol {
    //! The kinds of specs.
    use serde_json::Value;

    use crate::protocol::Protocol;

    /// Returns the protocol of a parsed document.
    #[must_use]
    pub fn detect(document: &Value) -> Protocol {
        Protocol::from_document(document)
    }
}
pub mod refine {
    //! Formatting of emitted code.
    pub use crate::refine::to_source;
}
pub mod scalars {
    //! The scalar types of the SDK.
    pub use crate::scalars::*;
}
pub mod spec {
    //! Navigation in a spec.
    pub use crate::spec::*;
}
pub mod stages {
    //! The stages of generation.
    pub use crate::stages::{Rest, checked, checked_rest, normalized, rest};
}
#[cfg(feature = "testing")]
pub mod surface {
    //! The public API of generated code, as text.
    pub use crate::surface::rest_surface;
}
pub mod unix_time {
    //! Integers that are Unix times.
    pub use crate::unix_time::UnixTime;
}
pub mod yaml {
    //! YAML as a tree.
    pub use crate::yaml::{Tree, parse, parse_in_order, plain};
}
