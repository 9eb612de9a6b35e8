//! Settings of the process that sends events.

use std::io::Read;
use std::path::PathBuf;

/// The largest file of a key, in bytes.
const LARGEST_KEY: u64 = 4096;
/// The shortest key, in bytes.
const SHORTEST_KEY: usize = 16;

/// Settings of the process that sends events.
#[derive(Clone, Debug, Default)]
pub struct NotifySettings {
    /// Directory with a file for each signing key.
    pub keys: Option<PathBuf>,
    /// True if commands of specs may run in the environment of the current process.
    pub allow_commands: bool,
}

/// A signing key. No text shows its bytes.
pub(super) struct SigningKey(Vec<u8>);

impl SigningKey {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl NotifySettings {
    /// The key of the given name, read anew each time, so that it can be exchanged. The error is a text without the key.
    pub(super) fn key(&self, name: &str) -> Result<SigningKey, String> {
        let Some(directory) = &self.keys else {
            return Err(format!(
                "the signing key {name} is unknown here: give --notify-keys the directory that holds it"
            ));
        };
        let place = directory.join(name);
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&place)
            .and_then(|file| file.take(LARGEST_KEY + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return Err(format!(
                "the signing key {name} cannot be read from {}: {error}",
                place.display()
            ));
        }
        let key = bytes.trim_ascii_end();
        let is_fit = key.len() >= SHORTEST_KEY && bytes.len() as u64 <= LARGEST_KEY;
        is_fit.then(|| SigningKey(key.to_vec())).ok_or_else(|| {
            format!(
                "the signing key in {} must have {SHORTEST_KEY} to {LARGEST_KEY} bytes",
                place.display()
            )
        })
    }
}
