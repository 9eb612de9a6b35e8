//! The reason for which a worker rejects a task, authenticated by the key of the job.
//!
//! A rejected task goes to the dead queue with the reason in a header, and whoever reaches the broker may put a message
//! there. So the text of the reason ends with a code by the job's key over message and reason; a copy of a task without it
//! ends no datum.

use crate::job::JobKey;

/// Between the reason and the digits of the code.
const SEPARATOR: &str = "\nmac:";

/// Begins the authenticated content. No message begins so, and no code of a message is a code of a rejection.
const DOMAIN: &[u8] = b"rejection\0";

/// The reason of a rejection, as read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// The reason, for people.
    pub reason: String,
    /// True if a process with the key of the job rejected this very message.
    pub is_authentic: bool,
}

impl Rejection {
    /// The text for the header: `reason` with the code for the message `body`; without a key the reason alone.
    pub fn text(reason: &str, body: &[u8], key: Option<&JobKey>) -> String {
        match key {
            Some(key) => {
                let code = code(reason, body, key).to_hex();
                format!("{reason}{SEPARATOR}{code}")
            }
            None => reason.to_owned(),
        }
    }

    /// Reads the text of the header of the message `body`.
    pub fn read(text: &str, body: &[u8], key: &JobKey) -> Self {
        let Some((reason, digits)) = text.rsplit_once(SEPARATOR) else {
            return Self {
                reason: text.to_owned(),
                is_authentic: false,
            };
        };
        // The comparison takes the same time for all codes.
        let given = blake3::Hash::from_hex(digits);
        Self {
            reason: reason.to_owned(),
            is_authentic: given.is_ok_and(|given| given == code(reason, body, key)),
        }
    }
}

fn code(reason: &str, body: &[u8], key: &JobKey) -> blake3::Hash {
    let mut hasher = key.hasher();
    hasher.update(DOMAIN);
    hasher.update(&(body.len() as u64).to_le_bytes());
    hasher.update(body).update(reason.as_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_counts_for_its_message_and_by_its_key_alone() {
        let (key, other) = (JobKey::generate().unwrap(), JobKey::generate().unwrap());
        let text = Rejection::text("no segment 9", b"{\"task\"}", Some(&key));
        let altered = text.replace('9', "8");
        let unsigned = Rejection::text("no segment 9", b"{\"task\"}", None);
        assert_eq!(unsigned, "no segment 9");
        for (text, body, key, reason, is_authentic) in [
            (&text, "{\"task\"}", &key, "no segment 9", true),
            (&text, "{\"other\"}", &key, "no segment 9", false),
            (&text, "{\"task\"}", &other, "no segment 9", false),
            (&altered, "{\"task\"}", &key, "no segment 8", false),
            (&unsigned, "{\"task\"}", &key, "no segment 9", false),
        ] {
            let read = Rejection::read(text, body.as_bytes(), key);
            let expected = Rejection {
                reason: reason.to_owned(),
                is_authentic,
            };
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
