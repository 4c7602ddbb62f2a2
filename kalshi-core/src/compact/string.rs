//! The ends and the escapes of JSON strings.

/// Returns the index of the first quote, backslash or control character.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH_BITS: u64 = ONES << 7;
    const WORD: usize = size_of::<u64>();
    let mut index = 0;
    let (words, rest) = bytes.as_chunks::<WORD>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // Sets the high bit of every zero byte, and possibly of bytes after the first one.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
        let found = zeros(word ^ (ONES * u64::from(b'"')))
            | zeros(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGH_BITS;
        if found != 0 {
            return Some(index + found.trailing_zeros() as usize / 8);
        }
        index += WORD;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    Some(index + rest.iter().position(is_special)?)
}

/// Returns the text of a string literal. Returns `None` for invalid literals and surrogate pairs.
pub(super) fn unescaped(literal: &str) -> Option<String> {
    let mut rest = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::with_capacity(rest.len());
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let kind = escape.chars().next()?;
        let (c, length) = match kind {
            '"' | '\\' | '/' => (kind, 1),
            'n' => ('\n', 1),
            't' => ('\t', 1),
            'r' => ('\r', 1),
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'u' => {
                let digits = escape.get(1..5)?;
                let are_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let code = u32::from_str_radix(digits, 16).ok().filter(|_| are_hex)?;
                (char::from_u32(code)?, 5)
            }
            _ => return None,
        };
        text.push(c);
        rest = escape.get(length..)?;
    }
    text.push_str(rest);
    Some(text)
}
