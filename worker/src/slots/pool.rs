//! The slots: one runner for each datum that may run at the same time.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use drover_shared::id::PipelineName;
use drover_shared::store::{Store, initial_umask, layout};
use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::memory::{MachineMemory, MemoryWatch, SeenMemory, WatchedRun};
use crate::metrics;
use crate::phase::{WorkerPhase, WorkerProtection};
use crate::runner::{
    Execution, Order, Runner, RunnerError, RunnerSettings, Sandbox, delegate_controllers,
};
use crate::slots::Scratch;
use crate::slots::admission::{Admission, Admitted, SlotLoad};
use crate::slots::devices::{VISIBLE_DEVICES, devices};
use crate::slots::packing::Demand;
use crate::slots::scratch_limit::within_limit;

/// All slots of a worker.
#[derive(Debug)]
pub(crate) struct Slots {
    admission: Admission,
    idle: Mutex<Vec<Slot>>,
    spares: Option<Spares>,
    watch: MemoryWatch,
    /// The limit of the memory of all commands together, in bytes.
    memory_limit: Option<u64>,
    /// The limit of the disk space of a datum in scratch, in bytes.
    scratch_limit: Option<u64>,
}

/// The slots of datums that pause between attempts stay theirs, with runner and `/tmp`. Others run in spare slots then.
#[derive(Debug)]
struct Spares {
    /// The settings of a runner, but for its directory.
    settings: RunnerSettings,
    /// The parent of the slots' directories.
    directory: PathBuf,
    /// Limits the slots of pausing datums.
    pausing: Semaphore,
    next: AtomicUsize,
}

/// A slot; without a runner before its first use, and after the death of the last one.
#[derive(Debug)]
struct Slot {
    settings: Arc<RunnerSettings>,
    runner: Option<Runner>,
}

/// How much of a worker a datum occupies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotShare {
    /// The expected needs of the datum.
    One,
    /// All: the datum may have killed a worker, so it runs alone.
    All,
}

impl Slots {
    /// Starts the runner of the first slot, so a machine that cannot run commands is found at once. The runners of the
    /// other slots start at their first use, side by side.
    pub(crate) async fn start(
        settings: &Settings,
        store: &Store,
        scratch: &Scratch,
    ) -> Result<Self, RunnerError> {
        delegate_controllers();
        let base = runner_settings(settings, store, scratch);
        let runner = Runner::start(&base).await?;
        let count = match runner.sandbox() {
            Sandbox::Links => 1,
            Sandbox::Namespaces | Sandbox::Mounts | Sandbox::Environment => settings.slots.get(),
        };
        announce(&runner, &settings.phase);
        let spares = Spares::for_slots(&runner, &base, count, scratch);
        // The slot with a runner is the last one, and thereby the first in use.
        let others = (1..usize::from(count)).rev().map(|number| Slot {
            settings: Arc::new(RunnerSettings {
                scratch: scratch.slot(number),
                ..base.clone()
            }),
            runner: None,
        });
        let mut idle: Vec<_> = others.collect();
        idle.push(Slot {
            settings: Arc::new(base),
            runner: Some(runner),
        });
        let memory = settings.memory.unwrap_or_else(|| {
            let machine = MachineMemory::read();
            machine.map_or(u64::MAX, |machine| machine.budget())
        });
        let visible = settings.environment.get(VISIBLE_DEVICES);
        let visible = visible.map(String::as_str);
        let admission = Admission::new(u32::from(count), memory, devices(visible));
        let told = admission.clone();
        let on_excess = Box::new(move |excess| told.note_excess(excess));
        metrics::slots(u32::from(count));
        Ok(Self {
            spares,
            watch: MemoryWatch::begin(settings.memory.unwrap_or(u64::MAX), on_excess),
            admission,
            memory_limit: settings.memory,
            scratch_limit: settings.scratch_limit,
            idle: Mutex::new(idle),
        })
    }

    /// The number of datums that may run at the same time.
    pub(crate) fn count(&self) -> NonZeroU16 {
        let slots = u16::try_from(self.all().slots).unwrap_or(u16::MAX);
        NonZeroU16::new(slots).unwrap_or(NonZeroU16::MIN)
    }

    /// All of the worker.
    pub(crate) fn all(&self) -> Demand {
        self.admission.all()
    }

    /// True if the kernel killed any process for want of memory from the moment on, as far as can be seen.
    pub(crate) fn kernel_killed_since(&self, moment: Instant) -> bool {
        self.watch.kernel_killed_since(moment)
    }

    /// Changes the weight of a pipeline beside others.
    pub(crate) fn reweigh(&self, pipeline: &PipelineName, weight: f64) {
        self.admission.reweigh(pipeline, weight);
    }

    /// Acquires a slot for a datum of the pipeline, whose `weight` counts beside other pipelines, with the demanded part of the
    /// worker, as soon as it fits beside the others.
    pub(crate) async fn lease(
        &self,
        pipeline: &PipelineName,
        weight: f64,
        demand: Demand,
    ) -> SlotLease<'_> {
        let admitted = self.admission.admit(pipeline, weight, demand).await;
        let slot = self.lock().pop();
        let slot = slot.or_else(|| Some(self.spares.as_ref()?.slot()));
        metrics::slots_busy(1);
        SlotLease {
            slots: self,
            slot: Some(slot.expect("there are as many slots as permits, or spare ones")),
            pipeline: pipeline.clone(),
            weight,
            demand,
            admitted: Some(admitted),
            pausing: None,
        }
    }

    /// Tells how busy the slots are.
    pub(crate) fn load(&self) -> watch::Receiver<SlotLoad> {
        self.admission.load()
    }

    /// Ends all idle runners and waits for their exit.
    pub(crate) async fn end(&self) {
        let idle = std::mem::take(&mut *self.lock());
        let runners = idle.into_iter().filter_map(|slot| slot.runner);
        join_all(runners.map(Runner::end)).await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spares {
    /// None where commands find their inputs by links at `/pfs`, which is there once.
    fn for_slots(
        first: &Runner,
        settings: &RunnerSettings,
        slots: u16,
        scratch: &Scratch,
    ) -> Option<Self> {
        (first.sandbox() != Sandbox::Links).then(|| Self {
            settings: settings.clone(),
            directory: scratch.slots(),
            pausing: Semaphore::new(usize::from(slots)),
            next: AtomicUsize::new(usize::from(slots)),
        })
    }

    /// A new slot; the runner starts at the first use.
    fn slot(&self) -> Slot {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let settings = RunnerSettings {
            scratch: self.directory.join(number.to_string()),
            ..self.settings.clone()
        };
        Slot {
            settings: Arc::new(settings),
            runner: None,
        }
    }
}

/// The settings of the first slot's runner.
fn runner_settings(settings: &Settings, store: &Store, scratch: &Scratch) -> RunnerSettings {
    RunnerSettings {
        program: settings.runner.clone(),
        mode: settings.sandbox,
        only_slot: settings.slots.get() == 1 || settings.may_have_one_slot,
        reachable: store.local_root().into_iter().map(Into::into).collect(),
        hidden: hidden(store, scratch)
            .chain(settings.hidden.iter().cloned())
            .collect(),
        privileged: settings.privileged,
        limits: settings.limits,
        umask: initial_umask(),
        ..RunnerSettings::new(scratch.slot(0))
    }
}

/// Directories that commands must not reach: the records in a local store, and the scratch of all workers.
fn hidden(store: &Store, scratch: &Scratch) -> impl Iterator<Item = PathBuf> {
    let records = store.local_path(&layout::scratch());
    let records = records.and_then(|below| below.parent().map(Path::to_owned));
    let scratch = scratch.of_all_workers().map(Path::to_owned);
    let outside = |scratch: &PathBuf| !records.as_ref().is_some_and(|it| scratch.starts_with(it));
    let scratch = scratch.filter(outside);
    records.into_iter().chain(scratch)
}

/// Logs the protection in force in a line, and why there is no better one; the health probe tells it, too.
fn announce(runner: &Runner, phase: &WorkerPhase) {
    let protection = runner.protection();
    let in_force = phase.set_protection(WorkerProtection {
        sandbox: runner.sandbox(),
        protection: protection.clone(),
    });
    tracing::info!("protection against commands: {in_force}");
    for reason in &protection.missing {
        tracing::warn!("commands run with less protection than possible: {reason}");
    }
    for reason in runner.refused() {
        tracing::warn!(
            "commands run in the sandbox {:?}, a better one is refused: {reason}",
            runner.sandbox()
        );
    }
}

/// Resources of a command, as observed by the worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeenRun {
    pub(crate) memory: SeenMemory,
    /// Bytes in scratch when the command was ended for a full scratch; else none.
    pub(crate) filled: Option<u64>,
}

/// A slot in use, released when dropped.
#[derive(Debug)]
pub(crate) struct SlotLease<'a> {
    slots: &'a Slots,
    /// None only while the lease is dropped.
    slot: Option<Slot>,
    pipeline: PipelineName,
    weight: f64,
    demand: Demand,
    /// None while the datum pauses.
    admitted: Option<Admitted>,
    /// Held while the datum pauses.
    pausing: Option<SemaphorePermit<'a>>,
}

impl SlotLease<'_> {
    /// Lets other datums run until [`SlotLease::resume`]. Does nothing where there can be no spare slot, or where too many
    /// datums pause already.
    pub(crate) fn pause(&mut self) {
        let spares = self.slots.spares.as_ref();
        self.pausing = spares.and_then(|spares| spares.pausing.try_acquire().ok());
        if self.pausing.is_some() && self.admitted.take().is_some() {
            metrics::slots_busy(-1);
        }
    }

    /// Waits for the turn of a paused datum, which has the same slot as before. Cancel-safe.
    pub(crate) async fn resume(&mut self) {
        if self.admitted.is_none() {
            let admission = &self.slots.admission;
            let admitted = admission.admit(&self.pipeline, self.weight, self.demand);
            self.admitted = Some(admitted.await);
            metrics::slots_busy(1);
        }
        self.pausing = None;
    }

    /// Gives the slot back, with its part of the worker. Only another lease runs anything afterwards.
    pub(crate) fn give_back(&mut self) {
        self.slots.lock().extend(self.slot.take());
        if self.admitted.take().is_some() {
            metrics::slots_busy(-1);
        }
    }

    /// The names of the graphics processors that the datum has.
    pub(crate) fn devices(&self) -> &[String] {
        self.admitted.as_ref().map_or(&[], Admitted::devices)
    }

    /// The most memory that the control group of the slot may hold, in bytes: the limit of the worker, if it has one. What all
    /// slots together hold is the guard's business, which knows when memory is short.
    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.slots.memory_limit
    }

    /// The slot's runner; a new runner is started if the last runner died.
    pub(crate) async fn runner(&mut self) -> Result<&mut Runner, RunnerError> {
        let slot = self.slot.as_mut().expect("a lease has its slot");
        match &mut slot.runner {
            Some(runner) => Ok(runner),
            none => {
                let started = Runner::start(&slot.settings).await?;
                Ok(none.insert(started))
            }
        }
    }

    /// Runs an order, whose command is expected to need `need` bytes of memory. A runner that fails is discarded. If this
    /// future is dropped before its end, the runner must be [discarded](SlotLease::discard).
    pub(crate) async fn run(
        &mut self,
        order: &Order,
        need: u64,
        cancel: &CancellationToken,
    ) -> Result<(Execution, SeenRun), RunnerError> {
        let slots = self.slots;
        let runner = self.runner().await?;
        let watched = slots.watch.run(runner, need);
        let kill = watched.as_ref().map(|watched| watched.kill.clone());
        let kill = kill.unwrap_or_default();
        let directories = runner.directories();
        let run = runner.run_unless(order, cancel, &kill);
        let (executed, filled) = within_limit(run, directories, slots.scratch_limit, &kill).await;
        let memory = watched.map(WatchedRun::end).unwrap_or_default();
        match executed {
            Ok(execution) => Ok((execution, SeenRun { memory, filled })),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    /// Kills the runner and all its processes.
    pub(crate) fn discard(&mut self) {
        if let Some(slot) = &mut self.slot {
            slot.runner = None;
        }
    }

    /// Does blocking work while the runner is idle.
    pub(crate) async fn with_runner<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Runner) -> T + Send + 'static,
    ) -> Result<T, RunnerError> {
        self.runner().await?;
        let slot = self.slot.as_mut().expect("a lease has its slot");
        let runner = slot.runner.take().expect("just started");
        let blocking = spawn_blocking(move || {
            let done = work(&runner);
            (runner, done)
        });
        match blocking.await {
            Ok((runner, done)) => {
                slot.runner = Some(runner);
                Ok(done)
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(RunnerError::Died { status: None }),
        }
    }
}

impl Drop for SlotLease<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
