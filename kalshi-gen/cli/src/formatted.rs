//! Generated code, formatted for reading.

use kalshi_gen::{Error, FixupMode, Options, generate, internals::error};

/// Generates code like [`generate`], formatted for reading.
///
/// # Errors
///
/// Returns an error if [`generate`] does.
pub fn generate_formatted(spec: &str, mode: FixupMode) -> Result<String, Error> {
    let generated = generate(spec, &Options::new().fixups(mode))?;
    let file = syn::parse_file(&generated.rust)
        .map_err(|error| error::document(format!("the generated source is not Rust: {error}")))?;
    Ok(prettyplease::unparse(&file))
}
