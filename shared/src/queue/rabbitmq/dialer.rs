//! Makes connections: one at a time, each with a time limit.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, Pool, PoolError, RecycleResult};
use deadpool_lapin::Runtime;
use lapin::tcp::AMQPUriTcpExt;
use lapin::{Connect, ConnectionProperties, ErrorKind};

use super::address::Address;
use super::greeting;
use super::preflight::Version;
use super::trouble::Trouble;

/// How long one attempt may take, from looking up the host to the vhost's being open.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Makes connections to one address.
///
/// The pool keeps attempts from overlapping and limits their time. A connection leaves it as soon as it is made:
/// whoever still holds on to one that broke must not keep the next one from being made.
#[derive(Debug)]
pub(super) struct Dialer {
    pool: Pool<Maker>,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// Worth another try.
    Passing(String),
    /// The broker will refuse again.
    Refused(String),
}

impl Dialer {
    /// `name` is what the broker shows for the connections.
    pub(super) fn new(address: Address, name: String) -> Self {
        let pool = Pool::builder(Maker::new(address, name))
            .max_size(1)
            .create_timeout(Some(ATTEMPT))
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have time limits");
        Self { pool }
    }

    /// Where it connects to.
    pub(super) fn address(&self) -> &Address {
        &self.pool.manager().address
    }

    /// Makes one attempt.
    pub(super) async fn dial(&self) -> Result<lapin::Connection, Failed> {
        match self.pool.get().await {
            Ok(connection) => Ok(Object::take(connection)),
            Err(PoolError::Backend(error)) => Err(Failed::from(&error)),
            Err(PoolError::Timeout(_)) => Err(Failed::Passing(format!(
                "no answer within {} s",
                ATTEMPT.as_secs()
            ))),
            Err(other) => Err(Failed::Passing(other.to_string())),
        }
    }

    /// Asks the broker for its version, on a connection of its own that goes no further than the greeting:
    /// lapin keeps to itself what it was greeted with.
    pub(super) async fn version(&self) -> Result<Version, Failed> {
        tokio::time::timeout(ATTEMPT, self.pool.manager().greeted())
            .await
            .unwrap_or_else(|_| Err(Failed::Passing("no greeting".to_owned())))
    }
}

impl From<&lapin::Error> for Failed {
    fn from(error: &lapin::Error) -> Self {
        match Trouble::from(error) {
            Trouble::Refused(why) => Self::Refused(why),
            Trouble::Passing(why) => Self::Passing(why),
            Trouble::Missing => Self::Passing(error.to_string()),
        }
    }
}

/// deadpool-lapin's manager, and what it lacks: certificates.
struct Maker {
    address: Address,
    name: String,
    plain: deadpool_lapin::Manager,
}

impl Maker {
    fn new(address: Address, name: String) -> Self {
        let properties = {
            let name = name.clone();
            move || properties(&name)
        };
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let plain = deadpool_lapin::Manager::new(address.url(), properties, runtime);
        Self {
            address,
            name,
            plain,
        }
    }

    async fn greeted(&self) -> Result<Version, Failed> {
        let passing = |error: std::io::Error| Failed::Passing(error.to_string());
        let certificates = self.address.certificates().map_err(Failed::Refused)?;
        let certificates = certificates.unwrap_or_default();
        let runtime = lapin::runtime::default_runtime().expect("lapin is built for tokio");
        let uri = self.address.uri();
        let mut stream = uri
            .connect_with_config_async(certificates.as_ref(), &runtime)
            .await
            .map_err(passing)?;
        greeting::version(&mut stream).await.map_err(passing)
    }
}

fn properties(name: &str) -> ConnectionProperties {
    ConnectionProperties::default().with_connection_name(name.into())
}

impl std::fmt::Debug for Maker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // deadpool-lapin's manager would show the password.
        write!(out, "Maker({}, {})", self.address, self.name)
    }
}

impl Manager for Maker {
    type Type = lapin::Connection;
    type Error = lapin::Error;

    async fn create(&self) -> Result<lapin::Connection, lapin::Error> {
        let unreadable = |why| lapin::Error::from(ErrorKind::AuthProviderError(why));
        let Some(certificates) = self.address.certificates().map_err(unreadable)? else {
            return self.plain.create().await;
        };
        let uri = self.address.uri().clone();
        let runtime = lapin::runtime::default_runtime()?;
        uri.connect_with_config(properties(&self.name), certificates, runtime)
            .await
    }

    async fn recycle(
        &self,
        connection: &mut lapin::Connection,
        metrics: &Metrics,
    ) -> RecycleResult<lapin::Error> {
        self.plain.recycle(connection, metrics).await
    }
}
