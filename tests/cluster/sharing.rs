//! One fleet for several pipelines: workers for any pipeline, and whose datum is next.

use drover_tests::{Signal, Spec, TestCluster, eventually};

/// Notes the name of the pipeline, and takes a moment.
const NOTE: &str = "echo $PPS_PIPELINE_NAME >> $OUTSIDE/begun; sleep 0.1";

/// The pipelines of the datums that have begun, in their order.
fn begun(cluster: &TestCluster) -> Vec<String> {
    let text = std::fs::read_to_string(cluster.workspace.outside("begun")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn workers_for_any_pipeline_begin_a_few_datums_at_once_beside_many() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("many", 300);
    cluster.workspace.numbered_files("few", 3);
    let _service = cluster.serve();
    let _workers = [cluster.worker("*"), cluster.worker("{large,sm*}")];
    let large = cluster.publish(&Spec::new("large").reads("many", "/*").sh(NOTE));
    cluster.wait_for_lines("begun", 20);
    let small = cluster.publish(&Spec::new("small").reads("few", "/*").sh(NOTE));
    let small = cluster.wait(&small);
    let before = begun(&cluster);
    assert_eq!(small.state(), "success");
    assert_eq!(
        cluster.job(&large).state(),
        "running",
        "there was more to do"
    );
    let first = before
        .iter()
        .position(|name| name == "small")
        .unwrap_or_default();
    let last = before
        .iter()
        .rposition(|name| name == "small")
        .unwrap_or_default();
    assert!(last - first < 20, "{before:?}");
    cluster.call(&["stop", &large]).code(0);
}

#[test]
fn the_time_of_the_slots_is_shared_by_the_shares() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 400);
    let _service = cluster.serve();
    let _workers = [cluster.worker("*"), cluster.worker("*")];
    let shares = [("one", 1), ("two", 2), ("four", 4)];
    let jobs = shares.map(|(name, share)| {
        let spec = Spec::new(name).reads("in", "/*").sh(NOTE);
        cluster.publish(&spec.set("share", share))
    });
    let all_begun = || {
        shares
            .iter()
            .all(|(name, _)| begun(&cluster).iter().any(|it| it == name))
    };
    eventually("all have begun", all_begun);
    let from = begun(&cluster).len();
    cluster.wait_for_lines("begun", from + 210);
    let counted = begun(&cluster)[from..from + 210].to_vec();
    for (name, share) in shares {
        let count = counted.iter().filter(|it| *it == name).count();
        let expected = 30 * share;
        // Five per cent of all, and a datum of each slot at both ends.
        assert!(
            count.abs_diff(expected) <= 11 + 4,
            "{name}: {count} of {expected}"
        );
    }
    for job in jobs {
        cluster.call(&["stop", &job]).code(0);
    }
}

/// Processes on this machine whose command line is `sleep` with the argument.
fn sleeping(argument: &str) -> usize {
    let expected = format!("sleep\0{argument}\0");
    let processes = std::fs::read_dir("/proc").expect("Linux has /proc");
    let lines = processes
        .flatten()
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line == expected.as_bytes()).count()
}

/// Counts the sleeping commands until all jobs have ended. Returns the most at a time.
fn watch(
    cluster: &TestCluster,
    argument: &str,
    jobs: &[String],
    mut meanwhile: impl FnMut(usize),
) -> usize {
    let (mut most, mut looks) = (0, 0);
    let ended = |cluster: &TestCluster| {
        jobs.iter()
            .all(|job| !["starting", "running"].contains(&cluster.job(job).state()))
    };
    loop {
        for _ in 0..100 {
            let count = sleeping(argument);
            most = most.max(count);
            looks += 1;
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        meanwhile(looks / 100);
        if ended(cluster) {
            return most;
        }
    }
}

#[test]
fn a_shared_limit_holds_through_the_deaths_of_workers_and_leaders() {
    const SLEEP: &str = "0.4731";
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 15);
    cluster
        .call(&["limit", "licence", "--running", "3"])
        .code(0);
    let mut services = vec![cluster.serve()];
    let mut workers: Vec<_> = (0..3).map(|_| cluster.worker("*")).collect();
    let jobs = ["one", "two"].map(|name| {
        let spec = Spec::new(name).reads("in", "/*").cmd(&["sleep", SLEEP]);
        cluster.publish(&spec.set("limits", serde_json::json!([{"use": "licence"}])))
    });
    let most = watch(&cluster, SLEEP, &jobs, |second| match second {
        2 => {
            workers.remove(0).signal(Signal::SIGKILL);
            workers.push(cluster.worker("*"));
        }
        4 => {
            services.remove(0).signal(Signal::SIGKILL);
            services.push(cluster.serve());
        }
        _ => {}
    });
    assert_eq!(most, 3, "the limit is used, and not exceeded");
    for job in &jobs {
        assert_eq!(cluster.wait(job).state(), "success");
    }
    let limits = cluster.call(&["limit", "--output", "json"]).code(0);
    assert!(
        limits.stdout.contains(r#""granted":0"#),
        "{}",
        limits.stdout
    );
}

#[test]
fn a_wait_for_a_limit_is_explained_and_a_raised_limit_takes_effect() {
    const SLEEP: &str = "0.2917";
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 12);
    let _service = cluster.serve();
    let _worker = cluster.worker_with("*", &["--slots", "6"]);
    let spec = Spec::new("one").reads("in", "/*").cmd(&["sleep", SLEEP]);
    let job = cluster.publish(&spec.set("limits", serde_json::json!([{"use": "licence"}])));
    let explained = |text: &str| {
        let told = cluster.call(&["explain", &job]).code(0).stdout;
        told.contains(text)
    };
    eventually("the missing limit is explained", || {
        explained("No datum begins, as the limit licence is not defined")
    });
    cluster
        .call(&["limit", "licence", "--running", "0"])
        .code(0);
    eventually("the wait is explained", || {
        explained("12 datums wait for the limit licence (0 of 0 in use).")
    });
    cluster
        .call(&["limit", "licence", "--running", "4"])
        .code(0);
    let most = watch(&cluster, SLEEP, std::slice::from_ref(&job), |_| {});
    assert_eq!((most, cluster.wait(&job).state()), (4, "success"));
}

#[test]
fn a_rate_holds_in_every_period() {
    let cluster = TestCluster::new();
    cluster.workspace.numbered_files("in", 20);
    let _service = cluster.serve();
    let _worker = cluster.worker_with("*", &["--slots", "6"]);
    let script = "date +%s%3N >> $OUTSIDE/begun";
    let spec = Spec::new("one").reads("in", "/*").sh(script);
    let job = cluster.publish(&spec.set("limits", serde_json::json!([{"rate": "5/s"}])));
    assert_eq!(cluster.wait(&job).state(), "success");
    let mut begun: Vec<u64> = begun(&cluster)
        .iter()
        .map(|line| line.parse().expect("a time"))
        .collect();
    begun.sort_unstable();
    assert_eq!(begun.len(), 20);
    for window in begun.windows(6) {
        // The clock is read a little after the begin.
        assert!(window[5] - window[0] >= 900, "{begun:?}");
    }
    assert!(begun[19] - begun[0] < 6_000, "{begun:?}");
}
