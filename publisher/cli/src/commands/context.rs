//! Context of a command: the console, the store and the broker.

use anyhow::Context as _;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::queue::rabbitmq::BrokerUrl;
use drover_shared::store::{Location, Store, layout};
use drover_shared::trace_parent::TraceParent;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::args::{self, Common};
use crate::render::{Console, SummaryContext};

const DEFAULT_STORE: &str = ".";

/// The nearest store above the current folder, as `--store` takes a store; none if the command names a store.
pub(crate) fn store_above(store: &str) -> Option<String> {
    if store != DEFAULT_STORE {
        return None;
    }
    let here = std::env::current_dir().ok()?;
    let mut above = here.ancestors().skip(1);
    let levels = above.position(|folder| folder.join(layout::DROVER_FOLDER).is_dir())?;
    Some(vec![".."; levels + 1].join("/"))
}

/// Context of a command.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub console: Console,
    /// Base of relative paths.
    pub current_dir: PathBuf,
    /// The broker options.
    pub broker: BrokerChoice,
    store: String,
}

/// Options about the broker.
#[derive(Clone)]
pub(crate) struct BrokerChoice {
    /// URL, or the file that contains the URL.
    pub url: Option<BrokerUrl>,
    /// True if the URL is on the command line, and not only in the environment.
    pub is_typed: bool,
    /// Timeout of the connection.
    pub timeout: Duration,
}

impl fmt::Debug for BrokerChoice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BrokerChoice")
    }
}

impl Context {
    pub(crate) fn new(common: &Common) -> anyhow::Result<Self> {
        Ok(Self {
            console: Console {
                quiet: common.quiet,
                ..Console::new(common.output)
            },
            current_dir: std::env::current_dir().context("cannot find the current directory")?,
            broker: BrokerChoice {
                url: common.broker.clone(),
                is_typed: common.broker_is_typed,
                timeout: common.connect_timeout,
            },
            store: common.store.clone(),
        })
    }

    /// See [`store_above`].
    pub(crate) fn store_above(&self) -> Option<String> {
        store_above(&self.store)
    }

    /// Location of the store.
    pub(crate) fn location(&self) -> anyhow::Result<Location> {
        Ok(Location::parse(&self.store, &self.current_dir)?)
    }

    /// Opens the store.
    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.location()?).await?)
    }

    /// Opens the records of the store.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Ledger> {
        Ok(Ledger::new(self.open().await?))
    }

    /// Context for the summary of a job; `output` comes from [`Context::output`].
    pub(crate) fn summary_context<'a>(&'a self, output: &'a str) -> SummaryContext<'a> {
        let store = (self.store != DEFAULT_STORE).then_some(self.store.as_str());
        SummaryContext {
            store,
            output,
            now: Timestamp::now(),
        }
    }

    /// Folder of a pipeline's output, as a person would type it.
    pub(crate) fn output(&self, pipeline: &str) -> String {
        match self.store.as_str() {
            DEFAULT_STORE => format!("{pipeline}/"),
            store => format!("{}/{pipeline}/", store.trim_end_matches('/')),
        }
    }

    /// The trace context in the environment, for the jobs that the command submits. A malformed one starts no trace, as the
    /// recommendation demands, and is told to the user.
    pub(crate) fn trace_parent(&self) -> Option<TraceParent> {
        match args::trace_parent()? {
            Ok(parent) => Some(parent),
            Err(error) => {
                let name = TraceParent::VARIABLE;
                self.console
                    .message(format!("note: {name} is ignored: {error}"));
                None
            }
        }
    }

    /// Time zone of the user.
    pub(crate) fn zone() -> TimeZone {
        TimeZone::system()
    }
}
