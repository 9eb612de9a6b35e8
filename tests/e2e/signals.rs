//! Ctrl-C drains, a second one cuts short, and a rerun goes on where it stopped.

use drover_tests::{Running, Signal, Spec, Workspace, eventually};

/// Notes the start, then waits for the gate.
const GATED: &str = r#"
    echo >> "$OUTSIDE/started"
    while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
    cp "$in" /pfs/out/; echo >> "$OUTSIDE/ended""#;

fn spec(script: &str) -> Spec {
    Spec::new("made").reads("in", "/*").sh(script)
}

/// A job of ten datums with two workers, both of them at work.
fn busy(workspace: &Workspace, script: &str) -> Running {
    workspace.numbered_files("in", 10);
    let running = workspace.start_run(&spec(script), &["--workers", "2"]);
    eventually("two commands ran", || workspace.line_count("started") == 2);
    running
}

#[test]
fn an_interrupt_lets_running_commands_finish_and_a_rerun_goes_on() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let workspace = Workspace::new();
        let mut running = busy(&workspace, GATED);
        running.signal(signal);
        eventually("it said what it does", || !running.stderr().is_empty());
        workspace.open_gate("gate");
        let job = running.finish().code(3).job();
        assert_eq!(job.state(), "killed");
        assert_eq!(
            workspace.line_count("ended"),
            workspace.line_count("started"),
            "a running command was cut short by {signal}"
        );
        assert!(workspace.tree("made").is_empty());

        let done = job.count("processed");
        assert!((2..10).contains(&done), "{done} datums were done");
        assert_eq!(workspace.succeeds(&spec(GATED)).count("skipped"), done);
        assert_eq!(workspace.line_count("ended"), 10);
        assert_eq!(workspace.tree("made"), workspace.tree("in"));
    }
}

#[test]
fn a_second_interrupt_cuts_short() {
    let workspace = Workspace::new();
    let mut running = busy(
        &workspace,
        r#"trap '' TERM INT; echo >> "$OUTSIDE/started"; while :; do sleep 0.1; done"#,
    );
    running.signal(Signal::SIGINT);
    eventually("it said what it does", || !running.stderr().is_empty());
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code(3).job().state(), "killed");
}

#[test]
fn a_drain_ends_with_its_grace() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let mut running = workspace.start_run(
        &spec(r#"echo >> "$OUTSIDE/started"; sleep 1000"#),
        &["--grace", "500ms"],
    );
    eventually("a command ran", || workspace.line_count("started") > 0);
    running.signal(Signal::SIGINT);
    running.finish().code(3);
}

#[test]
fn an_interrupted_datum_is_not_charged_an_attempt() {
    let workspace = Workspace::new();
    let script = r#"echo >> "$OUTSIDE/started"; echo "$DROVER_ATTEMPT" >> "$OUTSIDE/attempts"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#;
    let mut running = busy(&workspace, script);
    running.signal(Signal::SIGINT);
    eventually("it said what it does", || !running.stderr().is_empty());
    running.signal(Signal::SIGINT);
    running.finish().code(3);
    workspace.open_gate("gate");
    workspace.succeeds(&spec(script));
    assert_eq!(
        workspace.tally("attempts").len(),
        1,
        "{:?}",
        workspace.tally("attempts")
    );
}
