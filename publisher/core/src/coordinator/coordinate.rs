//! A job from its creation to its final record.

use std::future::Future;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;

use drover_shared::job::{JobEvent, JobRecord};
use drover_shared::ledger::DoneIndex;
use drover_shared::queue::{Consumer, Queue, QueueError};
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::dispatch::supply::{Load, Standing, Supply};
use super::finish::close::{Finish, save_final};
use super::finish::stop::{TimeLimit, reason_to_stop};
use super::manifest::retry::{self, Again};
use super::manifest::source::{Source, continuation, expansion, nothing};
use super::manifest::write;
use super::reason::chain;
use super::recovery::open::open_books;
use super::recovery::recover::{Recovered, recover};
use super::track::collect::Collector;
use super::track::live::Live;
use super::track::tally::Tally;
use super::{Assignment, CoordinateError, Scope, Tools};
use crate::expand::{Datums, StoreListings, expand};

/// Reports that the consumer of a coordinator holds at the same time, at most.
pub const REPORTS: u16 = 512;
/// Dead messages held at the same time.
const DEAD: u16 = 16;
/// Segments whose news has not been heard yet.
const NEWS: usize = 16;

/// Creates a job and sees it through. `reports` are those of its pipeline; only for the one whom [`Tools::fence`]
/// makes the only coordinator.
///
/// Failed and killed jobs are not errors. After an error what was committed stays, and the next job skips it.
pub async fn coordinate(
    assignment: Assignment,
    tools: Tools,
    reports: &mut dyn Consumer,
) -> Result<JobRecord, CoordinateError> {
    let done = open_books(&tools.ledger, &assignment).await?;
    let source = open_source(&assignment, &tools, done, &Recovered::default()).await?;
    tools
        .ledger
        .open_job(&assignment.record, &assignment.spec)
        .await?;
    let live = Live::new(assignment.record.clone(), Tally::default());
    // All of a job's work is one future, and a large one.
    Box::pin(see_through(
        &assignment,
        &tools,
        reports,
        live,
        source,
        Vec::new(),
    ))
    .await
}

/// Sees a job through whose books are open, however far others came with it.
///
/// What was published before is published again, for there is no telling what became of it: a datum that ends twice
/// counts once. An error that [passes](CoordinateError) leaves the job as it is; after any other it has failed.
pub async fn resume(
    assignment: Assignment,
    tools: Tools,
    reports: &mut dyn Consumer,
) -> Result<JobRecord, CoordinateError> {
    let done = open_books(&tools.ledger, &assignment).await?;
    let queue = Queue::Datums(assignment.pipeline.name.clone());
    tools.broker.purge(&queue).await?;
    let mut recovered = recover(&tools.ledger, assignment.record.id).await?;
    let source = if recovered.expanded {
        Ok(nothing())
    } else {
        open_source(&assignment, &tools, done, &recovered).await
    };
    let (tally, loads) = (take(&mut recovered.tally), take(&mut recovered.loads));
    let mut live = Live::resumed(assignment.record.clone(), tally);
    match source {
        Ok(source) => {
            Box::pin(see_through(
                &assignment,
                &tools,
                reports,
                live,
                source,
                loads,
            ))
            .await
        }
        Err(error) => {
            give_up(&tools, &mut live, &error).await;
            Err(error)
        }
    }
}

/// Where the datums come from that are not `known`. What is missing is told here, before there is a job.
async fn open_source(
    assignment: &Assignment,
    tools: &Tools,
    done: Option<Arc<DoneIndex>>,
    known: &Recovered,
) -> Result<Source, CoordinateError> {
    let datums = open_inputs(assignment, tools).await?;
    match (assignment.scope, known.last) {
        (Scope::Everything, None) => expansion(datums, done),
        (Scope::Everything, Some(last)) => continuation(datums, done, known.tally.known(), last),
        (Scope::FailedOf(job) | Scope::GroupOf { job, .. }, last) => {
            let again = Again {
                job,
                group: assignment.scope.group(),
            };
            if last.is_none() {
                retry::check(&tools.ledger, again, datums).await?;
            }
            let first = known.tally.known();
            Ok(retry::datums_of(tools.ledger.clone(), again, first))
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
    reports: &mut dyn Consumer,
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
    let seen_through = async {
        let event = work(
            assignment,
            tools,
            reports,
            &mut live,
            source,
            loads,
            stop.as_mut(),
        )
        .await?;
        let finish = Finish { assignment, tools };
        tokio::select! {
            ended = finish.run(&mut live, event, stop) => ended,
            // Stray reports must not keep the queue waiting for their answers.
            error = ignore(reports) => Err(error.into()),
        }
    };
    let ended = tokio::select! {
        ended = seen_through => ended,
        deposed = tools.fence.fallen() => Err(deposed),
    };
    if let Err(error) = &ended {
        give_up(tools, &mut live, error).await;
    }
    ended
}

/// Takes out reports that come too late to matter; the ledger knows what they tell.
async fn ignore(reports: &mut dyn Consumer) -> QueueError {
    loop {
        let ignored = match reports.next().await {
            Ok(delivery) => delivery.ack().await,
            Err(error) => return error,
        };
        if let Err(error) = ignored {
            return error;
        }
    }
}

/// Has the datums worked on until it is decided what the job comes to.
async fn work(
    assignment: &Assignment,
    tools: &Tools,
    reports: &mut dyn Consumer,
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
    let dead = Queue::Dead(pipeline.name.clone());
    let dead = tools.broker.consume(&dead, DEAD).await?;
    let mut collector = Collector {
        tools,
        reports,
        dead,
        news,
        loads: Some(loads_sender),
        standing,
        sealing: FuturesUnordered::new(),
        ended_before: live.tally.worked(),
        live,
    };
    for load in loads {
        collector.load(load);
    }
    let helpers = async {
        let supply = supply.run(loads_receiver, standing_receiver);
        let manifest = write::write(&tools.ledger, job, source, news_sender);
        futures::future::try_join(supply, manifest).await?;
        std::future::pending::<Result<JobEvent, CoordinateError>>().await
    };
    tokio::select! {
        event = collector.run(stop) => event,
        error = helpers => error,
    }
}

/// Notes in the books, as well as that still goes, that the job failed for `error`; unless another coordinator can
/// go on with it.
async fn give_up(tools: &Tools, live: &mut Live, error: &CoordinateError) {
    if tools.fence.has_successors() && error.is_passing() {
        return;
    }
    tools.cancel.cancel();
    live.give_reason(chain(error));
    // A job that has not ended can always fail.
    let _ = live.enter(JobEvent::Failed);
    if let Err(error) = save_final(&tools.ledger, &live.record(), live).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(job.id = %live.job(), error, "cannot save how the job ended; it will be shown as interrupted");
    }
}
