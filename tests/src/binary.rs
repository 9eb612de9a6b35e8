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
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| folder().join("drover"))
}

/// The path of `drover-worker`, built likewise.
pub fn drover_worker() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| folder().join("drover-worker"))
}

/// The path of `drover-operator`, built likewise.
pub fn drover_operator() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| folder().join("drover-operator"))
}

/// Where the binaries lie, once they are built.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(build).as_deref();
    folder.expect("drover does not build; see above, or `cargo build`")
}

fn build() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let profile = test.ancestors().nth(2)?; // target/<profile>/deps/<test>
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]);
    if profile.ends_with("release") {
        cargo.args([
            "--release",
            "--package",
            "drover",
            "--package",
            "drover-worker",
            "--package",
            "drover-operator",
        ]);
    } else {
        // With a test among what is built, dependencies have the features that `cargo test --workspace` gave them: else
        // all of them would be compiled once more.
        cargo.args(["--workspace", "--bins", "--test", "e2e"]);
    }
    // Cargo's variables about the package of the test would make build scripts believe that everything has changed.
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if told
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        {
            cargo.env_remove(name);
        }
    }
    let status = cargo.current_dir(repository()).status().ok()?;
    status.success().then(|| profile.to_owned())
}
