//! Every example gives the output that lies beside it.

use std::fs;
use std::path::Path;

use drover_tests::{Tree, Workspace, repository};

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
