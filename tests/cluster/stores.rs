//! Several stores and one vhost: the datums of a store are its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use drover_tests::{Signal, TestCluster, eventually, is_root};

use crate::guarantees::{assert_guarantees, gated_spec, recording_spec};

#[test]
fn a_second_store_with_a_pipeline_of_the_same_name_is_refused_with_the_way_out() {
    let first = TestCluster::new();
    let second = TestCluster::at(first.url().to_owned());
    for cluster in [&first, &second] {
        cluster.workspace.numbered_files("in", 20);
    }
    let _service = first.serve();
    let id = first.publish(&gated_spec());
    let _worker = first.worker("made");
    first.wait_for_lines("runs", 2);
    let spec = second.workspace.spec(&recording_spec());
    let refused = second.call(&["publish", &spec]).code(4);
    let text = refused.transcript();
    assert!(
        text.contains("belong to the store") && text.contains("vhost"),
        "{text}"
    );
    assert_eq!(
        second.call(&["jobs"]).code(0).stdout,
        "",
        "no job is left behind"
    );
    first.workspace.open_gate("gate");
    assert_guarantees(&first, &id, 20);
}

#[test]
fn a_worker_without_its_mount_takes_no_datum_and_says_why_until_the_store_is_there() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 30);
    let _service = cluster.serve();
    let id = cluster.publish(&recording_spec());
    let mount = cluster.workspace.outside("mount");
    fs::create_dir(&mount).expect("the workspace is writable");
    let mut command = cluster.worker_command(cluster.url(), "made", &["--slots", "2"]);
    command.env("DROVER_STORE", &mount);
    let mut lost = cluster.workspace.start_command(command);
    eventually("the worker says that its store is another one", || {
        lost.stderr().contains("check --store and its mount")
    });
    assert_eq!(cluster.job(&id).count("failed"), 0);
    if !is_root() {
        return; // nobody else can mount the store
    }
    let mut bind = Command::new("mount");
    bind.arg("--bind")
        .arg(cluster.workspace.store())
        .arg(&mount);
    assert!(bind.status().expect("mount is there").success());
    let _mounted = Mounted(mount);
    assert_guarantees(&cluster, &id, 30);
    assert!(!lost.has_ended(), "{}", lost.stderr());
    lost.signal(Signal::SIGTERM);
    lost.finish().code(0);
}

/// A mount, until the test ends.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
