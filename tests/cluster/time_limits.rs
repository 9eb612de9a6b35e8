//! No command outlives its time limit, whatever state the broker and the store are in.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use drover_tests::{Rabbit, Running, Spec, TestCluster, is_root, shared};

use crate::store::Disk;

/// Time for a command to reach the broker.
const CONNECT_TIMEOUT: &str = "1s";

/// Beyond the 20 s that `stop` waits for a coordinator, and its time to ask the broker, there is only a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A job that nobody runs, for every command to look at and to change.
struct Bystander {
    cluster: TestCluster,
    job: String,
}

impl Bystander {
    fn of(cluster: TestCluster) -> Self {
        cluster.workspace.numbered_files("in", 3);
        for name in ["paused", "deleted", "updated"] {
            cluster
                .call(&["create", "pipeline", "-f", &registered(&cluster, name)])
                .code(0);
        }
        let job = cluster.publish(&spec("made"));
        Self { cluster, job }
    }

    /// Fails unless all commands end in time, each with a documented exit code and, if it failed, with a reason.
    fn assert_that_all_commands_end(&self, state: &str, broker: &str) {
        let Self { cluster, job } = self;
        let (file, again) = (
            cluster.workspace.spec(&spec("made")),
            registered(cluster, "updated"),
        );
        let commands: &[&[&str]] = &[
            &["jobs"],
            &["job", job],
            &["datums", job],
            &["logs", job],
            &["explain", job],
            &["report", job],
            &["wait", "--timeout", "1s", job],
            &["plan", &file],
            &["pipelines"],
            &["limit"],
            &["limit", "licences", "--running", "3"],
            &["verify", "made"],
            &["du"],
            &["gc"],
            &["put", "in/", &file],
            &["publish", &file],
            &["publish", "--key", "nightly", &file],
            &["publish", "--wait", "--timeout", "1s", &file],
            &["create", "pipeline", "-f", &file],
            &["update", "pipeline", "-f", &again],
            &["pause", "pipeline", "paused"],
            &["resume", "pipeline", "paused"],
            &["delete", "pipeline", "deleted"],
            &["redo", "made"],
            &["retry", "--no-wait", job],
            &["stop", "--no-wait", job],
            &["stop", job],
        ];
        let begun = Instant::now();
        let mut running: Vec<(&[&str], Running)> = commands
            .iter()
            .map(|args| {
                let options = ["--broker", broker, "--connect-timeout", CONNECT_TIMEOUT];
                (*args, cluster.start(&[*args, &options].concat()))
            })
            .collect();
        while !running.iter_mut().all(|(_, command)| command.has_ended()) {
            if begun.elapsed() > DEADLINE {
                running.retain_mut(|(_, command)| !command.has_ended());
                let late: Vec<_> = running.iter().map(|(args, _)| args).collect();
                panic!("{state}: not ended after {DEADLINE:?}: {late:?}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        for (args, command) in running {
            let outcome = command.finish();
            let told = outcome.transcript();
            let code = outcome.status.code();
            assert!(matches!(code, Some(0..=5)), "{state}: {args:?}: {told}");
            let is_explained = code == Some(0) || !told.trim().is_empty();
            assert!(is_explained, "{state}: {args:?} fails without a reason");
        }
    }
}

fn spec(name: &str) -> Spec {
    Spec::new(name).reads("in", "/*").cmd(&["true"])
}

fn registered(cluster: &TestCluster, name: &str) -> String {
    let text = spec(name).0.to_string();
    cluster.workspace.spec_text(&format!("{name}.json"), &text)
}

#[test]
fn without_a_broker_that_serves_every_command_ends_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("an address").port();
    let alarmed = Rabbit::start();
    thread::scope(|scope| {
        scope.spawn(|| {
            let all = Bystander::of(TestCluster::new());
            all.assert_that_all_commands_end("no broker", "amqp://127.0.0.1:1");
        });
        scope.spawn(|| {
            let all = Bystander::of(TestCluster::new());
            all.assert_that_all_commands_end(
                "a frozen broker",
                &format!("amqp://127.0.0.1:{port}"),
            );
        });
        scope.spawn(|| {
            let all = Bystander::of(TestCluster::at(alarmed.vhost()));
            alarmed.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
            all.assert_that_all_commands_end("an alarm", all.cluster.url());
        });
        scope.spawn(|| {
            let all = Bystander::of(TestCluster::new());
            let (_, vhost) = all.cluster.url().rsplit_once('/').expect("a vhost");
            shared().stop_queues(vhost);
            all.assert_that_all_commands_end("no quorum", all.cluster.url());
        });
    });
}

#[test]
fn on_a_store_that_cannot_be_written_every_command_ends_in_time() {
    if !is_root() {
        return; // nobody else can make a disk
    }
    thread::scope(|scope| {
        for (state, spoil) in [
            ("a full store", Disk::fill as fn(&Disk)),
            ("a read-only store", Disk::make_read_only),
        ] {
            scope.spawn(move || {
                let cluster = TestCluster::new();
                let disk = Disk::mount(cluster.workspace.store());
                let all = Bystander::of(cluster);
                spoil(&disk);
                all.assert_that_all_commands_end(state, all.cluster.url());
            });
        }
    });
}
