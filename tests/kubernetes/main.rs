//! The operator on a real Kubernetes: whatever cluster `KUBECONFIG` names, with or without kubelets.
//!
//! The operator runs here, as a process, with the rights of its own service account and nothing more; so does the broker,
//! and the store is a folder. Nodes and the states of pods are simulated where a test needs them, so no image is needed. The
//! tests of [`pods`] run real pods and say what they need.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may unwrap as tests do"
)]

mod cluster;
mod harness;

mod lifecycle;
mod nodes;
mod operators;
mod pods;
mod refusals;
mod scaling;
