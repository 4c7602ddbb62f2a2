//! Open enums: each string that the spec lists is a variant, and any other string is preserved as received.

use std::collections::{HashMap, HashSet};

use heck::ToUpperCamelCase;
use quote::format_ident;

use crate::{docs, runtime};

/// Returns the variant names for the values of an enum. If two values have the same name, the later one gets a number.
pub fn variant_names(values: &[String]) -> Vec<String> {
    let mut used = HashSet::new();
    // The next number for each name, since all lower ones are in use.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let unused = values.iter().map(|value| {
        let name = variant_name(value);
        let number = numbers.entry(name.clone()).or_insert(1);
        loop {
            let candidate = match *number {
                1 => name.clone(),
                number => format!("{name}{number}"),
            };
            *number += 1;
            if used.insert(candidate.clone()) {
                return candidate;
            }
        }
    });
    unused.collect()
}

/// Returns the variant name for a value of the spec.
fn variant_name(value: &str) -> String {
    let name = value.to_upper_camel_case();
    match name.chars().next() {
        None if value.is_empty() => "Empty".to_owned(),
        // `Unknown` is the variant for unlisted values, and `Self` is a keyword.
        _ if ["Unknown", "Self"].contains(&name.as_str()) => format!("{name}Value"),
        Some(first) if first.is_ascii_alphabetic() && name.is_ascii() => name,
        _ => format!(
            "Value{}",
            name.chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
        ),
    }
}

/// Emits an open enum with the given name and values.
pub(crate) fn open_enum(name: &syn::Ident, doc: &str, values: &[String]) -> Vec<syn::Item> {
    let variants: Vec<_> = variant_names(values)
        .iter()
        .map(|name| format_ident!("{name}"))
        .collect();
    let docs = values.iter().map(|value| match value.as_str() {
        "" => "The empty string.".to_owned(),
        value => docs::inline_code(value),
    });
    let (sdk, doc) = (runtime::root(), docs::markdown(doc));
    let file: syn::File = syn::parse_quote! {
        #[doc = #doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#[doc = #docs] #variants,)*
            /// A value that was not in the spec when this crate was built, as received.
            Unknown(::std::string::String),
        }
        impl #name {
            /// All values that the spec lists, in its order.
            pub const VALUES: &'static [&'static str] = &[#(#values),*];
            /// Returns the value as sent on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    #(Self::#variants => #values,)*
                    Self::Unknown(text) => text,
                }
            }
            fn listed(text: &str) -> ::std::option::Option<Self> {
                match text {
                    #(#values => ::std::option::Option::Some(Self::#variants),)*
                    _ => ::std::option::Option::None,
                }
            }
        }
        impl ::std::convert::From<&str> for #name {
            fn from(text: &str) -> Self {
                Self::listed(text).unwrap_or_else(|| Self::Unknown(text.to_owned()))
            }
        }
        impl ::std::convert::From<::std::string::String> for #name {
            fn from(text: ::std::string::String) -> Self {
                Self::listed(&text).unwrap_or(Self::Unknown(text))
            }
        }
        impl ::std::str::FromStr for #name {
            type Err = ::std::convert::Infallible;
            fn from_str(text: &str) -> ::std::result::Result<Self, ::std::convert::Infallible> {
                ::std::result::Result::Ok(text.into())
            }
        }
        impl ::std::fmt::Display for #name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                #sdk::rt::open_enum(deserializer, Self::listed, Self::Unknown)
            }
        }
    };
    file.items
}

#[cfg(test)]
mod tests {
    use super::{variant_name, variant_names};

    #[test]
    fn values_name_their_variants() {
        for (value, variant) in [
            ("yes", "Yes"),
            ("good_till_canceled", "GoodTillCanceled"),
            ("read::block_trade_accept", "ReadBlockTradeAccept"),
            ("", "Empty"),
            ("unknown", "UnknownValue"),
            ("5min", "Value5min"),
        ] {
            assert_eq!(variant_name(value), variant);
        }
    }

    #[test]
    fn values_with_the_same_name_are_numbered() {
        let values = ["<=", ">=", "a-b", "a_b", "a b"].map(str::to_owned);
        assert_eq!(
            variant_names(&values),
            ["Value", "Value2", "AB", "AB2", "AB3"]
        );
        // A number may already be part of another value.
        let values = ["a2", "a", "A", "a", "a2"].map(str::to_owned);
        assert_eq!(variant_names(&values), ["A2", "A", "A3", "A4", "A22"]);
    }

    #[test]
    fn many_values_may_have_the_same_name() {
        let values: Vec<String> = (0..20_000_u32)
            .filter_map(|n| Some(char::from_u32(0x4e00 + n)?.to_string()))
            .collect();
        let names = variant_names(&values);
        assert_eq!(names.len(), 20_000);
        assert_eq!((&*names[1], &*names[19_999]), ("Value2", "Value20000"));
    }
}
