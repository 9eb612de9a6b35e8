//! A broker's address on a command line.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use super::{Address, InvalidAddress};

/// The scheme of an address in a file.
const FILE: &str = "file:";

/// Longest content of such a file in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// The broker's address as typed: a URL, or `file:PATH` for a file that contains the URL and nothing else. The text of a
/// URL holds the password and is never shown. It is parsed later, because clap would print a text that does not parse.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// Reads the file, if there is one, and parses the address.
    pub fn address(&self) -> Result<Address, InvalidAddress> {
        let Some(path) = self.file() else {
            return self.0.parse();
        };
        let text = content(path).map_err(|error| {
            InvalidAddress::new(format!("cannot be read from {}: {error}", path.display()))
        })?;
        text.trim().parse()
    }

    /// The file with the address, if the address is in one.
    pub fn file(&self) -> Option<&Path> {
        self.0.strip_prefix(FILE).map(Path::new)
    }
}

/// The content of a regular file. Nothing else is opened: a FIFO would be waited for.
fn content(path: &Path) -> io::Result<String> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let length = File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    if length as u64 > MAX_BYTES {
        return Err(io::Error::other("it is too long for a URL"));
    }
    Ok(text)
}

impl FromStr for BrokerUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BrokerUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_address_may_stand_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker");
        fs::write(&path, "amqp://me:s3cret@host/v\n").unwrap();
        let url: BrokerUrl = format!("file:{}", path.display()).parse().unwrap();
        assert_eq!(url.file(), Some(&*path));
        let address = url.address().unwrap().to_string();
        assert_eq!(address, "amqp://me@host:5672/v");
    }

    #[test]
    fn a_file_without_an_address_is_named_and_its_content_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        for (path, problem) in [
            (folder.path().join("missing"), "No such file"),
            (folder.path().to_owned(), "it is not a file"),
            (fifo, "it is not a file"),
            (file("empty", ""), "amqp://"),
            (file("other", "http://me:s3cret@host"), "amqp://"),
            (file("long", &"s3cret".repeat(20_000)), "too long"),
        ] {
            let url: BrokerUrl = format!("file:{}", path.display()).parse().unwrap();
            let told = url.address().unwrap_err().to_string();
            assert!(told.contains(problem), "{path:?}: {told}");
            assert!(!told.contains("s3cret"), "{path:?}: {told}");
        }
    }
}
