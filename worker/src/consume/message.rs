//! One message: its datums are processed, then the message is settled, exactly once.

use std::collections::BTreeMap;
use std::mem::replace;
use std::sync::Arc;
use std::time::Duration;

use drover_shared::datum::{CommitUnit, Datum};
use drover_shared::id::{JobId, StoreId};
use drover_shared::process::telemetry::continue_trace;
use drover_shared::queue::Delivery;
use drover_shared::store::StoreError;
use drover_shared::trace_parent::TraceParent;
use drover_shared::wire::{self, ManifestRange, Message, Rejection, Task, TaskDatums};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::time::sleep;
use tracing::Instrument;

use crate::consume::pass_on::PassedOn;
use crate::consume::subscription::ConsumerHandle;
use crate::consume::trust::{FORGED, TrustedDatums, TrustedTask, trusted};
use crate::context::WorkerContext;
use crate::error::WorkError;
use crate::flow::{ClaimedDatum, SetCommits, journey};
use crate::flow_error::{FlowError, InfrastructureError, Interruption};
use crate::jobs::{HeldTask, Job, JobError};
use crate::metrics;

/// How long a message of an unknown job or another store is kept from the other workers, so it does not come back at once.
const WRONG_STORE_PAUSE: Duration = Duration::from_secs(2);

/// How long a message that another worker should take is kept, so it does not come back at once.
const ELSEWHERE_PAUSE: Duration = Duration::from_secs(1);

/// How a message is settled.
#[derive(Debug)]
enum Disposition {
    /// All datums of the message have a verdict, or the job ends without the datums.
    Ack,
    /// Requeued: another delivery may succeed.
    HandBack,
    /// Dead-lettered, for the reason: no delivery can succeed.
    Reject(String),
    /// Not settled: the worker ends at once, or the channel is gone; the broker redelivers the message.
    Silence,
}

impl Disposition {
    fn name(&self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::HandBack => "hand_back",
            Self::Reject(_) => "reject",
            Self::Silence => "silence",
        }
    }
}

/// Processes a message and settles it. An error ends the current worker.
pub(crate) async fn process_message(
    delivery: Delivery,
    handle: &ConsumerHandle,
    context: &WorkerContext,
) -> Result<(), WorkError> {
    metrics::delivered(delivery.redeliveries);
    // The leader may ask for the task until it is settled.
    let (_held, processed) = match decode(&delivery.body) {
        Ok(task) => {
            let (held, job) = (context.held.hold(&task), task.job);
            let processed = run_datums(task, &held, &delivery, handle, context).await;
            let processed = authenticated(processed, job, &delivery.body, context).await;
            (Some(held), processed)
        }
        Err(error) => (None, Err(error)),
    };
    let (disposition, end) = match processed {
        Ok(()) => {
            context.retry_budget.restore();
            context.settings.phase.set_problem(None);
            handle.count();
            (Disposition::Ack, Ok(()))
        }
        Err(MessageError::Reject(reason)) => (Disposition::Reject(reason), Ok(())),
        Err(MessageError::Flow(FlowError::Interrupted(interruption))) => {
            if interruption == Interruption::Draining {
                handle.closed.cancelled().await;
            }
            if matches!(
                interruption,
                Interruption::TooLarge | Interruption::RunsHere
            ) {
                let soft = &context.tokens.soft;
                soft.run_until_cancelled(sleep(ELSEWHERE_PAUSE)).await;
            }
            (disposition_after(interruption), Ok(()))
        }
        Err(MessageError::Flow(FlowError::Infrastructure(error))) => {
            (Disposition::HandBack, back_off(error, context).await)
        }
        Err(MessageError::Flow(FlowError::Datum(cause))) => {
            unreachable!("a journey ends a datum that failed: {cause:?}")
        }
    };
    settle(delivery, disposition).await;
    end
}

/// Why a message was not processed to its end.
enum MessageError {
    Reject(String),
    Flow(FlowError),
}

impl From<FlowError> for MessageError {
    fn from(failure: FlowError) -> Self {
        Self::Flow(failure)
    }
}

/// Adds the authentication code to the reason of a rejection.
async fn authenticated(
    processed: Result<(), MessageError>,
    job: JobId,
    body: &[u8],
    context: &WorkerContext,
) -> Result<(), MessageError> {
    match processed {
        Err(MessageError::Reject(reason)) => {
            let key = context.jobs.key(job).await.map_err(FlowError::from)?;
            let text = Rejection::text(&reason, body, key.as_ref());
            Err(MessageError::Reject(text))
        }
        processed => processed,
    }
}

fn disposition_after(interruption: Interruption) -> Disposition {
    match interruption {
        Interruption::Draining
        | Interruption::Recalled
        | Interruption::TooLarge
        | Interruption::RunsHere
        | Interruption::Overtaken => Disposition::HandBack,
        Interruption::JobStopped | Interruption::JobClosed => Disposition::Ack,
        Interruption::CutShort | Interruption::ClaimLost => Disposition::Silence,
    }
}

/// Backs off before the message is handed back. An error means that the retry budget is used up.
async fn back_off(error: InfrastructureError, context: &WorkerContext) -> Result<(), WorkError> {
    if error.is_wrong_store() {
        wait_for_store(&error, context).await;
        return Ok(());
    }
    restore_scratch(context);
    let pause = context.retry_budget.pause().filter(|_| !error.is_final());
    let Some(pause) = pause else {
        return Err(error.into());
    };
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        "a datum is handed back to the queue; backing off for {pause:.1?}"
    );
    context.tokens.soft.run_until_cancelled(sleep(pause)).await;
    Ok(())
}

/// Makes anew what is missing in the scratch directory: the trouble may come from its absence.
fn restore_scratch(context: &WorkerContext) {
    if let Err(error) = context.scratch.restore() {
        tracing::warn!("the scratch directory cannot be made anew: {error}");
    }
}

/// Backs off from a store that is not the job's, or lacks its manifest, for as long as it takes: other workers may have the right one. They get the
/// datums of the current worker after each pause. The worker is not ready meanwhile.
async fn wait_for_store(error: &InfrastructureError, context: &WorkerContext) {
    let problem = error.to_string();
    if context.settings.phase.set_problem(Some(problem.clone())) {
        tracing::error!("{problem}; the datums are handed back");
    }
    let soft = &context.tokens.soft;
    soft.run_until_cancelled(sleep(WRONG_STORE_PAUSE)).await;
}

async fn settle(delivery: Delivery, disposition: Disposition) {
    metrics::answered(disposition.name());
    let settled = match disposition {
        Disposition::Ack => delivery.ack().await,
        Disposition::HandBack => delivery.requeue().await,
        Disposition::Reject(reason) => {
            tracing::warn!("dead-lettering a message: {reason}");
            delivery.reject(&reason).await
        }
        Disposition::Silence => return,
    };
    match settled {
        Ok(true) => {}
        Ok(false) => {
            tracing::debug!(
                "the channel was lost before the message was settled; the broker redelivers it"
            );
        }
        Err(error) => {
            tracing::warn!("a message could not be settled; the broker redelivers it: {error}");
        }
    }
}

/// Processes every datum of the message.
async fn run_datums(
    mut task: Task,
    held: &HeldTask<'_>,
    delivery: &Delivery,
    handle: &ConsumerHandle,
    context: &WorkerContext,
) -> Result<(), MessageError> {
    check_store(task.store.as_ref(), context).await?;
    let job = job(task.job, context).await?;
    let sent = replace(&mut task.datums, TaskDatums::Inline(Vec::new()));
    let without_datums = Task {
        again: task.again || delivery.redeliveries > 0,
        ..task.clone()
    };
    task.datums = sent;
    let task = trusted_task(task, &delivery.body, context).await?;
    let is_of_older_term = task
        .term
        .is_some_and(|term| context.terms.is_over(&job.pipeline.name, term));
    let datums = datums(task.datums, job.id, context);
    let datums = context.before_begin(&job, datums).await??;
    held.replace(datums.iter().map(|datum| datum.index).collect());
    let is_authentic = task.unit.is_some();
    let sets = sets(task.unit, datums, job.id, context);
    let sets = context.before_begin(&job, sets).await??;
    let some_set = sets.first().and_then(|(_, set)| set.clone());
    let some_set = some_set.as_ref();
    // The rest of a set is signed as the leader signed the set: never in the name of a message that was not signed.
    let set_of_leader = some_set.filter(|_| is_authentic);
    let passed_on = PassedOn::nothing(without_datums, set_of_leader, &job, handle);
    let has_gone_back = some_set.is_some_and(|set| context.begun_sets.has(job.id, set.first()));
    let message = MessageContext {
        delivery,
        handle,
        passed_on: &passed_on,
        job: &job,
        total: task.total,
        is_copy: task.copy,
        again: task.again || is_of_older_term || has_gone_back,
        trace: task
            .trace
            .as_ref()
            .and_then(|trace| trace.parent.parse().ok()),
    };
    let mut journeys = FuturesUnordered::new();
    for (datum, set) in sets {
        let span = tracing::info_span!(
            "datum",
            job.id = %job.id, datum.index, datum.id = %datum.id
        );
        if let Some(trace) = &task.trace {
            continue_trace(&span, &trace.parent, trace.published);
        }
        journeys.push(run_datum(datum, set, &message, context).instrument(span));
    }
    let all = async {
        let mut result = Ok(());
        while let Some(ended) = journeys.next().await {
            // After an error the other datums go on: their verdicts are found when the message is redelivered.
            result = result.and(ended);
        }
        let result = match result {
            Ok(()) => passed_on.finish(held, handle, context).await,
            Err(error) => Err(error),
        };
        if let Some(set) = some_set.filter(|set| result.is_err() && set.has_begun()) {
            context.begun_sets.note(job.id, set.first());
        }
        result
    };
    tokio::select! {
        biased;
        result = all => Ok(result?),
        never = passed_on.watch(held, context) => match never {},
    }
}

/// The message that delivered a datum.
struct MessageContext<'a> {
    delivery: &'a Delivery,
    handle: &'a ConsumerHandle,
    passed_on: &'a PassedOn<'a>,
    job: &'a Arc<Job>,
    total: Option<u64>,
    is_copy: bool,
    again: bool,
    /// The trace context of the message; a malformed one counts as none.
    trace: Option<TraceParent>,
}

/// Runs a datum, unless the datum is passed on before it begins.
async fn run_datum(
    datum: Datum,
    set: Option<Arc<SetCommits>>,
    message: &MessageContext<'_>,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let datum = Arc::new(datum);
    match bring_to_verdict(Arc::clone(&datum), set, message, context).await {
        Err(FlowError::Interrupted(interruption))
            if message.passed_on.take(&datum, interruption) =>
        {
            Ok(())
        }
        ended => ended,
    }
}

async fn bring_to_verdict(
    datum: Arc<Datum>,
    set: Option<Arc<SetCommits>>,
    message: &MessageContext<'_>,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let job = message.job;
    let _member = set.as_ref().map(|set| set.member());
    let in_flight = if message.is_copy {
        let taken = context.in_flight.take_unless_here(job.id, datum.index);
        taken.ok_or(Interruption::RunsHere)?
    } else {
        let taken = context.in_flight.take(job.id, datum.index);
        match context.before_begin(job, taken).await? {
            Some(taken) => taken,
            None => return Ok(()), // a new message stands for this delivery, too
        }
    };
    let ended = claim_and_run(
        Arc::clone(&datum),
        set.clone(),
        in_flight.waited,
        message,
        context,
    );
    match ended.await {
        Err(FlowError::Interrupted(interruption))
            if message.passed_on.take(&datum, interruption) =>
        {
            in_flight.pass_on();
            Ok(())
        }
        ended => ended,
    }
}

/// `waited` is true if another delivery of the datum has just ended here.
async fn claim_and_run(
    datum: Arc<Datum>,
    set: Option<Arc<SetCommits>>,
    waited: bool,
    message: &MessageContext<'_>,
    context: &WorkerContext,
) -> Result<(), FlowError> {
    let job = message.job;
    let admission = &message.handle.admission;
    let recalled = &message.passed_on.recalled;
    let permit = recalled.run_until_cancelled(admission.acquire());
    let permit = context.before_begin(job, permit).await?;
    let permit = permit.ok_or(Interruption::Recalled)?;
    let permit = permit.expect("the semaphore is never closed");
    if !message.delivery.is_live() {
        return Err(Interruption::ClaimLost.into());
    }
    let claimed = ClaimedDatum {
        job: Arc::clone(job),
        datum,
        set,
        total: message.total,
        redeliveries: message.delivery.redeliveries,
        again: message.again || waited,
        claim: context.next_claim().into(),
        started: Timestamp::now(),
        recalled: message.passed_on.recalled_staged.clone(),
        claim_lost: message.delivery.lost().clone(),
        command_over: job.stopped.child_token(),
        trace: message.trace.clone(),
        deaths: 0,
        wasted_s: 0.0,
        too_little: 0,
    };
    journey(claimed, permit, context).await
}

fn decode(body: &[u8]) -> Result<Task, MessageError> {
    match wire::decode(body) {
        Ok(Message::Task(task)) => Ok(task),
        Ok(Message::Reports(_) | Message::Control(_) | Message::LeaderToken(_)) => {
            Err(MessageError::Reject(
                "the message is no task, so it does not belong in this queue".to_owned(),
            ))
        }
        Err(error) => Err(MessageError::Reject(error.to_string())),
    }
}

/// Fails if a message is about another store than the worker's. An older Drover names no store.
async fn check_store(theirs: Option<&StoreId>, context: &WorkerContext) -> Result<(), FlowError> {
    let Some(theirs) = theirs else { return Ok(()) };
    if context.store_id().await? == Some(theirs) {
        return Ok(());
    }
    Err(InfrastructureError::OtherStore {
        theirs: theirs.clone(),
        store: context.ledger.store().location().to_string(),
    }
    .into())
}

async fn job(id: JobId, context: &WorkerContext) -> Result<Arc<Job>, MessageError> {
    context.jobs.get(id).await.map_err(|error| match error {
        JobError::Store(source @ StoreError::Missing { .. }) => {
            let store = context.ledger.store().location().to_string();
            let job = id;
            FlowError::from(InfrastructureError::UnknownJob { job, store, source }).into()
        }
        JobError::Store(source) => FlowError::from(source).into(),
        JobError::Stdin { path, source } => InfrastructureError::scratch(path)(source).into(),
        JobError::Spec(_) => MessageError::Reject(format!("job {id}: {error}")),
    })
}

/// The believed part of the task.
async fn trusted_task(
    task: Task,
    body: &[u8],
    context: &WorkerContext,
) -> Result<TrustedTask, MessageError> {
    let key = context.jobs.key(task.job).await.map_err(FlowError::from)?;
    let trusted = trusted(task, body, key.as_ref());
    trusted.ok_or_else(|| MessageError::Reject(FORGED.to_owned()))
}

/// The datums, each with the set of its commit; none for a datum on its own.
async fn sets(
    unit: Option<CommitUnit>,
    datums: Vec<Datum>,
    job: JobId,
    context: &WorkerContext,
) -> Result<Vec<(Datum, Option<Arc<SetCommits>>)>, FlowError> {
    let indexes: Vec<u64> = datums.iter().map(|datum| datum.index).collect();
    let units = context.ledger.units_of(job, &indexes, unit).await?;
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for unit in &units {
        if let CommitUnit::Set(first) = unit {
            *counts.entry(*first).or_default() += 1;
        }
    }
    let sets: BTreeMap<u64, Arc<SetCommits>> = counts
        .into_iter()
        .map(|(first, count)| (first, Arc::new(SetCommits::new(job, first, count))))
        .collect();
    let set_of = |unit| match unit {
        CommitUnit::Set(first) => sets.get(&first).cloned(),
        CommitUnit::Single => None,
    };
    Ok(datums
        .into_iter()
        .zip(units.into_iter().map(set_of))
        .collect())
}

/// The datums of a task, without skipped datums. A network file system may show a segment late, so missing datums are no reason
/// for a rejection at first.
async fn datums(
    datums: TrustedDatums,
    job: JobId,
    context: &WorkerContext,
) -> Result<Vec<Datum>, MessageError> {
    let ledger = &context.ledger;
    let (segment, read) = match datums {
        TrustedDatums::Sent(datums) => return Ok(datums),
        TrustedDatums::InSegment(ManifestRange {
            segment,
            first,
            count,
        }) => {
            let indexes = first..first.saturating_add(count);
            (segment, ledger.datums(job, segment, indexes).await)
        }
        TrustedDatums::InManifest(indexes) => {
            let first = indexes.first().unwrap_or_default();
            (first, ledger.datums_at(job, &indexes).await)
        }
    };
    let wait = context.settings.late_segment_wait;
    match read {
        Ok(datums) => Ok(datums),
        Err(source @ StoreError::Missing { .. })
            if !context.late_segments.is_lost(job, segment, wait) =>
        {
            let store = context.ledger.store().location().to_string();
            let late = InfrastructureError::LateSegment {
                job,
                segment,
                store,
                source,
            };
            Err(MessageError::from(FlowError::from(late)))
        }
        Err(StoreError::Missing { .. }) => Err(MessageError::Reject(format!(
            "job {job} has no segment {segment}"
        ))),
        Err(error) => Err(MessageError::from(FlowError::from(error))),
    }
}
