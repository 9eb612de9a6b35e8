//! Admission of datums to a worker: each takes its part of the worker while it runs, and waits until that part is free.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::packing::{Demand, Waiting, take_next};

/// Admits datums to the slots, memory and graphics processors of a worker. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Demand,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: Demand,
    /// Bytes of memory that running datums hold beyond their demands.
    excess: u64,
    /// The names of free graphics processors.
    devices: Vec<String>,
    waiting: VecDeque<Waiting<oneshot::Sender<Admitted>>>,
}

/// The part of the worker that a datum has, until dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    shared: Arc<Shared>,
    demand: Demand,
    /// The names of its graphics processors.
    devices: Vec<String>,
}

impl Admission {
    /// Admission to a worker with so many slots, bytes of memory, and graphics processors of these names.
    pub(crate) fn new(slots: u32, memory: u64, devices: Vec<String>) -> Self {
        let all = Demand {
            slots,
            memory,
            gpus: u32::try_from(devices.len()).unwrap_or(u32::MAX),
        };
        Self(Arc::new(Shared {
            all,
            state: Mutex::new(State {
                free: all,
                excess: 0,
                devices,
                waiting: VecDeque::new(),
            }),
        }))
    }

    /// All of the worker.
    pub(crate) fn all(&self) -> Demand {
        self.0.all
    }

    /// Takes note of the bytes of memory that running datums hold beyond their demands: no datum is admitted to that part of
    /// the worker.
    pub(crate) fn note_excess(&self, excess: u64) {
        let before = std::mem::replace(&mut self.0.lock().excess, excess);
        if excess < before {
            self.0.admit_waiting();
        }
    }

    /// Memory that no admitted datum has, in bytes.
    pub(crate) fn free_memory(&self) -> u64 {
        self.0.lock().free.memory
    }

    /// Waits for the demanded part of the worker, at most all of it. Cancel-safe.
    pub(crate) async fn admit(&self, demand: Demand) -> Admitted {
        let demand = demand.within(self.0.all);
        let (admit, admitted) = oneshot::channel();
        let waiting = Waiting {
            demand,
            passes: 0,
            datum: admit,
        };
        self.0.lock().waiting.push_back(waiting);
        self.0.admit_waiting();
        // The sender stays in the queue until the datum is admitted.
        admitted.await.expect("a waiting datum is never forgotten")
    }
}

impl Admitted {
    /// The names of the datum's graphics processors.
    pub(crate) fn devices(&self) -> &[String] {
        &self.devices
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.free = state.free.with(self.demand);
            state.devices.append(&mut self.devices);
        }
        self.shared.admit_waiting();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits as many of the waiting datums as fit.
    fn admit_waiting(self: &Arc<Self>) {
        while let Some((admit, admitted)) = self.next() {
            // Nobody waits any more: the part is given back when `admitted` is dropped, outside of the lock.
            drop(admit.send(admitted));
        }
    }

    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Admitted>, Admitted)> {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.datum.is_closed());
        let free = state.free;
        let usable = Demand {
            // A datum alone may start whatever others left behind.
            memory: if free == self.all {
                free.memory
            } else {
                free.memory.saturating_sub(state.excess)
            },
            ..free
        };
        let next = take_next(&mut state.waiting, usable)?;
        state.free = free.without(next.demand);
        let left = state.devices.len() - next.demand.gpus as usize;
        let devices = state.devices.split_off(left);
        let admitted = Admitted {
            shared: Arc::clone(self),
            demand: next.demand,
            devices,
        };
        Some((next.datum, admitted))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn admission() -> Admission {
        Admission::new(4, 100, vec!["0".to_owned(), "1".to_owned()])
    }

    const fn demand(slots: u32, memory: u64, gpus: u32) -> Demand {
        Demand {
            slots,
            memory,
            gpus,
        }
    }

    /// The admitted datum; none if it has to wait.
    async fn at_once(admission: &Admission, demand: Demand) -> Option<Admitted> {
        timeout(Duration::from_millis(10), admission.admit(demand))
            .await
            .ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_datum_waits_until_it_fits_beside_the_others() {
        let admission = admission();
        let first = at_once(&admission, demand(1, 60, 0)).await.unwrap();
        assert!(at_once(&admission, demand(1, 60, 0)).await.is_none());
        let small = at_once(&admission, demand(1, 40, 0)).await.unwrap();
        drop((first, small));
        assert!(
            at_once(&admission, demand(9, 900, 9)).await.is_some(),
            "alone"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn memory_that_is_held_beyond_a_demand_is_not_given_to_others() {
        let admission = admission();
        let first = at_once(&admission, demand(1, 20, 0)).await.unwrap();
        admission.note_excess(50);
        assert!(at_once(&admission, demand(1, 40, 0)).await.is_none());
        let waiting = admission.clone();
        let waiting = tokio::spawn(async move { waiting.admit(demand(1, 40, 0)).await });
        tokio::task::yield_now().await;
        admission.note_excess(10);
        let second = waiting.await.unwrap();
        admission.note_excess(1000);
        drop((first, second));
        assert!(
            at_once(&admission, demand(1, 100, 0)).await.is_some(),
            "nothing runs"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_leaves_nothing_taken() {
        let admission = admission();
        let first = at_once(&admission, demand(4, 0, 0)).await.unwrap();
        assert!(at_once(&admission, demand(4, 100, 2)).await.is_none());
        drop(first);
        assert!(at_once(&admission, demand(4, 100, 2)).await.is_some());
        assert!(at_once(&admission, demand(4, 100, 2)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_graphics_processor_belongs_to_one_datum() {
        let admission = admission();
        let one = at_once(&admission, demand(1, 0, 1)).await.unwrap();
        let other = at_once(&admission, demand(1, 0, 1)).await.unwrap();
        assert_ne!(one.devices(), other.devices());
        assert!(at_once(&admission, demand(1, 0, 1)).await.is_none());
        let none = at_once(&admission, demand(1, 0, 0)).await.unwrap();
        assert_eq!(none.devices(), [""; 0]);
        drop(one);
        let next = at_once(&admission, demand(1, 0, 1)).await.unwrap();
        assert_eq!(next.devices().len(), 1);
    }
}
