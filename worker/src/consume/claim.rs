//! A claim: one message in this worker's hands, answered exactly once, last of all.

use std::sync::Arc;

use drover_shared::datum::Datum;
use drover_shared::id::JobId;
use drover_shared::process::telemetry::follow;
use drover_shared::queue::Delivery;
use drover_shared::store::StoreError;
use drover_shared::wire::{self, Datums, Message, Range, Task};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tracing::Instrument;

use crate::consume::subscription::Origin;
use crate::context::Tools;
use crate::error::WorkError;
use crate::failure::{Failure, Interruption, Trouble};
use crate::flow::{Claimed, journey};
use crate::jobs::{Job, JobError};
use crate::metrics;

/// How a message is answered.
#[derive(Debug)]
enum Answer {
    /// It is done with.
    Ack,
    /// Another delivery may do better.
    HandBack,
    /// No delivery ever will, for this reason.
    Reject(String),
    /// None: the worker ends at once, and the queue finds that out.
    Silence,
}

impl Answer {
    fn name(&self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::HandBack => "hand_back",
            Self::Reject(_) => "reject",
            Self::Silence => "silence",
        }
    }
}

/// Does what a message asks for and answers it. An error is the end of this worker.
pub(crate) async fn work_off(
    delivery: Delivery,
    origin: &Origin,
    tools: &Tools,
) -> Result<(), WorkError> {
    metrics::delivered(delivery.redeliveries);
    let (answer, end) = match perform(&delivery, origin, tools).await {
        Ok(()) => {
            tools.patience.restore();
            origin.count();
            (Answer::Ack, Ok(()))
        }
        Err(Refusal::Reject(reason)) => (Answer::Reject(reason), Ok(())),
        Err(Refusal::Failure(Failure::Interrupted(interruption))) => {
            if interruption == Interruption::Draining {
                origin.closed.cancelled().await;
            }
            (after(interruption), Ok(()))
        }
        Err(Refusal::Failure(Failure::Trouble(trouble))) => {
            (Answer::HandBack, put_up_with(trouble, tools).await)
        }
        Err(Refusal::Failure(Failure::Datum(cause))) => {
            unreachable!("a journey ends a datum that failed: {cause:?}")
        }
    };
    settle(delivery, answer).await;
    end
}

/// Why a message was not done.
enum Refusal {
    Reject(String),
    Failure(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn after(interruption: Interruption) -> Answer {
    match interruption {
        Interruption::Draining | Interruption::Recalled => Answer::HandBack,
        Interruption::JobStopped => Answer::Ack,
        Interruption::CutShort | Interruption::ClaimLost => Answer::Silence,
    }
}

/// Waits before the message goes back, so that it does not come again at once; at the end of patience, gives up.
async fn put_up_with(trouble: Trouble, tools: &Tools) -> Result<(), WorkError> {
    let pause = tools.patience.pause().filter(|_| !trouble.is_final());
    let Some(pause) = pause else {
        return Err(trouble.into());
    };
    tracing::warn!(
        error = &trouble as &dyn std::error::Error,
        "a datum goes back to the queue, the next attempt is in {pause:.1?}"
    );
    tools
        .tokens
        .soft
        .run_until_cancelled(tokio::time::sleep(pause))
        .await;
    Ok(())
}

async fn settle(delivery: Delivery, answer: Answer) {
    metrics::answered(answer.name());
    let settled = match answer {
        Answer::Ack => delivery.ack().await,
        Answer::HandBack => delivery.hand_back().await,
        Answer::Reject(reason) => {
            tracing::warn!("a message goes to the dead queue: {reason}");
            delivery.reject(&reason).await
        }
        Answer::Silence => return,
    };
    match settled {
        Ok(true) => {}
        Ok(false) => {
            tracing::debug!("a claim was lost before it was answered; the message comes again");
        }
        Err(error) => {
            tracing::warn!("an answer did not reach the queue, the message comes again: {error}");
        }
    }
}

/// Brings every datum of the message to its end.
async fn perform(delivery: &Delivery, origin: &Origin, tools: &Tools) -> Result<(), Refusal> {
    let task = decode(&delivery.body)?;
    let job = job(task.job, tools).await?;
    let datums = datums(task.datums, task.job, tools);
    let datums = tools.unless_interrupted(&job, datums).await??;
    let bearer = Bearer {
        delivery,
        origin,
        job: &job,
        total: task.total,
        again: task.again,
    };
    let mut journeys = FuturesUnordered::new();
    for datum in datums {
        let span = tracing::info_span!(
            "datum",
            job.id = %job.id, datum.index, datum.id = %datum.id
        );
        if let Some(trace) = &task.trace {
            follow(&span, &trace.parent, trace.published);
        }
        journeys.push(travel(datum, &bearer, tools).instrument(span));
    }
    let mut result = Ok(());
    while let Some(ended) = journeys.next().await {
        // The others go on: what they commit is not done again when the message comes back.
        result = result.and(ended);
    }
    Ok(result?)
}

/// The message that brings a datum.
struct Bearer<'a> {
    delivery: &'a Delivery,
    origin: &'a Origin,
    job: &'a Arc<Job>,
    total: Option<u64>,
    again: bool,
}

async fn travel(datum: Datum, bearer: &Bearer<'_>, tools: &Tools) -> Result<(), Failure> {
    let job = bearer.job;
    let hold = tools.in_hand.take(job.id, datum.index);
    let hold = tools.unless_interrupted(job, hold).await?;
    let recalled = &bearer.origin.recalled;
    let room = recalled.run_until_cancelled(tools.in_flight.acquire());
    let room = tools.unless_interrupted(job, room).await?;
    let room = room.ok_or(Interruption::Recalled)?;
    let room = room.expect("the semaphore is never closed");
    if !bearer.delivery.is_live() {
        return Err(Interruption::ClaimLost.into());
    }
    let claimed = Claimed {
        job: Arc::clone(job),
        datum: Arc::new(datum),
        total: bearer.total,
        redeliveries: bearer.delivery.redeliveries,
        again: bearer.again || hold.waited,
        claim: tools.next_claim().into(),
        started: Timestamp::now(),
        deaths: 0,
    };
    journey(claimed, room, tools).await
}

fn decode(body: &[u8]) -> Result<Task, Refusal> {
    match wire::decode(body) {
        Ok(Message::Task(task)) => Ok(task),
        Ok(Message::Reports(_) | Message::Control(_) | Message::LeaderToken(_)) => Err(
            Refusal::Reject("it brings no datums, so it does not belong in this queue".to_owned()),
        ),
        Err(error) => Err(Refusal::Reject(error.to_string())),
    }
}

async fn job(id: JobId, tools: &Tools) -> Result<Arc<Job>, Refusal> {
    tools.jobs.get(id).await.map_err(|error| match error {
        JobError::Store(StoreError::Missing { key }) => {
            Refusal::Reject(format!("job {id} is unknown, {key} does not exist"))
        }
        JobError::Store(source) => Failure::from(source).into(),
        JobError::Stdin { path, source } => Trouble::scratch(path)(source).into(),
        JobError::Spec(_) => Refusal::Reject(format!("job {id}: {error}")),
    })
}

async fn datums(datums: Datums, job: JobId, tools: &Tools) -> Result<Vec<Datum>, Refusal> {
    match datums {
        Datums::Inline(datums) => Ok(datums),
        Datums::Manifest(range) => from_manifest(range, job, tools).await,
    }
}

/// The datums of a range that are to be done.
async fn from_manifest(range: Range, job: JobId, tools: &Tools) -> Result<Vec<Datum>, Refusal> {
    let Range {
        segment,
        first,
        count,
    } = range;
    let known = tools.ledger.segments(job).await.map_err(Failure::from)?;
    let Some(segment) = known.into_iter().find(|known| known.first == segment) else {
        return Err(Refusal::Reject(format!(
            "job {job} has no segment {segment}"
        )));
    };
    let entries = tools
        .ledger
        .manifest(job, segment)
        .await
        .map_err(Failure::from)?;
    let wanted = first..first.saturating_add(count);
    let todo = entries.into_iter().filter(|entry| entry.done.is_none());
    Ok(todo
        .map(|entry| entry.datum)
        .filter(|datum| wanted.contains(&datum.index))
        .collect())
}
