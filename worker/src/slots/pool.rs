//! The slots: one runner for each datum that may run at the same time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::store::{Store, initial_umask, layout};
use futures::future::join_all;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::metrics;
use crate::phase::{WorkerPhase, WorkerProtection};
use crate::runner::{Execution, Order, Runner, RunnerError, RunnerSettings, Sandbox};
use crate::slots::Scratch;

/// All slots of a worker.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Semaphore,
    count: u32,
    idle: Mutex<Vec<Slot>>,
    spares: Option<Spares>,
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

/// How many slots a datum occupies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotShare {
    /// One slot.
    One,
    /// All slots: the datum may have killed a worker, so it runs alone.
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
        let count = settings.slots.get();
        let base = runner_settings(settings, store, scratch);
        let runner = Runner::start(&base).await?;
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
        metrics::slots(u32::from(count));
        Ok(Self {
            spares,
            free: Semaphore::new(usize::from(count)),
            count: u32::from(count),
            idle: Mutex::new(idle),
        })
    }

    /// Acquires a slot, in the order of the requests.
    pub(crate) async fn lease(&self, share: SlotShare) -> SlotLease<'_> {
        let permit = self.permit(share).await;
        let slot = self.lock().pop();
        let slot = slot.or_else(|| Some(self.spares.as_ref()?.slot()));
        metrics::slots_busy(1);
        SlotLease {
            slots: self,
            slot: Some(slot.expect("there are as many slots as permits, or spare ones")),
            share,
            permit: Some(permit),
            pausing: None,
        }
    }

    async fn permit(&self, share: SlotShare) -> SemaphorePermit<'_> {
        let slots = match share {
            SlotShare::One => 1,
            SlotShare::All => self.count,
        };
        let permit = self.free.acquire_many(slots).await;
        permit.expect("the semaphore is never closed")
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
        only_slot: settings.slots.get() == 1,
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

/// A slot in use, released when dropped.
#[derive(Debug)]
pub(crate) struct SlotLease<'a> {
    slots: &'a Slots,
    /// None only while the lease is dropped.
    slot: Option<Slot>,
    share: SlotShare,
    /// None while the datum pauses.
    permit: Option<SemaphorePermit<'a>>,
    /// Held while the datum pauses.
    pausing: Option<SemaphorePermit<'a>>,
}

impl SlotLease<'_> {
    /// Lets other datums run until [`SlotLease::resume`]. Does nothing where there can be no spare slot, or where too many
    /// datums pause already.
    pub(crate) fn pause(&mut self) {
        let spares = self.slots.spares.as_ref();
        self.pausing = spares.and_then(|spares| spares.pausing.try_acquire().ok());
        if self.pausing.is_some() && self.permit.take().is_some() {
            metrics::slots_busy(-1);
        }
    }

    /// Waits for the turn of a paused datum, which has the same slot as before. Cancel-safe.
    pub(crate) async fn resume(&mut self) {
        if self.permit.is_none() {
            self.permit = Some(self.slots.permit(self.share).await);
            metrics::slots_busy(1);
        }
        self.pausing = None;
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

    /// Runs an order. A runner that fails is discarded. If this future is dropped before its end, the runner must be
    /// [discarded](SlotLease::discard).
    pub(crate) async fn run(
        &mut self,
        order: &Order,
        cancel: &CancellationToken,
    ) -> Result<Execution, RunnerError> {
        let executed = self.runner().await?.run(order, cancel).await;
        if executed.is_err() {
            self.discard();
        }
        executed
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
        self.slots.lock().extend(self.slot.take());
        if self.permit.is_some() {
            metrics::slots_busy(-1);
        }
    }
}
