//! Files of JSON lines with a checksum, written and read line by line.
//!
//! The first line ends with a field `checksum`, a hash over all other bytes. Readers ignore unknown fields, and a file
//! without the field is one of an older Drover.

use std::io::{self, BufRead, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

/// Begins the field, after the comma.
const FIELD: &[u8] = b"\"checksum\":\"";
const END: &[u8] = b"\"}\n";
const HEX_DIGITS: usize = 32;

/// Writes lines into a temporary file.
#[derive(Debug)]
pub(in crate::output) struct LineWriter {
    file: BufWriter<NamedTempFile>,
    hasher: blake3::Hasher,
    /// Position of the checksum; none before the first line.
    checksum_at: Option<u64>,
}

impl LineWriter {
    /// A file in the folder `scratch`.
    pub(in crate::output) fn new(scratch: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(NamedTempFile::new_in(scratch)?),
            hasher: blake3::Hasher::new(),
            checksum_at: None,
        })
    }

    /// Adds `record`, which is a JSON object with a field at least, as a line.
    pub(in crate::output) fn write(&mut self, record: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        self.hasher.update(&line);
        self.hasher.update(b"\n");
        if self.checksum_at.is_none() {
            line.pop();
            line.push(b',');
            line.extend_from_slice(FIELD);
            self.checksum_at = Some(line.len() as u64);
            line.extend_from_slice(&[b'0'; HEX_DIGITS]);
            line.extend_from_slice(b"\"}");
        }
        self.file.write_all(&line)?;
        self.file.write_all(b"\n")
    }

    /// The finished file.
    pub(in crate::output) fn finish(mut self) -> io::Result<NamedTempFile> {
        match self.checksum_at {
            Some(at) => {
                self.file.seek(SeekFrom::Start(at))?;
                let checksum = self.hasher.finalize().to_hex();
                self.file.write_all(&checksum.as_bytes()[..HEX_DIGITS])?;
            }
            // No record is an empty line: an empty file is a damaged one.
            None => self.file.write_all(b"\n")?,
        }
        self.file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

/// Reads lines. The last read fails if the checksum is wrong, so no line may be acted on before.
pub(in crate::output) struct LineReader<R> {
    from: R,
    hasher: blake3::Hasher,
    lines: u64,
    checksum: Option<Vec<u8>>,
}

impl<R: BufRead> LineReader<R> {
    pub(in crate::output) fn new(from: R) -> Self {
        Self {
            from,
            hasher: blake3::Hasher::new(),
            lines: 0,
            checksum: None,
        }
    }

    /// The next record; none at the end of a whole file.
    pub(in crate::output) fn read<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        if self.from.read_until(b'\n', &mut line)? == 0 {
            return self.check().map(|()| None);
        }
        self.lines += 1;
        if !line.ends_with(b"\n") {
            return Err(damage("it is cut off"));
        }
        if line == b"\n" {
            return self.read();
        }
        if self.lines == 1
            && let Some((record, checksum)) = split_checksum(&line)
        {
            self.checksum = Some(checksum.to_vec());
            line = record;
        }
        self.hasher.update(&line);
        Ok(Some(serde_json::from_slice(&line)?))
    }

    fn check(&self) -> io::Result<()> {
        let problem = match &self.checksum {
            _ if self.lines == 0 => "it is empty",
            Some(checksum)
                if self.hasher.finalize().to_hex().as_bytes()[..HEX_DIGITS] != **checksum =>
            {
                "its checksum is wrong"
            }
            _ => return Ok(()),
        };
        Err(damage(problem))
    }
}

fn damage(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// The first line without its checksum, and the checksum.
fn split_checksum(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (rest, checksum) = rest.split_at_checked(rest.len().checked_sub(HEX_DIGITS)?)?;
    let open = rest.strip_suffix(FIELD)?.strip_suffix(b",")?;
    Some(([open, b"}\n"].concat(), checksum))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(records: &[Value]) -> Vec<u8> {
        let scratch = tempfile::tempdir().unwrap();
        let mut writer = LineWriter::new(scratch.path()).unwrap();
        for record in records {
            writer.write(record).unwrap();
        }
        std::fs::read(writer.finish().unwrap().path()).unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<Value>> {
        let mut reader = LineReader::new(bytes);
        std::iter::from_fn(|| reader.read().transpose()).collect()
    }

    #[test]
    fn records_come_back_with_and_without_a_checksum() {
        for records in [
            vec![],
            vec![json!({"a": 1})],
            vec![json!({"a": 1}), json!({"b": 2})],
        ] {
            assert_eq!(read(&written(&records)).unwrap(), records);
            let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
            let old = lines.concat();
            if !records.is_empty() {
                assert_eq!(read(old.as_bytes()).unwrap(), records);
            }
        }
    }

    #[test]
    fn a_file_that_is_empty_cut_or_flipped_is_damaged_or_holds_the_same() {
        let records = [json!({"a": 1}), json!({"b": 2})];
        let whole = written(&records);
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            if let Ok(mut read) = read(&flipped) {
                // The name of the field was hit.
                read[0]
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name.len() == 1);
                assert_eq!(read, records, "flipped at {at}");
            }
        }
    }
}
