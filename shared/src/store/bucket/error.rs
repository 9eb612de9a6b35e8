//! Translation of `object_store`'s errors, without credentials and noise.

use std::error::Error as _;

use object_store::Error;

use crate::store::{StoreError, StoreKey};

/// Words of servers without room for more, whatever the status.
const FULL: [&str; 4] = [
    "507 Insufficient Storage",
    "QuotaExceeded",
    "StorageFull",
    "InsufficientStorage",
];

/// Words of servers that deny access. (`object_store` has no error of its own for a refused listing.)
const DENIED: [&str; 2] = ["403 Forbidden", "401 Unauthorized"];

/// Words of servers without the bucket.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// Hosts that a client without credentials asks for the credentials of the machine.
const MACHINE_CREDENTIALS: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// Longest excerpt of an answer that is not understood.
const TOLD_CHARACTERS: usize = 300;

/// The outcome of a failed operation on `key`.
pub(super) fn failed(key: &StoreKey, error: Error) -> StoreError {
    let key = key.clone();
    match error {
        Error::NotFound { .. } => StoreError::Missing { key },
        Error::AlreadyExists { .. } | Error::Precondition { .. } => StoreError::Exists { key },
        Error::InvalidPath { source } => unsafe_name(&source),
        other => refused(key, one_line(&other)),
    }
}

/// Classifies an error by the words of the server.
fn refused(key: StoreKey, told: String) -> StoreError {
    let says = |words: &[&str]| words.iter().any(|each| told.contains(each));
    if says(&NO_BUCKET) {
        StoreError::Missing { key }
    } else if says(&FULL) {
        let source = told.into();
        StoreError::Full { key, source }
    } else if says(&DENIED) {
        let source = told.into();
        StoreError::Denied { key, source }
    } else {
        let source = told.into();
        StoreError::Unavailable { key, source }
    }
}

/// The error and its causes on one line, without repetitions. XML bodies are reduced to code and message: the rest may
/// hold the signed request with the session's token.
pub(super) fn one_line(error: &Error) -> String {
    let mut text = without_xml_body(&error.to_string());
    let mut link = error.source();
    while let Some(cause) = link {
        let said = without_xml_body(&cause.to_string());
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        link = cause.source();
    }
    if let Some(advice) = advice(&text) {
        text = format!("{text} ({advice})");
    }
    text
}

/// The error for a body shorter than announced.
pub(super) fn cut_short(key: &StoreKey, size: u64, whole: u64) -> StoreError {
    StoreError::Unavailable {
        key: key.clone(),
        source: format!("the object has {whole} bytes, but only {size} arrived").into(),
    }
}

/// Advice for common mistakes; none for other errors.
fn advice(text: &str) -> Option<&'static str> {
    let says = |word: &&str| text.contains(*word);
    if MACHINE_CREDENTIALS.iter().any(|host| text.contains(host)) {
        Some(
            "no credentials are in the environment; set those of the bucket: AWS_*, GOOGLE_* or AZURE_*",
        )
    } else if ["(Connect)", "dns error", "tcp connect error"]
        .iter()
        .any(says)
    {
        Some(
            "the endpoint does not answer: check that it is up, the network, and AWS_ENDPOINT if you set it",
        )
    } else if [
        "ExpiredToken",
        "TokenExpired",
        "token included in the request is expired",
    ]
    .iter()
    .any(says)
    {
        Some("the credentials have expired; renew them")
    } else {
        None
    }
}

/// A text with an XML body reduced to code and message.
fn without_xml_body(text: &str) -> String {
    let body = [text.find("<?xml"), text.find("<Error"), text.find('<')];
    let Some(begin) = body.into_iter().flatten().next() else {
        return cut(text.trim_end());
    };
    let (before, body) = text.split_at(begin);
    let said = [element(body, "Code"), element(body, "Message")];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    cut(format!("{before}{}", said.join(", ")).trim_end_matches([' ', ':']))
}

/// Text of the first element with the name.
fn element<'b>(body: &'b str, name: &str) -> Option<&'b str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TOLD_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A foreign key that could be written outside of a datum's directory.
fn unsafe_name(error: &object_store::path::Error) -> StoreError {
    use object_store::path::Error as E;
    let (name, problem) = match error {
        E::EmptySegment { path } => (path.clone(), "it has an empty segment (`//`)"),
        E::BadSegment { path, .. } => (
            path.clone(),
            "it has a segment `.` or `..`, or control characters",
        ),
        E::NonUnicode { path, .. } => (path.clone(), "it is not UTF-8"),
        other => (other.to_string(), "it cannot be read safely"),
    };
    StoreError::Name { name, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As S3 answers a request with a wrong signature.
    const REFUSAL: &str = "Error performing GET http://host/b/k in 3ms - Server returned non-2xx status code: 403 Forbidden: \
        <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message>\
        <AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><CanonicalRequest>x-amz-security-token:TOKEN</CanonicalRequest></Error>";

    fn key() -> StoreKey {
        StoreKey::parse("k").unwrap()
    }

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    fn shown(error: &StoreError) -> String {
        format!("{error}: {}", error.source().unwrap())
    }

    #[test]
    fn a_refusal_is_reported_without_the_signed_request() {
        let denied = failed(
            &key(),
            Error::PermissionDenied {
                path: "k".to_owned(),
                source: REFUSAL.into(),
            },
        );
        let text = shown(&denied) + &format!("{denied:?}");
        assert!(matches!(denied, StoreError::Denied { .. }));
        assert!(text.contains("403 Forbidden: SignatureDoesNotMatch, Check your key."));
        assert!(
            !text.contains("TOKEN") && !text.contains("AKIDEXAMPLE"),
            "{text}"
        );
    }

    #[test]
    fn a_refused_listing_is_told_from_a_failed_one() {
        let listing = |said: &str| failed(&key(), generic(&format!("status code: {said}")));
        assert!(matches!(
            listing("403 Forbidden: AccessDenied"),
            StoreError::Denied { .. }
        ));
        assert!(matches!(
            listing("404 Not Found: NoSuchBucket"),
            StoreError::Missing { .. }
        ));
        assert!(matches!(
            listing("500 Internal"),
            StoreError::Unavailable { .. }
        ));
    }

    #[test]
    fn a_cause_is_told_once() {
        let text = one_line(&generic("no route to host"));
        assert_eq!(text, "Generic S3 error: no route to host");
    }

    #[test]
    fn a_full_store_is_distinguished_from_a_refusal() {
        for text in [
            "Server returned non-2xx status code: 507 Insufficient Storage: ",
            "403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>",
            "507: <Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>",
        ] {
            let full = failed(&key(), generic(text));
            assert!(matches!(full, StoreError::Full { .. }), "{text}: {full:?}");
        }
    }

    #[test]
    fn missing_credentials_are_reported_with_advice() {
        let text = one_line(&generic(
            "Error performing PUT http://169.254.169.254/latest",
        ));
        assert!(text.contains("AWS_*"), "{text}");
    }

    #[test]
    fn a_page_instead_of_an_answer_is_cut_away() {
        assert_eq!(
            without_xml_body("404: <html><body>nothing</body></html>"),
            "404"
        );
        assert!(without_xml_body(&"long ".repeat(1000)).chars().count() <= TOLD_CHARACTERS + 1);
    }
}
