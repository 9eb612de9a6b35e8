//! Stores of several simulated processes over one memory, with a scheduling point in every call.
//!
//! For tests on a paused clock: a call waits before and after its effect, for a time decided by a seed, so the seed decides
//! the order of all calls; now and then a whole process freezes. Or each process waits equal times, and one process freezes
//! once, at a point decided by the test. A test may have writes refused for a while, and listings delayed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::store::{Store, StoreKey};

/// The longest time that a request is under way while its process is frozen. A server does not wait longer for the rest of
/// a request.
const LONGEST_TRAVEL: Duration = Duration::from_secs(60);
/// The pause at each point of a process that is preempted once.
const STEADY: Duration = Duration::from_millis(1);

/// Decides when the calls of one simulated process happen. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scheduler {
    state: Arc<Mutex<State>>,
    has_preempted: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    frozen_until: Instant,
}

#[derive(Debug)]
enum Pace {
    /// Pauses and freezes decided by a seed.
    Random(fastrand::Rng),
    /// Equal pauses, and at most one freeze.
    Steady {
        points: u64,
        preemption: Option<Preemption>,
    },
}

/// The one freeze of a process.
#[derive(Clone, Copy, Debug)]
pub struct Preemption {
    /// Number of the scheduling point, from 0.
    pub at: u64,
    /// Length of the freeze.
    pub lasts: Duration,
}

impl Scheduler {
    /// The schedule of `seed`. Must be called in the runtime with the paused clock.
    pub fn new(seed: u64) -> Self {
        Self::with(Pace::Random(fastrand::Rng::with_seed(seed)))
    }

    /// A process that is never preempted, or once. Must be called in the runtime with the paused clock.
    pub fn steady(preemption: Option<Preemption>) -> Self {
        Self::with(Pace::Steady {
            points: 0,
            preemption,
        })
    }

    fn with(pace: Pace) -> Self {
        let state = State {
            pace,
            frozen_until: Instant::now(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            has_preempted: Arc::default(),
        }
    }

    /// Waits for the preemption of a steady process.
    pub async fn preempted(&self) {
        self.has_preempted.notified().await;
    }

    /// A point where other processes may run.
    pub async fn point(&self) {
        let pause = self.pause();
        sleep(pause).await;
        self.awake().await;
    }

    /// The point between the begin of a request and its effect. A frozen process begins no request, but a request that has begun
    /// arrives.
    async fn send(&self) {
        self.awake().await;
        let pause = self.pause();
        sleep(pause.min(LONGEST_TRAVEL)).await;
    }

    /// The points of a write, with the effect between them, which comes even if the sender has given up meanwhile.
    async fn write<T: Send + 'static>(
        &self,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.awake().await;
        let travel = self.pause().min(LONGEST_TRAVEL);
        #[expect(clippy::disallowed_methods, reason = "a request outlives its sender")]
        let landed = tokio::spawn(async move {
            sleep(travel).await;
            effect.await
        });
        let answer = landed.await.unwrap_or_else(|error| panic!("{error}"));
        self.point().await;
        answer
    }

    /// The points of any other request, with the effect between them.
    pub async fn request<T>(&self, effect: impl Future<Output = T>) -> T {
        self.send().await;
        let answer = effect.await;
        self.point().await;
        answer
    }

    async fn awake(&self) {
        while let Some(until) = self.frozen_until() {
            sleep_until(until).await;
        }
    }

    fn pause(&self) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (pause, is_freeze) = state.pace.pause();
        if is_freeze {
            state.frozen_until = Instant::now() + pause;
            self.has_preempted.notify_one();
        }
        pause
    }

    fn frozen_until(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.frozen_until > Instant::now()).then_some(state.frozen_until)
    }
}

impl Pace {
    /// The pause at the next point, and true if the whole process freezes for the time.
    fn pause(&mut self) -> (Duration, bool) {
        match self {
            Self::Random(random) => match random.u32(0..200) {
                0 => (Duration::from_millis(random.u64(500..4000)), true),
                1..40 => (Duration::from_millis(random.u64(5..300)), false),
                _ => (Duration::from_micros(random.u64(0..2000)), false),
            },
            Self::Steady { points, preemption } => {
                let here = preemption.filter(|preemption| preemption.at == *points);
                *points += 1;
                here.map_or((STEADY, false), |here| (here.lasts, true))
            }
        }
    }
}

/// The memory of a store, shared by several simulated processes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory {
    objects: Arc<InMemory>,
    weather: Arc<Mutex<Weather>>,
}

/// Trouble of a store.
#[derive(Debug, Default)]
struct Weather {
    /// Writes below the path fail until then.
    refused: Option<(Path, Instant)>,
    /// Delay until listings show objects of a second process, as on a network file system.
    lag: Duration,
    /// Process and time of the last write of each object.
    written: HashMap<Path, (u64, Instant)>,
    processes: u64,
}

impl SharedMemory {
    /// The store of a process with the given schedule.
    pub fn store(&self, scheduler: Scheduler) -> Store {
        let mut weather = self.weather();
        weather.processes += 1;
        Store::with_objects(Arc::new(ScheduledObjects {
            memory: self.clone(),
            scheduler,
            process: weather.processes,
            seen: Mutex::new(HashMap::new()),
        }))
    }

    /// The store as seen by the test itself.
    pub fn at_once(&self) -> Store {
        Store::with_objects(Arc::clone(&self.objects) as _)
    }

    /// From now on writes below `key` by simulated processes fail for the time.
    pub fn refuse_writes(&self, key: &StoreKey, lasts: Duration) {
        self.weather().refused = Some((Path::from(key.as_str()), Instant::now() + lasts));
    }

    /// From now on a listing is as old as `lag`, but never older than an earlier listing or the last write of the same
    /// process: a network file system keeps directories for a while.
    pub fn delay_listings(&self, lag: Duration) {
        self.weather().lag = lag;
    }

    /// Fails while writes at the path are refused.
    fn may_write(&self, at: &Path) -> Result<()> {
        match &self.weather().refused {
            Some((below, until)) if at.prefix_matches(below) && Instant::now() < *until => {
                Err(object_store::Error::Generic {
                    store: "scheduled",
                    source: "503 Service Unavailable".into(),
                })
            }
            _ => Ok(()),
        }
    }

    fn note_write(&self, process: u64, at: &Path) {
        let written = (process, Instant::now());
        self.weather().written.insert(at.clone(), written);
    }

    fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct ScheduledObjects {
    memory: SharedMemory,
    scheduler: Scheduler,
    process: u64,
    /// Age of the view of each folder.
    seen: Mutex<HashMap<Path, Instant>>,
}

impl ScheduledObjects {
    /// Removes from a listing of `folder` the objects that the process does not see yet.
    fn view(&self, folder: &Path, mut listed: ListResult) -> ListResult {
        let weather = self.memory.weather();
        if weather.lag.is_zero() {
            return listed;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let own = weather.written.iter();
        let own = own
            .filter(|(path, (process, _))| *process == self.process && path.prefix_matches(folder));
        let own = own.map(|(_, (_, at))| *at).max();
        let as_of = [
            Instant::now().checked_sub(weather.lag),
            seen.get(folder).copied(),
            own,
        ];
        let Some(as_of) = as_of.into_iter().flatten().max() else {
            return listed;
        };
        seen.insert(folder.clone(), as_of);
        listed.objects.retain(|object| {
            let written = weather.written.get(&object.location);
            written.is_none_or(|(_, at)| *at <= as_of)
        });
        listed
    }
}

impl fmt::Display for ScheduledObjects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("scheduled memory")
    }
}

#[async_trait::async_trait]
impl ObjectStore for ScheduledObjects {
    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.scheduler
            .request(self.memory.objects.get_opts(at, how))
            .await
    }

    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        let (memory, process, at) = (self.memory.clone(), self.process, at.clone());
        self.scheduler
            .write(async move {
                memory.may_write(&at)?;
                let is_new = how.mode == PutMode::Create;
                let put = memory.objects.put_opts(&at, bytes, how).await?;
                if is_new {
                    memory.note_write(process, &at);
                }
                Ok(put)
            })
            .await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.objects.put_multipart_opts(at, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let scheduler = self.scheduler.clone();
        let paths = paths.then(move |path| {
            let scheduler = scheduler.clone();
            async move {
                scheduler.send().await;
                path
            }
        });
        self.memory.objects.delete_stream(paths.boxed())
    }

    /// Not a point: a walk runs on a thread, during which a paused clock stands still.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listing = self.memory.objects.list_with_delimiter(prefix);
        let listed = self.scheduler.request(listing).await?;
        Ok(self.view(prefix.unwrap_or(&Path::default()), listed))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        let (memory, from, to) = (self.memory.clone(), from.clone(), to.clone());
        self.scheduler
            .write(async move {
                memory.may_write(&to)?;
                memory.objects.copy_opts(&from, &to, how).await
            })
            .await
    }
}
