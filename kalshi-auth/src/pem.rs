//! PEM text: finds a block, decodes it, writes one.

use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use crate::KeyError;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block of a PEM text.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// The first block of `text` whose label ends in `wanted`, or else the first of all.
///
/// More tolerant than RFC 7468, as keys travel through environment variables and web forms: line breaks may be `\r\n`,
/// written out as backslash and n, or turned into spaces, and any text may stand around the blocks.
pub(crate) fn read(text: &str, wanted: &str) -> Result<Block, KeyError> {
    // No character of a PEM is a backslash. The copy never grows, as growing would leave parts of it behind.
    let mut clean = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.split("\\n") {
        clean.extend(line.split("\\r"));
        clean.push('\n');
    }
    let mut rest = clean.as_str();
    let mut chosen = None;
    while let Some(start) = rest.find(BEGIN) {
        rest = &rest[start + BEGIN.len()..];
        let (label, after) =
            split_label(rest).ok_or_else(|| malformed("its BEGIN line is incomplete"))?;
        rest = after;
        if label.ends_with(wanted) {
            chosen = Some((label, after));
            break;
        }
        chosen = chosen.or(Some((label, after)));
    }
    let (label, after) = chosen.ok_or(KeyError::NotPem)?;
    let end = after
        .find(&format!("-----END {label}-----"))
        .ok_or_else(|| malformed("its END line is missing"))?;
    let body = &after[..end];
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
    // Errors show labels: nothing that could be part of a key may pass for one.
    let plain =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b" .".contains(&byte);
    (label.len() <= 40 && label.bytes().all(plain)).then_some((label, after))
}

fn decode(body: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    base64.extend(body.split_ascii_whitespace());
    let mut der = Zeroizing::new(Vec::with_capacity(base64.len()));
    // The decoder's error is dropped, as it can name a character of the key.
    BASE64_STANDARD
        .decode_vec(base64.as_bytes(), &mut der)
        .map_err(|_| malformed("its text between BEGIN and END is not whole base64"))?;
    Ok(der)
}

fn malformed(reason: &'static str) -> KeyError {
    KeyError::Malformed {
        reason,
        source: None,
    }
}

/// `der` as a PEM block, in lines of 64 characters.
pub(crate) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    // Large enough from the start, so that no copy is left behind when it grows.
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
