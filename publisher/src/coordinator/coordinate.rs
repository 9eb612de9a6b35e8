//! A job from its creation to its final record.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use drover_shared::job::{JobEvent, JobRecord};
use drover_shared::ledger::DoneIndex;
use drover_shared::queue::Queue;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::collect::Collector;
use super::finish::Finish;
use super::live::Live;
use super::open::{open_books, save_final};
use super::reason::chain;
use super::recover::recover;
use super::source::{Source, continuation, expansion, nothing};
use super::stop::{TimeLimit, reason_to_stop};
use super::supply::{Load, Standing, Supply};
use super::tally::Tally;
use super::tools::Tools;
use super::{Assignment, CoordinateError, Scope, manifest, retry};
use crate::expand::{Datums, StoreListings, expand};

/// Reports held at the same time.
const REPORTS: u16 = 512;
/// Segments whose news has not been heard yet.
const NEWS: usize = 16;

/// Creates a job and sees it through. Only for the holder of the pipeline's lock.
///
/// Failed and killed jobs are not errors. After an error what was committed stays, and the next job skips it.
pub async fn coordinate(
    assignment: Assignment,
    tools: Tools,
) -> Result<JobRecord, CoordinateError> {
    let done = open_books(&tools.ledger, &assignment).await?;
    let source = open_source(&assignment, &tools, done).await?;
    tools
        .ledger
        .open_job(&assignment.record, &assignment.spec)
        .await?;
    let live = Live::new(assignment.record.clone(), Tally::default());
    see_through(&assignment, &tools, live, source, Vec::new()).await
}

/// Sees a job through that another coordinator began, however far it came. Only while no other one is at it.
///
/// What was published before is published again, for there is no telling what the queue still holds: a datum that
/// ends twice counts once.
pub async fn resume(assignment: Assignment, tools: Tools) -> Result<JobRecord, CoordinateError> {
    let recovered = recover(&tools.ledger, assignment.record.id).await?;
    let source = match recovered.last {
        _ if recovered.expanded => nothing(),
        None => expansion(open_inputs(&assignment, &tools).await?, None)?,
        Some(last) => continuation(
            open_inputs(&assignment, &tools).await?,
            recovered.tally.known(),
            last,
        )?,
    };
    let live = Live::resumed(assignment.record.clone(), recovered.tally);
    see_through(&assignment, &tools, live, source, recovered.loads).await
}

/// Where the datums come from. What is missing is told here, before there is a job.
async fn open_source(
    assignment: &Assignment,
    tools: &Tools,
    done: Option<Arc<DoneIndex>>,
) -> Result<Source, CoordinateError> {
    let datums = open_inputs(assignment, tools).await?;
    match assignment.scope {
        Scope::Everything => expansion(datums, done),
        Scope::FailedOf(job) => {
            retry::check(&tools.ledger, job, datums).await?;
            Ok(retry::datums_of(tools.ledger.clone(), job))
        }
    }
}

async fn open_inputs(assignment: &Assignment, tools: &Tools) -> Result<Datums, CoordinateError> {
    let pipeline = assignment.pipeline.clone();
    let listings = StoreListings::open(&pipeline, tools.ledger.store())
        .await
        .map_err(CoordinateError::Expand)?;
    let opened = tokio::task::spawn_blocking(move || expand(&pipeline, Arc::new(listings)));
    opened
        .await
        .map_err(std::io::Error::other)?
        .map_err(CoordinateError::Expand)
}

/// Sees a job through whose further datums come from `source`; those of `loads` are known already.
async fn see_through(
    assignment: &Assignment,
    tools: &Tools,
    mut live: Live,
    source: Source,
    loads: Vec<Load>,
) -> Result<JobRecord, CoordinateError> {
    let job = live.job();
    let time = TimeLimit {
        since: live.record().started.unwrap_or_else(Timestamp::now),
        limit: assignment.pipeline.job_timeout,
    };
    let mut stop = pin!(reason_to_stop(
        tools.ledger.clone(),
        job,
        tools.pace.clone(),
        time
    ));
    match work(assignment, tools, &mut live, source, loads, stop.as_mut()).await {
        Ok(event) => Finish { assignment, tools }.run(live, event, stop).await,
        Err(error) => {
            give_up(tools, &mut live, &error).await;
            Err(error)
        }
    }
}

/// Has the datums worked on until it is decided what the job comes to.
async fn work(
    assignment: &Assignment,
    tools: &Tools,
    live: &mut Live,
    source: Source,
    loads: Vec<Load>,
    stop: Pin<&mut (impl Future<Output = String> + Send)>,
) -> Result<JobEvent, CoordinateError> {
    let job = live.job();
    let pipeline = &assignment.pipeline;
    let (news_sender, news) = mpsc::channel(NEWS);
    let (loads_sender, loads_receiver) = mpsc::unbounded_channel();
    let (standing, standing_receiver) = watch::channel(Standing::default());
    let supply = Supply {
        ledger: tools.ledger.clone(),
        broker: Arc::clone(&tools.broker),
        pipeline: pipeline.name.clone(),
        job,
        rule: pipeline.datum_set,
        workers: tools.workers,
        window: tools.window,
    };
    let reports = tools
        .broker
        .consume(&Queue::Reports(pipeline.name.clone()), REPORTS)
        .await?;
    let counts = live.tally.counts();
    let mut collector = Collector {
        tools,
        reports,
        news,
        loads: Some(loads_sender),
        standing,
        sealing: FuturesUnordered::new(),
        ended_before: counts.ended() - counts.skipped,
        live,
    };
    for load in loads {
        collector.load(load);
    }
    let helpers = async {
        let supply = supply.run(loads_receiver, standing_receiver);
        let manifest = manifest::write(&tools.ledger, job, source, news_sender);
        futures::future::try_join(supply, manifest).await?;
        std::future::pending::<Result<JobEvent, CoordinateError>>().await
    };
    tokio::select! {
        event = collector.run(stop) => event,
        error = helpers => error,
    }
}

/// Notes in the books, as well as that still goes, that the job failed for `error`.
async fn give_up(tools: &Tools, live: &mut Live, error: &CoordinateError) {
    tools.cancel.cancel();
    live.give_reason(chain(error));
    // A job that has not ended can always fail.
    let _ = live.enter(JobEvent::Failed);
    if let Err(error) = save_final(&tools.ledger, &live.record(), live).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(job.id = %live.job(), error, "cannot save how the job ended; it will be shown as interrupted");
    }
}
