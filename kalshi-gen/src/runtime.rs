//! Where emitted code finds the items it calls.

use proc_macro2::TokenStream;
use quote::quote;

/// The path of the crate with the runtime of emitted code.
pub(crate) fn root() -> TokenStream {
    quote!(::kalshi_core)
}

/// The path of the module around a module of emitted code.
pub(crate) fn parent() -> TokenStream {
    quote!(super)
}
