//! The identity of work: the hash behind a datum's id.

use std::collections::BTreeSet;
use std::path::PathBuf;

use blake3::Hasher;
use serde::{Deserialize, Serialize};

use super::DatumInput;
use crate::id::DatumId;
use crate::pipeline::{Pipeline, Transform};
use crate::store::ContentTag;

/// Begins every hash; a new number makes all work new.
const ENCODING: &str = "drover work 1";

/// Begins the hash of work with code files.
const ENCODING_WITH_CODE: &str = "drover work 2";

/// A file of code whose content is part of the identity of the work.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CodeFile {
    /// The path as found from the pipeline's spec or command.
    pub name: String,
    /// Fingerprint of the content.
    pub tag: ContentTag,
    /// The absolute path on the machine of the leader; empty for an object of a bucket, whose key is the name.
    pub path: PathBuf,
}

/// Computes datum ids for the work of a pipeline. The part shared by all datums is hashed once.
///
/// The hash is BLAKE3 over, in order: the text `drover work 1`; the pipeline's name; of the transform `image`,
/// `cmd`, `stdin`, `env` (names and values, sorted by name), `user`, `working_dir`, `accept_return_code`,
/// `datum_batching`, `placeholders`; then for each input, in the order of the datum, the name, the path and the content
/// tag. A text is encoded as a length in bytes (64 bits, little-endian) and the bytes; a list as a length and the
/// elements; a number as 64 bits, little-endian; an optional value as a byte 0, or a byte 1 and the value; a flag as a
/// byte. Different pieces of work therefore never feed the hash the same bytes.
///
/// With code files, the hash begins with `drover work 2`, and the list of the files' names and content tags, sorted by
/// name, follows the transform.
///
/// Fields without influence on the output are left out: `err_cmd`, resources, secrets, time limits.
#[derive(Clone, Debug)]
pub struct WorkIdentity {
    shared: Hasher,
}

impl WorkIdentity {
    /// The identity of a pipeline's work.
    pub fn new(pipeline: &Pipeline, code: &[CodeFile]) -> Self {
        let encoding = if code.is_empty() {
            ENCODING
        } else {
            ENCODING_WITH_CODE
        };
        let mut shared = Hasher::new();
        text(&mut shared, encoding);
        text(&mut shared, pipeline.name.as_str());
        transform(&mut shared, &pipeline.transform);
        if !code.is_empty() {
            code_files(&mut shared, code);
        }
        Self { shared }
    }

    /// The id of the datum with the given inputs.
    pub fn of(&self, inputs: &[DatumInput]) -> DatumId {
        let mut hasher = self.shared.clone();
        length(&mut hasher, inputs.len());
        for input in inputs {
            text(&mut hasher, &input.name);
            text(&mut hasher, &input.path);
            text(&mut hasher, input.tag.as_str());
        }
        DatumId::from_hash(&hasher.finalize())
    }
}

fn transform(hasher: &mut Hasher, transform: &Transform) {
    text(hasher, &transform.image);
    texts(hasher, &transform.cmd);
    texts(hasher, &transform.stdin);
    length(hasher, transform.env.len());
    for (name, value) in &transform.env {
        text(hasher, name);
        text(hasher, value);
    }
    optional(hasher, transform.user.as_deref());
    optional(hasher, transform.working_dir.as_deref());
    length(hasher, transform.accept_return_code.len());
    for code in &transform.accept_return_code {
        hasher.update(&i64::from(*code).to_le_bytes());
    }
    flag(hasher, transform.datum_batching);
    flag(hasher, transform.placeholders);
}

fn code_files(hasher: &mut Hasher, code: &[CodeFile]) {
    let sorted: BTreeSet<&CodeFile> = code.iter().collect();
    length(hasher, sorted.len());
    for file in sorted {
        text(hasher, &file.name);
        text(hasher, file.tag.as_str());
    }
}

fn texts(hasher: &mut Hasher, texts: &[String]) {
    length(hasher, texts.len());
    for each in texts {
        text(hasher, each);
    }
}

fn text(hasher: &mut Hasher, text: &str) {
    length(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn length(hasher: &mut Hasher, length: usize) {
    hasher.update(&(length as u64).to_le_bytes());
}

fn optional(hasher: &mut Hasher, value: Option<&str>) {
    flag(hasher, value.is_some());
    if let Some(value) = value {
        text(hasher, value);
    }
}

fn flag(hasher: &mut Hasher, set: bool) {
    hasher.update(&[u8::from(set)]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::InputKind;
    use super::*;

    fn pipeline() -> Pipeline {
        let spec = json!({
            "pipeline": {"name": "edges"},
            "transform": {"cmd": ["sh"], "stdin": ["true"]},
            "input": {"pfs": {"repo": "images", "glob": "/*"}},
        });
        crate::pipeline::from_value(&spec).unwrap_or_else(|findings| panic!("{findings:?}"))
    }

    fn input(name: &str, path: &str, tag: &str) -> DatumInput {
        DatumInput {
            name: name.to_owned(),
            repo: name.to_owned(),
            path: path.to_owned(),
            kind: InputKind::File,
            size: 1,
            join_on: None,
            group_by: None,
            tag: ContentTag::new(tag),
            leaf: 0,
            version: None,
        }
    }

    fn id(change: impl FnOnce(&mut Pipeline)) -> DatumId {
        let mut pipeline = pipeline();
        change(&mut pipeline);
        WorkIdentity::new(&pipeline, &[]).of(&[input("images", "/a.png", "blake3:00")])
    }

    #[test]
    fn the_encoding_does_not_change_unnoticed() {
        // A change here makes everybody's work new: then `ENCODING` gets a new number.
        insta::assert_snapshot!(id(|_| {}), @"47fa00f5d7fc5529b6c82bfea5234be2");
    }

    #[test]
    fn whatever_can_change_the_output_changes_the_id() {
        let changes: [fn(&mut Pipeline); 13] = [
            |_| {},
            |pipeline| pipeline.name = "other".parse().unwrap(),
            |pipeline| pipeline.transform.image = "alpine".to_owned(),
            |pipeline| pipeline.transform.cmd.push("-x".to_owned()),
            |pipeline| pipeline.transform.stdin.push(String::new()),
            |pipeline| pipeline.transform.stdin.clear(),
            |pipeline| {
                pipeline
                    .transform
                    .env
                    .insert("A".to_owned(), "B".to_owned());
            },
            |pipeline| {
                pipeline
                    .transform
                    .env
                    .insert("AB".to_owned(), String::new());
            },
            |pipeline| pipeline.transform.user = Some(String::new()),
            |pipeline| pipeline.transform.working_dir = Some("/".to_owned()),
            |pipeline| pipeline.transform.accept_return_code.push(1),
            |pipeline| pipeline.transform.datum_batching = true,
            |pipeline| pipeline.transform.placeholders = true,
        ];
        let ids: BTreeSet<DatumId> = changes.into_iter().map(id).collect();
        assert_eq!(ids.len(), changes.len());
    }

    #[test]
    fn code_files_change_the_id_by_name_and_content_in_any_order() {
        let file = |name: &str, tag: &str| CodeFile {
            name: name.to_owned(),
            tag: ContentTag::new(tag),
            path: PathBuf::new(),
        };
        let of = |code: &[CodeFile]| {
            WorkIdentity::new(&pipeline(), code).of(&[input("images", "/a.png", "blake3:00")])
        };
        let lists = [
            vec![],
            vec![file("a", "1")],
            vec![file("a", "2")],
            vec![file("b", "1")],
            vec![file("a", "1"), file("b", "1")],
        ];
        let ids: BTreeSet<DatumId> = lists.iter().map(|code| of(code)).collect();
        assert_eq!(ids.len(), lists.len());
        let (one, other) = (file("a", "1"), file("b", "2"));
        assert_eq!(
            of(&[one.clone(), other.clone()]),
            of(&[other, one.clone(), one])
        );
    }

    #[test]
    fn what_cannot_change_the_output_keeps_the_id() {
        let changes: [fn(&mut Pipeline); 7] = [
            |pipeline| pipeline.transform.err_cmd = vec!["true".to_owned()],
            |pipeline| pipeline.transform.memory_volume = true,
            |pipeline| pipeline.description = "better".to_owned(),
            |pipeline| pipeline.look_ahead = 7,
            |pipeline| pipeline.max_datums = 7,
            |pipeline| pipeline.retention.jobs = Some(7),
            |pipeline| pipeline.datum_timeout = Some(std::time::Duration::from_secs(1)),
        ];
        for change in changes {
            assert_eq!(id(change), id(|_| {}));
        }
    }

    #[test]
    fn inputs_are_told_apart() {
        let identity = WorkIdentity::new(&pipeline(), &[]);
        let datums = [
            vec![],
            vec![input("a", "/b", "c")],
            vec![input("a", "/c", "c")],
            vec![input("b", "/b", "c")],
            vec![input("a", "/b", "d")],
            vec![input("a", "/bc", "")],
            vec![input("a", "/b", "c"), input("a", "/b", "c")],
            vec![input("a", "/b", "c"), input("b", "/b", "c")],
            vec![input("b", "/b", "c"), input("a", "/b", "c")],
        ];
        let ids: BTreeSet<DatumId> = datums.iter().map(|inputs| identity.of(inputs)).collect();
        assert_eq!(ids.len(), datums.len());
        let moved = DatumInput {
            repo: "elsewhere".to_owned(),
            size: 2,
            leaf: 3,
            ..input("a", "/b", "c")
        };
        assert_eq!(
            identity.of(&[moved]),
            identity.of(&datums[1]),
            "only name, path and content count"
        );
    }
}
