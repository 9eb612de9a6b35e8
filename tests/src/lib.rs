//! The harness: everything that the tests of the whole need to start real processes and look at what they left.
//!
//! It knows Drover as its users do: the binary, the files, the documented JSON, the broker. It links none of our crates, so
//! that a test cannot pass by sharing a mistake with the code.
#![expect(
    clippy::missing_panics_doc,
    reason = "a panic here is a test that fails, and says why"
)]
#![expect(
    clippy::return_self_not_must_use,
    reason = "an assertion that gives back its subject may end a line"
)]

mod binary;
mod eventually;
mod leftovers;
mod outcome;
mod proxy;
mod rabbit;
mod random;
mod running;
pub mod s3;
mod spec;
mod test_cluster;
mod tree;
mod unique;
mod workspace;

pub use binary::{drover, drover_operator, drover_worker, repository};
pub use eventually::{DEADLINE, ScopeEnd, eventually};
pub use leftovers::processes_marked;
pub use nix::sys::signal::Signal;
pub use outcome::{Job, Outcome};
pub use proxy::Proxy;
pub use rabbit::{Rabbit, publish_as_stranger, shared};
pub use random::Random;
pub use running::Running;
pub use spec::Spec;
pub use test_cluster::TestCluster;
pub use tree::{Tree, files};
pub use unique::unique;
pub use workspace::{Workspace, is_root};
