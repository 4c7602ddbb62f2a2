//! Paths by which emitted code refers to the runtime and to its parent module.

use proc_macro2::TokenStream;
use quote::quote;

/// Returns the path of the runtime crate.
pub(crate) fn root() -> TokenStream {
    quote!(::kalshi_core)
}

/// Returns the path of the parent module of the emitted module.
pub(crate) fn parent() -> TokenStream {
    quote!(super)
}
