//! Tells `drover --version` the commit: `DROVER_COMMIT` if it is set, as packages set it, or the one of this checkout.
//! Without git or a checkout the commit stays unknown.

#![expect(
    clippy::disallowed_methods,
    reason = "the variable is a setting of the build, not of the command"
)]

use std::path::Path;
use std::process::Command;

const VARIABLE: &str = "DROVER_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os(VARIABLE).is_some_and(|commit| !commit.is_empty()) {
        return;
    }
    // Sources that were unpacked below the checkout of something else have no commit.
    if git(&["ls-files", "--error-unmatch", "build.rs"]).is_none() {
        return;
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env={VARIABLE}={commit}");
    }
    // HEAD changes with the branch, its log with each commit. A file that does not exist would run this at each build.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--path-format=absolute", "--git-path", file]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// The answer of git about the repository of this package; none if there is no git, or no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !text.is_empty()).then_some(text)
}
