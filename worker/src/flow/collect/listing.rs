//! Lists the output directory without following links.

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::directory::OutputDirectory;
use super::refusal::refused;
use crate::flow_error::{FlowError, InfrastructureError};

/// The longest path of an output file in bytes: hardly any tool can handle longer ones.
const LONGEST_PATH: usize = 4096;

/// The most directories on the path of an output file: each level costs an open call for each directory below.
const DEEPEST: usize = 500;

/// The most files, links and directories in the output of a datum.
const MOST_NAMES: usize = 1_000_000;

/// Paths below the output directory, in any order.
#[derive(Debug, Default)]
pub(super) struct OutputListing {
    pub(super) files: Vec<String>,
    pub(super) links: Vec<String>,
}

/// Lists files and links. Empty directories are left out, as a bucket has none; other kinds of files are refused.
pub(super) fn list(out: &OutputDirectory) -> Result<OutputListing, FlowError> {
    let mut listing = OutputListing::default();
    let mut pending = vec![String::new()];
    let mut names = 0;
    while let Some(directory) = pending.pop() {
        let failed =
            |error: rustix::io::Errno| InfrastructureError::scratch(&directory)(error.into());
        let open = out.descend(&directory)?;
        for entry in Dir::read_from(&open).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            names += 1;
            if names > MOST_NAMES {
                return Err(refused(
                    "",
                    "it holds more than 1,000,000 files and directories; pack them",
                ));
            }
            let path = path(&directory, name)?;
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = statat(&open, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                kind => kind,
            };
            match kind {
                FileType::RegularFile => listing.files.push(path),
                FileType::Directory if path.split('/').count() > DEEPEST => {
                    let beginning: String = path.chars().take(60).collect();
                    return Err(refused(
                        &format!("{beginning}…"),
                        "its directories are nested more than 500 levels deep",
                    ));
                }
                FileType::Directory => pending.push(path),
                FileType::Symlink => listing.links.push(path),
                other => return Err(refused(&path, special(other))),
            }
        }
    }
    Ok(listing)
}

fn path(directory: &str, name: &std::ffi::CStr) -> Result<String, FlowError> {
    let Ok(text) = name.to_str() else {
        let lossy = format!("{directory}/{}", name.to_string_lossy());
        let problem = "its name is not valid Unicode, so it cannot be stored; rename the file";
        return Err(refused(lossy.trim_start_matches('/'), problem));
    };
    let path = match directory {
        "" => text.to_owned(),
        directory => format!("{directory}/{text}"),
    };
    if path.len() > LONGEST_PATH {
        let beginning: String = path.chars().take(60).collect();
        return Err(refused(
            &format!("{beginning}…"),
            "its path is longer than 4096 bytes",
        ));
    }
    Ok(path)
}

/// The reason why a file of the kind cannot be stored.
pub(super) fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "it is a FIFO; only files can be stored",
        FileType::Socket => "it is a socket; only files can be stored",
        FileType::CharacterDevice | FileType::BlockDevice => {
            "it is a device; only files can be stored"
        }
        _ => "it is neither a file nor a directory nor a link",
    }
}
