//! A worker that runs nothing: the worker accepts every datum and reports a success. The rest is the work of the
//! publisher.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use drover_shared::datum::{Datum, StageStats, Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;
use drover_shared::queue::rabbitmq::ConnectOptions;
use drover_shared::queue::{Broker, Delivery, Queue, RabbitMq};
use drover_shared::store::{Location, Store};
use drover_shared::wire::{Event, Message, Report, TaskDatums, decode, encode_for};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

const MARK: &str = "__hollow-worker";
/// Messages held at the same time.
const PREFETCH: u16 = 1024;

/// The command that is the worker of a pipeline until it is killed.
pub(super) fn command(url: &str, pipeline: &str, store: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
    command.args([MARK, url, pipeline]).arg(store);
    command
}

/// Runs the worker, if the process was started as the worker.
pub(super) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let (url, pipeline, store) = (args.next()?, args.next()?, args.next()?);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(work(&url, &pipeline, &store));
    Some(ExitCode::SUCCESS)
}

async fn work(url: &str, pipeline: &str, store: &str) {
    let store = Location::folder(Path::new(store)).expect("a folder");
    let ledger = Ledger::new(Store::open(&store).await.expect("a store"));
    let address = url.parse().expect("an address");
    let options = ConnectOptions::within(Duration::from_secs(30));
    let broker = RabbitMq::connect(&address, "noop", options).await;
    let broker = broker.expect("the broker is up");
    let pipeline = pipeline.parse().expect("a name");
    broker.declare(&pipeline).await.expect("declared");
    let reports = Queue::Reports(pipeline.clone());
    let consumer = broker.consume(&Queue::Datums(pipeline), PREFETCH).await;
    let mut consumer = consumer.expect("a consumer");
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            delivery = consumer.next() => {
                answers.push(answer(&ledger, &broker, &reports, delivery.expect("a delivery")));
            }
            Some(()) = answers.next() => {}
        }
    }
}

async fn answer(ledger: &Ledger, broker: &RabbitMq, reports: &Queue, delivery: Delivery) {
    let Ok(Message::Task(task)) = decode(&delivery.body) else {
        panic!("not a task")
    };
    let TaskDatums::Inline(datums) = task.datums else {
        panic!("not inline")
    };
    let key = ledger.job_key(task.job).await.expect("a key");
    for datum in &datums {
        let report = Message::Reports(vec![ended(task.job, datum)]);
        let report = encode_for(&report, key.as_ref()).expect("a message");
        broker.publish(reports, report).await.expect("published");
    }
    delivery.ack().await.expect("acked");
}

fn ended(job: JobId, datum: &Datum) -> Report {
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let verdict = Verdict {
        index: datum.index,
        datum: datum.id,
        state: VerdictState::Success,
        attempts: 1,
        worker: "noop".parse().expect("an id"),
        cause: None,
        staged: String::new(),
        outputs: Vec::new(),
        stats: StageStats::default(),
        started: now,
        finished: now,
        usage: None,
        taken_from: None,
    };
    Report {
        job,
        redeliveries: 0,
        event: Event::Ended {
            verdict: Box::new(verdict),
            first: true,
        },
    }
}
