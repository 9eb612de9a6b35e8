//! The readers, each with its seeds.

use std::path::Path;

use drover_shared::glob::Glob;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobKey, JobRecord};
use drover_shared::ledger::{Ledger, Segment};
use drover_shared::pipeline;
use drover_shared::store::{Store, StoreKey, layout};
use drover_shared::testing::{corpus, fuzz};
use drover_shared::wire::{Message, authenticity, decode, encode};
use serde_json::Value;

fn repository() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("the crate lies in the repository")
}

fn messages() -> Vec<Vec<u8>> {
    corpus(&repository().join("shared/tests/wire/v1"))
}

#[test]
fn specs() {
    let examples = std::fs::read_dir(repository().join("examples")).expect("there are examples");
    let specs = examples
        .flatten()
        .map(|example| example.path().join("pipelines.yaml"));
    let seeds: Vec<_> = specs.filter_map(|spec| std::fs::read(spec).ok()).collect();
    fuzz(&seeds, |input| {
        let text = String::from_utf8_lossy(input);
        // Parsing includes the checks of every field and the sentences of the findings.
        if let Err(findings) = pipeline::parse("fuzz.yaml", &text) {
            let _ = findings.to_string();
        }
    });
}

#[test]
fn globs() {
    let seeds = corpus(&repository().join("shared/tests/fuzz/corpus/glob"));
    fuzz(&seeds, |input| {
        let text = String::from_utf8_lossy(input);
        let (glob, path) = text.split_once('\n').unwrap_or((&text, "/a/b"));
        if let Ok(glob) = glob.parse::<Glob>() {
            let _ = glob.captures(path);
            let _ = glob.may_match_below(path);
        }
    });
}

#[test]
fn wire_messages() {
    let key = JobKey::generate().expect("the kernel has random numbers");
    fuzz(&messages(), move |input| {
        let _ = authenticity(input, Some(&key));
        if let Ok(message) = decode(input) {
            let again = encode(&message).expect("a decoded message can be encoded");
            // A number with a fraction may come back with another last digit.
            decode(&again).expect("an encoded message can be decoded");
            if let Message::Reports(reports) = message {
                let _ = reports
                    .iter()
                    .all(drover_shared::wire::Report::is_plausible);
            }
        }
    });
}

/// The values at this place of the messages of the corpus.
fn parts(pointer: &str) -> Vec<Vec<u8>> {
    let messages = messages().into_iter();
    let values = messages.filter_map(|text| serde_json::from_slice::<Value>(&text).ok());
    let parts = values.filter_map(|message| Some(message.pointer(pointer)?.to_string().into()));
    parts.collect()
}

/// Puts mutations of the seeds at `key` of a store and reads them.
fn fuzz_record<Read>(
    seeds: &[Vec<u8>],
    key: StoreKey,
    read: impl Fn(Ledger) -> Read + Send + 'static,
) where
    Read: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime starts");
    let store = runtime.block_on(async { Store::in_memory() });
    fuzz(seeds, move |input| {
        runtime.block_on(async {
            let put = store.put(&key, input.to_vec().into()).await;
            put.expect("the memory takes it");
            read(Ledger::new(store.clone())).await;
        });
    });
}

#[test]
fn job_records() {
    let pipeline: PipelineName = "made".parse().expect("a name");
    let job = JobId::generate();
    let record = JobRecord::new(job, pipeline, jiff::Timestamp::now());
    let seeds = [serde_json::to_vec(&record).expect("a record is JSON")];
    fuzz_record(&seeds, layout::record(job), move |ledger| async move {
        let _ = ledger.job(job).await;
    });
}

#[test]
fn manifests() {
    let job = JobId::generate();
    let mut seeds = parts("/datums/inline/0");
    seeds.push(br#"{"end":true}"#.to_vec());
    fuzz_record(&seeds, layout::manifest(job, 0), move |ledger| async move {
        let segments = ledger.segments(job).await.unwrap_or_default();
        for segment in segments.into_iter().chain([Segment { first: 0, count: 3 }]) {
            let _ = ledger.manifest(job, segment).await;
        }
        let _ = ledger.datums(job, 0, 0..3).await;
    });
}

#[test]
fn verdicts() {
    let job = JobId::generate();
    let seeds = parts("/event/verdict");
    fuzz_record(&seeds, layout::commit(job, 7), move |ledger| async move {
        if let Ok(Some(verdict)) = ledger.committed(job, 7).await {
            let _ = verdict.is_plausible();
        }
    });
    fuzz_record(
        &seeds,
        layout::result(job, "0-9"),
        move |ledger| async move {
            let _ = ledger.verdicts(job, Segment { first: 0, count: 9 }).await;
        },
    );
}
