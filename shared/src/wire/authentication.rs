//! Authentication codes of messages.
//!
//! The last member of an authenticated message is `mac`, 64 hexadecimal digits: BLAKE3 in its keyed mode, by the key of the
//! job, over the bytes that the message has without this member. Readers that know nothing of the code ignore the member.

use bytes::Bytes;

use super::codec::{Message, WireError, encode, within_limit};
use crate::job::JobKey;

/// The beginning of the member.
const OPENING: &[u8] = b",\"mac\":\"";
/// The end of the member and of the message.
const CLOSING: &[u8] = b"\"}";
/// The end of a message without the member.
const END: &[u8] = b"}";
/// Hexadecimal digits of a code.
const DIGITS: usize = 64;

/// The proof of origin that a message carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authenticity {
    /// The sender has the key of the job.
    Authentic,
    /// The message has no code: the sender is an older Drover, or a stranger.
    Unsigned,
    /// The code is wrong: the message was made or altered without the key of the job.
    Forged,
}

/// Encodes a message about one job, with a code if the job has a key. See [`encode`](super::encode).
pub fn encode_for(message: &Message, key: Option<&JobKey>) -> Result<Bytes, WireError> {
    let body = encode(message)?;
    let Some(key) = key else {
        return Ok(body);
    };
    let content = body.strip_suffix(END).unwrap_or(&body);
    let code = code(content, key).to_hex();
    let authenticated = [content, OPENING, code.as_bytes(), CLOSING].concat();
    within_limit(&authenticated)?;
    Ok(authenticated.into())
}

/// The proof of origin of a message about the job that has the key. The caller checks that the message is about this job.
/// Without a key, which the store lacks only for a job of an older Drover, every message counts as one without a code.
pub fn authenticity(body: &[u8], key: Option<&JobKey>) -> Authenticity {
    let (Some(key), Some((content, digits))) = (key, split(body)) else {
        return Authenticity::Unsigned;
    };
    // The comparison takes the same time for all codes.
    match blake3::Hash::from_hex(digits) {
        Ok(given) if given == code(content, key) => Authenticity::Authentic,
        _ => Authenticity::Forged,
    }
}

/// The content of a message in front of its code, and the digits of the code; none without a code.
fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let member = body.strip_suffix(CLOSING)?;
    let (rest, digits) = member.split_at_checked(member.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(OPENING)?, digits))
}

fn code(content: &[u8], key: &JobKey) -> blake3::Hash {
    key.hasher().update(content).update(END).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::JobId;
    use crate::wire::{Control, decode};

    fn message() -> Message {
        let job = JobId::generate();
        Message::Control(Control::Stop { job })
    }

    #[test]
    fn a_message_with_a_code_is_authentic_to_its_key_alone_and_is_decoded_as_before() {
        let (key, other) = (JobKey::generate().unwrap(), JobKey::generate().unwrap());
        let message = message();
        let body = encode_for(&message, Some(&key)).unwrap();
        assert_eq!(decode(&body).unwrap(), message);
        assert_eq!(authenticity(&body, Some(&key)), Authenticity::Authentic);
        assert_eq!(authenticity(&body, Some(&other)), Authenticity::Forged);
        let unsigned = encode_for(&message, None).unwrap();
        assert_eq!(authenticity(&unsigned, Some(&key)), Authenticity::Unsigned);
        assert_eq!(authenticity(&body, None), Authenticity::Unsigned);
    }

    #[test]
    fn no_altered_message_is_authentic() {
        let key = JobKey::generate().unwrap();
        let body = encode_for(&message(), Some(&key)).unwrap();
        for place in 0..body.len() {
            let mut altered = body.to_vec();
            altered[place] ^= 1;
            let authenticity = authenticity(&altered, Some(&key));
            assert_ne!(authenticity, Authenticity::Authentic, "byte {place}");
        }
        for length in 0..body.len() {
            let cut = authenticity(&body[..length], Some(&key));
            assert_ne!(cut, Authenticity::Authentic, "{length} bytes");
        }
    }

    #[test]
    fn a_code_inside_a_text_of_the_message_is_none() {
        let key = JobKey::generate().unwrap();
        let text = format!(",\"mac\":\"{}", "0".repeat(DIGITS));
        let body = serde_json::json!({ "text": text }).to_string();
        assert_eq!(
            authenticity(body.as_bytes(), Some(&key)),
            Authenticity::Unsigned
        );
    }
}
