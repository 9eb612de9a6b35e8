//! Checksums of JSON records, and of lists of JSON lines that are written and read line by line.
//!
//! The first line ends with a field `checksum`, a hash over all other bytes, and over the key of a record. So a record that was
//! cut, damaged, or written at the place of another one is recognised. A list has no key: it is written into a local
//! file first. Readers ignore unknown fields, and a record or list without the field is one of an older Drover.

use std::borrow::Cow;
use std::io::{self, BufRead, Seek, SeekFrom, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreKey;

/// Begins the field, after the comma.
const FIELD: &[u8] = b"\"checksum\":\"";
const END: &[u8] = b"\"}";
const HEX_DIGITS: usize = 32;

/// The hash over a record or list, as far as it was written or read.
#[derive(Clone, Debug, Default)]
struct Checksum(blake3::Hasher);

impl Checksum {
    fn of_record(key: &StoreKey) -> Self {
        let mut checksum = Self::default();
        checksum.add(key.as_str().as_bytes());
        checksum.add(&[0]);
        checksum
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn digits(&self) -> String {
        self.0.finalize().to_hex()[..HEX_DIGITS].to_owned()
    }
}

/// Writes a record or a list with its checksum, which is filled in at the end.
#[derive(Debug)]
pub struct CheckedWriter<W> {
    to: W,
    checksum: Checksum,
    place: Place,
}

/// The place of the digits of a checksum.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nothing was written yet.
    Unknown,
    /// The position of the digits.
    At(u64),
    /// The first line is no object, so there is no place for a field.
    None,
}

impl<W: Write + Seek> CheckedWriter<W> {
    /// Writes a list from the beginning of `to`.
    pub fn of_list(to: W) -> Self {
        Self::new(to, Checksum::default())
    }

    /// Writes a record, or a record per line, from the beginning of `to`.
    pub(super) fn of_record(key: &StoreKey, to: W) -> Self {
        Self::new(to, Checksum::of_record(key))
    }

    fn new(to: W, checksum: Checksum) -> Self {
        Self {
            to,
            checksum,
            place: Place::Unknown,
        }
    }

    /// Adds `record`, which is a JSON object, as a line.
    pub fn write_line(&mut self, record: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.write(&line)
    }

    /// Adds bytes. The first ones contain the whole first line.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.add(bytes);
        let Place::Unknown = self.place else {
            return self.to.write_all(bytes);
        };
        self.place = Place::None;
        let line = first_line(bytes);
        let Some(open) = bytes[..line].strip_suffix(b"}") else {
            return self.to.write_all(bytes);
        };
        let comma: &[u8] = if open == b"{" { b"" } else { b"," };
        let before = [open, comma, FIELD].concat();
        self.place = Place::At(before.len() as u64);
        self.to.write_all(&before)?;
        self.to.write_all(&[b'0'; HEX_DIGITS])?;
        self.to.write_all(b"\"")?;
        self.to.write_all(&bytes[line - 1..])
    }

    /// Fills in the checksum. Without any record there is an empty line: an empty object is a damaged one.
    pub fn finish(mut self) -> io::Result<W> {
        match self.place {
            Place::Unknown => self.to.write_all(b"\n")?,
            Place::At(position) => {
                self.to.seek(SeekFrom::Start(position))?;
                self.to.write_all(self.checksum.digits().as_bytes())?;
            }
            Place::None => {}
        }
        Ok(self.to)
    }
}

/// Reads a list. The last read fails if the checksum is wrong, so no line may be acted on before.
#[derive(Debug)]
pub struct CheckedReader<R> {
    from: R,
    checksum: Checksum,
    found: Option<Vec<u8>>,
    lines: u64,
}

impl<R: BufRead> CheckedReader<R> {
    /// Reads from `from` to its end.
    pub fn of_list(from: R) -> Self {
        Self {
            from,
            checksum: Checksum::default(),
            found: None,
            lines: 0,
        }
    }

    /// The next record; none at the end of a whole list.
    pub fn read_line<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        if self.from.read_until(b'\n', &mut line)? == 0 {
            return self.check().map(|()| None);
        }
        self.lines += 1;
        if line.pop() != Some(b'\n') {
            return Err(damage("it is cut off"));
        }
        if line.is_empty() {
            return self.read_line();
        }
        if self.lines == 1
            && let Some((open, found)) = split_checksum(&line)
        {
            self.found = Some(found.to_vec());
            line = [open, b"}"].concat();
        }
        self.checksum.add(&line);
        self.checksum.add(b"\n");
        Ok(Some(serde_json::from_slice(&line)?))
    }

    fn check(&self) -> io::Result<()> {
        match &self.found {
            _ if self.lines == 0 => Err(damage("it is empty")),
            Some(found) if self.checksum.digits().as_bytes() != found => {
                Err(damage("its checksum is wrong"))
            }
            _ => Ok(()),
        }
    }
}

fn damage(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// The record without its checksum; or what is wrong with the bytes.
pub(super) fn verified<'b>(key: &StoreKey, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, &'static str> {
    if bytes.is_empty() {
        return Err("it is empty");
    }
    let line = first_line(bytes);
    let Some((open, found)) = split_checksum(&bytes[..line]) else {
        return Ok(Cow::Borrowed(bytes));
    };
    let mut record = Vec::with_capacity(bytes.len());
    record.extend_from_slice(open);
    record.extend_from_slice(&bytes[line - 1..]);
    let mut checksum = Checksum::of_record(key);
    checksum.add(&record);
    if checksum.digits().as_bytes() == found {
        Ok(Cow::Owned(record))
    } else {
        Err("its checksum is wrong: it is damaged, or belongs elsewhere")
    }
}

/// A line split into the record and its checksum.
fn split_checksum(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (rest, found) = rest.split_at_checked(rest.len().checked_sub(HEX_DIGITS)?)?;
    let rest = rest.strip_suffix(FIELD)?;
    match rest.strip_suffix(b",") {
        Some(open) => Some((open, found)),
        None => (rest == b"{").then_some((rest, found)),
    }
}

fn first_line(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    end.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use serde_json::{Value, json};

    use super::*;

    fn key(text: &str) -> StoreKey {
        text.parse().unwrap()
    }

    fn with_checksum(key: &StoreKey, record: &str) -> Vec<u8> {
        let mut writer = CheckedWriter::of_record(key, Cursor::new(Vec::new()));
        writer.write(record.as_bytes()).unwrap();
        writer.finish().unwrap().into_inner()
    }

    fn list(records: &[Value]) -> Vec<u8> {
        let mut writer = CheckedWriter::of_list(Cursor::new(Vec::new()));
        for record in records {
            writer.write_line(record).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<Value>> {
        let mut reader = CheckedReader::of_list(bytes);
        std::iter::from_fn(|| reader.read_line().transpose()).collect()
    }

    const RECORDS: [&str; 4] = [
        "{}",
        "{\"a\":1}",
        "{\"a\":1}\n",
        "{\"a\":\"}\"}\n{\"b\":2}\n",
    ];

    #[test]
    fn a_record_comes_back_and_stays_json() {
        for record in RECORDS {
            let bytes = with_checksum(&key("k"), record);
            assert_eq!(&*verified(&key("k"), &bytes).unwrap(), record.as_bytes());
            let lines =
                serde_json::Deserializer::from_slice(&bytes).into_iter::<serde_json::Value>();
            assert!(lines.collect::<Result<Vec<_>, _>>().is_ok(), "{bytes:?}");
        }
    }

    #[test]
    fn a_record_without_a_checksum_is_taken_as_it_is() {
        for record in RECORDS {
            assert_eq!(
                &*verified(&key("k"), record.as_bytes()).unwrap(),
                record.as_bytes()
            );
        }
    }

    #[test]
    fn a_record_that_is_cut_flipped_or_of_another_key_is_refused_or_no_json() {
        for record in RECORDS {
            let whole = with_checksum(&key("k"), record);
            assert!(verified(&key("other"), &whole).is_err(), "{record}");
            let is_same = |bytes: &[u8]| {
                // The rest may parse as a record of an older Drover with equal content.
                verified(&key("k"), bytes).is_err()
                    || serde_json::Deserializer::from_slice(bytes)
                        .into_iter::<serde_json::Value>()
                        .any(|line| line.is_err())
                    || without_checksum(bytes) == without_checksum(&whole)
            };
            for at in 0..whole.len() {
                assert!(is_same(&whole[..at]), "{record} cut at {at}");
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                assert!(is_same(&flipped), "{record} flipped at {at}");
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_every_earlier_version() {
        let record = with_checksum(&key("k"), "{\"a\":1}\n{\"b\":2}\n");
        insta::assert_snapshot!(String::from_utf8(record).unwrap(), @r#"
        {"a":1,"checksum":"4b09ade8526031d34b6f24188ccec61f"}
        {"b":2}
        "#);
        let lines = list(&[json!({"a": 1}), json!({"b": 2})]);
        insta::assert_snapshot!(String::from_utf8(lines).unwrap(), @r#"
        {"a":1,"checksum":"469c52a60b8515f172e45f54c8dc3957"}
        {"b":2}
        "#);
    }

    #[test]
    fn a_list_comes_back_with_and_without_a_checksum() {
        for records in [
            vec![],
            vec![json!({})],
            vec![json!({"a": 1})],
            vec![json!({"a": 1}), json!({"b": 2})],
        ] {
            assert_eq!(read(&list(&records)).unwrap(), records);
            let lines: Vec<String> = records.iter().map(|record| format!("{record}\n")).collect();
            let old = lines.concat();
            if !records.is_empty() {
                assert_eq!(read(old.as_bytes()).unwrap(), records);
            }
        }
    }

    #[test]
    fn a_list_that_is_empty_cut_or_flipped_is_damaged_or_holds_the_same() {
        let records = [json!({"a": 1}), json!({"b": 2})];
        let whole = list(&records);
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            if let Ok(mut read) = read(&flipped) {
                // The name of the field was hit.
                let fields = read[0].as_object_mut().unwrap();
                fields.retain(|name, _| name.len() == 1);
                assert_eq!(read, records, "flipped at {at}");
            }
        }
    }

    /// The lines of a record, without the field that begins like a checksum or its damaged name.
    fn without_checksum(bytes: &[u8]) -> Vec<serde_json::Value> {
        let lines = serde_json::Deserializer::from_slice(bytes).into_iter::<serde_json::Value>();
        let mut lines: Vec<serde_json::Value> = lines.map(Result::unwrap).collect();
        for line in &mut lines {
            if let Some(fields) = line.as_object_mut() {
                fields.retain(|name, _| name.len() != "checksum".len());
            }
        }
        lines
    }
}
