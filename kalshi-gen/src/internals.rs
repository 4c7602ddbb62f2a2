//! What the maintainer's program needs of this crate. Not part of its interface: anything here changes without notice.

pub mod asyncapi {
    //! AsyncAPI specs.
    pub use crate::asyncapi::{
        fixups, payloads,
        schemas::{convert, scalars},
    };
}
pub mod compose {
    //! Compositions of schemas.
    pub use crate::compose::merge_all_of;
}
pub mod error {
    //! JSON paths, which errors are about.
    use crate::error::Error;
    pub use crate::error::JsonPath;

    /// An error about a document as a whole.
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
    //! Keys that generation ignores.
    pub use crate::check::keywords::warnings;
}
pub mod names {
    //! Names of a spec as names of Rust, and text without hidden characters.
    pub use crate::names::*;
}
pub mod normalize {
    //! Specs as the later stages see them.
    pub use crate::normalize::Normalized;
}
pub mod operations {
    //! Operations.
    pub use crate::operations::{
        DEFAULT_TOKEN_COST, Operation, Paging, Parameter, list, success_schema,
    };
}
pub mod paths {
    //! Bodies and responses of operations.
    pub use crate::paths::{is_empty_object, success};
}
pub mod protocol {
    //! Kinds of specs.
    use serde_json::Value;

    use crate::protocol::Protocol;

    /// The protocol of a parsed document.
    #[must_use]
    pub fn of(document: &Value) -> Protocol {
        Protocol::from_document(document)
    }
}
pub mod refine {
    //! Emitted code as text.
    pub use crate::refine::text;
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
    //! The public surface of generated code.
    pub use crate::surface::of;
}
pub mod yaml {
    //! YAML as a tree.
    pub use crate::yaml::{Tree, parse, parse_in_order, plain};
}
