//! Emits the operation table.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{DEFAULT_TOKEN_COST, Operation, Parameter};
use crate::{names, runtime};

/// Emits the table of all operations and a constant for each.
pub(crate) fn table(operations: &[Operation]) -> TokenStream {
    let rows = operations.iter().map(row);
    let constants = operations.iter().enumerate().map(|(index, operation)| {
        let name = operation.constant();
        let doc = operation.route();
        quote! { #[doc = #doc] pub const #name: &Operation = &ALL[#index]; }
    });
    let (count, sdk) = (operations.len(), runtime::root());
    quote! {
        /// The operations of the spec.
        pub(crate) mod operations {
            #[allow(unused_imports, reason = "a spec may have no lists, for example")]
            use #sdk::operation::{Bucket, ListFormat, Location, Operation, Paging, Parameter, ParameterType};
            /// All operations of the spec, sorted by path.
            pub static ALL: [Operation; #count] = [#(#rows),*];
            #(#constants)*

            /// Returns the operation with this id, such as `GetMarkets`, or `None` if the spec does not have it.
            #[must_use]
            pub fn find(id: &str) -> ::std::option::Option<&'static Operation> {
                ALL.iter().find(|operation| operation.id == id)
            }
        }
    }
}

/// Emits a row of the table. Unset fields have the defaults of `Operation::new`.
fn row(operation: &Operation) -> TokenStream {
    let Operation { id, path, tag, .. } = operation;
    let method = format_ident!("{}", operation.method);
    let bucket = format_ident!("{}", names::pascal(&operation.bucket));
    let mut row =
        quote!(Operation::new(#id, ::reqwest::Method::#method, #path, #tag, Bucket::#bucket));
    let tokens = |cost: u64| u32::try_from(cost).unwrap_or(u32::MAX);
    if !operation.auth {
        row = quote!(#row.public());
    }
    if operation.token_cost != DEFAULT_TOKEN_COST {
        let cost = tokens(operation.token_cost);
        row = quote!(#row.cost(#cost));
    }
    if let Some(cost) = operation.token_cost_per_item.map(tokens) {
        row = quote!(#row.cost_per_item(#cost));
    }
    if let Some((parameter, cost)) = &operation.token_cost_with {
        let cost = tokens(*cost);
        row = quote!(#row.cost_with(#parameter, #cost));
    }
    if operation.takes_priority {
        row = quote!(#row.priority());
    }
    if operation.deprecated {
        row = quote!(#row.deprecated());
    }
    if operation.returns_secret {
        row = quote!(#row.returns_secret());
    }
    if let Some(paging) = &operation.paging {
        let (parameter, cursor) = (&paging.cursor_parameter, &paging.cursor_field);
        let limit = option(paging.limit_parameter.as_ref());
        let items = option(paging.items_field.as_ref());
        row = quote!(#row.paged(Paging::new(#parameter, #cursor, #limit, #items)));
    }
    if !operation.summary.is_empty() {
        let summary = &operation.summary;
        row = quote!(#row.summary(#summary));
    }
    if !operation.parameters.is_empty() {
        let parameters = operation.parameters.iter().map(parameter_row);
        row = quote!(#row.parameters(const { &[#(#parameters),*] }));
    }
    if operation.has_body {
        row = quote!(#row.body());
    }
    row
}

/// Emits a parameter of a row. Unset fields have the defaults of `Parameter::new`.
fn parameter_row(parameter: &Parameter) -> TokenStream {
    let Parameter {
        name, description, ..
    } = parameter;
    let location = match (parameter.in_path, parameter.in_header) {
        (true, _) => quote!(Path),
        (false, true) => quote!(Header),
        (false, false) => quote!(Query),
    };
    let kind = format_ident!("{}", parameter.kind);
    let mut row =
        quote!(Parameter::new(#name, Location::#location, ParameterType::#kind, #description));
    if parameter.required {
        row = quote!(#row.required());
    }
    if parameter.deprecated {
        row = quote!(#row.deprecated());
    }
    match (parameter.is_list, parameter.comma_separated) {
        (true, true) => row = quote!(#row.list(ListFormat::CommaSeparated)),
        (true, false) => row = quote!(#row.list(ListFormat::Repeated)),
        (false, _) => {}
    }
    if !parameter.values.is_empty() {
        let values = &parameter.values;
        row = quote!(#row.values(&[#(#values),*]));
    }
    row
}

fn option(value: Option<&String>) -> TokenStream {
    match value {
        Some(value) => quote!(::std::option::Option::Some(#value)),
        None => quote!(::std::option::Option::None),
    }
}
