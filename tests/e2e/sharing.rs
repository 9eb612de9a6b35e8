//! Priority and share of a pipeline are changed while the spec stays.

use drover_tests::{Spec, Workspace};

#[test]
fn a_share_is_shown_changed_noted_and_taken_back() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1);
    let spec = Spec::new("made")
        .reads("in", "/*")
        .sh("true")
        .set("share", 2);
    let share = |more: &[&str]| workspace.call(&[&["share", "made"], more].concat());
    share(&[]).code(2).says(&["no job of pipeline made"]);
    workspace.succeeds(&spec);
    let told = |more: &[&str]| share(more).code(0).stdout;
    assert_eq!(told(&[]), "made: priority normal, share 2\n");
    share(&["--priority", "high", "--share", "4"]).code(0);
    let changed = "made: priority high, share 4 (changed; the spec says normal, 2)\n";
    assert_eq!(told(&[]), changed);
    for wrong in [
        ["--share", "0"],
        ["--share", "101"],
        ["--priority", "urgent"],
    ] {
        share(&wrong).code(2);
    }
    assert_eq!(
        told(&["--reset"]),
        "made: priority normal, share 2
"
    );
    let notes = std::fs::read_dir(workspace.path(".drover/audit")).unwrap();
    let notes: Vec<_> = notes
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let has = |words: &str| notes.iter().any(|note| note.contains(words));
    assert!(
        has("/pipelines/made/sharing?priority=high&share=4"),
        "{notes:?}"
    );
    assert!(has("DELETE"), "{notes:?}");
    let fleet = workspace.call(&["workers", "--output", "json"]).code(0);
    assert_eq!(
        fleet.lines()[0]["workers"].as_array().map(Vec::len),
        Some(0)
    );
}
