//! The store of a cluster is slow, fails, refuses or is full: no innocent fails, and everything goes on when it is mended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use drover_tests::s3::{Fault, FaultKind, S3};
use drover_tests::{TestCluster, eventually, is_root};

use crate::guarantees::{
    assert_all_succeed, assert_guarantees, assert_output, gated_spec, recording_spec,
};

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "HEAD", "DELETE"];

#[test]
fn a_slow_bucket_makes_a_job_slow_and_nothing_else() {
    let trouble = |s3: &S3| harm(s3, "", &FaultKind::Delay(Duration::from_millis(100)));
    on_a_bucket(trouble, |s3| was_asked(s3, "", 60));
}

#[test]
fn a_bucket_that_fails_for_a_while_fails_no_datum() {
    let trouble = |s3: &S3| harm(s3, "", &FaultKind::Answer(503, "SlowDown"));
    on_a_bucket(trouble, |s3| was_asked(s3, "", 40));
}

#[test]
fn a_bucket_that_resets_connections_for_a_while_fails_no_datum() {
    on_a_bucket(
        |s3| harm(s3, "", &FaultKind::Close),
        |s3| was_asked(s3, "", 40),
    );
}

#[test]
fn a_bucket_that_refuses_uploads_for_a_while_fails_no_datum() {
    let trouble = |s3: &S3| harm(s3, "/staged/", &FaultKind::Answer(403, "AccessDenied"));
    on_a_bucket(trouble, |s3| was_asked(s3, "/staged/", 3));
}

#[test]
fn a_bucket_that_refuses_commits_for_a_while_fails_no_datum() {
    let trouble = |s3: &S3| harm(s3, "/commits/", &FaultKind::Answer(403, "AccessDenied"));
    on_a_bucket(trouble, |s3| was_asked(s3, "/commits/", 3));
}

/// A job meets `trouble` in the middle, which ends after `enough`.
fn on_a_bucket(trouble: impl Fn(&S3), enough: impl Fn(&S3)) {
    let s3 = S3::start();
    let cluster = TestCluster::on_bucket(&s3);
    s3.put_numbered("cluster/in", 20);
    let _service = cluster.serve();
    let _worker = cluster.worker("made");
    let id = cluster.publish(&gated_spec());
    cluster.wait_for_lines("runs", 2);
    trouble(&s3);
    cluster.workspace.open_gate("gate");
    enough(&s3);
    s3.heal();
    assert_all_succeed(&cluster, &id, 20);
    assert_output(&s3.tree("cluster/made"), 20);
}

fn harm(s3: &S3, part: &str, harm: &FaultKind) {
    for method in METHODS {
        s3.harm(Fault::on(method, part, harm.clone()));
    }
}

fn was_asked(s3: &S3, part: &str, times: usize) {
    let before = s3.requests(&[part]).len();
    eventually("it was asked often enough", || {
        s3.requests(&[part]).len() >= before + times
    });
}

#[test]
fn a_full_disk_fails_no_datum_and_everything_goes_on_when_there_is_room() {
    if !is_root() {
        return; // nobody else can make a disk
    }
    let cluster = TestCluster::new();
    let disk = Disk::mount(cluster.workspace.store());
    cluster.workspace.numbered_files("in", 20);
    let mut service = cluster.serve();
    // Commands have room all the while; what is full is the store.
    let scratch = cluster.workspace.outside("scratch");
    let scratch = scratch.to_str().expect("a temporary path is UTF-8");
    let mut worker = cluster.worker_with("made", &["--slots", "2", "--scratch", scratch]);
    let id = cluster.publish(&gated_spec());
    cluster.wait_for_lines("runs", 2);
    disk.fill();
    cluster.workspace.open_gate("gate");
    eventually("it is told that no space is left", || {
        worker.stderr().contains("no space left")
    });
    let told = cluster.call(&["explain", &id]).code(0).stdout;
    assert!(told.contains("cannot write to the store"), "{told}");
    assert!(!told.contains("No process coordinates"), "{told}");
    disk.make_room();
    assert_guarantees(&cluster, &id, 20);
    let next = cluster.wait(&cluster.publish(&recording_spec()));
    assert_eq!(next.count("failed"), 0);
    assert!(!worker.has_ended() && !service.has_ended());
}

/// A small disk of the test's own.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn mount(folder: PathBuf) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "none"]);
        let status = mount.arg(&folder).status().expect("mount is there");
        assert!(status.success(), "{} cannot be mounted", folder.display());
        Self(folder)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    pub(crate) fn make_read_only(&self) {
        let mut mount = Command::new("mount");
        let status = mount.args(["-o", "remount,ro"]).arg(&self.0).status();
        assert!(status.is_ok_and(|status| status.success()), "a remount");
    }

    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("the disk is writable");
        let filled = std::io::copy(&mut std::io::repeat(0), &mut ballast);
        assert!(filled.is_err(), "an endless disk");
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it was made");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
