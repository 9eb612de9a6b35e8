//! The watch over the memory of running commands: a thread that looks now and then, notes peaks, and ends a command when memory
//! is short.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use tokio_util::sync::CancellationToken;

use super::guard::{self, Occupant, Room};
use super::kernel_kills::KernelKills;
use super::machine::MachineMemory;
use super::pressure::MemoryPressure;
use super::tree::ProcessTable;
use crate::runner::{GroupUsage, Runner};

/// Interval between two looks, unless looks take long or memory is nearly short.
const USUAL: Duration = Duration::from_millis(100);

/// Interval between two looks while memory is nearly short.
const CLOSE: Duration = Duration::from_millis(20);

/// Longest interval between two looks.
const LONGEST: Duration = Duration::from_secs(1);

/// A look may take this part of a CPU, as a divisor; ten times as much while memory is nearly short.
const SHARE: u32 = 100;

/// Commands that run for less time are not looked at: most are over by then.
const YOUNG: Duration = Duration::from_millis(50);

/// How long an ended command may take to give the memory back before the next command is ended.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// The watch over all commands of a worker.
pub(crate) struct MemoryWatch(Arc<Shared>);

/// Called after each look with the bytes that commands hold beyond the needs.
pub(crate) type OnExcess = Box<dyn Fn(u64) + Send + Sync>;

struct Shared {
    /// The memory that all commands together may hold, in bytes.
    budget: u64,
    kernel_kills: KernelKills,
    on_excess: OnExcess,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<u64, Run>,
    next: u64,
    /// When the guard last ended a command that still runs.
    ended: Option<Instant>,
    /// True once the worker ends.
    is_closed: bool,
}

/// A running command.
#[derive(Debug)]
struct Run {
    /// The first process of the slot.
    ancestor: u32,
    group: Option<GroupUsage>,
    begun: Instant,
    /// Memory that the command is expected to need, in bytes.
    need: u64,
    /// The most memory seen, in bytes.
    peak: Option<u64>,
    /// Processes of the group that the kernel had killed at the last look.
    kills: Option<u64>,
    /// Bytes that the command held when the watch ended the command.
    shortage: Option<u64>,
    kill: CancellationToken,
}

/// A command that is watched; until it ends.
pub(crate) struct WatchedRun<'a> {
    shared: &'a Shared,
    number: u64,
    /// Cancelled when the command must end at once.
    pub(crate) kill: CancellationToken,
}

/// The memory of a command, as the watch saw it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SeenMemory {
    /// The most memory, in bytes; none of a short command.
    pub(crate) peak: Option<u64>,
    /// Bytes that the command held when the watch ended the command; none if the command ended by itself.
    pub(crate) shortage: Option<u64>,
}

impl MemoryWatch {
    /// Begins to watch. `budget` is the most that all commands may hold together, in bytes; `u64::MAX` if only the machine limits
    /// them.
    pub(crate) fn begin(budget: u64, on_excess: OnExcess) -> Self {
        let shared = Arc::new(Shared {
            budget,
            kernel_kills: KernelKills::default(),
            on_excess,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        shared.kernel_kills.look();
        let watched = Arc::clone(&shared);
        let named = thread::Builder::new().name("memory".to_owned());
        if let Err(error) = named.spawn(move || watched.watch()) {
            tracing::warn!("the memory of commands is not watched: no thread can be had: {error}");
        }
        Self(shared)
    }

    /// True if the kernel killed any process for want of memory from the moment on, as far as can be seen.
    pub(crate) fn kernel_killed_since(&self, moment: Instant) -> bool {
        self.0.kernel_kills.since(moment)
    }

    /// Watches the command that `runner` is about to start, which is expected to need `need` bytes.
    pub(crate) fn run(&self, runner: &Runner, need: u64) -> Option<WatchedRun<'_>> {
        let ancestor = runner.ancestor()?;
        let kill = CancellationToken::new();
        let run = Run {
            ancestor,
            group: runner.group().cloned(),
            begun: Instant::now(),
            need,
            peak: None,
            kills: None,
            shortage: None,
            kill: kill.clone(),
        };
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        if state.running.is_empty() {
            self.0.changed.notify_one();
        }
        state.running.insert(number, run);
        Some(WatchedRun {
            shared: &self.0,
            number,
            kill,
        })
    }
}

impl fmt::Debug for MemoryWatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("MemoryWatch").finish_non_exhaustive()
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl WatchedRun<'_> {
    /// Ends the watch over the command, and returns what was seen.
    pub(crate) fn end(self) -> SeenMemory {
        let run = self.shared.lock().running.remove(&self.number);
        run.map_or_else(SeenMemory::default, |run| SeenMemory {
            peak: run.peak,
            shortage: run.shortage,
        })
    }
}

impl Drop for WatchedRun<'_> {
    fn drop(&mut self) {
        self.shared.lock().running.remove(&self.number);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again and again, until the worker ends.
    fn watch(&self) {
        let mut interval = USUAL;
        let mut pressure = MemoryPressure::find();
        while self.wait_for_commands() {
            thread::sleep(interval);
            interval = self.look(&mut pressure);
        }
    }

    /// Waits until a command runs; false once the worker ends.
    fn wait_for_commands(&self) -> bool {
        let idle = |state: &mut State| state.running.is_empty() && !state.is_closed;
        let waited = self.changed.wait_while(self.lock(), idle);
        !waited.unwrap_or_else(PoisonError::into_inner).is_closed
    }

    /// Looks at all commands that are no longer young, and returns the time until the next look.
    fn look(&self, pressure: &mut MemoryPressure) -> Duration {
        let before = cpu_time();
        let places = self.lock().to_look_at(Instant::now());
        if places.is_empty() {
            (self.on_excess)(0);
            return USUAL;
        }
        self.kernel_kills.look();
        let looks = look_at(&places);
        let machine = MachineMemory::read();
        let is_stalled = pressure.is_stalled(Instant::now());
        let room = Room {
            budget: self.budget,
            available: machine.map(|it| it.left(is_stalled)),
            floor: machine.map_or(0, |it| it.floor(is_stalled)),
        };
        let (is_close, excess) = self.lock().take_note(&looks, room);
        (self.on_excess)(excess);
        let took = cpu_time().saturating_sub(before);
        if is_close {
            (took * (SHARE / 10)).clamp(CLOSE, LONGEST)
        } else {
            (took * SHARE).clamp(USUAL, LONGEST)
        }
    }
}

impl Run {
    /// Ends the command, which holds `held` bytes.
    fn end_at(&mut self, held: u64) {
        self.shortage.get_or_insert(held);
        self.kill.cancel();
    }
}

/// Time that the current thread has spent on CPUs.
fn cpu_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
        return Duration::ZERO;
    };
    let of = |time: TimeVal| {
        let micros = time.num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    of(usage.user_time()) + of(usage.system_time())
}

/// Where the memory of a command is seen.
#[derive(Debug)]
struct Place {
    number: u64,
    ancestor: u32,
    group: Option<GroupUsage>,
}

/// The memory of a command at one moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    number: u64,
    /// Bytes that the command holds.
    held: u64,
    /// Processes of the group that the kernel killed so far.
    kills: Option<u64>,
}

/// Looks at each place.
fn look_at(places: &[Place]) -> Vec<Look> {
    let mut table = None;
    let of_tree = |place: &Place, table: &mut Option<ProcessTable>| {
        table
            .get_or_insert_with(ProcessTable::read)
            .held(place.ancestor)
    };
    let looked = places.iter().map(|place| {
        let group = place.group.as_ref();
        let held = group.and_then(GroupUsage::held);
        Look {
            number: place.number,
            held: held.unwrap_or_else(|| of_tree(place, &mut table)),
            kills: group.and_then(GroupUsage::kills),
        }
    });
    looked.collect()
}

impl State {
    fn to_look_at(&self, now: Instant) -> Vec<Place> {
        let old = self
            .running
            .iter()
            .filter(|(_, run)| now.saturating_duration_since(run.begun) >= YOUNG);
        old.map(|(number, run)| Place {
            number: *number,
            ancestor: run.ancestor,
            group: run.group.clone(),
        })
        .collect()
    }

    /// Notes the peaks, and ends a command if memory is short. Returns true if memory may be short soon, and the bytes that
    /// commands hold beyond their needs.
    fn take_note(&mut self, looks: &[Look], room: Room) -> (bool, u64) {
        let mut occupants = Vec::with_capacity(looks.len());
        for look in looks {
            let Some(run) = self.running.get_mut(&look.number) else {
                continue;
            };
            run.peak = run.peak.max(Some(look.held));
            let earlier = run.kills.replace(look.kills.unwrap_or(0));
            if earlier.is_some_and(|earlier| look.kills > Some(earlier)) {
                // Without a part of its processes, a command may wait for ever.
                run.end_at(look.held.max(run.peak.unwrap_or(0)));
            }
            occupants.push(Occupant {
                run: look.number,
                held: look.held,
                need: run.need,
            });
        }
        self.end_one(&occupants, room);
        let is_close = room.is_nearly_short(guard::total(&occupants));
        (is_close, guard::excess(&occupants))
    }

    fn end_one(&mut self, occupants: &[Occupant], room: Room) {
        let is_ending = self.running.values().any(|run| run.shortage.is_some());
        if is_ending && self.ended.is_some_and(|ended| ended.elapsed() < GIVE_BACK) {
            return;
        }
        let Some(victim) = guard::victim(occupants, room) else {
            return;
        };
        if let Some(run) = self.running.get_mut(&victim.run) {
            let Occupant { held, need, .. } = victim;
            run.end_at(held);
            self.ended = Some(Instant::now());
            tracing::warn!(
                held,
                need,
                budget = room.budget,
                available = room.available,
                "memory is short: the command furthest beyond its expected need is ended"
            );
        }
    }
}
