//! Refines the types: open enums, tolerant responses, and builders for types that requests contain.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use quote::ToTokens;
use serde_json::Value;
use syn::{Fields, ImplItem, Item, ItemMod, ItemStruct, Type, parse_quote};

use super::{
    messages,
    setters::{self, Builder},
};
use crate::{
    deprecation, enums,
    error::Error,
    names::{self, is_ident},
    normalize::Normalized,
    spec,
    syntax::{arguments, foreign_ident, functions, has_serde, is_absolute, last_ident, set_doc},
    unix_time::UnixTime,
};

/// What is known of the schemas, by Rust name.
struct Schemas<'a> {
    by_name: BTreeMap<String, &'a Value>,
    sent: BTreeSet<String>,
    cursors: BTreeMap<String, Vec<&'a str>>,
}

impl<'a> Schemas<'a> {
    fn new(spec: &'a Normalized) -> Self {
        let schemas = spec::schemas(&spec.tree).into_iter().flatten();
        let mut cursors: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (schema, field) in &spec.cursors {
            let fields = cursors.entry(names::pascal(schema)).or_default();
            fields.push(field.as_str());
        }
        Self {
            by_name: schemas
                .map(|(name, schema)| (names::pascal(name), schema))
                .collect(),
            sent: spec.sent.iter().map(|name| names::pascal(name)).collect(),
            cursors,
        }
    }

    fn is_sent(&self, ident: &syn::Ident) -> bool {
        self.sent.contains(&ident.to_string())
    }

    fn is_cursor(&self, ident: &syn::Ident, field: &syn::Ident) -> bool {
        let field = field.to_string();
        let cursors = self.cursors.get(&ident.to_string()).into_iter().flatten();
        cursors.copied().any(|name| is_ident(name, &field))
    }

    fn values(&self, ident: &syn::Ident) -> Option<Vec<String>> {
        let values = self
            .by_name
            .get(&ident.to_string())?
            .get("enum")?
            .as_array()?;
        Some(
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    }

    fn description(&self, ident: &syn::Ident) -> Option<&str> {
        self.by_name
            .get(&ident.to_string())?
            .get("description")?
            .as_str()
    }

    fn field_description(&self, ident: &syn::Ident, field: &syn::Ident) -> Option<&str> {
        let (_, schema) = self.field(ident, field)?;
        schema.get("description")?.as_str()
    }

    /// Returns the description of a field if the field is deprecated.
    fn deprecated(&self, ident: &syn::Ident, field: &syn::Ident) -> Option<&str> {
        let (_, schema) = self.field(ident, field)?;
        let is_deprecated = schema.get("deprecated") == Some(&Value::Bool(true));
        let description = schema.get("description").and_then(Value::as_str);
        is_deprecated.then(|| description.unwrap_or_default())
    }

    /// Returns `true` if an impl belongs to a type with deprecated fields, and may therefore use them.
    fn uses_deprecated(&self, block: &syn::ItemImpl) -> bool {
        let trait_path = block.trait_.as_ref().map(|(path, _)| path);
        let text = format!(
            "{} {}",
            trait_path.to_token_stream(),
            block.self_ty.to_token_stream()
        );
        let mut idents = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        idents.any(|ident| {
            let schema = self.by_name.get(ident).copied();
            let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
            let mut properties = properties.into_iter().flatten();
            properties.any(|(_, field)| field.get("deprecated") == Some(&Value::Bool(true)))
        })
    }

    fn unix_time(&self, ident: &syn::Ident, field: &syn::Ident) -> Option<UnixTime> {
        let (name, schema) = self.field(ident, field)?;
        let description = schema.get("description").and_then(Value::as_str);
        UnixTime::from_schema(name, schema.as_object()?, description.unwrap_or_default())
    }

    fn field(&self, ident: &syn::Ident, field: &syn::Ident) -> Option<(&String, &Value)> {
        let schema = self.by_name.get(&ident.to_string())?;
        let properties = schema.get("properties")?.as_object()?;
        let field = field.to_string();
        // Most names are the same in Rust, and converting each one is slow.
        let same = properties.get_key_value(&field);
        same.or_else(|| properties.iter().find(|(name, _)| is_ident(name, &field)))
    }
}

/// Refines the module of types.
pub(super) fn refine(module: &mut ItemMod, spec: &Normalized) -> Result<(), Error> {
    let schemas = Schemas::new(spec);
    let Some((_, items)) = &mut module.content else {
        return Ok(());
    };
    let mut kept = Vec::new();
    for item in std::mem::take(items) {
        match item {
            Item::Enum(item) => match schemas.values(&item.ident) {
                Some(values) => {
                    let doc = schemas
                        .description(&item.ident)
                        .unwrap_or("An enumeration of string values.");
                    kept.extend(enums::open_enum(&item.ident, doc, &values));
                }
                None => kept.push(Item::Enum(document_variants(item))),
            },
            Item::Struct(mut item) => {
                refine_struct(&mut item, &schemas);
                kept.push(Item::Struct(item));
            }
            Item::Impl(mut item) => {
                let Some(target) = last_ident(&item.self_ty) else {
                    continue;
                };
                let makes_builder = item.trait_.is_none()
                    && item
                        .items
                        .iter()
                        .any(|item| matches!(item, ImplItem::Fn(f) if f.sig.ident == "builder"));
                if schemas.values(&target).is_some() || (makes_builder && !schemas.is_sent(&target))
                {
                    continue;
                }
                if schemas.uses_deprecated(&item) {
                    item.attrs.push(parse_quote!(#[allow(deprecated)]));
                }
                for function in functions(&mut item).filter(|f| f.sig.ident == "builder") {
                    set_doc(&mut function.attrs, "Creates a builder with no fields set.");
                }
                kept.push(Item::Impl(item));
            }
            Item::Mod(mut item) if item.ident == "builder" => {
                set_doc(
                    &mut item.attrs,
                    "Builders for the types that requests contain.",
                );
                refine_type_builders(&mut item, &schemas)?;
                kept.push(Item::Mod(item));
            }
            Item::Mod(mut item) if item.ident == "error" => {
                set_doc(&mut item.attrs, "The error of builders and conversions.");
                for item in item.content.iter_mut().flat_map(|(_, items)| items) {
                    if let Item::Struct(item) = item {
                        set_doc(
                            &mut item.attrs,
                            "A required field is not set, or a value does not convert to the type of its field.",
                        );
                    }
                }
                kept.push(Item::Mod(item));
            }
            item => kept.push(item),
        }
    }
    *items = kept;
    Ok(())
}

/// Documents an enum of alternative schemas and its variants.
fn document_variants(mut item: syn::ItemEnum) -> syn::ItemEnum {
    set_doc(&mut item.attrs, "One of several alternative schemas.");
    for variant in &mut item.variants {
        let doc = format!("The alternative `{}`.", variant.ident);
        set_doc(&mut variant.attrs, &doc);
        for field in &mut variant.fields {
            if let Some(ident) = &field.ident {
                let doc = format!("The field `{ident}`.");
                set_doc(&mut field.attrs, &doc);
            }
        }
    }
    item
}

fn refine_struct(item: &mut ItemStruct, schemas: &Schemas<'_>) {
    item.attrs
        .retain(|attribute| !has_serde(slice::from_ref(attribute), "deny_unknown_fields"));
    match &mut item.fields {
        Fields::Named(fields) => {
            item.attrs.push(parse_quote!(#[non_exhaustive]));
            for field in &mut fields.named {
                let kind = foreign_ident(&field.ty)
                    .map(|ident| ident.to_string())
                    .unwrap_or_default();
                // A list, a map or a cursor that is null or absent is empty.
                let is_cursor = field
                    .ident
                    .as_ref()
                    .is_some_and(|ident| schemas.is_cursor(&item.ident, ident));
                if is_cursor || ["Vec", "BTreeMap", "JsonObject"].contains(&kind.as_str()) {
                    let is_defaulted = has_serde(&field.attrs, "default");
                    // The same applies to its items if they are lists or maps.
                    let is_nested = arguments(&field.ty).last().and_then(|ty| foreign_ident(ty));
                    let is_nested = is_nested.is_some_and(|inner| {
                        ["Vec", "BTreeMap", "JsonObject"]
                            .iter()
                            .any(|name| inner == name)
                    });
                    let reader = match (is_nested, kind.as_str()) {
                        (true, "Vec") => "::kalshi_core::rt::null_items_are_empty",
                        (true, "BTreeMap") => "::kalshi_core::rt::null_values_are_empty",
                        _ => "::kalshi_core::rt::null_is_empty",
                    };
                    field.attrs.push(if is_defaulted {
                        parse_quote!(#[serde(deserialize_with = #reader)])
                    } else {
                        parse_quote!(#[serde(default, deserialize_with = #reader)])
                    });
                }
                refine_placeholder(field);
                let is_time = |ty: &Type| is_absolute(ty, &["chrono", "DateTime"]);
                if is_time(&field.ty) {
                    field
                        .attrs
                        .push(parse_quote!(#[serde(with = "::kalshi_core::rt::time")]));
                } else if kind == "Option" && arguments(&field.ty).into_iter().any(is_time) {
                    field.attrs.push(
                        parse_quote!(#[serde(default, with = "::kalshi_core::rt::optional_time")]),
                    );
                }
                if let Some(ident) = &field.ident {
                    let doc = schemas.field_description(&item.ident, ident);
                    let name = ident.to_string();
                    set_doc(
                        &mut field.attrs,
                        doc.unwrap_or(&format!("`{}`.", name.trim_end_matches('_'))),
                    );
                    if let Some(description) = schemas.deprecated(&item.ident, ident) {
                        field.attrs.push(deprecation::attribute(description));
                    }
                }
            }
        }
        // A named integer gets the conversions of the integer.
        Fields::Unnamed(fields)
            if fields.unnamed.iter().all(|field| {
                ["i64", "i32"].contains(&&*field.ty.to_token_stream().to_string())
            }) =>
        {
            item.attrs
                .push(parse_quote!(#[derive(Copy, Eq, PartialOrd, Ord, Hash)]));
        }
        _ => {}
    }
    let doc = schemas
        .description(&item.ident)
        .map_or_else(|| format!("`{}`.", item.ident), str::to_owned);
    set_doc(&mut item.attrs, &doc);
}

/// Replaces a type that only the generator has with the runtime's type.
fn refine_placeholder(field: &mut syn::Field) {
    let ty = field.ty.to_token_stream().to_string().replace(' ', "");
    match ty.as_str() {
        "::kalshi_core::DecimalText" => {
            field.ty = parse_quote!(::kalshi_core::Decimal);
            field
                .attrs
                .push(parse_quote!(#[serde(serialize_with = "::kalshi_core::rt::decimal_text")]));
        }
        "::std::option::Option<::kalshi_core::DecimalText>" => {
            field.ty = parse_quote!(::std::option::Option<::kalshi_core::Decimal>);
            field.attrs.push(
                parse_quote!(#[serde(serialize_with = "::kalshi_core::rt::optional_decimal_text")]),
            );
        }
        "::std::option::Option<::kalshi_core::DollarsOrNone>" => {
            field.ty = parse_quote!(::std::option::Option<::kalshi_core::Dollars>);
            field.attrs.push(
                parse_quote!(#[serde(default, deserialize_with = "::kalshi_core::rt::dollars_or_none")]),
            );
        }
        _ => {}
    }
}

/// Keeps the builders of types that requests contain and removes the others.
fn refine_type_builders(module: &mut ItemMod, schemas: &Schemas<'_>) -> Result<(), Error> {
    let Some((_, items)) = &mut module.content else {
        return Ok(());
    };
    items.retain(|item| match item {
        Item::Struct(item) => schemas.is_sent(&item.ident),
        Item::Impl(item) => last_ident(&item.self_ty).is_some_and(|ident| schemas.is_sent(&ident)),
        _ => true,
    });
    let mut field_types = BTreeMap::new();
    for item in items {
        if let Item::Impl(block) = item {
            messages::rewrite_messages(block)?;
            if block.trait_.is_some() && schemas.uses_deprecated(block) {
                block.attrs.push(parse_quote!(#[allow(deprecated)]));
            }
        }
        match item {
            Item::Struct(item) => {
                for field in &item.fields {
                    let ident = field.ident.clone();
                    field_types.insert((item.ident.clone(), ident), field.ty.clone());
                }
                let doc = format!(
                    "Builder for [`{0}`](super::{0}). A missing required field is reported when the request is sent.",
                    item.ident
                );
                set_doc(&mut item.attrs, &doc);
            }
            Item::Impl(item) if item.trait_.is_none() => {
                let Some(target) = last_ident(&item.self_ty) else {
                    continue;
                };
                for function in functions(item) {
                    let name = function.sig.ident.clone();
                    if let Some(inner) = optional_argument(function) {
                        let message = messages::invalid_value(&name.to_string(), ": {e}");
                        *function = parse_quote! {
                            pub fn #name<T>(mut self, value: T) -> Self
                            where
                                T: ::std::convert::TryInto<#inner>,
                                T::Error: ::std::fmt::Display,
                            {
                                self.#name = value.try_into().map(Some).map_err(|e| format!(#message));
                                self
                            }
                        };
                    }
                    let doc = schemas.field_description(&target, &name).map(str::to_owned);
                    set_doc(
                        &mut function.attrs,
                        &doc.unwrap_or_else(|| format!("Sets `{name}`.")),
                    );
                    if let Some(description) = schemas.deprecated(&target, &name) {
                        function.attrs.push(deprecation::attribute(description));
                    }
                    let unit = schemas.unix_time(&target, &name);
                    if let Some(field_type) = field_types.get(&(target.clone(), Some(name))) {
                        setters::refine(function, field_type, unit, None, Builder::Body);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the `X` of a setter whose argument becomes an `Option<X>`, so that the setter can accept `X` itself.
fn optional_argument(function: &syn::ImplItemFn) -> Option<syn::Type> {
    let clause = function.sig.generics.where_clause.as_ref()?;
    let bound = clause
        .predicates
        .iter()
        .find_map(|predicate| match predicate {
            syn::WherePredicate::Type(predicate) => {
                predicate.bounds.iter().find_map(|bound| match bound {
                    syn::TypeParamBound::Trait(bound) => bound
                        .path
                        .segments
                        .last()
                        .filter(|segment| segment.ident == "TryInto"),
                    _ => None,
                })
            }
            _ => None,
        })?;
    let syn::PathArguments::AngleBracketed(generic) = &bound.arguments else {
        return None;
    };
    let Some(syn::GenericArgument::Type(ty)) = generic.args.first() else {
        return None;
    };
    let option = foreign_ident(ty).is_some_and(|ident| ident == "Option");
    option
        .then(|| arguments(ty).first().copied().cloned())
        .flatten()
}
