//! A fast deserializer for compact JSON, as the exchange sends it. Everything else falls back to serde_json.

mod string;

use std::{fmt, iter};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;

use self::string::{special, unescaped};
use crate::json_object::RAW_VALUE;

/// Maximum nesting depth of objects and arrays. serde_json accepts more.
const MAX_DEPTH: u8 = 32;

/// Input that nothing accepts. It replaces the rest after a failure, because a type may ignore the error of a field, and nothing after
/// invalid JSON may be accepted.
const REJECTED: &str = "?";

/// Maximum number of digits of a number that is certain to fit a `u64`.
const MAX_DIGITS: usize = 19;

/// A deserializer of JSON without whitespace.
///
/// For input that it accepts, it returns the same values as serde_json. For other input, and for values of the wrong type, it fails
/// without a reason; parse the input again with serde_json to get the value or the error.
pub(crate) struct Compact<'de> {
    rest: &'de str,
    depth: u8,
}

/// The input must be parsed with serde_json instead.
#[derive(Debug)]
pub(crate) struct NotCompact;

impl fmt::Display for NotCompact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not compact JSON")
    }
}

impl std::error::Error for NotCompact {}

impl Error for NotCompact {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Deserializes JSON. Compact JSON takes the fast path.
///
/// # Errors
///
/// Returns the error of serde_json, which parses whatever the fast path rejects.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> serde_json::Result<T> {
    // About twice as fast as serde_json.
    let mut compact = Compact::new(text);
    match T::deserialize(&mut compact) {
        Ok(value) if compact.end().is_ok() => Ok(value),
        _ => serde_json::from_str(text),
    }
}

impl<'de> Compact<'de> {
    pub(crate) const fn new(text: &'de str) -> Self {
        Self {
            rest: text,
            depth: 0,
        }
    }

    /// Rejects the rest of the input.
    #[cold]
    #[inline(never)]
    fn reject<T>(&mut self) -> Result<T, NotCompact> {
        self.rest = REJECTED;
        Err(NotCompact)
    }

    /// Returns an error if input remains.
    pub(crate) const fn end(&self) -> Result<(), NotCompact> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(NotCompact),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    /// Consumes one ASCII character.
    #[inline]
    fn take(&mut self, byte: u8) -> Result<(), NotCompact> {
        if self.peek() != Some(byte) {
            return self.reject();
        }
        self.rest = self.rest.get(1..).ok_or(NotCompact)?;
        Ok(())
    }

    /// Consumes a literal.
    fn word(&mut self, word: &str) -> Result<(), NotCompact> {
        let Some(rest) = self.rest.strip_prefix(word) else {
            return self.reject();
        };
        self.rest = rest;
        Ok(())
    }

    /// Consumes a string and passes it to the visitor.
    #[inline]
    fn string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, NotCompact> {
        let literal = self.rest;
        self.take(b'"')?;
        let Some(end) = special(self.rest.as_bytes()) else {
            return self.reject();
        };
        if self.rest.as_bytes().get(end) != Some(&b'"') {
            return self.escaped_string(literal, 1 + end, visitor);
        }
        let text = self.rest.get(..end).ok_or(NotCompact)?;
        self.rest = self.rest.get(end + 1..).ok_or(NotCompact)?;
        visitor.visit_borrowed_str(text)
    }

    /// Consumes a string literal whose first special character is at `end`.
    #[inline(never)]
    fn escaped_string<V: Visitor<'de>>(
        &mut self,
        literal: &'de str,
        end: usize,
        visitor: V,
    ) -> Result<V::Value, NotCompact> {
        let Some((text, rest)) = split_escaped(literal, end) else {
            return self.reject();
        };
        self.rest = rest;
        visitor.visit_string(text)
    }

    /// Consumes the digits of an integer.
    #[inline]
    fn digits(&mut self) -> Result<u64, NotCompact> {
        let bytes = self.rest.as_bytes();
        let (mut number, mut count) = (0_u64, 0);
        while let Some(digit) = bytes.get(count).filter(|byte| byte.is_ascii_digit()) {
            number = number.wrapping_mul(10).wrapping_add((digit - b'0').into());
            count += 1;
        }
        let has_leading_zero = count > 1 && bytes.first() == Some(&b'0');
        if count == 0 || count > MAX_DIGITS || has_leading_zero {
            return self.reject();
        }
        self.rest = self.rest.get(count..).ok_or(NotCompact)?;
        Ok(number)
    }

    /// Returns `true` before a number that has a fraction or an exponent.
    fn is_fraction(&self) -> bool {
        let mut bytes = self
            .rest
            .bytes()
            .skip_while(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        matches!(bytes.next(), Some(b'.' | b'e' | b'E'))
    }

    /// Consumes a number that has a fraction or an exponent.
    fn fraction(&mut self) -> Result<f64, NotCompact> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.bytes().take_while(is_part).count();
        let text = self.rest.get(..length).ok_or(NotCompact)?;
        self.rest = self.rest.get(length..).ok_or(NotCompact)?;
        // serde_json parses it, so that the rounding is the same.
        match serde_json::from_str(text) {
            Ok(number) => Ok(number),
            Err(_) => self.reject(),
        }
    }

    /// Consumes an integer or a number with a fraction and returns its text. Returns `None` and consumes nothing for anything else.
    fn raw_number(&mut self) -> Option<&'de str> {
        let digits = |at: usize| {
            let rest = self.rest.as_bytes().get(at..).unwrap_or_default();
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let start = usize::from(self.peek() == Some(b'-'));
        let whole = digits(start);
        let has_leading_zero = whole > 1 && self.rest.as_bytes().get(start) == Some(&b'0');
        let mut end = start + whole;
        if self.rest.as_bytes().get(end) == Some(&b'.') {
            let places = digits(end + 1);
            if places == 0 {
                return None;
            }
            end += 1 + places;
        }
        let is_end = matches!(self.rest.as_bytes().get(end), Some(b',' | b'}' | b']'));
        if whole == 0 || has_leading_zero || !is_end {
            return None;
        }
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        Some(text)
    }

    /// Consumes any value and returns its JSON text.
    fn raw(&mut self) -> Result<&'de str, NotCompact> {
        if let Some(number) = self.raw_number() {
            return Ok(number);
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
        let Some(Ok(value)) = values.next() else {
            return self.reject();
        };
        let end = values.byte_offset();
        self.rest = self.rest.get(end..).ok_or(NotCompact)?;
        Ok(value.get())
    }

    #[inline]
    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, NotCompact> {
        self.take(b'{')?;
        self.nested(b'}', |items| visitor.visit_map(items))
    }

    #[inline]
    fn seq<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, NotCompact> {
        self.take(b'[')?;
        self.nested(b']', |items| visitor.visit_seq(items))
    }

    #[inline]
    fn nested<T>(
        &mut self,
        end: u8,
        visit: impl FnOnce(Items<'_, 'de>) -> Result<T, NotCompact>,
    ) -> Result<T, NotCompact> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.reject();
        }
        let items = Items {
            text: self,
            end,
            is_first: true,
        };
        let value = visit(items).and_then(|value| self.take(end).map(|()| value));
        self.depth -= 1;
        if value.is_err() {
            // The rest of the object is not consumed.
            return self.reject();
        }
        value
    }
}

macro_rules! numbers {
    ($($method:ident)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
            self.deserialize_i64(visitor)
        }
    )+};
}

macro_rules! leave_to_serde_json {
    ($($method:ident($($argument:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $argument,)* _: V) -> Result<V::Value, NotCompact> {
            self.reject()
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Compact<'de> {
    type Error = NotCompact;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        match self.peek().ok_or(NotCompact)? {
            b'"' => self.deserialize_str(visitor),
            b'{' => self.map(visitor),
            b'[' => self.seq(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            // With its feature `arbitrary_precision`, which any dependency may enable, serde_json visits the exact text of a fraction.
            _ if self.is_fraction() => self.reject(),
            _ => self.deserialize_i64(visitor),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.string(visitor)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.deserialize_str(visitor)
    }

    /// Visits a `u64`, an `i64` or an `f64` depending on the number, not on the requested type, as serde_json does.
    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        let start = self.rest;
        let is_negative = self.peek() == Some(b'-');
        if is_negative {
            self.take(b'-')?;
        }
        let digits = self.digits()?;
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.rest = start;
            return visitor.visit_f64(self.fraction()?);
        }
        if !is_negative {
            return visitor.visit_u64(digits);
        }
        match 0_i64.checked_sub_unsigned(digits) {
            // serde_json returns negative zero as an `f64`.
            None | Some(0) => self.reject(),
            Some(number) => visitor.visit_i64(number),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        match self.peek() {
            Some(b't') => {
                self.word("true")?;
                visitor.visit_bool(true)
            }
            _ => {
                self.word("false")?;
                visitor.visit_bool(false)
            }
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.word("null")?;
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        if self.peek() != Some(b'n') {
            return visitor.visit_some(self);
        }
        self.word("null")?;
        visitor.visit_none()
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.map(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NotCompact> {
        self.map(visitor)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.seq(visitor)
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, NotCompact> {
        self.seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NotCompact> {
        match name {
            // serde_json also calls the visitor of `RawValue` with a map of one field.
            RAW_VALUE => visitor.visit_map(MapDeserializer::new(iter::once((name, self.raw()?)))),
            // serde_json reserves other names that start with `$`.
            _ if name.starts_with('$') => self.reject(),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        match self.is_fraction() {
            true => self.deserialize_f64(visitor),
            false => self.deserialize_any(visitor),
        }
    }

    numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f64);
    leave_to_serde_json! {
        deserialize_f32() deserialize_i128() deserialize_u128() deserialize_char() deserialize_bytes() deserialize_byte_buf() deserialize_unit_struct(&'static str) deserialize_tuple_struct(&'static str, usize)
        deserialize_enum(&'static str, &'static [&'static str])
    }
}

/// Returns the text of a string literal at the start of `json` and what follows it. The first special character of the literal is at
/// `end`. Returns `None` if the literal is invalid.
fn split_escaped(json: &str, mut end: usize) -> Option<(String, &str)> {
    let bytes = json.as_bytes();
    while bytes.get(end) == Some(&b'\\') {
        let next = end + 2;
        end = next + bytes.get(next..).and_then(special)?;
    }
    // serde_json rejects a literal that ends with a control character instead of a quote.
    let (literal, rest) = json.split_at_checked(end + 1)?;
    let text = unescaped(literal).or_else(|| serde_json::from_str(literal).ok())?;
    Some((text, rest))
}

/// The remaining items of an object or an array.
struct Items<'a, 'de> {
    text: &'a mut Compact<'de>,
    end: u8,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Consumes the comma before an item. Returns `false` at the end of the object or array.
    #[inline]
    fn has_next(&mut self) -> Result<bool, NotCompact> {
        if self.text.peek() == Some(self.end) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.is_first) {
            self.text.take(b',')?;
        }
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = NotCompact;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, NotCompact> {
        match self.has_next()? {
            true => seed.deserialize(Key(self.text)).map(Some),
            false => Ok(None),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, NotCompact> {
        self.text.take(b':')?;
        seed.deserialize(&mut *self.text)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = NotCompact;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NotCompact> {
        match self.has_next()? {
            true => seed.deserialize(&mut *self.text).map(Some),
            false => Ok(None),
        }
    }
}

/// A deserializer of a field name.
struct Key<'a, 'de>(&'a mut Compact<'de>);

impl Key<'_, '_> {
    fn reject<T>(self) -> Result<T, NotCompact> {
        self.0.reject()
    }
}

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = NotCompact;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NotCompact> {
        self.0.deserialize_str(visitor)
    }

    forward_to_deserialize_any!(str string identifier ignored_any);
    // serde_json converts a name to a number or a boolean if the type requires one.
    leave_to_serde_json! {
        deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char() deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit() deserialize_seq()
        deserialize_map() deserialize_unit_struct(&'static str) deserialize_newtype_struct(&'static str) deserialize_tuple(usize) deserialize_tuple_struct(&'static str, usize)
        deserialize_struct(&'static str, &'static [&'static str]) deserialize_enum(&'static str, &'static [&'static str])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
