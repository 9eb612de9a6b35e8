//! What lies in the output directory, without following anything.

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::directory::Directory;
use super::refusal::refused;
use crate::failure::{Failure, Trouble};

/// Longer paths are refused: hardly any tool can handle them.
const LONGEST_PATH: usize = 4096;

/// Paths below the output directory, in any order.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) files: Vec<String>,
    pub(super) links: Vec<String>,
}

/// Lists files and links. Empty directories do not exist, as in a bucket; anything else is refused.
pub(super) fn survey(out: &Directory) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    let mut pending = vec![String::new()];
    while let Some(directory) = pending.pop() {
        let failed = |error: rustix::io::Errno| Trouble::scratch(&directory)(error.into());
        let open = out.descend(&directory)?;
        for entry in Dir::read_from(&open).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
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
                FileType::RegularFile => survey.files.push(path),
                FileType::Directory => pending.push(path),
                FileType::Symlink => survey.links.push(path),
                other => return Err(refused(&path, special(other))),
            }
        }
    }
    Ok(survey)
}

fn path(directory: &str, name: &std::ffi::CStr) -> Result<String, Failure> {
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

/// Why something special cannot be stored.
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
