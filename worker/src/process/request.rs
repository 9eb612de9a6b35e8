//! The interpreted command line, before anything is connected.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drover_shared::id::WorkerId;
use drover_shared::queue::rabbitmq::Address;
use drover_shared::store::{Location, Store};

use crate::config::{Settings, one_slot_a_cpu};
use crate::consume::{FURTHER, PipelineSelection};
use crate::process::args::{Args, SlotCount};
use crate::runner::CommandLimits;
use crate::slots::scratch_for;

/// The worker that the command line asks for.
#[derive(Debug)]
pub struct WorkerRequest {
    pub(crate) pipelines: PipelineSelection,
    pub(crate) store: Location,
    pub(crate) broker: Address,
    /// The time limit for connecting to store and broker.
    pub(crate) connect_timeout: Duration,
    /// The address of the probe, if one is given.
    pub(crate) listen: Option<SocketAddr>,
    /// The scratch directory, if one is given.
    scratch: Option<PathBuf>,
    /// All settings but the scratch directory, which may depend on the store.
    settings: Settings,
}

impl WorkerRequest {
    /// Interprets `args`, with paths relative to `base`, on a machine called `host`. An error lists all problems; it never
    /// contains a password.
    pub fn of(args: Args, base: &Path, host: &str) -> Result<Self, Vec<String>> {
        let store = Location::parse(&args.store, base).map_err(|error| format!("--store: {error}"));
        let credentials = args.broker.file().map(|file| base.join(file));
        let broker = args.broker.address();
        let broker = broker.map_err(|error| format!("--broker: {error}"));
        let (store, broker) = match (store, broker) {
            (Ok(store), Ok(broker)) => (store, broker),
            (store, broker) => return Err(store.err().into_iter().chain(broker.err()).collect()),
        };
        let name = args.name.as_deref().or(args.pod.as_deref()).unwrap_or(host);
        let (slots, may_have_one_slot) = match args.slots {
            SlotCount::Auto => (one_slot_a_cpu(), true),
            SlotCount::Fixed(slots) => (slots, false),
        };
        let defaults = Settings::new(WorkerId::generate(name), slots, PathBuf::new());
        let settings = Settings {
            may_have_one_slot,
            is_among_others: true,
            memory: args.memory,
            cache_limit: args.cache_limit,
            scratch_limit: args.scratch_limit,
            look_ahead: args.look_ahead,
            further: if args.look_ahead == 0 { 0 } else { FURTHER },
            sandbox: args.sandbox,
            privileged: args.privileged,
            limits: CommandLimits {
                open_files: args.max_open_files,
                processes: args.max_processes,
            },
            term_grace: args.term_grace,
            hidden: credentials.into_iter().collect(),
            pod: args.pod.clone(),
            namespace: args.namespace,
            ..defaults
        };
        Ok(Self {
            pipelines: args.pipelines.into_iter().collect(),
            store,
            broker,
            connect_timeout: args.connect_timeout,
            listen: args.listen,
            scratch: args.scratch.map(|scratch| base.join(scratch)),
            settings,
        })
    }

    /// The id of the worker.
    pub(crate) fn worker(&self) -> &WorkerId {
        &self.settings.worker
    }

    /// The settings of the worker for the store.
    pub(crate) fn settings(&self, store: &Store) -> Settings {
        Settings {
            scratch: scratch_for(store, self.scratch.clone()),
            ..self.settings.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn request(typed: &str) -> Result<WorkerRequest, Vec<String>> {
        let line = format!("drover-worker {typed}");
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        WorkerRequest::of(args, Path::new("/base"), "machine")
    }

    #[test]
    fn all_problems_are_listed_at_once_and_no_password() {
        let typed = "--pipeline p --broker http://me:hunter2@host --store ftp://me:hunter2@host/x";
        let problems = request(typed).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("--store: ") && problems[1].starts_with("--broker: "));
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn the_worker_is_named_by_its_flag_its_pod_or_its_machine() {
        let rows = [
            ("--name me --pod pod-1", "me-"),
            ("--pod pod-1", "pod-1-"),
            ("", "machine-"),
        ];
        for (typed, beginning) in rows {
            let request = request(format!("--pipeline p --broker amqp://host {typed}").trim_end());
            let worker = request.unwrap().worker().to_string();
            assert!(worker.starts_with(beginning), "{typed}: {worker}");
        }
    }

    #[tokio::test]
    async fn paths_are_relative_to_the_working_directory() {
        let request = request("--pipeline p --broker amqp://host --scratch here --store data");
        let request = request.unwrap();
        assert_eq!(request.store, Location::Folder("/base/data".into()));
        let settings = request.settings(&Store::in_memory());
        assert_eq!(settings.scratch, Path::new("/base/here"));
    }

    #[test]
    fn a_pipeline_named_twice_is_consumed_once() {
        let request = request("--pipeline b,a,b --broker amqp://host").unwrap();
        assert_eq!(request.pipelines.to_string(), "a, b");
    }
}
