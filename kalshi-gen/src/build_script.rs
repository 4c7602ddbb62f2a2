//! The build script of API crates: reads a spec, generates the code and writes it to `OUT_DIR`.

use std::{env, fs, path::PathBuf};

use crate::{generate, options::Options};

/// Generates the Rust code for the spec in the file `spec` and writes it to the file `output` in cargo's `OUT_DIR`.
/// For build scripts: asks cargo to rerun the script when the spec changes, and fails the build with a message if the
/// spec cannot be used.
pub fn build_script(spec: &str, output: &str, options: &Options) {
    println!("cargo::rerun-if-changed={spec}");
    if let Err(message) = write(spec, output, options) {
        println!("cargo::error={spec}: {}", message.replace('\n', " "));
    }
}

fn write(spec: &str, output: &str, options: &Options) -> Result<(), String> {
    let text = fs::read_to_string(spec).map_err(|error| error.to_string())?;
    let generated = generate(&text, options).map_err(|error| error.to_string())?;
    let directory =
        env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this script through cargo")?;
    let path = PathBuf::from(directory).join(output);
    fs::write(&path, generated.rust)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
