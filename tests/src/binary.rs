//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in a folder of the repository")
}

/// The path of `drover`, built once for each test process, in the profile that the tests are built in.
pub fn drover() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| build("drover", "drover")).as_deref();
    binary.expect("drover does not build; see above, or `cargo build`")
}

/// The path of `drover-worker`, built likewise.
pub fn drover_worker() -> &'static Path {
    static BINARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| build("drover-worker", "drover-worker"));
    binary
        .as_deref()
        .expect("drover-worker does not build; see above, or `cargo build`")
}

fn build(package: &str, binary: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let profile = test.ancestors().nth(2)?; // target/<profile>/deps/<test>
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", package, "--bin", binary]);
    // What cargo tells the test about its package would make build scripts believe that everything has changed.
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if told
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        {
            cargo.env_remove(name);
        }
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(repository()).status().ok()?;
    status.success().then(|| profile.join(binary))
}
