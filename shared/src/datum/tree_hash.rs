//! Size and content tag of a directory input.

use drover_shared::datum::ContentTag;

/// Hashes the files below a directory, in byte order of their paths.
#[derive(Debug, Default)]
pub(super) struct Subtree {
    hasher: blake3::Hasher,
    size: u64,
}

impl Subtree {
    /// Adds a file: relative path, size and content tag.
    pub(super) fn add(&mut self, relative: &str, size: u64, tag: &ContentTag) {
        for text in [relative, tag.as_str()] {
            self.hasher.update(&(text.len() as u64).to_le_bytes());
            self.hasher.update(text.as_bytes());
        }
        self.size += size;
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// `tree:` and a hash over the paths and tags of all files. Never equal to a file's tag.
    pub(super) fn tag(&self) -> ContentTag {
        let hash = self.hasher.finalize().to_hex();
        ContentTag::new(format!("tree:{}", &hash[..32]))
    }
}
