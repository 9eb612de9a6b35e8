//! Paging at a million datums.

use std::time::{Duration, Instant};

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord, JobState};
use drover_shared::ledger::{Ledger, ManifestEntry};
use drover_shared::store::{Location, Store};
use jiff::Timestamp;
use serde_json::Value;

use super::Site;
use drover_core::testing::samples::{entry, verdict};

/// Datums of a segment, as large ones are.
const SEGMENT: u64 = 1024;

/// A job of so many datums, every thousandth of which failed.
async fn large_job(ledger: &Ledger, datums: u64) -> JobId {
    let id = JobId::generate();
    for first in (0..datums).step_by(1024) {
        let indexes = first..(first + SEGMENT).min(datums);
        let entries: Vec<ManifestEntry> = indexes.clone().map(|index| entry(index, None)).collect();
        let segment = ledger.write_manifest(id, &entries).await.unwrap();
        let ending = |index: u64| match index % 1000 {
            999 => verdict(index, VerdictState::Failed, &[]),
            _ => verdict(index, VerdictState::Success, &[("/out", 1)]),
        };
        let verdicts: Vec<Verdict> = indexes.map(ending).collect();
        ledger.seal(id, segment, &verdicts).await.unwrap();
    }
    let record = JobRecord {
        state: JobState::Failure,
        datums: Counts {
            total: datums,
            failed: datums / 1000,
            processed: datums - datums / 1000,
            ..Counts::default()
        },
        ..JobRecord::new(id, "made".parse().unwrap(), Timestamp::UNIX_EPOCH)
    };
    let spec = super::spec("made", "in");
    ledger.open_job(&record, &spec).await.unwrap();
    id
}

/// All pages of a search, and the longest time that one took.
async fn all(site: &Site, id: JobId, query: &str) -> (Vec<u64>, u32, Duration) {
    let (mut found, mut pages, mut longest) = (Vec::new(), 0, Duration::ZERO);
    let mut after = String::new();
    loop {
        let begun = Instant::now();
        let page = site
            .sees(&format!("/api/v1/jobs/{id}/datums?{query}{after}"))
            .await;
        longest = longest.max(begun.elapsed());
        found.extend(super::indexes(&page));
        pages += 1;
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return (found, pages, longest),
        }
    }
}

#[tokio::test]
async fn no_datum_is_passed_over_however_the_pages_fall() {
    let site = Site::new();
    let id = large_job(&site.ledger, 5_000).await;
    let (every, pages, _) = all(&site, id, "limit=700").await;
    assert_eq!((every, pages), ((0..5_000).collect(), 8));
    let (failed, ..) = all(&site, id, "limit=2&state=failed").await;
    assert_eq!(failed, [999, 1999, 2999, 3999, 4999]);
}

/// Not a promise but figures: `cargo test --release --lib -- --ignored --nocapture figures_at_a_million`.
#[tokio::test]
#[ignore = "takes a minute; prints figures"]
async fn figures_at_a_million() {
    let folder = tempfile::tempdir().unwrap();
    let place = Location::folder(folder.path()).unwrap();
    let site = Site::on(Ledger::new(Store::open(&place).await.unwrap()));
    let id = large_job(&site.ledger, 1_000_000).await;
    for query in [
        "limit=100",
        "limit=100&after=999000",
        "limit=1000&state=failed",
        "limit=100&path=999999",
        "limit=100&state=queued",
    ] {
        let begun = Instant::now();
        let path = format!("/api/v1/jobs/{id}/datums?{query}");
        let page: Value = site.sees(&path).await;
        let first = begun.elapsed();
        println!(
            "{query}: first page of {} in {first:.0?}, looked at {}",
            super::indexes(&page).len(),
            page["looked_at"]
        );
        if query.contains("state") || query.contains("path") {
            let begun = Instant::now();
            let (found, pages, longest) = all(&site, id, query).await;
            println!(
                "  all {} in {pages} pages, {:.1?}, longest {longest:.0?}",
                found.len(),
                begun.elapsed()
            );
        }
    }
    for path in ["timeline", "failures", "datums/500000"] {
        let begun = Instant::now();
        let told = site.sees(&format!("/api/v1/jobs/{id}/{path}")).await;
        println!(
            "{path}: {:.0?}, sampled {}",
            begun.elapsed(),
            told["sampled"]
        );
    }
}
