//! The runner: a small, single-threaded, long-lived process for each slot. It gives each datum a private
//! `/pfs` and `/tmp`, has the user's command spawned with restricted rights, writes the log, and leaves nothing behind.
//!
//! The runner is the worker's own binary, re-executed ([`take_over`]), connected to the worker by a pair of pipes.
//! It knows nothing of jobs, stores and queues: it gets paths, a command and an environment, and returns an [`Execution`].
//!
//! ```text
//! worker ── Runner (handle) ══ pipes ══ guard ── supervisor ── server ══ socket ══ spawner ── the user's command ── next-datum
//!                                       │        │             └ mounts, logs,       └ restricts itself once,          └ requests
//!                                       │        └ unshares; ends the    monitors      spawns, waits, kills              datums
//!                                       │          server when the
//!                                       └ ends     worker exits
//!                                         what is left
//! ```

mod command;
mod control_group;
mod entry;
mod error;
mod execution;
mod filesystem;
mod frame;
mod guard;
mod handle;
mod identity;
mod namespaces;
mod next_datum;
mod order;
mod protection;
mod server;
mod settings;
mod spawner;
mod start_error;

pub use entry::take_over;
pub use error::RunnerError;
pub use execution::{CommandCost, EndedProcesses, Ending, Execution};
pub use handle::Runner;
pub use next_datum::NEXT_DATUM;
pub use order::{Inputs, Mount, MountKind, Order};
pub use protection::{Hiding, Isolation, Protection};
pub use settings::{CommandLimits, RunnerSettings, Sandbox, SandboxMode};

pub(crate) use command::USUAL_PATH;
pub(crate) use control_group::{GroupUsage, delegate_controllers, keyed_number};
pub(crate) use filesystem::remove_all;
pub(crate) use identity::home_of_another;

use entry::HIDDEN_ARGUMENT;
