//! What every command starts from: the streams, and the store that was named.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::store::{Location, Store};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::Common;
use crate::commands::CommandError;
use crate::render::{Console, Surroundings};

/// The store that goes without saying.
const DEFAULT_STORE: &str = ".";

/// What every command starts from.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The two streams.
    pub console: Console,
    /// The directory that relative paths are relative to.
    pub current_dir: PathBuf,
    /// The broker, where one was named.
    pub broker: BrokerChoice,
    /// The store as typed.
    store: String,
}

/// The broker that was named.
#[derive(Clone)]
pub(crate) struct BrokerChoice {
    /// Its URL, with a password perhaps: never shown.
    pub url: Option<String>,
    /// Whether it was named on the command line, and not by the environment alone.
    pub is_typed: bool,
    /// How long it may take to be reached.
    pub patience: Duration,
}

impl fmt::Debug for BrokerChoice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BrokerChoice")
    }
}

impl Context {
    /// The context of this process.
    pub(crate) fn new(common: &Common) -> Result<Self, CommandError> {
        let no_directory = |source| CommandError::System {
            what: "find the current directory",
            source,
        };
        Ok(Self {
            console: Console::new(common.output),
            current_dir: std::env::current_dir().map_err(no_directory)?,
            broker: BrokerChoice {
                url: common.broker.clone(),
                is_typed: common.broker_is_typed,
                patience: common.connect_timeout,
            },
            store: common.store.clone(),
        })
    }

    /// Where the store is.
    pub(crate) fn location(&self) -> Result<Location, CommandError> {
        Ok(Location::parse(&self.store, &self.current_dir)?)
    }

    /// The store.
    pub(crate) async fn open(&self) -> Result<Store, CommandError> {
        Ok(Store::open(&self.location()?).await?)
    }

    /// The books of the store.
    pub(crate) async fn ledger(&self) -> Result<Ledger, CommandError> {
        Ok(Ledger::new(self.open().await?))
    }

    /// What a reader of a job's summary needs to know; `output` as made by [`Context::output`].
    pub(crate) fn surroundings<'a>(&'a self, output: &'a str) -> Surroundings<'a> {
        let store = (self.store != DEFAULT_STORE).then_some(self.store.as_str());
        Surroundings {
            store,
            output,
            now: Timestamp::now(),
        }
    }

    /// Where the output of a pipeline lies, as a person would type it.
    pub(crate) fn output(&self, pipeline: &str) -> String {
        match self.store.as_str() {
            DEFAULT_STORE => format!("{pipeline}/"),
            store => format!("{}/{pipeline}/", store.trim_end_matches('/')),
        }
    }

    /// The clock on the reader's wall.
    pub(crate) fn zone() -> TimeZone {
        TimeZone::system()
    }
}
