//! One pipeline's output is another's input.

use drover_tests::{Spec, Workspace, files};

fn shout() -> Spec {
    Spec::new("shout")
        .reads("in", "/*")
        .sh(r#"tr a-z A-Z < "$in" > "/pfs/out/$(basename "$in")""#)
}

fn total() -> Spec {
    Spec::new("total")
        .reads("shout", "/")
        .sh("cat /pfs/shout/* > /pfs/out/all")
}

#[test]
fn several_specs_run_in_the_order_of_their_chain() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.file("in/b", "bee\n");
    let (shout, total) = (workspace.spec(&shout()), workspace.spec(&total()));
    let outcome = workspace
        .call(&["run", "--output", "json", &total, &shout])
        .code(0);
    let pipelines: Vec<_> = outcome
        .lines()
        .iter()
        .map(|record| record["pipeline"].clone())
        .collect();
    assert_eq!(pipelines, ["shout", "total"]);
    assert_eq!(workspace.tree("total"), files([("all", "ANT\nBEE\n")]));
}

#[test]
fn a_chain_redoes_only_what_a_change_reaches() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.file("in/b", "bee\n");
    let twice = Spec::new("twice")
        .reads("shout", "/*")
        .sh(r#"cat "$shout" "$shout" > "/pfs/out/$(basename "$shout")""#);
    let specs = [workspace.spec(&shout()), workspace.spec(&twice)];
    let run = || {
        workspace
            .call(&["run", "--output", "json", &specs[0], &specs[1]])
            .code(0)
            .lines()
    };
    run();
    workspace.file("in/b", "bat\n");
    for record in run() {
        assert_eq!(
            (&record["datums"]["processed"], &record["datums"]["skipped"]),
            (&1.into(), &1.into()),
            "{record}"
        );
    }
    assert_eq!(
        workspace.tree("twice"),
        files([("a", "ANT\nANT\n"), ("b", "BAT\nBAT\n")])
    );
}

#[test]
fn the_exit_code_is_that_of_the_worst_and_nothing_follows_a_failure_in_its_chain() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    let broken = workspace.spec(&shout().sh("exit 9"));
    let total = workspace.spec(&total());
    workspace
        .call(&["run", "--output", "json", &broken, &total])
        .code(1);
    assert!(workspace.tree("total").is_empty());
}

#[test]
fn a_command_cannot_harm_the_output_it_reads() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.succeeds(&shout());
    let vandal = Spec::new("vandal")
        .reads("shout", "/*")
        .sh(r#"echo gotcha >> "$shout"; chmod 777 "$shout"; rm -f "$shout"; echo gotcha > "$shout"; true"#);
    workspace.succeeds(&vandal);
    assert_eq!(workspace.tree("shout"), files([("a", "ANT\n")]));
}

#[test]
fn a_linked_output_survives_its_source() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.succeeds(&shout());
    let linker = Spec::new("linker")
        .reads("shout", "/*")
        .sh(r#"ln -s "$shout" /pfs/out/a"#);
    workspace.succeeds(&linker);
    workspace.remove("in/a");
    workspace.file("in/b", "bee\n");
    workspace.succeeds(&shout());
    assert_eq!(workspace.tree("linker"), files([("a", "ANT\n")]));
}

#[test]
fn a_pipeline_that_writes_nothing_does_not_end_its_chain() {
    let place = Workspace::new();
    place.file("in/a", "ant\n");
    let silent = place.spec(&shout().sh("true"));
    let each = place.spec(&Spec::new("each").reads("shout", "/*").sh("false"));
    let count = place.spec(
        &Spec::new("count")
            .reads("shout", "/")
            .sh("ls /pfs/shout | wc -l > /pfs/out/n"),
    );
    place.call(&["run", &silent, &each, &count]).code(0);
    assert_eq!(place.tree("count"), files([("n", "0\n")]));
    assert!(place.tree("each").is_empty());
}
