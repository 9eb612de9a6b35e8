//! The output folder against a naive model: a map from paths to the bytes that the datums wrote, in datum order.

mod links;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use drover_shared::datum::VerdictState;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::ledger::{DoneRef, Ledger};
use drover_shared::pipeline::OutputConflict;
use drover_shared::store::{Location, Store, StoreKey, layout};
use jiff::Timestamp;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::undo::{keep_changes, settle};
use super::write_output::attempt;
use super::{LatestLook, OutputError, OutputRequest, OutputSummary, write_output};
use crate::output::FileProgress;
use crate::testing::samples::{datum_id, entry, verdict};

/// A datum's work: it wrote files, or was skipped for an earlier success.
#[derive(Clone, Debug)]
enum DatumWork {
    Wrote(Vec<(String, String)>),
    Skipped(DoneRef),
}

/// A store with a pipeline in it.
struct Fixture {
    ledger: Ledger,
    folder: tempfile::TempDir,
    scratch: tempfile::TempDir,
    pipeline: PipelineName,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::folder(folder.path()).unwrap())
            .await
            .unwrap();
        Self::with(store, folder)
    }

    fn in_bucket() -> Self {
        Self::with(Store::in_memory(), tempfile::tempdir().unwrap())
    }

    fn with(store: Store, folder: tempfile::TempDir) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        Self {
            ledger: Ledger::new(store),
            folder,
            scratch,
            pipeline: "out".parse().unwrap(),
        }
    }

    /// Records of a job with the given datums.
    async fn job(&self, did: &[DatumWork]) -> JobId {
        let job = JobId::generate();
        let record = JobRecord::new(job, self.pipeline.clone(), Timestamp::now());
        self.ledger
            .open_job(&record, &serde_json::json!({}))
            .await
            .unwrap();
        if did.is_empty() {
            return job;
        }
        let mut entries = Vec::new();
        let mut verdicts = Vec::new();
        for (index, did) in (0_u64..).zip(did) {
            match did {
                DatumWork::Skipped(done) => {
                    let mut skipped = entry(index, Some(*done));
                    skipped.datum.id = datum_id(done.index);
                    entries.push(skipped);
                }
                DatumWork::Wrote(files) => {
                    entries.push(entry(index, None));
                    let outputs: Vec<_> = files
                        .iter()
                        .map(|(path, text)| (path.as_str(), text.len() as u64))
                        .collect();
                    let verdict = verdict(index, VerdictState::Success, &outputs);
                    for (n, (_, text)) in files.iter().enumerate() {
                        self.stage(job, &verdict.staged, n, text).await;
                    }
                    verdicts.push(verdict);
                }
            }
        }
        let segment = self.ledger.write_manifest(job, &entries).await.unwrap();
        self.ledger.seal(job, segment, &verdicts).await.unwrap();
        job
    }

    async fn stage(&self, job: JobId, staged: &str, n: usize, text: &str) {
        let file = self.scratch.path().join("staging");
        std::fs::write(&file, text).unwrap();
        self.ledger
            .store()
            .adopt(&file, &layout::staged_file(job, staged, n))
            .await
            .unwrap();
    }

    async fn publish(&self, job: JobId) -> Result<OutputSummary, OutputError> {
        self.publish_with(job, OutputConflict::Concat, None).await
    }

    /// Publishes; is stopped after `stop_after` changes, if given.
    async fn publish_with(
        &self,
        job: JobId,
        conflict: OutputConflict,
        stop_after: Option<u64>,
    ) -> Result<OutputSummary, OutputError> {
        let stop = CancellationToken::new();
        let progress = |files: FileProgress| {
            if stop_after.is_some_and(|changes| files.done >= changes) {
                stop.cancel();
            }
        };
        let written = write_output(self.request(job, conflict, &stop), &progress).await?;
        keep_changes(self.ledger.store(), &self.pipeline, job)
            .await
            .unwrap();
        Ok(written)
    }

    /// Publishes; dies after `changes` changes.
    async fn die_publishing(&self, job: JobId, changes: u64) -> Result<OutputSummary, OutputError> {
        let stop = CancellationToken::new();
        let progress = |files: FileProgress| {
            if files.done >= changes {
                stop.cancel();
            }
        };
        settle(&self.ledger, &self.pipeline).await.unwrap();
        let request = self.request(job, OutputConflict::Concat, &stop);
        attempt(&request, &progress).await
    }

    fn request<'a>(
        &'a self,
        job: JobId,
        conflict: OutputConflict,
        stop: &'a CancellationToken,
    ) -> OutputRequest<'a> {
        static NONE: BTreeMap<u64, u64> = BTreeMap::new();
        static NO_LOOK: LazyLock<LatestLook> = LazyLock::new(LatestLook::not_needed);
        OutputRequest {
            ledger: &self.ledger,
            pipeline: &self.pipeline,
            job,
            redone: &NONE,
            from_start: true,
            conflict,
            scratch: self.scratch.path(),
            stop,
            is_contested: false,
            look: &NO_LOOK,
        }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("out").join(path)
    }

    /// Content of the output folder.
    fn found(&self) -> BTreeMap<String, String> {
        let folder = StoreKey::parse("out").unwrap();
        let Ok(walk) = self.ledger.store().walk(&folder) else {
            return BTreeMap::new();
        };
        let paths = walk.map(|entry| entry.unwrap().path);
        paths
            .map(|path| {
                (
                    path.clone(),
                    std::fs::read_to_string(self.path(&path[1..])).unwrap(),
                )
            })
            .collect()
    }
}

fn wrote(files: &[(&str, &str)]) -> DatumWork {
    DatumWork::Wrote(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    )
}

fn holding(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// The work of forty datums with a file each.
fn forty_files() -> [DatumWork; 40] {
    std::array::from_fn(|n| DatumWork::Wrote(vec![(format!("/{n}"), n.to_string())]))
}

#[tokio::test]
async fn a_listing_records_what_was_written_to_a_bucket() {
    let world = Fixture::in_bucket();
    let job = world.job(&forty_files()).await;
    assert_eq!(world.publish(job).await.unwrap().changes, 40);
    assert_eq!(world.publish(job).await.unwrap().changes, 0);
    let edited = StoreKey::parse("out/7").unwrap();
    let store = world.ledger.store();
    store.put(&edited, Bytes::from("edited")).await.unwrap();
    assert_eq!(world.publish(job).await.unwrap().changes, 1);
    assert_eq!(store.get(&edited).await.unwrap(), "7");
}

#[tokio::test]
async fn a_contested_publication_is_written_again() {
    let world = Fixture::in_bucket();
    let job = world.job(&forty_files()).await;
    let stop = CancellationToken::new();
    let contested = OutputRequest {
        is_contested: true,
        ..world.request(job, OutputConflict::Error, &stop)
    };
    assert_eq!(write_output(contested, &|_| {}).await.unwrap().changes, 40);
    assert_eq!(world.publish(job).await.unwrap().changes, 40);
    assert_eq!(world.publish(job).await.unwrap().changes, 0);
}

#[tokio::test]
async fn the_folder_is_the_union_of_processed_and_skipped_datums_in_datum_order() {
    let fixture = Fixture::new().await;
    let first = fixture
        .job(&[wrote(&[("/a", "1"), ("/c", "x")]), wrote(&[("/a", "2")])])
        .await;
    fixture.publish(first).await.unwrap();
    assert_eq!(fixture.found(), holding(&[("/a", "12"), ("/c", "x")]));

    let second = fixture
        .job(&[
            wrote(&[("/a", "0"), ("/d", "y")]),
            DatumWork::Skipped(DoneRef {
                job: first,
                index: 1,
            }),
        ])
        .await;
    fixture.publish(second).await.unwrap();
    assert_eq!(
        fixture.found(),
        holding(&[("/a", "02"), ("/d", "y")]),
        "what vanished inputs had made is gone"
    );
}

#[tokio::test]
async fn what_is_as_it_should_be_is_not_touched() {
    let fixture = Fixture::new().await;
    let job = fixture.job(&[wrote(&[("/a", "1"), ("/b", "2")])]).await;
    assert_eq!(fixture.publish(job).await.unwrap().changes, 2);
    assert_eq!(fixture.publish(job).await.unwrap().changes, 0);
    std::fs::remove_file(fixture.path("a")).unwrap();
    assert_eq!(
        fixture.publish(job).await.unwrap().changes,
        1,
        "a deleted file is restored"
    );
    std::fs::remove_file(fixture.path("b")).unwrap();
    std::fs::write(fixture.path("b"), "other").unwrap();
    assert_eq!(
        fixture.publish(job).await.unwrap().changes,
        1,
        "a replaced file is restored"
    );
    assert_eq!(fixture.found(), holding(&[("/a", "1"), ("/b", "2")]));
}

#[tokio::test]
async fn two_datums_with_one_path_are_an_error_if_the_spec_says_so() {
    let fixture = Fixture::new().await;
    let job = fixture
        .job(&[
            wrote(&[("/a", "1")]),
            wrote(&[("/b", "2")]),
            wrote(&[("/a", "3")]),
        ])
        .await;
    let error = fixture
        .publish_with(job, OutputConflict::Error, None)
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"datums 0 and 2 both wrote /a, from in:/0 and in:/2; let each write a path of its own (such as {out}/{rel} in a one-liner), or join them: output_conflict: concat in a spec, --concat in a one-liner");
    assert_eq!(fixture.found(), BTreeMap::new(), "nothing is published");
}

#[tokio::test]
async fn a_path_that_is_both_file_and_directory_fails_clearly() {
    let fixture = Fixture::new().await;
    let job = fixture
        .job(&[
            wrote(&[("/a", "1")]),
            wrote(&[("/a.b", "2"), ("/a/b", "3")]),
        ])
        .await;
    let error = fixture.publish(job).await.unwrap_err();
    insta::assert_snapshot!(error, @"/a is a file, so /a/b cannot be stored; datums must not write both");
}

#[tokio::test]
async fn a_directory_makes_room_for_a_file_and_back() {
    let fixture = Fixture::new().await;
    let directory = fixture.job(&[wrote(&[("/a/b", "1")])]).await;
    let file = fixture.job(&[wrote(&[("/a", "2")])]).await;
    for (job, expected) in [
        (directory, ("/a/b", "1")),
        (file, ("/a", "2")),
        (directory, ("/a/b", "1")),
    ] {
        fixture.publish(job).await.unwrap();
        assert_eq!(fixture.found(), holding(&[expected]));
    }
}

#[tokio::test]
async fn files_that_are_not_ours_stay_and_are_never_overwritten() {
    let fixture = Fixture::new().await;
    std::fs::create_dir(fixture.folder.path().join("out")).unwrap();
    std::fs::write(fixture.path("mine"), "precious").unwrap();
    let harmless = fixture.job(&[wrote(&[("/a", "1")])]).await;
    let published = fixture.publish(harmless).await.unwrap();
    assert_eq!(published.foreign, Some((1, "/mine".to_owned())));
    assert_eq!(
        fixture.found(),
        holding(&[("/a", "1"), ("/mine", "precious")])
    );

    let harmful = fixture.job(&[wrote(&[("/mine", "1")])]).await;
    let error = fixture.publish(harmful).await.unwrap_err();
    assert!(matches!(error, OutputError::InTheWay { .. }), "{error}");
    assert_eq!(
        fixture.found(),
        holding(&[("/a", "1"), ("/mine", "precious")])
    );
}

#[tokio::test]
async fn lost_and_altered_pieces_are_laid_to_their_datums() {
    let fixture = Fixture::new().await;
    let job = fixture
        .job(&[
            wrote(&[("/a", "1")]),
            wrote(&[("/b", "2")]),
            wrote(&[("/c", "3")]),
        ])
        .await;
    let piece = |index: u64| layout::staged_file(job, &format!("claim-{index}"), 0);
    fixture.ledger.store().delete(&piece(1)).await.unwrap();
    fixture
        .ledger
        .store()
        .put(&piece(2), Bytes::from_static(b"longer"))
        .await
        .unwrap();
    match fixture.publish(job).await {
        Err(OutputError::Lost { datums }) => assert_eq!(datums, [1, 2]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn writing_into_an_output_is_noticed_even_if_its_size_stays() {
    let fixture = Fixture::new().await;
    let job = fixture.job(&[wrote(&[("/a", "1")])]).await;
    fixture.publish(job).await.unwrap();
    // As root would with an editor: in place, so a hard-linked piece changes with it.
    let mut permissions = std::fs::metadata(fixture.path("a")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(fixture.path("a"), permissions).unwrap();
    std::fs::write(fixture.path("a"), "2").unwrap();
    match fixture.publish(job).await {
        // Where the store could make a reflink, the piece is untouched.
        Ok(_) => assert_eq!(fixture.found(), holding(&[("/a", "1")])),
        Err(OutputError::Lost { datums }) => assert_eq!(datums, [0]),
        Err(error) => panic!("{error}"),
    }
}

/// A folder with three published files, and a job that replaces, removes and adds files.
async fn published_and_next() -> (Fixture, JobId) {
    let fixture = Fixture::new().await;
    let first = fixture
        .job(&[wrote(&[("/a", "1"), ("/b", "2"), ("/d/c", "3")])])
        .await;
    fixture.publish(first).await.unwrap();
    let next = fixture
        .job(&[
            wrote(&[("/a", "new")]),
            wrote(&[("/a", "er"), ("/e", "4")]),
            wrote(&[("/f", "5")]),
        ])
        .await;
    (fixture, next)
}

#[tokio::test]
async fn a_publication_that_fails_leaves_the_folder_as_it_was() {
    let before = holding(&[("/a", "1"), ("/b", "2"), ("/d/c", "3")]);
    for cause in [
        "lost piece",
        "short piece",
        "conflict",
        "foreign file",
        "full",
        "stopped 1",
        "stopped 3",
    ] {
        let (fixture, next) = published_and_next().await;
        let piece = layout::staged_file(next, "claim-2", 0);
        let store = fixture.ledger.store();
        let mut expected = before.clone();
        let mut conflict = OutputConflict::Concat;
        let mut stop_after = None;
        match cause {
            "lost piece" => store.delete(&piece).await.unwrap(),
            "short piece" => store.put(&piece, Bytes::new()).await.unwrap(),
            "conflict" => conflict = OutputConflict::Error,
            "foreign file" => {
                std::fs::write(fixture.path("f"), "mine").unwrap();
                expected.insert("/f".to_owned(), "mine".to_owned());
            }
            // A directory that is not empty refuses the last file of the plan.
            "full" => {
                std::fs::create_dir_all(fixture.path("f/x")).unwrap();
            }
            "stopped 1" => stop_after = Some(1),
            _ => stop_after = Some(3),
        }
        let failed = fixture.publish_with(next, conflict, stop_after).await;
        assert!(failed.is_err(), "{cause}: {failed:?}");
        assert_eq!(fixture.found(), expected, "{cause}");
    }
}

#[tokio::test]
async fn a_publication_that_dies_at_any_change_is_taken_back() {
    let before = holding(&[("/a", "1"), ("/b", "2"), ("/d/c", "3")]);
    for changes in 0..6 {
        let (fixture, next) = published_and_next().await;
        let died = fixture.die_publishing(next, changes).await;
        if changes < 5 {
            assert!(matches!(died, Err(OutputError::Stopped)), "{died:?}");
        }
        for _ in 0..2 {
            settle(&fixture.ledger, &fixture.pipeline).await.unwrap();
            assert_eq!(fixture.found(), before, "died after {changes} changes");
        }
        let summary = fixture.publish(next).await.unwrap();
        assert_eq!(summary.foreign, None, "died after {changes} changes");
        assert_eq!(
            fixture.found(),
            holding(&[("/a", "newer"), ("/e", "4"), ("/f", "5")])
        );
    }
}

#[tokio::test]
async fn a_file_that_a_user_made_after_a_publication_died_stays() {
    let (fixture, next) = published_and_next().await;
    fixture.die_publishing(next, 1).await.unwrap_err();
    let _ = std::fs::remove_file(fixture.path("f"));
    std::fs::write(fixture.path("f"), "mine").unwrap();
    settle(&fixture.ledger, &fixture.pipeline).await.unwrap();
    assert_eq!(fixture.found()["/f"], "mine");
}

#[tokio::test]
async fn a_damaged_undo_log_hinders_no_later_publication() {
    let (fixture, next) = published_and_next().await;
    fixture.die_publishing(next, 2).await.unwrap_err();
    let log = layout::undo_log(&fixture.pipeline);
    let path = fixture.ledger.store().local_path(&log).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir_all(path.join("below")).unwrap();
    fixture.publish(next).await.unwrap();
    assert_eq!(
        fixture.found(),
        holding(&[("/a", "newer"), ("/e", "4"), ("/f", "5")])
    );
}

#[tokio::test]
async fn after_a_failed_publication_the_next_one_succeeds() {
    let (fixture, next) = published_and_next().await;
    std::fs::create_dir_all(fixture.path("f/x")).unwrap();
    fixture.publish(next).await.unwrap_err();
    std::fs::remove_dir_all(fixture.path("f")).unwrap();
    let summary = fixture.publish(next).await.unwrap();
    assert_eq!(
        summary.foreign, None,
        "every file is still known as Drover's"
    );
    assert_eq!(
        fixture.found(),
        holding(&[("/a", "newer"), ("/e", "4"), ("/f", "5")])
    );
}

#[tokio::test]
async fn a_verdict_on_other_work_does_not_count() {
    let fixture = Fixture::new().await;
    let job = fixture
        .job(&[wrote(&[("/a", "1")]), wrote(&[("/b", "2")])])
        .await;
    let segment = fixture.ledger.segments(job).await.unwrap()[0];
    let mut verdicts = fixture.ledger.verdicts(job, segment).await.unwrap();
    verdicts[1].datum = datum_id(7);
    // The first seal counts, so it makes way.
    let sealed = layout::result(job, &segment.to_string());
    fixture.ledger.store().delete(&sealed).await.unwrap();
    fixture.ledger.seal(job, segment, &verdicts).await.unwrap();
    match fixture.publish(job).await {
        Err(OutputError::Lost { datums }) => assert_eq!(datums, [1]),
        other => panic!("{other:?}"),
    }
    assert_eq!(fixture.found(), BTreeMap::new());
}

#[tokio::test]
async fn a_damaged_record_is_named_with_the_way_out() {
    let fixture = Fixture::new().await;
    let job = fixture.job(&[wrote(&[("/a", "1")])]).await;
    fixture.publish(job).await.unwrap();
    let key = layout::published(&fixture.pipeline);
    fixture
        .ledger
        .store()
        .put(&key, Bytes::from_static(b"{nonsense\n"))
        .await
        .unwrap();
    let error = fixture.publish(job).await.unwrap_err();
    insta::assert_snapshot!(error, @".drover/pipelines/out/published is damaged; remove it together with the output folder, and run again: nothing is done twice");
    fixture.ledger.store().delete(&key).await.unwrap();
    fixture
        .ledger
        .store()
        .delete_all(&StoreKey::parse("out").unwrap())
        .await
        .unwrap();
    fixture.publish(job).await.unwrap();
    assert_eq!(fixture.found(), holding(&[("/a", "1")]));
}

/// Files of a datum; the alphabet is small, so datums and jobs meet on paths, and has no directory that
/// is also a file.
fn files() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::btree_map("/(a|b|c\\.d|d/[ef])", "[xyz]{0,2}", 0..4)
        .prop_map(|files| files.into_iter().collect())
}

fn model<'a>(datums: impl Iterator<Item = &'a Vec<(String, String)>>) -> BTreeMap<String, String> {
    let mut model = BTreeMap::<String, String>::new();
    for (path, text) in datums.flatten() {
        model.entry(path.clone()).or_default().push_str(text);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Job after job, each cut off after some change and published again, or given up for the next one.
    #[test]
    fn whenever_it_dies_publishing_again_ends_in_the_union(
        jobs in proptest::collection::vec(
            (proptest::collection::vec((files(), any::<bool>()), 0..5), 0..6_u64, any::<bool>()), 1..5,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let mut earlier: Vec<(DoneRef, Vec<(String, String)>)> = Vec::new();
            let last = jobs.len() - 1;
            for (number, (datums, dies_after, is_given_up)) in jobs.into_iter().enumerate() {
                let mut wrote = Vec::new();
                let mut did = Vec::new();
                for (at, (files, is_skipped)) in datums.into_iter().enumerate() {
                    match earlier.get(at) {
                        Some((done, before)) if is_skipped => {
                            did.push(DatumWork::Skipped(*done));
                            wrote.push(before.clone());
                        }
                        _ => {
                            did.push(DatumWork::Wrote(files.clone()));
                            wrote.push(files);
                        }
                    }
                }
                let job = fixture.job(&did).await;
                let cut = fixture.die_publishing(job, dies_after).await;
                assert!(matches!(cut, Ok(_) | Err(OutputError::Stopped)), "{cut:?}");
                for (index, (did, wrote)) in (0_u64..).zip(did.iter().zip(&wrote)) {
                    if matches!(did, DatumWork::Wrote(_)) {
                        earlier.push((DoneRef { job, index }, wrote.clone()));
                    }
                }
                if is_given_up && number != last {
                    continue;
                }
                fixture.publish(job).await.unwrap();
                assert_eq!(fixture.found(), model(wrote.iter()));
                assert_eq!(fixture.publish(job).await.unwrap().changes, 0, "publishing again changes nothing");
            }
        });
    }
}
