//! Attacks by commands of a worker whose store is a bucket.

use std::fs;

use drover_tests::TestCluster;
use drover_tests::s3::S3;

use crate::attacker::{SANDBOXES, attack, worker_command};

#[test]
fn credentials_of_a_bucket_and_the_scratch_of_others_are_out_of_reach() {
    for sandbox in SANDBOXES {
        let s3 = S3::start();
        s3.put_numbered("cluster/in", 2);
        let cluster = TestCluster::on_bucket(&s3);
        let secret = s3.secret();
        let script = format!(
            r#"
            cat /proc/[0-9]*/environ | tr '\0' '\n' | grep -q {secret} && found "reads the environment of Drover"
            env | grep -q -e {secret} -e AWS_ && found "inherits credentials"
            for slot in $(find "$STORE/../scratch" -name out); do
                (echo forged > "$slot/forged") || continue
                rm "$out/forged" || found "writes into $slot"
            done
            cp "$in" "$out/""#
        );
        let _service = cluster.serve();
        // Beside the folder where commands tell: nothing can be made in the folders above a hidden one.
        let mut command = worker_command(&cluster, sandbox);
        command
            .arg("--scratch")
            .arg(cluster.workspace.store().with_file_name("scratch"));
        let worker = cluster.workspace.start_command(command);
        let job = cluster.wait(&cluster.publish(&attack(&cluster, &script)));
        assert_eq!(job.state(), "success", "{sandbox}: {}", worker.stderr());
        let found = fs::read_to_string(cluster.workspace.outside("found"));
        assert_eq!(found.unwrap_or_default(), "", "{sandbox}");
        assert_eq!(s3.tree("cluster/made").len(), 2, "{sandbox}");
        assert!(!worker.stderr().contains(secret), "{sandbox}");
    }
}
