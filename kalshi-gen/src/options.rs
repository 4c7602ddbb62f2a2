//! Options of [`generate`](crate::generate).

use crate::{error::Error, reserved};

/// How strictly the fixups of a spec are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FixupMode {
    /// Applies the fixups that match and skips the others. For any published spec.
    #[default]
    Lenient,
    /// Returns an error if a fixup has nothing to fix. For the vendored spec, for which the fixups were written.
    Strict,
}

/// Name of the marker type unless set.
const DEFAULT_MARKER: &str = "Api";

/// Options of [`generate`](crate::generate). The default is lenient and requires nothing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    fixups: FixupMode,
    marker: Option<String>,
    operations: Vec<String>,
    fields: Vec<(String, Vec<String>)>,
    variants: Vec<(String, Vec<String>)>,
    enum_types: Vec<EnumType>,
    preferred: Vec<(String, String)>,
}

/// A hand-written type that stands for an enum of the spec.
#[derive(Clone, Debug)]
pub(crate) struct EnumType {
    /// The name of the enum in Rust if it were generated.
    pub(crate) name: String,
    /// The values that the hand-written type knows.
    pub(crate) values: Vec<String>,
    /// The path of the hand-written type.
    pub(crate) path: String,
}

impl EnumType {
    pub(crate) fn syn_path(&self) -> Result<syn::Path, Error> {
        let path = &self.path;
        syn::parse_str(path).map_err(|_| Error::document(format!("{path:?} is not a path of Rust")))
    }
}

impl Options {
    /// Lenient fixups, and nothing that the spec must have.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how strictly the fixups are applied.
    #[must_use]
    pub fn fixups(mut self, mode: FixupMode) -> Self {
        self.fixups = mode;
        self
    }

    /// Sets the name of the API crate's marker type, which implements the runtime's `Api`. Generated code expects it in the module
    /// around its own, beside a type `Environment`. Defaults to `Api`. [`generate`](crate::generate) fails if the name is not an
    /// identifier, or that of an item of the generated code such as `Client`.
    #[must_use]
    pub fn marker(mut self, name: impl Into<String>) -> Self {
        self.marker = Some(name.into());
        self
    }

    /// Requires an operation by its id, such as `CreateOrderV2`. Generation fails if the spec lacks it.
    #[must_use]
    pub fn require_operation(mut self, id: impl Into<String>) -> Self {
        self.operations.push(id.into());
        self
    }

    /// Requires several operations by their ids.
    #[must_use]
    pub fn require_operations(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.operations.extend(ids.into_iter().map(Into::into));
        self
    }

    /// Requires a generated type and some of its fields. Generation fails if the spec lacks the type or a field.
    #[must_use]
    pub fn require_fields(mut self, type_name: impl Into<String>, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        self.fields.push((type_name.into(), fields));
        self
    }

    /// Requires a generated enum and some of its variants, by their names in Rust. Generation fails if the spec lacks the type or
    /// a variant.
    #[must_use]
    pub fn require_variants(mut self, type_name: impl Into<String>, variants: &[&str]) -> Self {
        let variants = variants.iter().map(|name| (*name).to_owned()).collect();
        self.variants.push((type_name.into(), variants));
        self
    }

    /// Uses a hand-written type for an enum of the spec, by the name that the generated one would have, and re-exports it under its
    /// own name beside the generated types. `values` are those that the type knows. [`generate`](crate::generate) fails if the spec
    /// lacks the enum or has other values for it, or if `path` is not a path of Rust.
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

    /// Names what hand-written code offers instead of an operation, in Markdown. The documentation of the operation's method says to
    /// prefer it. Links resolve in the module around the generated code. Generation fails if the spec lacks the operation.
    #[must_use]
    pub fn prefer(mut self, id: impl Into<String>, instead: impl Into<String>) -> Self {
        let id = id.into();
        self.operations.push(id.clone());
        self.preferred.push((id, instead.into()));
        self
    }

    /// What to prefer to the operation `id`.
    pub(crate) fn preferred(&self, id: &str) -> Option<&str> {
        let mut preferred = self.preferred.iter();
        preferred.find_map(|(other, instead)| (other == id).then_some(instead.as_str()))
    }

    /// Returns an error if the name of the marker type is not an identifier, or the name of something in the generated code.
    pub(crate) fn marker_ident(&self) -> Result<syn::Ident, Error> {
        let name = self.marker.as_deref().unwrap_or(DEFAULT_MARKER);
        let ident: syn::Ident = syn::parse_str(name).map_err(|_| {
            Error::document(format!(
                "marker {name:?} is not an identifier of Rust: set the name of a type in the module around the generated code"
            ))
        })?;
        if reserved::is_root_item(name.strip_prefix("r#").unwrap_or(name)) {
            return Err(Error::document(format!(
                "marker `{name}` is the name of something else in the generated code: give the marker type another name"
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

    pub(crate) fn required_variants(&self) -> &[(String, Vec<String>)] {
        &self.variants
    }

    pub(crate) fn required_fields(&self) -> &[(String, Vec<String>)] {
        &self.fields
    }
}
