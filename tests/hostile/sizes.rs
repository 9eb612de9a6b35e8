//! Commands that leave more than they should.

use std::os::unix::fs::MetadataExt;

use drover_tests::{Spec, TestCluster, eventually};
use serde_json::{Value, json};

use crate::attacker::{SANDBOXES, User, attack, cluster_of, worker};

/// All combinations of five files out of four hundred: 10^13 datums.
fn all_combinations() -> Value {
    let file = |name: &str| json!({"pfs": {"repo": "in", "name": name, "glob": "/*"}});
    let each = ["a", "b", "c", "d", "e"].map(file);
    json!({ "cross": each })
}

#[test]
fn more_datums_than_allowed_are_refused_by_name_however_a_job_is_submitted() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 400);
    let service = cluster.serve();
    let spec = |name| Spec::new(name).set("input", all_combinations());
    let published = cluster.publish(&spec("published"));
    let registered = cluster.workspace.spec(&spec("registered"));
    cluster
        .call(&["create", "pipeline", "-f", &registered])
        .code(0);
    let job = cluster.wait(&published);
    assert_eq!(job.state(), "failure", "{job:?}");
    let told = cluster.call(&["explain", &published]).code(0).stdout;
    assert!(
        told.contains("max_datums") && told.contains("10000000"),
        "{told}"
    );
    // Inputs that make no job start none.
    eventually("the service tells of the registered pipeline", || {
        let told = service.stderr();
        told.contains("registered waits: ") && told.contains("max_datums")
    });
    let jobs = cluster.call(&["jobs", "--pipeline", "registered"]);
    assert_eq!(jobs.code(0).stdout, "");
}

#[test]
fn sparse_outputs_stay_sparse() {
    for sandbox in SANDBOXES {
        let cluster = cluster_of(User::Same);
        cluster.workspace.numbered_files("in", 1);
        let _service = cluster.serve();
        let _worker = worker(&cluster, sandbox);
        let script = r#"truncate -s 64M "$out/sparse"; echo end >> "$out/sparse""#;
        let job = cluster.wait(&cluster.publish(&attack(&cluster, script)));
        assert_eq!(job.state(), "success", "{sandbox}: {job:?}");
        let file = std::fs::metadata(cluster.workspace.path("made/sparse"));
        let file = file.expect("it was published");
        assert_eq!(file.len(), (64 << 20) + 4, "{sandbox}");
        let allocated = file.blocks() * 512;
        assert!(allocated < 1 << 20, "{sandbox}: {allocated} bytes");
    }
}

#[test]
fn directories_without_end_fail_their_datum_by_name() {
    for sandbox in SANDBOXES {
        let cluster = cluster_of(User::Same);
        cluster.workspace.numbered_files("in", 1);
        let _service = cluster.serve();
        let _worker = worker(&cluster, sandbox);
        let script = r#"
            python3 -c 'import os
os.chdir("'"$out"'")
for _ in range(3000): os.mkdir("d"); os.chdir("d")'; true"#;
        let spec = attack(&cluster, script).set("datum_timeout", "60s");
        let id = cluster.publish(&spec);
        let job = cluster.wait(&id);
        assert_eq!(job.counts(), "1: 1 failed", "{sandbox}: {job:?}");
        let told = cluster.call(&["explain", &id]).code(0).stdout;
        assert!(told.contains("deep"), "{sandbox}: {told}");
    }
}
