//! Live updates: what changes is looked for once, for all who listen.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::JobRecord;
use drover_shared::queue::Link;
use drover_shared::store::StoreError;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

use super::access::Role;
use super::error::Error;
use super::jobs::{READS_AT_ONCE, Seen};
use super::pipelines;
use super::route::Ask;
use super::state::{Api, Reach};
use crate::coordinator::Snapshot;

/// How often jobs that this process coordinates are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many of these looks come between two looks into a folder for what others do.
const LOOKS_A_FOLDER: u64 = 8;
/// The same for a bucket, where looking costs.
const LOOKS_A_BUCKET: u64 = 40;
/// How many of the newest jobs are looked at for those that have not ended.
const NEWEST: usize = 200;
/// How long ago a job may have ended that is told to who just came.
const LATELY: SignedDuration = SignedDuration::from_secs(5);
/// Events that a client may be behind, before it misses some.
const BEHIND: usize = 256;
/// A comment this often tells clients that the line is not dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Who is answered, and by whom.
#[derive(JsonSchema, Serialize)]
pub(super) struct Session {
    /// What this token may do.
    role: Role,
    /// The version of Drover.
    version: &'static str,
    /// Where the store is.
    store: String,
    /// How the broker is.
    broker: BrokerState,
    /// Why it is down or blocked.
    broker_why: Option<String>,
    /// What time it is here.
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: Timestamp,
}

/// How the broker is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum BrokerState {
    /// Connected.
    Up,
    /// Out of reach; work goes on when it is back.
    Down,
    /// It takes no messages for now.
    Blocked,
    /// It is in this process.
    Embedded,
}

impl BrokerState {
    /// How the broker is, and why it is not up.
    fn of(reach: &Reach) -> (Self, Option<String>) {
        match (reach, reach.link()) {
            (Reach::Embedded(_), _) => (Self::Embedded, None),
            (Reach::Remote(_), Link::Up) => (Self::Up, None),
            (Reach::Remote(_), Link::Down { why }) => (Self::Down, Some(why)),
            (Reach::Remote(_), Link::Blocked { why }) => (Self::Blocked, Some(why)),
        }
    }
}

impl Session {
    fn of(api: &Api, role: Role) -> Self {
        let (broker, broker_why) = BrokerState::of(api.reach());
        Self {
            role,
            version: env!("CARGO_PKG_VERSION"),
            store: api.store(),
            broker,
            broker_why,
            time: Timestamp::now(),
        }
    }
}

pub(super) async fn session(Ask { api, role, .. }: Ask) -> Result<Session, Error> {
    Ok(Session::of(&api, role))
}

/// A stream of what changes.
pub(super) async fn stream(State(api): State<Api>, Extension(role): Extension<Role>) -> Response {
    let Ok(place) = Arc::clone(api.streams()).try_acquire_owned() else {
        let full = "too many listen already; ask every few seconds instead";
        return Error::unavailable(full).into_response();
    };
    let first = hello(&api, role);
    let listener = (api.feed().listen(), api, place);
    let news = stream::unfold(listener, move |(mut news, api, place)| async move {
        loop {
            match news.recv().await {
                Ok(told) => return Some((told.event(&api, role), (news, api, place))),
                // What was missed is told again with the next change.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let events = stream::iter([first]).chain(news);
    let keep_alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// What all who listen are told.
#[derive(Clone, Debug)]
enum Told {
    /// How the broker is has changed: each is told its session anew.
    Session,
    /// An event of this kind, with its data.
    News(&'static str, Arc<str>),
}

impl Told {
    fn event(self, api: &Api, role: Role) -> Result<Event, axum::Error> {
        match self {
            Self::Session => hello(api, role),
            Self::News(kind, data) => Ok(Event::default().event(kind).data(data)),
        }
    }
}

fn hello(api: &Api, role: Role) -> Result<Event, axum::Error> {
    let event = Event::default().event("hello");
    event.json_data(Session::of(api, role))
}

/// Looks for what changes, as long as somebody listens.
#[derive(Debug)]
pub(super) struct Feed(broadcast::Sender<Told>);

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

/// What was told last.
#[derive(Default)]
struct Memory {
    /// Of each job; those that have ended are forgotten after a while.
    jobs: HashMap<JobId, Last>,
    /// Of each pipeline.
    pipelines: HashMap<PipelineName, Arc<str>>,
    /// The jobs that this process coordinated at the last look.
    here: Vec<JobId>,
    /// How the broker was.
    broker: Option<BrokerState>,
    /// Jobs up to this one were looked at; none before the first look.
    newest: Option<JobId>,
}

/// What was told last of a job.
struct Last {
    data: Arc<str>,
    is_final: bool,
}

impl Feed {
    fn listen(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    /// Looks for ever.
    pub(super) async fn run(&self, api: &Api) -> Infallible {
        let is_folder = api.ledger().store().local_root().is_some();
        let looks = if is_folder {
            LOOKS_A_FOLDER
        } else {
            LOOKS_A_BUCKET
        };
        let mut memory = Memory::default();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number: u64 = 0;
        loop {
            ticks.tick().await;
            if self.0.receiver_count() == 0 {
                (memory, number) = (Memory::default(), 0);
                continue;
            }
            let looked = self
                .look(api, &mut memory, number.is_multiple_of(looks))
                .await;
            if let Err(error) = looked {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "what changed cannot be told; trying again");
            }
            number += 1;
        }
    }

    async fn look(
        &self,
        api: &Api,
        memory: &mut Memory,
        is_thorough: bool,
    ) -> Result<(), StoreError> {
        let (broker, _) = BrokerState::of(api.reach());
        if memory
            .broker
            .replace(broker)
            .is_some_and(|last| last != broker)
        {
            self.tell(Told::Session);
        }
        let live = api.coordinated();
        for job in &live {
            self.tell_job(memory, &job.record, Some(job));
        }
        let here: Vec<JobId> = live.iter().map(|job| job.record.id).collect();
        // Those that were coordinated here until just now have most likely ended.
        let mut elsewhere = std::mem::replace(&mut memory.here, here.clone());
        if is_thorough {
            elsewhere = memory.jobs.keys().copied().collect();
            elsewhere.extend(unheard_of(api, memory).await?);
        }
        let is_over = |id: &JobId| memory.jobs.get(id).is_some_and(|last| last.is_final);
        elsewhere.retain(|id| !here.contains(id) && !is_over(id));
        let read = elsewhere.into_iter().map(|id| api.readable(id));
        let mut records = stream::iter(read).buffered(READS_AT_ONCE);
        while let Some(record) = records.next().await {
            if let Some(record) = record? {
                self.tell_job(memory, &record, None);
            }
        }
        drop(records);
        if is_thorough {
            memory
                .jobs
                .retain(|id, last| !last.is_final || here.contains(id));
            self.tell_pipelines(api, memory).await?;
        }
        Ok(())
    }

    fn tell_job(&self, memory: &mut Memory, record: &JobRecord, live: Option<&Snapshot>) {
        let Ok(data) = serde_json::to_string(&Seen::of(record.clone(), live)) else {
            return;
        };
        let data: Arc<str> = data.into();
        let is_news = memory
            .jobs
            .get(&record.id)
            .is_none_or(|last| last.data != data);
        if is_news {
            self.tell(Told::News("job", Arc::clone(&data)));
        }
        let is_final = record.state.is_final();
        memory.jobs.insert(record.id, Last { data, is_final });
    }

    async fn tell_pipelines(&self, api: &Api, memory: &mut Memory) -> Result<(), StoreError> {
        let mut gone = std::mem::take(&mut memory.pipelines);
        for pipeline in pipelines::all(api).await? {
            let Ok(data) = serde_json::to_string(&pipeline) else {
                continue;
            };
            let data: Arc<str> = data.into();
            let before = gone.remove(&pipeline.pipeline);
            if before.as_ref() != Some(&data) {
                self.tell(Told::News("pipeline", Arc::clone(&data)));
            }
            memory.pipelines.insert(pipeline.pipeline.clone(), data);
        }
        for name in gone.into_keys() {
            let data = json!({ "pipeline": name, "deleted": true }).to_string();
            self.tell(Told::News("pipeline", data.into()));
        }
        Ok(())
    }

    fn tell(&self, told: Told) {
        // It is no error if nobody listens any more.
        let _ = self.0.send(told);
    }
}

/// Jobs that were made since the last look; with the first look, those of the newest that have not ended, or just now.
async fn unheard_of(api: &Api, memory: &mut Memory) -> Result<Vec<JobId>, StoreError> {
    let ids = api.ledger().jobs().await?;
    let before = memory.newest;
    memory.newest = ids.last().copied().or(before);
    let Some(before) = before else {
        // Nothing is older than the zero id.
        memory.newest = memory.newest.or(Some(JobId::from_bytes([0; 16])));
        let newest = ids.into_iter().rev().take(NEWEST);
        let read = newest.map(|id| async move { (id, api.readable(id).await) });
        let records: Vec<_> = stream::iter(read).buffered(READS_AT_ONCE).collect().await;
        let is_news = |record: Result<Option<JobRecord>, StoreError>| {
            record
                .ok()
                .flatten()
                .is_some_and(|record| is_of_now(&record))
        };
        let open = records
            .into_iter()
            .filter_map(|(id, record)| is_news(record).then_some(id));
        return Ok(open.collect());
    };
    let is_new = |id: &JobId| *id > before && !memory.jobs.contains_key(id);
    Ok(ids.into_iter().filter(is_new).collect())
}

/// Whether a job goes on, or has ended so lately that somebody who listens may not know.
fn is_of_now(record: &JobRecord) -> bool {
    let since = |end: Timestamp| Timestamp::now().duration_since(end);
    !record.state.is_final() || record.finished.is_some_and(|end| since(end) < LATELY)
}
