//! The behaviour of every store, of a bucket.
//!
//! A store finds its bucket by the environment, so the suite runs in a process that has one.

use std::process::Command;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::store::{Location, Store, testing::suite};
use drover_tests::s3::{Fault, FaultKind, Listing, S3};

/// Tells the process where its store is.
const STORE: &str = "SUITE_STORE";

#[test]
fn a_bucket_is_a_store() {
    run(SUITE, &S3::start(), "s3://cluster");
}

#[test]
fn a_prefix_of_a_bucket_whose_listings_have_e_tags_is_a_store() {
    run(
        SUITE,
        &S3::listing(Listing::WithTags),
        "s3://cluster/some/prefix",
    );
}

#[test]
fn a_bucket_that_stumbles_all_the_time_is_a_store() {
    let s3 = S3::start();
    for (number, method) in ["GET", "PUT", "POST", "HEAD", "DELETE"].iter().enumerate() {
        for (kind, harm) in [FaultKind::Answer(503, "SlowDown"), FaultKind::Close]
            .iter()
            .enumerate()
        {
            for again in 0..6 {
                let after = 7 * again + 3 * kind + number;
                s3.harm(Fault::on(method, "", harm.clone()).after(after).times(1));
            }
        }
    }
    run(SUITE, &s3, "s3://cluster");
}

#[test]
fn who_finds_its_own_mark_or_epoch_is_not_misled() {
    let s3 = S3::start();
    for part in ["/marks/", "/epochs/"] {
        for harm in [
            FaultKind::LoseAnswer,
            FaultKind::Answer(500, "InternalError"),
        ] {
            s3.harm(Fault::on("PUT", part, harm).times(1));
        }
    }
    run(OWN, &s3, "s3://cluster");
}

/// Runs this very program again, for one of the tests below alone.
fn run(test: &str, s3: &S3, store: &str) {
    let program = std::env::current_exe().expect("a test knows its program");
    let mut again = Command::new(program);
    again.args(["--ignored", "--exact", test]).env(STORE, store);
    s3.introduce(&mut again);
    let output = again.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && told.contains("1 passed");
    assert!(passed, "{told}");
    assert_eq!(s3.parts(), [""; 0], "parts of uploads are left");
}

/// The store that the environment tells of.
async fn store() -> Store {
    #[expect(clippy::disallowed_methods, reason = "the tests above set it")]
    let store = std::env::var(STORE).expect("the tests above set it");
    let location = Location::parse(&store, "/".as_ref()).expect("it is a workspace");
    Store::open(&location).await.expect("it answers")
}

const SUITE: &str = "suite::the_store_of_the_environment_keeps_its_promises";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is for the tests above, which give it an environment"]
async fn the_store_of_the_environment_keeps_its_promises() {
    suite::suite(&store().await).await;
}

const OWN: &str = "suite::marks_and_epochs_are_counted_once";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is for a test above, which lets answers be lost"]
async fn marks_and_epochs_are_counted_once() {
    let ledger = Ledger::new(store().await);
    let job = JobId::generate();
    for n in 1..=4 {
        assert_eq!(
            ledger
                .mark_attempt(job, 7, "herd-1.0", &"herd-1".parse().unwrap())
                .await
                .unwrap(),
            n
        );
    }
    let pipeline: PipelineName = "copy".parse().unwrap();
    let mut before = None;
    for _ in 0..4 {
        let epoch = ledger.begin_epoch(&pipeline, "we").await.unwrap();
        assert!(ledger.is_latest(&pipeline, epoch).await.unwrap());
        assert!(before.is_none_or(|before| before < epoch));
        before = Some(epoch);
    }
}
