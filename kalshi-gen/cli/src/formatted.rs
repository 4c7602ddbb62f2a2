//! Generated code, formatted for reading.

use kalshi_gen::{Error, FixupMode, Generated, Options, generate, internals::error};

/// Generates code like [`generate`], with the Rust source formatted for reading.
///
/// # Errors
///
/// Returns an error if [`generate`] does.
pub fn generate_formatted(spec: &str, mode: FixupMode) -> Result<Generated, Error> {
    let mut generated = generate(spec, &Options::new().fixups(mode))?;
    let file = syn::parse_file(&generated.rust)
        .map_err(|error| error::document(format!("the generated source is not Rust: {error}")))?;
    generated.rust = prettyplease::unparse(&file);
    Ok(generated)
}
