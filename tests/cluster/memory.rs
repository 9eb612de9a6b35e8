//! Memory across machines: a datum that is too large for one worker is left to a larger one.

use std::process::Command;

use drover_tests::{Spec, TestCluster, is_root};

const HOLD: &str = r#"echo >> "$OUTSIDE/started"
    (head -c "$(cat "$in")M" /dev/zero; sleep 0.5) | tail -n 1 | wc -c > "/pfs/out/$(basename "$in")""#;

#[test]
fn a_datum_that_is_too_large_for_a_worker_is_left_to_a_larger_one() {
    let cluster = TestCluster::new();
    for (name, megabytes) in [("a", "300"), ("b", "20"), ("c", "20"), ("d", "20")] {
        cluster.workspace.file(&format!("in/{name}"), megabytes);
    }
    let _service = cluster.serve();
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    let small = ["--slots", "1", "--memory", "150M"];
    let _small = cluster.worker_with("made", &small);
    let id = cluster.publish(&spec);
    cluster.wait_for_lines("started", 1);
    let _other = cluster.worker_with("made", &small);
    let _large = cluster.worker_with("made", &["--slots", "1", "--memory", "700M"]);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "4: 4 processed", "{}", job.reason());
}

#[test]
fn a_datum_that_is_too_large_for_every_worker_fails_with_the_reason() {
    let cluster = TestCluster::new();
    cluster.workspace.file("in/a", "300");
    let _service = cluster.serve();
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    let _small = cluster.worker_with("made", &["--slots", "1", "--memory", "100M"]);
    let _larger = cluster.worker_with("made", &["--slots", "1", "--memory", "200M"]);
    let id = cluster.publish(&spec);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "1: 1 failed");
    let datums = cluster.call(&["datums", &id, "--output", "json"]).lines();
    let reason = datums[0]["reason"].to_string();
    assert!(reason.contains("the largest worker has 200 MB"), "{reason}");
}

/// Megabytes of the hogs, each more than an equal part of a worker; the others need little.
const HOGS: [&str; 3] = ["250", "260", "270"];
const INNOCENTS: usize = 12;

#[test]
fn hogs_harm_no_innocent_and_no_worker() {
    hogs_among_innocents(&TestCluster::new(), true);
}

#[test]
fn hogs_of_an_ordinary_user_harm_no_innocent_and_no_worker() {
    hogs_among_innocents(&TestCluster::of_ordinary_user(), true);
}

#[test]
fn hogs_without_control_groups_harm_no_innocent_and_no_worker() {
    if is_root() {
        hogs_among_innocents(&TestCluster::new(), false);
    }
}

/// The command in a mount namespace that hides all control groups.
fn without_control_groups(command: &Command) -> Command {
    let hide = r#"mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@""#;
    let mut hidden = Command::new("unshare");
    hidden.args(["--mount", "sh", "-c", hide]);
    hidden.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => hidden.env(name, value),
            None => hidden.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        hidden.current_dir(directory);
    }
    hidden
}

fn hogs_among_innocents(cluster: &TestCluster, may_have_groups: bool) {
    for number in 0..INNOCENTS {
        cluster.workspace.file(&format!("in/{number:02}"), "20");
    }
    for (number, megabytes) in HOGS.iter().enumerate() {
        cluster
            .workspace
            .file(&format!("in/hog-{number}"), megabytes);
    }
    let _service = cluster.serve();
    let mut workers = [(); 3].map(|()| {
        let sizes = ["--slots", "3", "--memory", "300M"];
        let command = cluster.worker_command(cluster.url(), "made", &sizes);
        let command = if may_have_groups {
            command
        } else {
            without_control_groups(&command)
        };
        cluster.workspace.start_command(command)
    });
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    let id = cluster.publish(&spec);
    let job = cluster.wait(&id);
    assert_eq!(job.counts(), "15: 15 processed", "{}", job.reason());
    assert!(workers.iter_mut().all(|worker| !worker.has_ended()));
    let datums = cluster.call(&["datums", &id, "--output", "json"]).lines();
    for datum in &datums[..INNOCENTS] {
        assert_eq!(datum["attempts"], 1, "an innocent is charged: {datum}");
    }
}
