//! Lists the files of the page, so the binary contains all of them without a table kept by hand.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Folder of the page, relative to this package.
const PAGE: &str = "src/page";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PAGE}");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join(PAGE);
    let mut files = Vec::new();
    gather(&root, &mut files)?;
    let mut named = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?;
        named.push((text(name)?, text(file)?));
    }
    // By name as text, which is not the order of paths.
    named.sort_unstable();
    let list = PathBuf::from(variable("OUT_DIR")?).join("page.rs");
    let mut list = fs::File::create(list)?;
    writeln!(list, "&[")?;
    for (name, file) in named {
        writeln!(list, "    ({name:?}, include_bytes!({file:?})),")?;
    }
    writeln!(list, "]")
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
