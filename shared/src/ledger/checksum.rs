//! Checksums of JSON records.
//!
//! The first line of a record ends with a field `checksum`, a hash over the key of the record and over all other bytes.
//! So a record that was cut, damaged, or written at the place of another one is recognised. Readers ignore unknown
//! fields, and a record without the field is one of an older Drover.

use std::borrow::Cow;

use bytes::Bytes;

use crate::store::StoreKey;

/// Begins the field, after the comma.
const FIELD: &[u8] = b"\"checksum\":\"";
const END: &[u8] = b"\"}";
const HEX_DIGITS: usize = 32;

/// The record at `key` with its checksum. `record` is a JSON object, or a JSON object per line.
pub(super) fn with_checksum(key: &StoreKey, record: Vec<u8>) -> Bytes {
    let line = first_line(&record);
    let Some(open) = record[..line].strip_suffix(b"}") else {
        return record.into(); // no object, so there is no place for a field
    };
    let mut bytes = Vec::with_capacity(record.len() + FIELD.len() + HEX_DIGITS + 2);
    bytes.extend_from_slice(open);
    if open != b"{" {
        bytes.push(b',');
    }
    bytes.extend_from_slice(FIELD);
    bytes.extend_from_slice(checksum(key, &record).as_bytes());
    bytes.push(b'"');
    bytes.extend_from_slice(&record[line - 1..]);
    bytes.into()
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
    if checksum(key, &record).as_bytes() == found {
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

fn checksum(key: &StoreKey, record: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(record);
    hasher.finalize().to_hex()[..HEX_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> StoreKey {
        text.parse().unwrap()
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
            let bytes = with_checksum(&key("k"), record.into());
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
            let whole = with_checksum(&key("k"), record.into());
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
                let mut flipped = whole.to_vec();
                flipped[at] ^= 1;
                assert!(is_same(&flipped), "{record} flipped at {at}");
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
