//! PEM parsing and encoding.

use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use crate::KeyError;
use crate::format::{self, Structure};

/// The maximum size of a key in bytes. An RSA key of 4096 bits with a certificate chain has about 10 KiB.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// The maximum number of base64 layers around a key: encoded by hand, and again by a secret store.
const MAX_LAYERS: u8 = 2;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// A decoded PEM block.
pub(crate) struct Block {
    /// The label after `BEGIN`. Empty for base64 without such a line.
    pub(crate) label: String,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Returns the first block of `text` whose label ends in `preferred_label`, or else the first block.
///
/// More tolerant than RFC 7468, because keys are copied through environment variables and web forms: line breaks may be
/// `\r\n`, a literal backslash followed by `n`, or spaces; other content and quotes may surround the blocks; and the whole
/// input, or the DER bytes alone, may be base64.
pub(crate) fn read(text: &str, preferred_label: &str) -> Result<Block, KeyError> {
    if text.len() > MAX_BYTES {
        return Err(KeyError::InputTooLarge);
    }
    read_layer(text, preferred_label, MAX_LAYERS)
}

fn read_layer(text: &str, preferred_label: &str, layers: u8) -> Result<Block, KeyError> {
    if let Some(error) = format::unsupported_format(text.as_bytes()) {
        return Err(error);
    }
    // PEM contains no backslashes. The buffer never grows, because growing would leave parts of the key in memory.
    let mut normalized = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.split("\\n") {
        normalized.extend(line.split("\\r"));
        normalized.push('\n');
    }
    if let Some((label, after)) = find_block(&normalized, preferred_label)? {
        return read_block(label, after);
    }
    let bare = normalized.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let bare = format::unquoted_str(bare).trim();
    if format::is_jwk(bare) {
        return Err(KeyError::Jwk);
    }
    let layers = layers.checked_sub(1).ok_or(KeyError::NotPem)?;
    let bytes = format::decode_base64(bare.as_bytes()).ok_or(KeyError::NotPem)?;
    if let Some(error) = format::unsupported_format(&bytes) {
        return Err(error);
    }
    if Structure::detect(&bytes).is_some() {
        return Ok(Block {
            label: String::new(),
            der: bytes,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::NotPem)?;
    read_layer(text, preferred_label, layers)
}

/// Returns the label of the chosen block and the content after its `BEGIN` line, or `None` if there is no such line.
fn find_block<'a>(
    text: &'a str,
    preferred_label: &str,
) -> Result<Option<(&'a str, &'a str)>, KeyError> {
    let mut rest = text;
    let mut first = None;
    while let Some((_, after_begin)) = rest.split_once(BEGIN) {
        let (label, after) =
            split_label(after_begin).ok_or_else(|| malformed("its BEGIN line is incomplete"))?;
        if label.ends_with(preferred_label) {
            return Ok(Some((label, after)));
        }
        first = first.or(Some((label, after)));
        rest = after;
    }
    Ok(first)
}

fn read_block(label: &str, after: &str) -> Result<Block, KeyError> {
    let (body, _) = after
        .split_once(&format!("-----END {label}-----"))
        .ok_or_else(|| malformed("its END line is missing"))?;
    if body.contains("Proc-Type:") {
        return Err(KeyError::UnsupportedEncryption(None));
    }
    Ok(Block {
        label: label.to_owned(),
        der: decode(body)?,
    })
}

fn split_label(text: &str) -> Option<(&str, &str)> {
    let (label, after) = text.split_once(DASHES)?;
    // Errors show labels, so a label must not contain anything that could be part of a key.
    let plain =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" .".contains(&byte);
    (label.len() <= 40 && label.bytes().all(plain)).then_some((label, after))
}

fn decode(body: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.split_ascii_whitespace());
    let mut der = Zeroizing::new(Vec::with_capacity(base64.len()));
    // The decoder's error is dropped because it may contain a character of the key.
    BASE64_STANDARD
        .decode_vec(base64.as_bytes(), &mut der)
        .map_err(|_| malformed("the content between BEGIN and END is not valid base64"))?;
    Ok(der)
}

fn malformed(reason: &'static str) -> KeyError {
    KeyError::Malformed {
        reason,
        source: None,
    }
}

/// Encodes `der` as a PEM block, in lines of 64 characters.
pub(crate) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    // Large enough from the start, because growing would leave a copy in memory.
    let mut pem = Zeroizing::new(String::with_capacity(
        base64.len() / 64 + base64.len() + 2 * label.len() + 40,
    ));
    pem.extend([BEGIN, label, DASHES, "\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem.extend(["-----END ", label, DASHES, "\n"]);
    pem
}
