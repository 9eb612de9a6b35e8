//! A directory as an input: what stands for all files below it.

use drover_shared::datum::ContentTag;

/// Takes up the files below a directory in byte order of their paths.
#[derive(Debug, Default)]
pub(super) struct Subtree {
    hasher: blake3::Hasher,
    size: u64,
}

impl Subtree {
    /// Adds a file: its path below the directory, its size and what stands for its content.
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

    /// `tree:` and a hash over the paths and tags of all files. Never equal to the tag of a file.
    pub(super) fn tag(&self) -> ContentTag {
        let hash = self.hasher.finalize().to_hex();
        ContentTag::new(format!("tree:{}", &hash[..32]))
    }
}
