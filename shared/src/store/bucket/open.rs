//! Opens a bucket by URL; credentials and endpoint come from the environment.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Certificate, ClientOptions, ObjectStore, ObjectStoreScheme};
use tokio::time::timeout;
use url::Url;

use super::error::failed;
use super::listing_client::ListingClient;
use super::objects::Bucket;
use super::pages::Pages;
use super::retry::{RETRY_BUDGET, TIMEOUTS, retries};
use crate::store::error::Cause;
use crate::store::{StoreError, StoreKey};

/// Time limit for the first answer of a bucket: a little longer than the retry budget, so the cause of a failure
/// is reported.
const OPEN_TIMEOUT: Duration = Duration::from_secs(RETRY_BUDGET.as_secs() + 10);

impl Bucket {
    /// Opens the bucket at `url` and checks that the bucket answers.
    pub(in crate::store) async fn open(url: &Url) -> Result<Self, StoreError> {
        crate::tls::install();
        let refusal = |problem: &dyn Display| StoreError::Location {
            location: url.to_string(),
            problem: problem.to_string(),
        };
        let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(|error| refusal(&error))?;
        let bucket = client(&scheme, url, prefix).map_err(|error| refusal(&error))?;
        match timeout(OPEN_TIMEOUT, bucket.answers()).await {
            Ok(Ok(())) => Ok(bucket),
            Ok(Err(StoreError::Missing { .. })) => {
                Err(refusal(&"there is no such bucket; create it first"))
            }
            Ok(Err(error)) => Err(with_url(url, error)),
            Err(_) => Err(no_answer(url)),
        }
    }

    /// Lists a little.
    async fn answers(&self) -> Result<(), StoreError> {
        let first = match self.pages() {
            Some(pages) => pages.page(&Path::ROOT, "", Some(1)).await.map(drop),
            None => self.objects().list(None).next().await.transpose().map(drop),
        };
        first.or_else(|error| match failed(&StoreKey::root(), error) {
            // An unsafe name is no reason not to open the bucket; reading its folder reports the name.
            StoreError::Name { .. } => Ok(()),
            failure => Err(failure),
        })
    }
}

/// Adds the URL to a failure to open the bucket.
fn with_url(url: &Url, error: StoreError) -> StoreError {
    let name = |source: Cause| Cause::from(format!("{url} cannot be used: {source}"));
    match error {
        StoreError::Denied { key, source } => StoreError::Denied {
            key,
            source: name(source),
        },
        StoreError::Unavailable { key, source } => StoreError::Unavailable {
            key,
            source: name(source),
        },
        other => other,
    }
}

fn no_answer(url: &Url) -> StoreError {
    let seconds = OPEN_TIMEOUT.as_secs();
    StoreError::Unavailable {
        key: StoreKey::root(),
        source: format!(
            "{url} did not answer within {seconds} s; check the endpoint in the environment"
        )
        .into(),
    }
}

/// The client for a bucket. An endpoint of `http://` in the environment is deliberate and therefore allowed.
fn client(scheme: &ObjectStoreScheme, url: &Url, prefix: Path) -> object_store::Result<Bucket> {
    Ok(match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::from_env()
                .with_url(url.as_str())
                .with_http_connector(RootCertificateConnector)
                .with_retry(retries())
                .with_conditional_put(S3ConditionalPut::ETagMatch);
            for (key, value) in TIMEOUTS {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
                .iter()
                .find_map(|key| builder.get_config_value(key));
            let plain = is_plain(endpoint);
            bucket(builder.with_allow_http(plain).build()?, prefix)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_url(url.as_str())
                .with_http_connector(RootCertificateConnector)
                .with_retry(retries());
            for (key, value) in TIMEOUTS {
                builder = builder.with_config(GoogleConfigKey::Client(key), value);
            }
            bucket(builder.build()?, prefix)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_url(url.as_str())
                .with_http_connector(RootCertificateConnector)
                .with_retry(retries());
            for (key, value) in TIMEOUTS {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            let plain = is_plain(builder.get_config_value(&AzureConfigKey::Endpoint));
            bucket(builder.with_allow_http(plain).build()?, prefix)
        }
        other => {
            return Err(object_store::Error::NotSupported {
                source: format!("{other:?} is not a bucket").into(),
            });
        }
    })
}

/// Makes HTTP clients with the bundled root certificates, which survive foreign keys in listings.
#[derive(Debug)]
struct RootCertificateConnector;

impl HttpConnector for RootCertificateConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut options = options.clone();
        for authority in crate::tls::authorities() {
            options = options.with_root_certificate(Certificate::from_der(authority)?);
        }
        let client = ReqwestConnector::default().connect(&options)?;
        Ok(HttpClient::new(ListingClient(client)))
    }
}

fn is_plain(endpoint: Option<String>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
}

/// The part of a bucket below `prefix`.
fn bucket<C: ObjectStore + PaginatedListStore>(client: C, prefix: Path) -> Bucket {
    let client = Arc::new(client);
    let pages = Pages::new(Arc::clone(&client) as _, prefix.clone());
    let objects: Arc<dyn ObjectStore> = if prefix.as_ref().is_empty() {
        client
    } else {
        Arc::new(PrefixStore::new(client, prefix))
    };
    Bucket::new(objects).with_pages(pages)
}
