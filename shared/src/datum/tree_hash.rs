//! Content tag and version of a directory input.

use crate::store::ContentTag;

/// Hashes the files below a directory, in byte order of their paths.
#[derive(Debug, Default)]
pub struct TreeHash {
    tags: blake3::Hasher,
    versions: blake3::Hasher,
    size: u64,
    has_versions: bool,
}

impl TreeHash {
    /// Adds a file: relative path, size, content tag, and version in the listing.
    pub fn add(&mut self, relative: &str, size: u64, tag: &ContentTag, version: &str) {
        add(&mut self.tags, [relative, tag.as_str()]);
        self.add_version(relative, size, version);
        self.has_versions |= tag.as_str() != version;
    }

    /// Adds a file without its tag. [`TreeHash::tag`] has no meaning then.
    pub fn add_version(&mut self, relative: &str, size: u64, version: &str) {
        add(&mut self.versions, [relative, version]);
        self.size = self.size.saturating_add(size);
    }

    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// `tree:` and a hash over the paths and tags of all files. Never equal to a file's tag.
    pub fn tag(&self) -> ContentTag {
        let hash = self.tags.finalize().to_hex();
        ContentTag::new(format!("tree:{}", &hash[..32]))
    }

    /// A hash over the paths and versions of all files; see [`DatumInput::version`](super::DatumInput::version).
    pub fn version(&self) -> String {
        short(&self.versions)
    }

    /// The version, if it tells more than the tag: in a bucket the tags are made of the versions.
    pub fn version_beside_tag(&self) -> Option<String> {
        self.has_versions.then(|| self.version())
    }
}

/// The version of a single file, in the form of [`DatumInput::version`](super::DatumInput::version).
pub fn short_version(version: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, [version]);
    short(&hasher)
}

fn add<const N: usize>(hasher: &mut blake3::Hasher, texts: [&str; N]) {
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
}

/// 64 bits: enough to notice a change, short enough for every message.
fn short(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..16].to_owned()
}
