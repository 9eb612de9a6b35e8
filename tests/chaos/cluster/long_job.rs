//! A pipeline with datums of a minute and the default number of tries, which outlast many faults.

use std::fs;

use drover_tests::{Spec, TestCluster};

/// Name of the pipeline.
pub(super) const PIPELINE: &str = "long";

/// Datums in a round: as many as the workers have slots.
const DATUMS: usize = 8;

/// Deaths of workers that a datum survives.
pub(super) const DEATHS: usize = 2;

/// Time for all datums of a round with their tries, and the exit code of a wait that ran out of time.
const MINUTES: u32 = 10;
const STILL_RUNNING: i32 = 5;

/// The script of a long datum, which notes begin and end as the script of short datums does.
const COMMAND: &str = r#"
    read -r content < "$slow"; read -r now idle < /proc/uptime; echo "$content $DROVER_WORKER $now" >> "$OUTSIDE/begun"
    sleep 60
    cp "$slow" /pfs/out/; echo "$content $DROVER_WORKER" >> "$OUTSIDE/ended""#;

pub(super) fn spec() -> Spec {
    Spec::new(PIPELINE)
        .reads("slow", "/*")
        .sh(COMMAND)
        .set("datum_tries", 3)
}

/// True if the content is that of a long datum.
pub(super) fn is_long(content: &str) -> bool {
    content.starts_with(PIPELINE)
}

/// Replaces the inputs by those of a round.
pub(super) fn renew_inputs(cluster: &TestCluster, round: u64) {
    let folder = cluster.workspace.path("slow");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the store is writable");
    }
    for number in 0..DATUMS {
        let content = format!("long-{number}.{round}");
        cluster
            .workspace
            .file(&format!("slow/{number}"), format!("{content}\n"));
    }
}

/// Waits for the end of a job, for as long as its datums may take with all their tries.
pub(super) fn wait(cluster: &TestCluster, job: &str) {
    for _ in 0..MINUTES {
        let outcome = cluster.call(&["wait", "--timeout", "60s", job]);
        if outcome.status.code() != Some(STILL_RUNNING) {
            return;
        }
    }
    panic!("job {job} has not ended after {MINUTES} minutes");
}

/// How many outputs are not those of a round.
pub(super) fn wrong(cluster: &TestCluster, round: u64) -> u64 {
    let expected =
        (0..DATUMS).map(|number| (number.to_string(), format!("long-{number}.{round}\n")));
    let output = cluster.workspace.tree(PIPELINE);
    let wrong = output.differences(&expected.collect());
    for path in &wrong {
        println!("wrong: long/{path}");
    }
    wrong.len() as u64
}
