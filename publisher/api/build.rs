//! Gathers the files of the page, so the binary contains all of them without a table kept by hand. The script's modules are
//! joined into one file, which a browser loads with one request.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[path = "build/bundle.rs"]
mod bundle;

/// Folder of the page, relative to this package.
const PAGE: &str = "src/page";
/// The module that loads all others.
const MAIN: &str = "main.js";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PAGE}");
    println!("cargo::rerun-if-changed=build");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join(PAGE);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let mut files = Vec::new();
    gather(&root, &mut files)?;
    let mut modules = bundle::Modules::new();
    let mut named = Vec::new();
    for file in files {
        let name = text(file.strip_prefix(&root).map_err(io::Error::other)?)?.to_owned();
        // The modules lie in folders, beside the main one.
        if name == MAIN
            || name.contains('/') && file.extension().is_some_and(|ending| ending == "js")
        {
            modules.insert(name, fs::read_to_string(&file)?);
        } else {
            named.push((name, text(&file)?.to_owned()));
        }
    }
    let script = out.join(MAIN);
    fs::write(
        &script,
        bundle::bundle(MAIN, &modules).map_err(io::Error::other)?,
    )?;
    named.push((MAIN.to_owned(), text(&script)?.to_owned()));
    named.sort_unstable();
    let mut table = String::from("&[\n");
    for (name, file) in named {
        writeln!(table, "    ({name:?}, include_bytes!({file:?})),").map_err(io::Error::other)?;
    }
    table.push(']');
    fs::File::create(out.join("page.rs"))?.write_all(table.as_bytes())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how cargo tells a build script where it is"
)]
fn variable(name: &str) -> io::Result<String> {
    std::env::var(name).map_err(io::Error::other)
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str()
        .ok_or_else(|| io::Error::other("a path is not UTF-8"))
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
