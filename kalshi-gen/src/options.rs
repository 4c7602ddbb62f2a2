//! Options of the generator: fixup mode, required items and hand-written types.

use crate::{error::Error, reserved};

/// The strictness with which the fixups of a spec are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixupMode {
    /// Applies the fixups that match and skips the others. Suitable for any published spec.
    #[default]
    Lenient,
    /// Returns an error if a fixup has nothing to correct. Intended for the vendored spec, for which
    /// the fixups were written.
    Strict,
}

/// The default name of the marker type.
const DEFAULT_MARKER: &str = "Api";

/// Options of [`generate`](crate::generate). The default applies fixups leniently and requires nothing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    fixups: FixupMode,
    marker: Option<String>,
    operations: Vec<String>,
    fields: Vec<(String, Vec<String>)>,
    enum_types: Vec<EnumType>,
    preferred: Vec<(String, String)>,
}

/// A hand-written type that replaces an enum of the spec.
#[derive(Clone, Debug)]
pub(crate) struct EnumType {
    /// The Rust name that the generated enum would have.
    pub(crate) name: String,
    /// The values that the hand-written type supports.
    pub(crate) values: Vec<String>,
    /// The path of the hand-written type.
    pub(crate) path: String,
}

impl EnumType {
    pub(crate) fn syn_path(&self) -> Result<syn::Path, Error> {
        let path = &self.path;
        syn::parse_str(path).map_err(|_| Error::document(format!("{path:?} is not a Rust path")))
    }
}

impl Options {
    /// Creates options with lenient fixups and no required items.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the strictness with which fixups are applied.
    #[must_use]
    pub fn fixups(mut self, mode: FixupMode) -> Self {
        self.fixups = mode;
        self
    }

    /// Sets the name of the API crate's marker type, which implements the runtime's `Api`. Generated code expects it in
    /// the parent module, next to a type `Environment`. Defaults to `Api`. [`generate`](crate::generate) fails if the
    /// name is not an identifier or is an item of the generated code, such as `Client`.
    #[must_use]
    pub fn marker(mut self, name: impl Into<String>) -> Self {
        self.marker = Some(name.into());
        self
    }

    /// Requires the operations with these ids, such as `CreateOrderV2`. Generation fails if the spec lacks one of them.
    #[must_use]
    pub fn require_operations(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.operations.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Requires a generated type and some of its fields, by Rust name. Generation fails if the spec lacks the
    /// type or a field.
    #[must_use]
    pub fn require_fields(mut self, type_name: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        self.fields.push((type_name.into(), fields));
        self
    }

    /// Requires several generated types, each with some of its fields: see [`require_fields`](Self::require_fields).
    #[must_use]
    pub fn require_types(self, types: &[(&str, &[&str])]) -> Self {
        types.iter().fold(self, |options, (name, fields)| {
            options.require_fields(*name, fields)
        })
    }

    /// Uses a hand-written type instead of generating an enum of the spec. `name` is the name that the generated enum
    /// would have, and the hand-written type is re-exported under its own name beside the generated types. `values` are
    /// those that the type supports. [`generate`](crate::generate) fails if the spec lacks the enum or has other values
    /// for it, or if `path` is not a Rust path.
    #[must_use]
    pub fn enum_type(
        mut self,
        name: impl Into<String>,
        values: &[&str],
        path: impl Into<String>,
    ) -> Self {
        self.enum_types.push(EnumType {
            name: name.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            path: path.into(),
        });
        self
    }

    /// Names the hand-written alternative to an operation, in Markdown. The documentation of the operation's
    /// method recommends it. Links resolve in the parent module of the generated code. Generation fails if the
    /// spec lacks the operation.
    #[must_use]
    pub fn prefer(mut self, id: impl Into<String>, instead: impl Into<String>) -> Self {
        let id = id.into();
        self.operations.push(id.clone());
        self.preferred.push((id, instead.into()));
        self
    }

    /// Returns the hand-written alternative to the operation `id`.
    pub(crate) fn preferred(&self, id: &str) -> Option<&str> {
        let mut preferred = self.preferred.iter();
        preferred.find_map(|(other, instead)| (other == id).then_some(instead.as_str()))
    }

    /// Returns an error if the name of the marker type is not an identifier, or is reserved in the generated code.
    pub(crate) fn marker_ident(&self) -> Result<syn::Ident, Error> {
        let name = self.marker.as_deref().unwrap_or(DEFAULT_MARKER);
        let ident: syn::Ident = syn::parse_str(name).map_err(|_| {
            Error::document(format!(
                "marker {name:?} is not a Rust identifier: set the name of a type in the parent module of the generated code"
            ))
        })?;
        if reserved::is_root_item(name.strip_prefix("r#").unwrap_or(name)) {
            return Err(Error::document(format!(
                "marker `{name}` is a reserved name in the generated code: rename the marker type"
            )));
        }
        Ok(ident)
    }

    pub(crate) fn fixup_mode(&self) -> FixupMode {
        self.fixups
    }

    pub(crate) fn enum_types(&self) -> &[EnumType] {
        &self.enum_types
    }

    pub(crate) fn required_operations(&self) -> &[String] {
        &self.operations
    }

    pub(crate) fn required_fields(&self) -> &[(String, Vec<String>)] {
        &self.fields
    }
}
