//! Random numbers for secrets.

use std::fs::File;
use std::io::{self, Read};

/// Random bytes from the kernel.
pub fn random_bytes<const COUNT: usize>() -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
