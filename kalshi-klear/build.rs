//! Generates the client from `klear_openapi.yaml`.

use kalshi_gen::{FixupMode, Options, build_script};

fn main() {
    let options = Options::new().fixups(FixupMode::Strict).marker("KlearApi");
    build_script("klear_openapi.yaml", "klear.rs", &options);
}
