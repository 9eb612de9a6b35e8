//! kill -9 of a worker at the moments that matter: between upload, commit, report and ack.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use drover_tests::{Proxy, Spec, TestCluster, eventually, shared};

use crate::guarantees::{
    assert_all_succeed, assert_guarantees, gated_spec_except_first, wait_for_processed,
};

/// Datums of the jobs whose workers are killed after a commit.
const COUNT: usize = 12;

/// Files that a datum of the first test makes: uploading them takes long enough to be interrupted.
const FILES: usize = 1500;

#[test]
fn a_worker_killed_between_upload_and_commit_loses_nothing_and_leaves_no_half_output() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 6);
    let _service = cluster.serve();
    let script = format!(
        r#"i=0; while [ $i -lt {FILES} ]; do : > "/pfs/out/$DROVER_DATUM_INDEX.$i"; i=$((i+1)); done"#
    );
    // Repeated deaths with one datum look like poison, so the limit of tries is above their number.
    let many = Spec::new("made")
        .reads("in", "/*")
        .sh(&script)
        .set("datum_tries", 20);
    let id = cluster.publish(&many);
    let job = cluster.workspace.path(&format!(".drover/jobs/{id}"));
    let mut seen = BTreeSet::new();
    let mut caught = 0;
    for _ in 0..5 {
        let worker = cluster.worker_with("made", &["--slots", "1"]);
        let mut claim = String::new();
        eventually("an upload began", || {
            let new = claims(&job).into_iter().find(|claim| !seen.contains(claim));
            new.inspect(|new| claim.clone_from(new)).is_some()
        });
        worker.kill();
        seen.extend(claims(&job));
        caught += usize::from(!is_committed(&job, &claim));
    }
    assert!(caught > 0, "no worker was caught before its commit");
    let _survivor = cluster.worker("made");
    assert_all_succeed(&cluster, &id, 6);
    assert_eq!(cluster.workspace.tree("made").len(), 6 * FILES);
}

#[test]
fn a_worker_killed_between_commit_and_report_has_done_what_it_committed() {
    let (cluster, id) = killed_after_commit(Proxy::half_open, |_, _| ());
    assert_guarantees(&cluster, &id, COUNT);
}

#[test]
fn a_worker_killed_between_report_and_ack_has_done_what_it_committed() {
    let reported = |cluster: &TestCluster, id: &str| wait_for_processed(cluster, id, 2);
    let (cluster, id) = killed_after_commit(Proxy::mute, reported);
    let job = assert_guarantees(&cluster, &id, COUNT);
    assert!(job.0["redelivered"].as_u64() > Some(0), "{job:?}");
}

/// The worker commits while the network is spoiled, and is killed once that came to what is wanted. Nothing that was
/// committed may run again.
fn killed_after_commit(spoil: fn(&Proxy), wanted: fn(&TestCluster, &str)) -> (TestCluster, String) {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", COUNT);
    let _service = cluster.serve();
    let proxy = Proxy::to(shared().port());
    let worker = cluster.worker_at(&proxy.way_to(cluster.url()), "made");
    let id = cluster.publish(&gated_spec_except_first());
    cluster.wait_for_lines("runs", 3);
    wait_for_processed(&cluster, &id, 1);
    spoil(&proxy);
    cluster.workspace.open_gate("gate");
    let job = cluster.workspace.path(&format!(".drover/jobs/{id}"));
    eventually("it committed", || commit_files(&job).len() >= 3);
    wanted(&cluster, &id);
    worker.kill();
    proxy.cut();
    let committed: Vec<_> = commit_files(&job).iter().map(|file| index(file)).collect();
    let _next = cluster.worker("made");
    cluster.wait(&id);
    let runs = cluster.workspace.tally("runs");
    for index in committed {
        assert_eq!(runs[&index], 1, "datum {index} was committed and ran again");
    }
    (cluster, id)
}

/// The index in the name of a commit.
fn index(file: &Path) -> String {
    let name = file.file_stem().expect("a commit has a name");
    let number: u64 = name
        .to_str()
        .and_then(|name| name.parse().ok())
        .expect("a number");
    number.to_string()
}

/// The claims that have staged files.
fn claims(job: &Path) -> BTreeSet<String> {
    let names = names(&job.join("staged"));
    let claims = names
        .iter()
        .filter_map(|name| Some(name.rsplit_once('.')?.0));
    claims.map(ToOwned::to_owned).collect()
}

fn is_committed(job: &Path, claim: &str) -> bool {
    let staged = format!("\"{claim}\"");
    commit_files(job)
        .iter()
        .any(|file| fs::read_to_string(file).is_ok_and(|verdict| verdict.contains(&staged)))
}

fn commit_files(job: &Path) -> Vec<PathBuf> {
    let folder = job.join("commits");
    let shards = names(&folder).into_iter().map(|shard| folder.join(shard));
    shards
        .flat_map(|shard| {
            names(&shard)
                .into_iter()
                .map(move |name| shard.join(name))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Empty where there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
