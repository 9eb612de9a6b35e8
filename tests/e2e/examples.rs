//! Every example produces its expected output.

use std::fs;
use std::path::Path;
use std::process::Command;

use drover_tests::{Tree, Workspace, drover, repository};

#[test]
fn word_count_adds_up_over_books_and_letters() {
    gives_its_expected_output("word-count");
}

#[test]
fn edges_are_found_in_pictures() {
    gives_its_expected_output("edges");
}

#[test]
fn an_inner_join_keeps_only_pairs() {
    gives_its_expected_output("join-stations");
}

#[test]
fn an_outer_join_keeps_those_without_a_partner() {
    gives_its_expected_output("outer-join-invoices");
}

#[test]
fn a_group_holds_all_files_of_its_key() {
    gives_its_expected_output("group-by-day");
}

#[test]
fn a_cross_makes_every_combination_in_order() {
    gives_its_expected_output("cross-grid");
}

#[test]
fn an_err_cmd_forgives_what_it_recognises() {
    gives_its_expected_output("err-cmd");
}

#[test]
fn a_command_that_stays_prepares_itself_once() {
    gives_its_expected_output("stay-loaded");
}

#[test]
fn the_demo_explains_a_failure_and_then_does_one_station_alone() {
    let workspace = Workspace::new();
    let mut demo = Command::new(repository().join("demo/run"));
    demo.arg(drover()).arg(workspace.path("demo"));
    let told = workspace.start_command(demo).finish().code(0);
    for promised in [
        "240 datums: 239 processed, 1 failed",
        "station-017.csv line 4711: \"ERR\" is no temperature\n",
        "240 datums: 1 processed, 239 skipped",
    ] {
        assert!(told.stdout.contains(promised), "{}", told.transcript());
    }
    let ranking = fs::read_to_string(workspace.path("demo/climate/climate.csv")).unwrap();
    assert_eq!(ranking.lines().count(), 240, "{ranking}");
}

#[test]
fn no_example_goes_untested() {
    let tests = ["tests/e2e/examples.rs", "tests/cluster/examples.rs"]
        .map(|file| fs::read_to_string(repository().join(file)).unwrap())
        .concat();
    for example in folders(&repository().join("examples")) {
        let name = format!("({example:?})");
        assert!(tests.contains(&name), "no test runs examples/{example}");
    }
}

#[track_caller]
fn gives_its_expected_output(example: &str) {
    let workspace = Workspace::new();
    let example = repository().join("examples").join(example);
    workspace.copy_of(&example);
    workspace.call(&["run", "pipelines.yaml"]).code(0);
    for pipeline in folders(&example.join("expected")) {
        let expected = Tree::read(&example.join("expected").join(&pipeline));
        assert_eq!(
            workspace.tree(&pipeline),
            expected,
            "the output of {pipeline} differs"
        );
    }
}

fn folders(of: &Path) -> Vec<String> {
    let entries = fs::read_dir(of).expect("an example has folders").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .map(|folder| {
            folder
                .file_name()
                .into_string()
                .expect("our names are UTF-8")
        })
        .collect()
}
