//! The runner: a small, single-threaded, long-lived process for each slot, that gives each datum its own
//! `/pfs` and `/tmp`, spawns the user's command with `posix_spawn`, keeps its output, and leaves nothing behind.
//!
//! It is the worker's own binary, re-executed ([`take_over`]); it speaks with the worker over a pair of pipes.
//! It knows nothing of jobs, stores and queues: paths, a command and an environment come in, an [`Execution`] goes out.
//!
//! ```text
//! worker ── Runner (handle) ══ pipes ══ keeper ── server ── the user's command ── next-datum
//!                                       │         └ mounts, spawns, waits, kills       └ asks the server, if the
//!                                       └ unshares; ends the server when                 command stays for several
//!                                         the worker is gone
//! ```

mod command;
mod entry;
mod error;
mod execution;
mod filesystem;
mod frame;
mod handle;
mod namespaces;
mod next_datum;
mod order;
mod server;
mod settings;
mod start_error;
mod supervisor;

pub use entry::take_over;
pub use error::RunnerError;
pub use execution::{Ending, Execution};
pub use handle::Runner;
pub use next_datum::NEXT_DATUM;
pub use order::{Inputs, Mount, MountKind, Order};
pub use settings::{RunnerSettings, Sandbox, SandboxMode};

pub(crate) use command::{USUAL_PATH, home_of_another};
pub(crate) use filesystem::remove_all;

use entry::HIDDEN_ARGUMENT;
