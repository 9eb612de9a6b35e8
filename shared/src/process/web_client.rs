//! Requests to web servers of other people: bounded in time, without redirects, and silent about the path of a URL, which may
//! be secret.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::Url;

use crate::causes::with_causes;

/// Time limit of a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client; cheap to clone.
#[derive(Clone, Debug)]
pub struct WebClient(Client);

/// A request without an answer; the text has no URL.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct WebError(String);

impl WebClient {
    /// Makes a client.
    pub fn new() -> Result<Self, WebError> {
        crate::tls::install();
        let authorities = crate::tls::authorities().iter();
        let certificates: Result<Vec<_>, _> = authorities
            .map(|authority| Certificate::from_der(authority))
            .collect();
        let mut builder = Client::builder()
            .user_agent(concat!("drover/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        for certificate in certificates.map_err(without_url)? {
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map(Self).map_err(without_url)
    }

    /// Posts `body` and returns the status of the answer, whose body is not read.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<u16, WebError> {
        let mut request = self.0.post(url.clone()).timeout(limit).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.map_err(without_url)?;
        Ok(answer.status().as_u16())
    }
}

fn without_url(error: reqwest::Error) -> WebError {
    WebError(with_causes(&error.without_url()))
}
