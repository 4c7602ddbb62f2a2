//! Detects the format of a key: DER structures, and other formats that must be converted.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine};
use rsa::pkcs8::der::asn1::AnyRef;
use rsa::pkcs8::der::{Decode, Reader, SliceReader, Tag, Tagged};
use zeroize::Zeroizing;

use crate::KeyError;

/// The minimum length of a string that is treated as base64. A UUID has 36 characters.
const MIN_BASE64_LENGTH: usize = 40;
/// Base64 prefixes of RSA keys and certificates, of Ed25519 keys, and of `-----BEGIN`.
const BASE64_KEY_PREFIXES: [&[u8]; 4] = [b"MII", b"MC4CAQ", b"MHICAQ", b"LS0tLS1"];

/// The kind of a DER structure, determined by the types of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structure {
    Pkcs8,
    EncryptedPkcs8,
    Pkcs1Private,
    Pkcs1Public,
    /// A SubjectPublicKeyInfo, which holds a public key.
    Spki,
    /// An EC private key as in SEC 1.
    Sec1,
    Certificate,
}

impl Structure {
    /// Returns the kind of `der`, or `None` if it is damaged or of another kind.
    pub(crate) fn detect(der: &[u8]) -> Option<Self> {
        let outer = AnyRef::from_der(der).ok()?;
        if outer.tag() != Tag::Sequence {
            return None;
        }
        let mut reader = SliceReader::new(outer.value()).ok()?;
        let mut tags = Vec::new();
        // None of these structures has more than ten elements.
        while !reader.is_finished() && tags.len() <= 10 {
            tags.push(AnyRef::decode(&mut reader).ok()?.tag());
        }
        match tags.as_slice() {
            [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => Some(Self::Pkcs8),
            [Tag::Integer, Tag::OctetString, ..] => Some(Self::Sec1),
            [Tag::Integer, Tag::Integer] => Some(Self::Pkcs1Public),
            [numbers @ .., Tag::Sequence] | numbers
                if numbers.len() == 9 && numbers.iter().all(|tag| *tag == Tag::Integer) =>
            {
                Some(Self::Pkcs1Private)
            }
            [Tag::Sequence, Tag::OctetString] => Some(Self::EncryptedPkcs8),
            [Tag::Sequence, Tag::BitString] => Some(Self::Spki),
            [Tag::Sequence, Tag::Sequence, Tag::BitString] => Some(Self::Certificate),
            _ => None,
        }
    }
}

/// Returns the error that names the format of `bytes`, or `None` unless it is a known format that must be converted.
pub(crate) fn unsupported_format(bytes: &[u8]) -> Option<KeyError> {
    if is_utf16(bytes) {
        Some(KeyError::Utf16)
    } else if is_pkcs12(bytes) {
        Some(KeyError::Pkcs12)
    } else if bytes.starts_with(b"openssh-key-v1\0") {
        Some(KeyError::OpenSsh)
    } else {
        None
    }
}

/// Returns `true` if `bytes` are ASCII text in UTF-16, with or without a byte order mark.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => {
            let zeros = [*a == 0, *b == 0, *c == 0, *d == 0];
            zeros == [true, false, true, false] || zeros == [false, true, false, true]
        }
        _ => false,
    }
}

/// Returns `true` if `bytes` begin like a PFX structure: a sequence that contains the version 3 and another sequence.
/// Its lengths may be indefinite, because some programs write BER.
fn is_pkcs12(bytes: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = bytes else {
        return false;
    };
    let length_bytes = match length {
        0x81..=0x84 => usize::from(length - 0x80),
        _ => 0,
    };
    rest.get(length_bytes..)
        .is_some_and(|content| content.starts_with(&[2, 1, 3, 0x30]))
}

/// Returns `true` if `text` is a JSON Web Key or a set of them.
pub(crate) fn is_jwk(text: &str) -> bool {
    text.starts_with('{') && text.contains("\"kty\"")
}

/// Decodes base64 of either alphabet, with or without padding and line breaks. Returns `None` for anything else
/// and for short strings.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // Both buffers have their full capacity from the start, because growing would leave parts of the key in memory.
    let mut base64 = Zeroizing::new(Vec::with_capacity(text.len()));
    base64.extend(
        text.iter()
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            }),
    );
    while base64.last() == Some(&b'=') {
        base64.pop();
    }
    if base64.len() < MIN_BASE64_LENGTH {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(base64.len()));
    // The decoder's error is dropped because it may contain a character of the key.
    BASE64_STANDARD_NO_PAD
        .decode_vec(base64.as_slice(), &mut bytes)
        .ok()?;
    Some(bytes)
}

/// Returns `true` if `text`, expected to be short, such as a path or a key id, is a key or part of one.
pub(crate) fn is_key(text: &[u8]) -> bool {
    if text.len() > 255
        || text.starts_with(b"{")
        || contains(text, b"-----BEGIN")
        || contains(text, b"PRIVATE KEY--")
    {
        return true;
    }
    let text = unquoted(text.trim_ascii());
    text.len() >= MIN_BASE64_LENGTH
        && text.iter().all(|byte| is_base64(*byte))
        && (BASE64_KEY_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix))
            || decode_base64(text).is_some_and(|bytes| {
                unsupported_format(&bytes).is_some() || Structure::detect(&bytes).is_some()
            }))
}

/// Returns `true` if `text`, expected to be a key id, is a key, a line of one, or a bare seed in base64 or hexadecimal.
/// Key ids are UUIDs.
pub(crate) fn is_key_or_part(text: &[u8]) -> bool {
    let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    is_key(text) || (text.len() >= MIN_BASE64_LENGTH && text.iter().all(encoded))
}

/// Returns `true` if `byte` occurs in base64 of either alphabet.
pub(crate) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Removes the quotes that some parsers of env files leave around a value.
pub(crate) fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => text,
    }
}

/// Removes quotes as [`unquoted`] does, for a string.
pub(crate) fn unquoted_str(text: &str) -> &str {
    let strip = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    strip('"').or_else(|| strip('\'')).unwrap_or(text)
}
