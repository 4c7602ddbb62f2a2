//! Where emitted code finds the items it calls.

use proc_macro2::TokenStream;
use quote::quote;

/// The path of the crate with the runtime of emitted code: the crate that the code is compiled in.
pub(crate) fn root() -> TokenStream {
    quote!(crate)
}

/// The path of the module around a module of emitted code.
pub(crate) fn parent() -> TokenStream {
    quote!(super)
}
