//! The processes of a cluster: killed, frozen, replaced.

use drover_tests::{Random, Running, Signal, TestCluster};

use super::long_job;

/// Role of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Worker,
    /// A worker of the pipeline with the long datums.
    LongWorker,
    Coordinator,
}

/// The processes that exist at all times, beside [`LONG`].
const ROLES: [Role; 5] = [
    Role::Worker,
    Role::Worker,
    Role::Worker,
    Role::Coordinator,
    Role::Coordinator,
];

/// The additional processes of a round with long datums.
const LONG: [Role; 2] = [Role::LongWorker, Role::LongWorker];

/// A process that starts during a network fault waits until the network is repaired.
const PATIENT: [&str; 2] = ["--connect-timeout", "10m"];

/// Memory for all commands of a worker.
const MEMORY: &str = "400M";

/// All processes. Each has one of the ways to the broker, in turn.
pub(super) struct Processes {
    members: Vec<TestProcess>,
    ways: Vec<String>,
    joined: usize,
}

struct TestProcess {
    role: Role,
    /// Number of its way to the broker.
    way: usize,
    running: Running,
    /// True if the scenario ended the process.
    doomed: bool,
    /// Steps until the process is thawed; 0 when the process is not frozen.
    frozen: u64,
}

impl Processes {
    pub(super) fn new(cluster: &TestCluster, ways: Vec<String>, has_long: bool) -> Self {
        let mut processes = Self {
            members: Vec::new(),
            ways,
            joined: 0,
        };
        let long = LONG.iter().filter(|_| has_long);
        for role in ROLES.iter().chain(long) {
            processes.join(*role, cluster);
        }
        processes
    }

    fn join(&mut self, role: Role, cluster: &TestCluster) {
        let number = self.joined % self.ways.len();
        let way = &self.ways[number];
        self.joined += 1;
        let running = match role {
            Role::Worker | Role::LongWorker => {
                let (pipeline, slots) = match role {
                    Role::LongWorker => (long_job::PIPELINE, "4"),
                    _ => ("made", "2"),
                };
                let more = [
                    "--slots",
                    slots,
                    "--memory",
                    MEMORY,
                    "--grace",
                    "300ms",
                    "--term-grace",
                    "100ms",
                ];
                let more = [&more[..], &PATIENT].concat();
                cluster
                    .workspace
                    .start_command(cluster.worker_command(way, pipeline, &more))
            }
            Role::Coordinator => {
                cluster.start(&[&["serve", "--broker", way], &PATIENT[..]].concat())
            }
        };
        self.members.push(TestProcess {
            role,
            way: number,
            running,
            doomed: false,
            frozen: 0,
        });
    }

    /// A running process.
    fn pick(&mut self, role: Role, random: &mut Random) -> Option<&mut TestProcess> {
        let fit =
            |member: &&mut TestProcess| member.role == role && !member.doomed && member.frozen == 0;
        let mut fit: Vec<_> = self.members.iter_mut().filter(fit).collect();
        if fit.is_empty() {
            return None;
        }
        let chosen = random.index(fit.len());
        Some(fit.swap_remove(chosen))
    }

    /// Ends a process unless `is_spared` of its name; returns the name of a worker that has chosen one.
    pub(super) fn end(
        &mut self,
        role: Role,
        signal: Signal,
        is_spared: impl Fn(&str) -> bool,
        random: &mut Random,
    ) -> Option<String> {
        let member = self.pick(role, random)?;
        let name = name_of(&member.running);
        if name.as_deref().is_some_and(is_spared) {
            return None;
        }
        member.doomed = true;
        member.running.signal(signal);
        name
    }

    /// Freezes a process; returns the name of a worker.
    pub(super) fn freeze(&mut self, role: Role, steps: u64, random: &mut Random) -> Option<String> {
        let member = self.pick(role, random)?;
        member.frozen = steps;
        member.running.signal(Signal::SIGSTOP);
        name_of(&member.running)
    }

    /// The workers on a way to the broker.
    pub(super) fn workers_on(&self, way: usize) -> Vec<String> {
        let members = self.members.iter().filter(|member| member.way == way);
        members
            .filter_map(|member| name_of(&member.running))
            .collect()
    }

    /// A step passes: some thaw, whose names go to `thawed`, and who has ended is replaced. Returns endings that nothing
    /// explains.
    pub(super) fn step(&mut self, cluster: &TestCluster, thawed: &mut Vec<String>) -> Vec<String> {
        for member in &mut self.members {
            if member.frozen == 1 {
                member.running.signal(Signal::SIGCONT);
                thawed.extend(name_of(&member.running));
            }
            member.frozen = member.frozen.saturating_sub(1);
        }
        let mut unexplained = Vec::new();
        for mut member in std::mem::take(&mut self.members) {
            if !member.running.has_ended() {
                self.members.push(member);
                continue;
            }
            self.join(member.role, cluster);
            let outcome = member.running.finish();
            // A signal of ours, or the code of somebody who drained or was cut short.
            if !member.doomed || !matches!(outcome.status.code(), None | Some(0 | 3)) {
                unexplained.push(format!("{:?} ended: {}", member.role, outcome.transcript()));
            }
        }
        unexplained
    }

    /// Thaws all.
    pub(super) fn thaw(&mut self) {
        for member in &mut self.members {
            member.frozen = member.frozen.min(1);
        }
    }
}

/// The name that a worker chose.
fn name_of(worker: &Running) -> Option<String> {
    let said = worker.stderr();
    let (before, _) = said.split_once(" consumes datums")?;
    let (_, name) = before.rsplit_once("worker ")?;
    Some(name.to_owned())
}
