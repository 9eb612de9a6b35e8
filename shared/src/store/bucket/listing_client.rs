//! An HTTP client that rewrites listings, so a foreign key does not fail the whole listing.

use bytes::Bytes;
use object_store::client::{
    HttpClient, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use super::foreign_keys::encode;

/// Encodes the foreign keys of every listing; other answers pass unchanged.
#[derive(Debug)]
pub(super) struct ListingClient(pub(super) HttpClient);

#[async_trait::async_trait]
impl HttpService for ListingClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let element = listed_element(&request);
        let response = self.0.execute(request).await?;
        let Some(element) = element.filter(|_| response.status().is_success()) else {
            return Ok(response);
        };
        let (mut parts, body) = response.into_parts();
        let bytes = body.bytes().await?;
        let Some(rewritten) = rewrite(&bytes, element) else {
            return Ok(HttpResponse::from_parts(parts, body_of(bytes)));
        };
        parts.headers.remove("content-length");
        Ok(HttpResponse::from_parts(parts, body_of(rewritten.into())))
    }
}

fn body_of(bytes: Bytes) -> HttpResponseBody {
    HttpResponseBody::from(bytes)
}

/// Name of the element that holds a key, if the request is a listing: of S3 and Google, or of Azure.
fn listed_element(request: &HttpRequest) -> Option<&'static str> {
    let query = request.uri().query().unwrap_or_default();
    let has = |parameter: &str| query.split('&').any(|each| each == parameter);
    match request.method().as_str() {
        "GET" if has("list-type=2") => Some("Key"),
        "GET" if has("comp=list") => Some("Name"),
        _ => None,
    }
}

/// The listing with its foreign keys encoded; none if the listing has none, or is not UTF-8.
fn rewrite(listing: &[u8], element: &str) -> Option<String> {
    let text = std::str::from_utf8(listing).ok()?;
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let (mut rewritten, mut copied) = (String::new(), 0);
    let mut at = 0;
    while let Some(begin) = text[at..].find(&open).map(|found| at + found + open.len()) {
        let end = text[begin..].find(&close).map(|found| begin + found)?;
        if let Some(encoded) = encode(&unescape(&text[begin..end])) {
            rewritten.push_str(&text[copied..begin]);
            rewritten.push_str(&escape(&encoded));
            copied = end;
        }
        at = end;
    }
    (copied > 0).then(|| rewritten + &text[copied..])
}

/// The characters of XML text. An unknown entity is kept as it is written.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after.split_once(';');
        let known = entity.and_then(|(name, after)| Some((character(name)?, after)));
        if let Some((character, after)) = known {
            plain.push(character);
            rest = after;
        } else {
            plain.push('&');
            rest = after;
        }
    }
    plain + rest
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let code = entity.strip_prefix('#')?;
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => code.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_keys_of_a_listing_are_encoded_and_the_rest_stays() {
        let listing = |keys: [&str; 3]| {
            let contents =
                keys.map(|key| format!("<Contents><Key>{key}</Key><Size>0</Size></Contents>"));
            format!("<R><Name>herd</Name>{}</R>", contents.concat())
        };
        let plain = listing(["a", "b&amp;c", "d"]);
        assert_eq!(rewrite(plain.as_bytes(), "Key"), None);
        let folder = encode("in/<2026>/").unwrap();
        let tab = encode("tab\t").unwrap();
        let expected = listing([&escape(&folder), "b&amp;c", &escape(&tab)]);
        let foreign = listing(["in/&lt;2026&gt;/", "b&amp;c", "tab&#x9;"]);
        assert_eq!(rewrite(foreign.as_bytes(), "Key"), Some(expected));
    }
}
