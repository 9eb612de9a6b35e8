//! A cluster under disturbance: steps of trouble, then peace, in which everything is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use drover_tests::{Proxy, Random, Running, Signal, Spec, TestCluster};

use super::broker::ChaosBroker;
use super::fault::ClusterFault;
use super::figures::{Figures, Notes};
use super::journal::{self, begins, times_begun};
use super::long_job;
use super::processes::{Processes, Role};
use super::repetitions::{Harm, HarmKind, by_kind, repetitions};
use crate::counters::Counters;

/// Notes its begin and its end, takes a moment but for the quick ones, holds much memory for a hog, and copies the file.
const COMMAND: &str = r#"
    read -r content < "$in"; read -r now idle < /proc/uptime; echo "$content $DROVER_WORKER $now" >> "$OUTSIDE/begun"
    case $content in quick*) ;; hog*) (head -c 330M /dev/zero; sleep 0.3) | tail -n 1 > /dev/null ;; *[147].*) sleep 0.4 ;; *) sleep 0.05 ;; esac
    cp "$in" /pfs/out/; echo "$content" >> /pfs/out/common; echo "$content $DROVER_WORKER" >> "$OUTSIDE/ended""#;

/// Proxies to the broker with faults; a further connection goes straight to the broker.
const WAYS: usize = 2;
/// The reason of a job whose leader died during the expansion, and whose inputs were not the same for the next leader.
const MOVED: &str = "its inputs changed before all its datums were known; run it again";
/// Input files, at most.
const FILES: u64 = 1000;
/// Input files besides that take no time: enough for workers to hold many of them.
const QUICK: u64 = 500;
/// Input files besides of which two need more memory than a worker has.
const HOGS: u64 = 4;
/// The beginning of the content of a hog, which runs again after an end for want of memory.
const HOG: &str = "hog-";

/// The cluster. The processes come before the broker and the store, so that the processes are dropped first.
pub(crate) struct ChaosScenario {
    processes: Processes,
    errands: Vec<Running>,
    cluster: TestCluster,
    ways: [BrokerLink; WAYS],
    broker: ChaosBroker,
    /// The content of each input file; no content comes twice.
    inputs: BTreeMap<String, String>,
    versions: u64,
    /// The datums that ended jobs called done, and which job it was.
    acknowledged: BTreeMap<String, String>,
    /// Jobs whose end was looked at.
    seen: BTreeSet<String>,
    notes: Notes,
    duplicated: u64,
    unexpected: u64,
    innocents: u64,
    /// Repetitions that were printed.
    told: usize,
    /// The rounds of long datums; none without them.
    long_rounds: Option<u64>,
}

struct BrokerLink {
    proxy: Proxy,
    /// Steps until the proxy is repaired; 0 when the proxy works.
    spoiled: u64,
    /// The workers that were on the way when the fault began.
    workers: Vec<String>,
}

impl ChaosScenario {
    /// Starts a broker of so many nodes and all processes, with long datums if there is time for them.
    pub(crate) fn start(nodes: usize, has_long: bool) -> Self {
        let broker = ChaosBroker::start(nodes);
        let cluster = TestCluster::at(broker.url());
        let ways: [_; WAYS] = std::array::from_fn(|number| BrokerLink {
            proxy: Proxy::to(broker.node(number).port()),
            spoiled: 0,
            workers: Vec::new(),
        });
        let url = |(number, way): (usize, &BrokerLink)| {
            let direct = broker.node(number).first_vhost();
            way.proxy.way_to(&direct)
        };
        let mut urls: Vec<_> = ways.iter().enumerate().map(url).collect();
        urls.push(cluster.url().to_owned());
        for url in &mut urls {
            url.push_str("?heartbeat=3");
        }
        let mut scenario = Self {
            processes: Processes::new(&cluster, urls, has_long),
            errands: Vec::new(),
            cluster,
            ways,
            broker,
            inputs: BTreeMap::new(),
            versions: 0,
            acknowledged: BTreeMap::new(),
            seen: BTreeSet::new(),
            notes: Notes::default(),
            duplicated: 0,
            unexpected: 0,
            innocents: 0,
            told: 0,
            long_rounds: has_long.then_some(0),
        };
        for number in 0..100 {
            scenario.write(&format!("{number:03}"));
        }
        scenario
    }

    /// Some steps of trouble, then peace. The counters are those since the start.
    pub(crate) fn play(&mut self, steps: usize, random: &mut Random) -> Counters {
        self.change(random);
        self.publish();
        self.begin_long();
        for _ in 0..steps {
            sleep(Duration::from_millis(100 + random.below(900)));
            let fault = ClusterFault::any(random);
            println!("{:.1}: {fault:?}", journal::now());
            self.befall(fault, random);
            self.step();
        }
        self.make_peace();
        self.settle()
    }

    fn befall(&mut self, fault: ClusterFault, random: &mut Random) {
        let steps = 1 + random.below(8);
        match fault {
            ClusterFault::Kill(role) => {
                let moment = journal::now();
                let (notes, workspace) = (&self.notes, &self.cluster.workspace);
                let is_spared = |worker: &str| {
                    let ran = journal::running(workspace, worker);
                    let deaths = ran.iter().map(|content| notes.deaths(content));
                    role == Role::LongWorker && deaths.max().unwrap_or(0) >= long_job::DEATHS
                };
                let ended = self.processes.end(role, Signal::SIGKILL, is_spared, random);
                if let Some(worker) = ended {
                    let ran = journal::running(&self.cluster.workspace, &worker);
                    let cut_off = ran.into_iter().map(|content| (content, moment));
                    self.notes.cut_off.extend(cut_off);
                    self.notes.harm(HarmKind::Killed, Some(worker));
                }
            }
            ClusterFault::Terminate(role) => {
                let ended = self.processes.end(role, Signal::SIGTERM, |_| false, random);
                if let Some(worker) = ended {
                    self.notes.harm(HarmKind::Terminated, Some(worker));
                }
            }
            ClusterFault::Freeze(role) => {
                if let Some(worker) = self.processes.freeze(role, 2 * steps, random) {
                    self.notes.begin_harm(HarmKind::Frozen, Some(worker));
                }
            }
            ClusterFault::RestartBroker => self.without_broker(|broker| broker.restart(random)),
            ClusterFault::KillBroker => self.without_broker(|broker| broker.kill(random)),
            ClusterFault::EmptyBroker => self.without_broker(ChaosBroker::lose_everything),
            ClusterFault::Disconnect => self.disconnect(random),
            ClusterFault::Cut => self.spoil(Proxy::cut, steps, random),
            ClusterFault::HalfOpen => self.spoil(Proxy::half_open, 2 * steps, random),
            ClusterFault::Slow => self.spoil(|proxy| proxy.throttle(10_000), steps, random),
            ClusterFault::Mute => self.spoil(Proxy::mute, steps.min(3), random),
            ClusterFault::Publish => {
                self.add(random);
                self.publish();
            }
            ClusterFault::KillPublisher => {
                let publisher = self.publisher();
                sleep(Duration::from_millis(random.below(150)));
                publisher.kill();
            }
            ClusterFault::Stop => {
                self.notes.harm(HarmKind::JobStopped, None);
                self.errands.push(self.cluster.start(&["stop", "last"]));
            }
        }
    }

    /// Ends nodes of the broker, which come back.
    fn without_broker(&mut self, end_and_start: impl FnOnce(&ChaosBroker)) {
        let from = journal::now();
        end_and_start(&self.broker);
        let until = journal::now();
        self.notes.mended.push(until);
        self.notes.harms.push(Harm {
            from,
            ..Harm::at(HarmKind::BrokerLost, None, until)
        });
    }

    /// Breaks the connections on a way, which is well again at once.
    fn disconnect(&mut self, random: &mut Random) {
        let number = random.index(WAYS);
        let way = &self.ways[number];
        if way.spoiled > 0 {
            return;
        }
        for worker in self.processes.workers_on(number) {
            self.notes.harm(HarmKind::Disconnected, Some(worker));
        }
        self.notes.harm(HarmKind::Requeued, None);
        way.proxy.cut();
        way.proxy.restore();
        self.notes.mended.push(journal::now());
    }

    fn spoil(&mut self, spoil: impl Fn(&Proxy), steps: u64, random: &mut Random) {
        let number = random.index(WAYS);
        let way = &mut self.ways[number];
        if way.spoiled == 0 {
            way.spoiled = steps;
            way.workers = self.processes.workers_on(number);
            for worker in way.workers.clone() {
                self.notes.begin_harm(HarmKind::Disconnected, Some(worker));
            }
            self.notes.begin_harm(HarmKind::Requeued, None);
            spoil(&way.proxy);
        }
    }

    /// A step passes.
    fn step(&mut self) {
        for way in &mut self.ways {
            if way.spoiled == 1 {
                // Swallowed bytes never arrive.
                way.proxy.cut();
                way.proxy.restore();
                self.notes.mended.push(journal::now());
                for worker in std::mem::take(&mut way.workers) {
                    let worker = Some(worker.as_str());
                    self.notes.end_harm(HarmKind::Disconnected, worker);
                }
                self.notes.end_harm(HarmKind::Requeued, None);
            }
            way.spoiled = way.spoiled.saturating_sub(1);
        }
        let mut thawed = Vec::new();
        for problem in self.processes.step(&self.cluster, &mut thawed) {
            self.wonder(&problem);
        }
        for worker in thawed {
            self.notes.end_harm(HarmKind::Frozen, Some(&worker));
        }
        let errands = std::mem::take(&mut self.errands);
        for mut errand in errands {
            if errand.has_ended() {
                self.judge(errand);
            } else {
                self.errands.push(errand);
            }
        }
    }

    /// All faults are repaired, all processes run.
    fn make_peace(&mut self) {
        for way in &mut self.ways {
            way.spoiled = way.spoiled.min(1);
        }
        self.processes.thaw();
        self.step();
        for errand in std::mem::take(&mut self.errands) {
            self.judge(errand);
        }
    }

    /// `stop` finds the last job in any state, also in none.
    fn judge(&mut self, errand: Running) {
        let outcome = errand.finish();
        if !matches!(outcome.status.code(), Some(0..=3)) {
            self.wonder(&format!("an errand: {}", outcome.transcript()));
        }
    }

    fn wonder(&mut self, problem: &str) {
        println!("unexpected: {problem}");
        self.unexpected += 1;
    }

    fn publisher(&mut self) -> Running {
        self.publisher_of(&spec())
    }

    fn publisher_of(&mut self, spec: &Spec) -> Running {
        self.notes.published.push(journal::now());
        let spec = self.cluster.workspace.spec(spec);
        self.cluster.start(&["publish", &spec])
    }

    fn publish(&mut self) -> Option<String> {
        self.publish_job(&spec())
    }

    /// Publishes new long datums, if there are to be any.
    fn begin_long(&mut self) {
        if let Some(round) = &mut self.long_rounds {
            *round += 1;
            long_job::renew_inputs(&self.cluster, *round);
            self.publish_job(&long_job::spec());
        }
    }

    /// Waits for the long datums, and compares.
    fn settle_long(&mut self) -> u64 {
        let Some(round) = self.long_rounds else {
            return 0;
        };
        if let Some(last) = self.publish_job(&long_job::spec()) {
            long_job::wait(&self.cluster, &last);
        }
        long_job::wrong(&self.cluster, round)
    }

    fn publish_job(&mut self, spec: &Spec) -> Option<String> {
        let outcome = self.publisher_of(spec).finish();
        if outcome.status.code() == Some(0) {
            return Some(outcome.stdout.trim().to_owned());
        }
        self.wonder(&format!("publish: {}", outcome.transcript()));
        None
    }

    /// Writes an input atomically: a listing sees the whole input or nothing.
    fn write(&mut self, name: &str) {
        self.versions += 1;
        let content = format!("{name}.{}", self.versions);
        let draft = self.cluster.workspace.outside("draft");
        let path = self.cluster.workspace.path(&format!("in/{name}"));
        fs::create_dir_all(path.parent().expect("it lies in a repo")).expect("it is writable");
        fs::write(&draft, format!("{content}\n")).expect("the workspace is writable");
        fs::rename(&draft, path).expect("it is one file system");
        self.inputs.insert(name.to_owned(), content);
    }

    /// Adds some inputs, which may be done while jobs run.
    fn add(&mut self, random: &mut Random) {
        for _ in 0..20 + random.below(40) {
            let name = format!("{:03}", random.below(FILES));
            if !self.inputs.contains_key(&name) {
                self.write(&name);
            }
        }
    }

    /// Changes and removes some inputs, while no job runs.
    fn change(&mut self, random: &mut Random) {
        for _ in 0..100 {
            let name = format!("{:03}", random.below(FILES));
            if random.below(2) == 0 && self.inputs.remove(&name).is_some() {
                self.cluster.workspace.remove(&format!("in/{name}"));
            } else {
                self.write(&name);
            }
        }
        for number in 0..QUICK {
            self.write(&format!("quick-{number:03}"));
        }
        for number in 0..HOGS {
            self.write(&format!("{HOG}{number}"));
        }
    }

    /// Publishes in peace, waits for the end of everything, and compares.
    fn settle(&mut self) -> Counters {
        if let Some(last) = self.publish() {
            self.cluster.wait(&last);
        }
        let wrong = self.wrong() + self.settle_long();
        self.look_at_jobs();
        let begins = begins(&self.cluster.workspace);
        let times = times_begun(&begins);
        println!("{}", Figures::of(&self.notes, &begins, times.len()));
        let others = begins.iter().filter(|it| !it.content.starts_with(HOG));
        let others: Vec<_> = others.cloned().collect();
        let repeated = repetitions(&others, &self.notes.harms);
        for repetition in repeated.iter().skip(self.told) {
            println!("{repetition}");
        }
        println!("repetitions by cause: {:?}", by_kind(&repeated));
        let unexplained = repeated.iter().filter(|each| each.harm.is_none()).count() as u64;
        self.told = repeated.len();
        let again = |content: &&String| times.get(content.as_str()).is_some_and(|times| *times > 1);
        Counters {
            attempted: begins.len() as u64,
            acknowledged: self.acknowledged.len() as u64,
            ok: self.inputs.len() as u64 + 1 - wrong,
            lost: wrong,
            recovered: self.inputs.values().filter(again).count() as u64,
            unexpected: self.unexpected,
            innocents: self.innocents,
            unexplained,
            duplicated: self.duplicated,
        }
    }

    /// Every job succeeded, was stopped or could not be expanded by its second leader; no job repeated the finished work of another job.
    fn look_at_jobs(&mut self) {
        let jobs = self.cluster.call(&["jobs", "--output", "json"]).code(0);
        for job in jobs.lines() {
            let id = job["job"].as_str().expect("a record has an id").to_owned();
            let is_expected = matches!(job["state"].as_str(), Some("success" | "killed"));
            if !is_expected && job["reason"] != MOVED {
                self.wonder(&format!("a job: {job}"));
            }
            if self.seen.insert(id.clone()) {
                self.innocents += job["datums"]["failed"].as_u64().unwrap_or_default();
                self.acknowledge(&id);
            }
        }
    }

    fn acknowledge(&mut self, job: &str) {
        let args = ["datums", job, "--output", "json", "--state", "success"];
        for datum in self.cluster.call(&args).code(0).lines() {
            let id = datum["datum"].as_str().expect("a datum has an id");
            let earlier = self.acknowledged.insert(id.to_owned(), job.to_owned());
            if let Some(earlier) = earlier {
                println!("twice, in {earlier} and {job}: {datum}");
                self.duplicated += 1;
            }
        }
    }

    /// How many outputs are not what an undisturbed run makes of the inputs.
    fn wrong(&self) -> u64 {
        let line = |content: &String| format!("{content}\n");
        let mut expected: BTreeMap<_, _> = self
            .inputs
            .iter()
            .map(|(name, content)| (name.clone(), line(content)))
            .collect();
        let common = self.inputs.values().map(line).collect();
        expected.insert("common".to_owned(), common);
        let wrong = self.cluster.workspace.tree("made").differences(&expected);
        for path in &wrong {
            println!("wrong: {path}");
        }
        wrong.len() as u64
    }
}

/// So many tries that who is killed by chance, again and again, is not taken for poison.
fn spec() -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh(COMMAND)
        .set("datum_tries", 50)
}
