//! A string that is cheap to clone: stored inline if short, shared otherwise.

use std::sync::Arc;

/// Maximum length of a string that is stored inline, in bytes. A UUID has 36.
const MAX_INLINE: usize = 38;

/// An immutable string.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InlineText(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// A string of at most [`MAX_INLINE`] bytes, padded with zeros, so that equal strings have equal representations.
    Inline {
        length: u8,
        bytes: [u8; MAX_INLINE],
    },
    Shared(Arc<str>),
}

impl InlineText {
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; MAX_INLINE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(inline), Ok(length)) => {
                inline.copy_from_slice(text.as_bytes());
                Self(Form::Inline { length, bytes })
            }
            _ => Self(Form::Shared(text.into())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            // The bytes were copied from a `str`.
            Form::Inline { length, bytes } => bytes
                .get(..usize::from(*length))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
            Form::Shared(text) => text,
        }
    }
}
