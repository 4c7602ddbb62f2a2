//! Second stage: progenitor turns the normalised spec into types, a client and request builders.

use progenitor_impl::{
    GenerationSettings, Generator, HooksMode, InterfaceStyle, TagStyle, TypeImpl,
};

use crate::{error::Error, normalize::Normalized, options::EnumType, scalars::SCALARS};

/// Runs progenitor: builder style, tags merged, hooks expected.
pub(crate) fn generate(spec: &Normalized, enum_types: &[EnumType]) -> Result<syn::File, Error> {
    let openapi = spec.openapi()?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_tag(TagStyle::Merged)
        // No default hooks: `refine` gives every `send` a body of our own.
        .with_hooks(HooksMode::Expected)
        .with_map_type("::std::collections::BTreeMap")
        .with_derive("PartialEq");
    for (component, rust) in SCALARS {
        settings.with_replacement(component, rust, std::iter::empty::<TypeImpl>());
    }
    for enum_type in enum_types {
        spec.check_enum(enum_type)?;
        enum_type.syn_path()?;
        settings.with_replacement(
            &enum_type.name,
            &enum_type.path,
            std::iter::empty::<TypeImpl>(),
        );
    }
    // The checks before this stage reject what progenitor cannot do; should one be missing, its panic is an error too.
    let generated =
        std::panic::catch_unwind(move || Generator::new(&settings).generate_tokens(&openapi));
    let tokens = match generated {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(error)) => return Err(Error::document(format!("progenitor: {error}"))),
        Err(_) => {
            return Err(Error::document(
                "progenitor stopped on a construct it cannot express",
            ));
        }
    };
    syn::parse2(tokens)
        .map_err(|error| Error::document(format!("progenitor's output does not parse: {error}")))
}
