//! A long history of jobs costs no more requests than a short one.

use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::{Location, Store};
use drover_tests::Spec;
use jiff::{SignedDuration, Timestamp};

use crate::field::Field;

/// More listings than for a short history, at most: a page beside the first one, for each of two searches.
const MORE_LISTINGS: usize = 2;
/// More requests, at most: how many records are read ahead is up to the moment.
const MORE_REQUESTS: usize = 40;

fn minutely() -> Spec {
    Spec::new("minutely").reads("in", "/*").cmd(&["true"])
}

/// A bucket with the records of jobs of one pipeline that ended a minute apart, and an older job of another pipeline.
fn field_with_history(jobs: u64) -> Field {
    let field = Field::new();
    field.put("in/a", "a");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        // The folder behind the bucket.
        let folder = Location::Folder(field.s3.path("cluster"));
        let ledger = Ledger::new(
            Store::open(&folder)
                .await
                .expect("the folder can be opened"),
        );
        let now = Timestamp::now();
        for age in (0..jobs).rev() {
            let time = now - SignedDuration::from_mins(age.try_into().expect("a few days"));
            let id = JobId::first_at(time.as_millisecond().try_into().expect("after 1970"));
            let name = if age == jobs - 1 { "lone" } else { "minutely" };
            let record = JobRecord {
                state: JobState::Success,
                datums: Counts {
                    total: 1,
                    processed: 1,
                    ..Counts::default()
                },
                ..JobRecord::new(id, name.parse().expect("a name"), time)
            };
            let opened = ledger.open_job(&record, &minutely().0).await;
            opened.expect("the store is writable");
        }
    });
    field
}

#[test]
fn a_long_history_costs_no_more_requests_than_a_short_one() {
    let [short, long] = [100, 3_100].map(field_with_history);
    let rows: [&[&str]; 7] = [
        &["jobs"],
        &["jobs", "--pipeline", "minutely"],
        &["jobs", "--pipeline", "lone"],
        &["explain", "last"],
        &["job", "last"],
        &["datums", "last"],
        &["plan", "--why"],
    ];
    for args in rows {
        let [few, many] = [&short, &long].map(|field| {
            let spec = field.workspace.spec(&minutely());
            let spec = (args[0] == "plan").then_some(spec.as_str());
            let args: Vec<&str> = args.iter().copied().chain(spec).collect();
            let counts = || [&["GET /cluster?"][..], &[]].map(|part| field.s3.requests(part).len());
            let before = counts();
            field.call(&args).code(0);
            let [listings, all] = counts();
            [listings - before[0], all - before[1]]
        });
        let is_alike = many[0] <= few[0] + MORE_LISTINGS && many[1] <= few[1] + MORE_REQUESTS;
        assert!(
            is_alike,
            "{args:?}: {few:?} and {many:?} listings and requests"
        );
    }
}
