//! Signatures of requests, as in Standard Webhooks: HMAC-SHA256 over the id, the time and the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::settings::SigningKey;

/// The value of the header `webhook-signature`; `time` is in seconds since 1970.
pub(super) fn signature(key: &SigningKey, id: &str, time: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{time}.").as_bytes());
    context.update(body);
    format!("v1,{}", STANDARD.encode(context.sign()))
}
