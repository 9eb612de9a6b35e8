//! Commands that leave more than they should.

use std::os::unix::fs::MetadataExt;

use crate::attacker::{SANDBOXES, User, attack, cluster_of, worker};

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
