//! The behaviour of every store, of a bucket.
//!
//! A store finds its bucket by the environment, so the suite runs in a process that has one.

use std::process::Command;

use drover_shared::store::{Location, Store, suite};
use drover_tests::s3::{Fault, Harm, Listing, S3};

/// Tells the process where its store is.
const STORE: &str = "SUITE_STORE";

#[test]
fn a_bucket_is_a_store() {
    run(&S3::start(), "s3://herd");
}

#[test]
fn a_prefix_of_a_bucket_whose_listings_have_e_tags_is_a_store() {
    run(&S3::listing(Listing::WithTags), "s3://herd/some/prefix");
}

#[test]
fn a_bucket_that_stumbles_all_the_time_is_a_store() {
    let s3 = S3::start();
    for (number, method) in ["GET", "PUT", "POST", "HEAD", "DELETE"].iter().enumerate() {
        for (kind, harm) in [Harm::Answer(503, "SlowDown"), Harm::Close]
            .iter()
            .enumerate()
        {
            for again in 0..6 {
                let after = 7 * again + 3 * kind + number;
                s3.harm(Fault::on(method, "", harm.clone()).after(after).times(1));
            }
        }
    }
    run(&s3, "s3://herd");
}

/// Runs this very program again, for the test below alone.
fn run(s3: &S3, store: &str) {
    let program = std::env::current_exe().expect("a test knows its program");
    let mut suite = Command::new(program);
    suite.args([
        "--ignored",
        "--exact",
        "suite::the_store_of_the_environment_keeps_its_promises",
    ]);
    s3.introduce(&mut suite);
    let output = suite.env(STORE, store).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(s3.parts(), [""; 0], "parts of uploads are left");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is for the tests above, which give it an environment"]
async fn the_store_of_the_environment_keeps_its_promises() {
    #[expect(clippy::disallowed_methods, reason = "the tests above set it")]
    let store = std::env::var(STORE).expect("the tests above set it");
    let location = Location::parse(&store, "/".as_ref()).unwrap();
    suite::suite(&Store::open(&location).await.unwrap()).await;
}
