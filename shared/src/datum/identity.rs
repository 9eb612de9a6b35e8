//! The identity of work: what a datum's id is made of.

use blake3::Hasher;

use super::DatumInput;
use crate::id::DatumId;
use crate::pipeline::{Pipeline, Transform};

/// Begins every hash; a new number makes all work new.
const ENCODING: &str = "drover work 1";

/// Names the work of one pipeline. The part that all its datums share is hashed once.
///
/// The hash is BLAKE3 over, in this order: the text `drover work 1`; the pipeline's name; of the transform
/// `image`, `cmd`, `stdin`, `env` (names and values, sorted by name), `user`, `working_dir`,
/// `accept_return_code`, `datum_batching`, `placeholders`; then for each input, in the order of the
/// datum, its name, its path and its content tag. A text is its length in bytes (64 bits, little-endian) and its
/// bytes; a list is its length and its elements; a number is 64 bits, little-endian; what may be
/// absent is a byte 0, or a byte 1 and the value; a flag is a byte. So no two different pieces of
/// work feed the hash the same bytes.
///
/// What cannot change the output is left out: `err_cmd`, resources, secrets, time limits.
#[derive(Clone, Debug)]
pub struct WorkIdentity {
    shared: Hasher,
}

impl WorkIdentity {
    /// The identity of a pipeline's work.
    pub fn new(pipeline: &Pipeline) -> Self {
        let mut shared = Hasher::new();
        text(&mut shared, ENCODING);
        text(&mut shared, pipeline.name.as_str());
        transform(&mut shared, &pipeline.transform);
        Self { shared }
    }

    /// The id of the datum with these inputs.
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
