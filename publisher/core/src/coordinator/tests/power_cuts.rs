//! Power cuts: whatever a disk lost, the next job ends right, and no success has lost its output.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use drover_shared::job::JobState;
use drover_shared::ledger::Ledger;
use drover_shared::store::layout;
use drover_shared::store::testing::{PowerCuts, Unforced};

use crate::testing::fixture::{Fixture, WorkerBehavior};

const WRITES: WorkerBehavior = WorkerBehavior {
    writes: true,
    fails: None,
    fails_otherwise: None,
    stutters: false,
    refers: false,
    is_old: false,
    dies_after: None,
    dies_silently: false,
};

/// Names and contents of the output folder.
fn output(fixture: &Fixture) -> Vec<(String, String)> {
    let entries = fs::read_dir(fixture.folder.path().join("out"));
    let mut files: Vec<_> = entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn expected(numbers: &[u32]) -> Vec<(String, String)> {
    let name = |number: &u32| format!("{number:04}");
    let files = numbers.iter().map(name);
    files
        .map(|name| (name.clone(), format!("/{name}")))
        .collect()
}

/// A folder in memory if there is one: thousands of files are forced to it.
fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// The states of the newest job's record; none if it is lost.
async fn newest_state(fixture: &Fixture, first: usize) -> Option<JobState> {
    let jobs = fixture.ledger.jobs().await.unwrap();
    let newest = jobs.get(first)?;
    fixture
        .ledger
        .job(*newest)
        .await
        .ok()
        .map(|record| record.state)
}

#[tokio::test]
async fn after_a_power_cut_at_any_moment_no_success_lacks_output_and_the_next_job_is_right() {
    let mut fixture = Fixture::at(place(), 2).await;
    fixture.run(WRITES).await;
    let input = |number: u32| format!("in/{number:04}");
    let root = fixture.folder.path().to_owned();
    fs::remove_file(root.join(input(0))).unwrap();
    for number in [2, 3] {
        fs::write(root.join(input(number)), "new").unwrap();
    }
    let (cuts, watcher) = PowerCuts::watch(&root);
    fixture.ledger = Ledger::new(fixture.ledger.store().clone().watched(watcher));
    assert_eq!(fixture.run(WRITES).await.state, JobState::Success);
    let (old, new) = (expected(&[0, 1]), expected(&[1, 2, 3]));
    let mut successes = 0;
    for moment in 0..cuts.count() {
        for unforced in Unforced::ALL {
            let what = format!("moment {moment} of {}, {unforced:?}", cuts.count());
            let place = place();
            cuts.restore(moment, unforced, place.path()).unwrap();
            let after = Fixture::at(place, 0).await;
            let succeeded = newest_state(&after, 1).await == Some(JobState::Success);
            if succeeded {
                successes += 1;
                assert_eq!(output(&after), new, "a success lacks output, {what}");
            }
            // A job that fails leaves what the last success published.
            let bad = after.folder.path().join(input(9));
            fs::write(&bad, "bad").unwrap();
            let fails = WorkerBehavior {
                fails: Some("9"),
                ..WRITES
            };
            assert_eq!(after.run(fails).await.state, JobState::Failure, "{what}");
            let kept = output(&after);
            assert!(kept == new || kept == old && !succeeded, "{kept:?}, {what}");
            fs::remove_file(bad).unwrap();
            assert_eq!(after.run(WRITES).await.state, JobState::Success, "{what}");
            assert_eq!(output(&after), new, "{what}");
        }
    }
    assert!(successes > 0, "no moment has a success");
}

#[tokio::test]
async fn staged_files_that_a_power_cut_emptied_of_their_bytes_are_made_anew() {
    let fixture = Fixture::at(place(), 3).await;
    let cut = WorkerBehavior {
        dies_after: Some(2),
        ..WRITES
    };
    let assignment = fixture.cut_off(cut).await;
    // The file keeps its inode, size and time.
    let staged = layout::staged_file(assignment.record.id, "claim-0", 0);
    let staged = fixture.ledger.store().local_path(&staged).unwrap();
    let modified: SystemTime = staged.metadata().unwrap().modified().unwrap();
    let size = usize::try_from(staged.metadata().unwrap().len()).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&staged, permissions).unwrap();
    fs::write(&staged, vec![0; size]).unwrap();
    let file = fs::File::options().write(true).open(&staged).unwrap();
    file.set_modified(modified).unwrap();
    let record = fixture.resume(assignment, WRITES).await;
    assert_eq!(record.state, JobState::Success, "{record:?}");
    fixture.assert_output(3);
}
