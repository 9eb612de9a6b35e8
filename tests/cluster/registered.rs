//! Registered pipelines on the broker: several services, one job for what changed.

use drover_tests::{Job, Spec, TestCluster, eventually};

fn create(cluster: &TestCluster) {
    let copy = Spec::new("copy")
        .reads("in", "/*")
        .sh(r#"cp "$in" /pfs/out/"#);
    let spec = cluster.workspace.spec(&copy);
    cluster.call(&["create", "pipeline", "-f", &spec]).code(0);
}

/// Waits until the output holds `count` files, and all jobs have ended.
fn settles(cluster: &TestCluster, count: usize) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    eventually(&format!("copy holds {count} files"), || {
        let listed = cluster.call(&["jobs", "--output", "json"]).code(0);
        jobs = listed.lines().into_iter().map(Job).collect();
        let holds = cluster.workspace.path("copy").is_dir()
            && cluster.workspace.tree("copy").len() == count;
        holds && jobs.iter().all(Job::has_ended)
    });
    jobs
}

#[test]
fn of_two_services_one_starts_the_job_and_when_it_is_killed_the_other() {
    let cluster = TestCluster::new();
    create(&cluster);
    let serve = || cluster.start(&["serve", "--settle", "1s"]);
    let (one, other) = (serve(), serve());
    let _worker = cluster.worker("copy");
    cluster.workspace.numbered_files("in", 20);
    assert_eq!(settles(&cluster, 20)[0].counts(), "20: 20 processed");
    one.kill();
    cluster.workspace.numbered_files("in", 25);
    settles(&cluster, 25);
    let third = serve();
    other.kill();
    cluster.workspace.numbered_files("in", 30);
    let jobs = settles(&cluster, 30);
    let processed: u64 = jobs.iter().map(|job| job.count("processed")).sum();
    assert_eq!((processed, jobs.len()), (30, 3));
    third.kill();
}
