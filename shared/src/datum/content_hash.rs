//! The hash of a file's content, in the form of a content tag.

use std::io::{self, Read};

/// Reads all bytes; returns `blake3:` and the first 32 hexadecimal digits of their BLAKE3 hash. Two files with equal hashes
/// have equal bytes. Blocking.
pub fn content_hash(bytes: impl Read) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(bytes)?;
    let hash = hasher.finalize().to_hex();
    Ok(format!("blake3:{}", &hash[..32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_tag_of_an_input_with_the_same_bytes() {
        let hash = content_hash(&b"hello"[..]).unwrap();
        assert_eq!(hash, "blake3:ea8f163db38682925e4491c5e58d4bb3");
    }
}
