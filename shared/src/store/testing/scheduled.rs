//! Stores of several simulated processes over one memory, with a scheduling point in every call.
//!
//! For tests on a paused clock: a call waits a time decided by the seed, before and after its effect, so the
//! seed decides the order of all calls. Now and then a whole process freezes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::store::Store;

/// Decides when the calls of one simulated process happen. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scheduler {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    frozen_until: Instant,
}

impl Scheduler {
    /// The schedule of `seed`. Must be called in the runtime with the paused clock.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            frozen_until: Instant::now(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// A point where other processes may run.
    pub async fn point(&self) {
        let pause = self.pause();
        sleep(pause).await;
        while let Some(until) = self.frozen_until() {
            sleep_until(until).await;
        }
    }

    fn pause(&self) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.random.u32(0..200) {
            0 => {
                let freeze = Duration::from_millis(state.random.u64(500..4000));
                state.frozen_until = Instant::now() + freeze;
                freeze
            }
            1..40 => Duration::from_millis(state.random.u64(5..300)),
            _ => Duration::from_micros(state.random.u64(0..2000)),
        }
    }

    fn frozen_until(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.frozen_until > Instant::now()).then_some(state.frozen_until)
    }
}

/// The memory of a store, shared by several simulated processes.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory(Arc<InMemory>);

impl SharedMemory {
    /// The store of a process with the given schedule.
    pub fn store(&self, scheduler: Scheduler) -> Store {
        Store::with_objects(Arc::new(ScheduledObjects {
            memory: Arc::clone(&self.0),
            scheduler,
        }))
    }

    /// The store as seen by the test itself.
    pub fn at_once(&self) -> Store {
        Store::with_objects(Arc::clone(&self.0) as _)
    }
}

#[derive(Debug)]
struct ScheduledObjects {
    memory: Arc<InMemory>,
    scheduler: Scheduler,
}

impl ScheduledObjects {
    async fn scheduled<T>(&self, call: impl Future<Output = T>) -> T {
        self.scheduler.point().await;
        let answer = call.await;
        self.scheduler.point().await;
        answer
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
        self.scheduled(self.memory.get_opts(at, how)).await
    }

    async fn put_opts(&self, at: &Path, bytes: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.scheduled(self.memory.put_opts(at, bytes, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(at, how).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let scheduler = self.scheduler.clone();
        let paths = paths.then(move |path| {
            let scheduler = scheduler.clone();
            async move {
                scheduler.point().await;
                path
            }
        });
        self.memory.delete_stream(paths.boxed())
    }

    /// Not a point: a walk runs on a thread, during which a paused clock stands still.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.memory.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.scheduled(self.memory.list_with_delimiter(prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.scheduled(self.memory.copy_opts(from, to, how)).await
    }
}
