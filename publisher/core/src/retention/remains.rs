//! The remaining files of an expired job, which later jobs need for skipping.

use std::collections::BTreeSet;

use super::file_kind::{FileKind, kind_in_job};

/// The used part of an expired job.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Remains {
    Nothing,
    /// Manifest and verdicts, and the staged files of the given attempts, see `Verdict::staged`.
    Outputs(BTreeSet<String>),
}

impl Remains {
    /// Pure: true if the file at `path`, relative to the job's folder, stays.
    pub(super) fn contains(&self, path: &str) -> bool {
        let Self::Outputs(attempts) = self else {
            return false;
        };
        match kind_in_job(path) {
            FileKind::Manifests | FileKind::Verdicts => true,
            FileKind::Outputs => {
                let file = path.rsplit('/').next().unwrap_or(path);
                file.rsplit_once('.')
                    .is_none_or(|(attempt, _)| attempts.contains(attempt))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_verdicts_and_used_outputs_remain() {
        let some = Remains::Outputs(["a.1".to_owned()].into());
        #[rustfmt::skip]
        let rows = [
            ("record.json",        false),
            ("spec.json",          false),
            ("manifest/0.jsonl",   true),
            ("expanded",           true),
            ("results/0-3.jsonl",  true),
            ("commits/0/1.json",   true),
            ("staged/a.1.0",       true),
            ("staged/a.1.12",      true),
            ("staged/a.2.0",       false),
            ("staged/a.11.0",      false),
            ("staged/stranger",    true),
            ("logs/0/1.a.1.log",   false),
            ("marks/1.1",          false),
        ];
        for (path, expected) in rows {
            assert_eq!(some.contains(path), expected, "{path}");
            assert!(!Remains::Nothing.contains(path), "{path}");
        }
    }
}
