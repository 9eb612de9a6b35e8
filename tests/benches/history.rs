//! Lists and explanations beside two weeks of a job a minute, on a folder and on a bucket.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use drover_shared::id::JobId;
use drover_shared::job::{Counts, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::{Location, Store};
use drover_tests::s3::{Listing, S3};
use drover_tests::{Spec, Workspace, drover, eventually};
use jiff::{SignedDuration, Timestamp};

use crate::measure::median;
use crate::{Sizes, say};

/// The pipeline of the history; another one has a single job, the oldest.
const PIPELINE: &str = "minutely";

/// Prints seconds until the answer.
pub(crate) fn show(sizes: Sizes) {
    say(&format!(
        "\n{} jobs in the history          folder s   bucket s",
        sizes.jobs
    ));
    let workspace = Workspace::new();
    workspace.file("in/a", "a");
    write_history(&workspace, sizes.jobs);
    let bucket = S3::listing(Listing::WithTags);
    for folder in [".drover", "in"] {
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .arg(workspace.path(folder))
            .arg(bucket.path("cluster"))
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy");
    }
    let spec = workspace.spec(&Spec::new(PIPELINE).reads("in", "/*").cmd(&["true"]));
    let rows: [(&str, &[&str]); 5] = [
        ("jobs", &["jobs"]),
        ("jobs of one pipeline", &["jobs", "--pipeline", PIPELINE]),
        ("explain last", &["explain", "last"]),
        ("job last", &["job", "last"]),
        ("plan --why", &["plan", "--why", &spec]),
    ];
    for (what, args) in rows {
        let seconds = [None, Some(&bucket)].map(|bucket| {
            let command = drover_on(&workspace, bucket, args);
            median(sizes.repeats, || {}, &command).wall
        });
        say(&format!(
            "  {what:<30} {:>8.2} {:>10.2}",
            seconds[0], seconds[1]
        ));
    }
    // On a bucket, a service needs a broker.
    let [first, filtered] = first_pages(&workspace);
    say(&format!("  {:<30} {first:>8.2}", "API, first page"));
    say(&format!(
        "  {:<30} {filtered:>8.2}",
        "API, jobs of one pipeline"
    ));
}

fn drover_on(workspace: &Workspace, bucket: Option<&S3>, args: &[&str]) -> Command {
    let mut command = Command::new(drover());
    command.args(args).current_dir(workspace.store());
    if let Some(s3) = bucket {
        s3.introduce(&mut command);
        command.env("DROVER_STORE", "s3://cluster");
    }
    command
}

/// Writes the records of finished jobs, a minute apart.
fn write_history(workspace: &Workspace, jobs: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let store = Store::open(&Location::Folder(workspace.store())).await;
        let ledger = Ledger::new(store.expect("the store is there"));
        let spec = Spec::new(PIPELINE).reads("in", "/*").cmd(&["true"]);
        let now = Timestamp::now();
        for number in 0..jobs {
            let age = SignedDuration::from_mins(i64::try_from(jobs - number).unwrap_or_default());
            let pipeline = if number == 0 { "lone" } else { PIPELINE };
            let name = pipeline.parse().expect("a name");
            let record = JobRecord {
                state: JobState::Success,
                datums: Counts {
                    total: 1,
                    processed: 1,
                    ..Counts::default()
                },
                ..JobRecord::new(JobId::generate(), name, now - age)
            };
            let written = ledger.open_job(&record, &spec.0).await;
            written.expect("the store is writable");
        }
    });
}

/// Seconds until the first pages of the list of jobs have come.
fn first_pages(workspace: &Workspace) -> [f64; 2] {
    let said = workspace.outside("service");
    let mut command = drover_on(workspace, None, &["serve", "--http", "127.0.0.1:0"]);
    let file = fs::File::create(&said).expect("the workspace is writable");
    command
        .env("DROVER_TOKEN", "the-token-of-the-bench")
        .stdout(Stdio::null())
        .stderr(file);
    let mut service = command.spawn().expect("the service starts");
    let mut address = None;
    eventually("the service said where its page is", || {
        let said = fs::read_to_string(&said).unwrap_or_default();
        let rest = said.split("http://").nth(1);
        address = rest
            .and_then(|rest| rest.split('/').next())
            .map(str::to_owned);
        address.is_some()
    });
    let address = address.unwrap_or_default();
    let pages = ["", "?pipeline=minutely"].map(|query| {
        let begun = Instant::now();
        let answer = get(&address, &format!("/api/v1/jobs{query}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        begun.elapsed().as_secs_f64()
    });
    service.kill().expect("a child can be ended");
    service.wait().expect("a child can be waited for");
    pages
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the service listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer the-token-of-the-bench\r\nConnection: close\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .expect("the service reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the service answers");
    answer
}
