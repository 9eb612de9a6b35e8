//! Runs a job to its final record.

use std::mem::{replace, take};
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;

use drover_shared::causes::with_causes;
use drover_shared::datum::CodeFile;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobEvent, JobRecord, WholeJob};
use drover_shared::ledger::{DoneIndex, Ledger, SegmentSets};
use drover_shared::pipeline::{Limit, Pipeline, SetRule, StragglerRule};
use drover_shared::prediction::UsageModel;
use drover_shared::queue::{Consumer, Queue, QueueError};
use drover_shared::store::StoreError;
use futures::TryStreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};

use super::dispatch::dispatcher::{BackPressure, Dispatcher};
use super::dispatch::tasks::{PendingSegment, TaskMessages};
use super::finish::close::{Ended, JobFinish, save_final};
use super::finish::publication::settle;
use super::finish::stop::watch_for_stop;
use super::limits::gate::LimitGate;
use super::limits::shared::{Demand, SharedLimits, give_back, named};
use super::manifest::redo;
use super::manifest::retry::{self, RetryScope};
use super::manifest::sample::sample;
use super::manifest::source::{DatumSource, continuation, expansion, listed, nothing};
use super::manifest::write;
use super::messages::watch::MessageWatch;
use super::recovery::open::read_done_work;
use super::recovery::recover::{Recovered, recover};
use super::track::collect::Collector;
use super::track::early_end::EarlyEndRule;
use super::track::live::LiveJob;
use super::track::stragglers::Stragglers;
use super::{Assignment, CoordinateError, JobContext, Scope};
use crate::expand::{DatumStream, Listings, StoreListings, expand};

/// Prefetch of the reports consumer.
pub const REPORTS: u16 = 512;
/// Prefetch of the dead-letter consumer.
const DEAD: u16 = 16;
/// Times that datums with lost output run again within a job.
const MAX_REDO_ROUNDS: u32 = 3;
/// Manifest events buffered for the collector.
const EVENTS: usize = 16;

/// Runs a job to its final record, from whatever point the ledger says: a job without a record is created first.
/// `reports` consumes the reports queue of the pipeline. The caller must hold [`JobContext::fence`].
///
/// Outstanding datums are published again, because their earlier messages may be lost; a second verdict on a datum does
/// not count. Failed and killed jobs are not errors. No job is created if the inputs of a new one cannot be expanded. A
/// later [transient](CoordinateError) error leaves the job as it is; any other error fails the job.
pub async fn resume(
    assignment: Assignment,
    context: JobContext,
    reports: &mut dyn Consumer,
) -> Result<JobRecord, CoordinateError> {
    let job = assignment.record.id;
    let done = read_done_work(&context.ledger, &assignment).await?;
    if done.as_ref().is_none_or(|done| done.is_empty()) {
        context.work.notify_one();
    }
    settle(&context.ledger, &assignment.pipeline.name).await?;
    let queue = Queue::Datums(assignment.pipeline.name.clone());
    // A leader that was deposed meanwhile would purge the messages of its successor.
    context.fence.check().await?;
    context.broker.purge(&queue).await?;
    let is_new = !context.ledger.has_job(job).await?;
    let mut recovered = if is_new {
        Recovered::default()
    } else {
        let recovered = recover(&context.ledger, job).await?;
        keep_singles(&context.ledger, job, &recovered.pending).await?;
        recovered
    };
    let source = if recovered.expanded {
        Ok(OpenedSource::default())
    } else {
        open_source(&assignment, &context, done, &recovered).await
    };
    let (tally, pending) = (take(&mut recovered.tally), take(&mut recovered.pending));
    let mut live = LiveJob::resumed(assignment.record.clone(), tally);
    let OpenedSource {
        source,
        code,
        first_of,
    } = match source {
        Ok(opened) => opened,
        Err(error) if is_new => return Err(error),
        Err(error) => {
            record_failure(&context, &mut live, &error).await;
            return Err(error);
        }
    };
    if let Some(of) = first_of {
        live.begin_first_of(of);
    }
    if is_new {
        let spec = &assignment.spec;
        context.ledger.open_job(&live.record(), spec).await?;
    }
    context.ledger.save_code(job, &code).await?;
    // The future is large.
    Box::pin(run_to_end(
        &assignment,
        &context,
        reports,
        live,
        source,
        pending,
    ))
    .await
}

/// Records that each datum of the pending segments is committed on its own, if a leader of an older Drover published the
/// segments without a record of sets.
async fn keep_singles(
    ledger: &Ledger,
    job: JobId,
    pending: &[PendingSegment],
) -> Result<(), StoreError> {
    if pending.is_empty() || ledger.has_sets(job).await? {
        return Ok(());
    }
    for known in pending {
        let singles = SegmentSets::singles();
        ledger.agree_on_sets(job, known.segment, singles).await?;
    }
    Ok(())
}

/// The datums of a job that are not in its manifest yet.
struct OpenedSource {
    source: DatumSource,
    code: Vec<CodeFile>,
    /// Of a job that runs only the first datums: the size of the whole.
    first_of: Option<WholeJob>,
}

impl Default for OpenedSource {
    fn default() -> Self {
        Self {
            source: nothing(),
            code: Vec::new(),
            first_of: None,
        }
    }
}

/// The source of datums beyond `known`. Missing inputs are reported here, before a job exists.
async fn open_source(
    assignment: &Assignment,
    context: &JobContext,
    done: Option<Arc<DoneIndex>>,
    known: &Recovered,
) -> Result<OpenedSource, CoordinateError> {
    let (datums, code) = open_inputs(assignment, context).await?;
    let mut first_of = None;
    let source = match (assignment.scope, known.last) {
        (Scope::Everything, None) => expansion(datums, done),
        (Scope::Everything, Some(last)) => continuation(datums, done, known.tally.known(), last),
        (Scope::First(number), _) => {
            let sampling =
                tokio::task::spawn_blocking(move || sample(datums, done.as_deref(), number));
            let sample = sampling.await.map_err(std::io::Error::other)?;
            let sample = sample.map_err(CoordinateError::Expand)?;
            first_of = Some(sample.of);
            let known = known.tally.known();
            let new = sample.datums.into_iter().filter(|it| it.index >= known);
            Ok(listed(new.collect()))
        }
        (Scope::FailedOf(job) | Scope::GroupOf { job, .. }, last) => {
            let again = RetryScope {
                job,
                group: assignment.scope.group(),
            };
            if last.is_none() {
                retry::check(&context.ledger, again, datums).await?;
            }
            let first = known.tally.known();
            Ok(retry::datums_of(context.ledger.clone(), again, first))
        }
    };
    Ok(OpenedSource {
        source: source?,
        code,
        first_of,
    })
}

async fn open_inputs(
    assignment: &Assignment,
    context: &JobContext,
) -> Result<(DatumStream, Vec<CodeFile>), CoordinateError> {
    let pipeline = assignment.pipeline.clone();
    let listings = StoreListings::open(&pipeline, context.ledger.store())
        .await
        .map_err(CoordinateError::Expand)?;
    let code = listings.code().to_vec();
    let opened = tokio::task::spawn_blocking(move || expand(&pipeline, Arc::new(listings)));
    let datums = opened
        .await
        .map_err(std::io::Error::other)?
        .map_err(CoordinateError::Expand)?;
    Ok((datums, code))
}

/// Runs a job. `source` yields datums that are not in the manifest yet; `pending` are known segments.
pub(super) async fn run_to_end(
    assignment: &Assignment,
    context: &JobContext,
    reports: &mut dyn Consumer,
    mut live: LiveJob,
    source: DatumSource,
    pending: Vec<PendingSegment>,
) -> Result<JobRecord, CoordinateError> {
    let job = live.job();
    let limit = assignment.pipeline.job_timeout;
    let keeps_going = assignment.keep_going || assignment.pipeline.keep_going;
    live.early_end_rule = EarlyEndRule {
        alike: (!keeps_going).then(|| EarlyEndRule::equal_failures(context.workers)),
        max_failures: assignment.pipeline.max_failures,
        halt: assignment.halt,
    };
    let run = async {
        let (mut source, mut pending) = (source, pending);
        for may_redo in (0..MAX_REDO_ROUNDS).map(|_| true).chain([false]) {
            let event = work(
                assignment,
                context,
                reports,
                &mut live,
                replace(&mut source, nothing()),
                take(&mut pending),
            )
            .await?;
            let finish = JobFinish {
                assignment,
                context,
                may_redo,
            };
            let ended = tokio::select! {
                ended = finish.run(&mut live, event) => ended?,
                // Late reports must be acked, or they would fill the prefetch.
                error = ack_late_reports(reports) => return Err(error.into()),
            };
            match ended {
                Ended::Final(record) => return Ok(*record),
                Ended::OutputLost(lost) => pending = run_again(context, &mut live, &lost).await?,
            }
        }
        unreachable!("the last round ends with a final record")
    };
    let ended = tokio::select! {
        ended = run => ended,
        never = watch_for_stop(&context.ledger, job, limit, &context.control) => match never {},
        deposed = context.fence.deposed() => Err(deposed),
    };
    if let Err(error) = &ended {
        record_failure(context, &mut live, error).await;
    }
    ended
}

/// Appends the datums at the places `lost` to the manifest once more; returns their segments.
async fn run_again(
    context: &JobContext,
    live: &mut LiveJob,
    lost: &[u64],
) -> Result<Vec<PendingSegment>, CoordinateError> {
    let job = live.job();
    tracing::warn!(
        job.id = %job,
        "the stored output of {} datums is gone or was altered, first that of datum {}; they are done anew",
        lost.len(), lost.first().copied().unwrap_or_default(),
    );
    let (redone, first) = (live.tally.redone(), live.tally.known());
    context.fence.check().await?;
    let redone = redo::append(&context.ledger, job, lost, redone, first).await?;
    live.run_again(&redone);
    let pending = redone.into_iter();
    Ok(pending
        .map(|(segment, _)| PendingSegment::new(segment, &[]))
        .collect())
}

/// Acks reports that arrive after the decision; their verdicts are in the ledger.
async fn ack_late_reports(reports: &mut dyn Consumer) -> QueueError {
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

/// Dispatches datums and collects reports until the outcome is decided.
async fn work(
    assignment: &Assignment,
    context: &JobContext,
    reports: &mut dyn Consumer,
    live: &mut LiveJob,
    source: DatumSource,
    pending: Vec<PendingSegment>,
) -> Result<JobEvent, CoordinateError> {
    let job = live.job();
    let first = live.tally.known();
    let pipeline = &assignment.pipeline;
    let (event_sender, events) = mpsc::channel(EVENTS);
    let (pending_sender, pending_receiver) = mpsc::unbounded_channel();
    let (pressure, pressure_receiver) = watch::channel(BackPressure {
        granted: if pipeline.limits.is_empty() {
            u64::MAX
        } else {
            0
        },
        ..BackPressure::default()
    });
    let key = context.ledger.ensure_job_key(job).await?;
    let history = history(&context.ledger, &pipeline.name).await;
    let messages = TaskMessages {
        ledger: context.ledger.clone(),
        broker: Arc::clone(&context.broker),
        pipeline: pipeline.name.clone(),
        job,
        key,
        rule: set_rule(pipeline),
        workers: context.workers,
        term: context.fence.term(),
        durations: history.durations().into(),
        store: context.ledger.identity().await?.map(|identity| identity.id),
        trace: assignment.trace.clone(),
    };
    let (published, published_receiver) = mpsc::unbounded_channel();
    let (announced, announced_receiver) = mpsc::unbounded_channel();
    let (counted, counted_receiver) = watch::channel(0);
    let (demand, demand_receiver) = watch::channel(Demand::default());
    let names = named(&pipeline.limits);
    // Nothing is published before every limit is known.
    let (allotted, allotted_receiver) = watch::channel((!names.is_empty()).then_some(0));
    let shared = SharedLimits {
        ledger: context.ledger.clone(),
        fence: context.fence.clone(),
        pipeline: pipeline.name.clone(),
        names: names.clone(),
        demand: demand_receiver,
        published: counted_receiver,
        allotted,
    };
    let before = begun_before(context, pipeline, live).await?;
    let dispatcher = Dispatcher {
        messages: messages.clone(),
        window: context.window,
        published,
        announced: (!pipeline.limits.is_empty()).then_some(announced),
        counted,
        work: Arc::clone(&context.work),
    };
    // Only datums of an earlier leader may be in the hands of workers.
    let (held, new): (Vec<_>, Vec<_>) = pending.into_iter().partition(|segment| segment.again);
    let mut gate = LimitGate::new(&pipeline.limits, before);
    if held.is_empty() {
        gate.set_held([]);
    }
    let dead = dead_letters(context, &pipeline.name).await?;
    let mut collector = Collector {
        context,
        key,
        reports,
        dead,
        events,
        announced: announced_receiver,
        pending: pending_sender,
        pressure,
        messages: MessageWatch::new(messages, published_receiver, held),
        sealing: FuturesUnordered::new(),
        republishing: FuturesUnordered::new(),
        gate,
        demand,
        allotted: allotted_receiver,
        stragglers: (pipeline.stragglers == StragglerRule::Copy).then(Stragglers::default),
        history,
        broadcasts: FuturesUnordered::new(),
        closing: None,
        ended_before: live.tally.worked(),
        live,
    };
    collector.dispatch(new);
    let helpers = async {
        let dispatch = dispatcher.run(pending_receiver, pressure_receiver);
        let manifest = write::write(&context.ledger, job, first, source, event_sender);
        futures::future::try_join(dispatch, manifest).await?;
        std::future::pending::<Result<JobEvent, CoordinateError>>().await
    };
    let event = tokio::select! {
        event = collector.run() => event?,
        error = helpers => error?,
        never = shared.run() => match never {},
    };
    if !names.is_empty() {
        context.fence.check().await?;
        give_back(&context.ledger, &pipeline.name, &names).await;
    }
    Ok(event)
}

async fn dead_letters(
    context: &JobContext,
    pipeline: &PipelineName,
) -> Result<Box<dyn Consumer>, QueueError> {
    let dead = Queue::Dead(pipeline.clone());
    context.broker.consume(&dead, DEAD).await
}

/// Needs of the pipeline's datums in earlier jobs; nothing if the record cannot be read.
async fn history(ledger: &Ledger, pipeline: &PipelineName) -> UsageModel {
    ledger.usage_model(pipeline).await.unwrap_or_else(|error| {
        tracing::debug!("the needs of the datums of {pipeline} cannot be read: {error}");
        UsageModel::default()
    })
}

/// The rule for messages. A limit counts datums, and a copy is of a single datum, so a message holds one.
fn set_rule(pipeline: &Pipeline) -> SetRule {
    if pipeline.limits.is_empty() && pipeline.stragglers == StragglerRule::Wait {
        pipeline.datum_set
    } else {
        SetRule::Number(NonZeroU32::MIN)
    }
}

/// A moment after all begins of datums that the current leader has not seen: those of an earlier leader of the job, or of an
/// earlier job of the pipeline. None if there were none. Only rates need it.
async fn begun_before(
    context: &JobContext,
    pipeline: &Pipeline,
    live: &LiveJob,
) -> Result<Option<Instant>, CoordinateError> {
    let has_rate = |limit: &Limit| matches!(limit, Limit::Rate(_));
    if !pipeline.limits.iter().any(has_rate) {
        return Ok(None);
    }
    let now = Instant::now();
    if live.tally.known() > 0 {
        return Ok(Some(now));
    }
    let ledger = &context.ledger;
    let mut earlier = pin!(ledger.newest_jobs(Some(&pipeline.name), Some(live.job())));
    let Some(last) = earlier.try_next().await? else {
        return Ok(None);
    };
    let last = match context.ledger.job(last).await {
        Ok(last) => last,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let age = last.finished.map_or(Duration::ZERO, |finished| {
        let age = Timestamp::now().duration_since(finished);
        age.try_into().unwrap_or_default()
    });
    Ok(now.checked_sub(age))
}

/// Saves, as far as possible, that the job failed with `error`; not if another coordinator can resume the job.
async fn record_failure(context: &JobContext, live: &mut LiveJob, error: &CoordinateError) {
    if context.fence.has_successors() && error.is_passing() {
        return;
    }
    if context.fence.check().await.is_err() {
        return;
    }
    context.control.cancel_commands();
    live.give_reason(with_causes(error));
    // Every state that is not final accepts a failure.
    let _ = live.enter(JobEvent::Failed);
    if let Err(error) = save_final(&context.ledger, &live.record(), live).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(job.id = %live.job(), error, "cannot save the final record; the job will be shown as interrupted");
    }
}
