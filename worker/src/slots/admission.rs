//! Admission of datums to a worker: each takes its part of the worker while it runs, and waits until that part is free. Of
//! several pipelines, the datums of the one that used the least slot time for its weight come first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drover_shared::id::PipelineName;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::fair_order::{FairOrder, Running};
use super::packing::{Demand, Waiting, take_next};

/// Admits datums to the slots, memory and graphics processors of a worker. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Demand,
    state: Mutex<State>,
    /// The measure of all times.
    start: Instant,
    load: watch::Sender<SlotLoad>,
}

/// How busy the slots are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct SlotLoad {
    /// Slots that no datum uses or waits for.
    pub(crate) free: u32,
    /// Datums that have left their slots.
    pub(crate) ended: u64,
}

#[derive(Debug)]
struct State {
    free: Demand,
    /// Bytes of memory held by running datums beyond the demands.
    excess: u64,
    /// The names of free graphics processors.
    devices: Vec<String>,
    waiting: VecDeque<Waiting<Applicant>>,
    order: FairOrder,
    ended: u64,
}

/// A waiting datum.
#[derive(Debug)]
struct Applicant {
    pipeline: PipelineName,
    admit: oneshot::Sender<Admitted>,
}

/// The part of the worker that a datum has, until dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    shared: Arc<Shared>,
    demand: Demand,
    /// The names of its graphics processors.
    devices: Vec<String>,
    running: Running,
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
                order: FairOrder::default(),
                ended: 0,
            }),
            start: Instant::now(),
            load: watch::Sender::new(SlotLoad {
                free: slots,
                ended: 0,
            }),
        }))
    }

    /// All of the worker.
    pub(crate) fn all(&self) -> Demand {
        self.0.all
    }

    /// Tells how busy the slots are.
    pub(crate) fn load(&self) -> watch::Receiver<SlotLoad> {
        self.0.load.subscribe()
    }

    /// Takes note of the bytes of memory that running datums hold beyond their demands: no datum is admitted to that part of
    /// the worker.
    pub(crate) fn note_excess(&self, excess: u64) {
        let before = std::mem::replace(&mut self.0.lock().excess, excess);
        if excess < before {
            self.0.admit_waiting();
        }
    }

    /// Changes the weight of a pipeline beside others.
    pub(crate) fn reweigh(&self, pipeline: &PipelineName, weight: f64) {
        self.0.lock().order.reweigh(pipeline, weight);
    }

    /// Waits for the demanded part of the worker, at most all of it. `weight` is that of the pipeline beside others.
    /// Cancel-safe.
    pub(crate) async fn admit(
        &self,
        pipeline: &PipelineName,
        weight: f64,
        demand: Demand,
    ) -> Admitted {
        let demand = demand.within(self.0.all);
        let (admit, admitted) = oneshot::channel();
        let waiting = Waiting {
            demand,
            passes: 0,
            datum: Applicant {
                pipeline: pipeline.clone(),
                admit,
            },
        };
        {
            let mut state = self.0.lock();
            state.order.wait(pipeline, weight);
            state.waiting.push_back(waiting);
        }
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
            let now = self.shared.start.elapsed();
            let mut state = self.shared.lock();
            state.free = state.free.with(self.demand);
            state.ended += 1;
            state.order.end(&self.running, now);
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
        self.tell_load();
    }

    fn tell_load(&self) {
        let state = self.lock();
        let waits = !state.waiting.is_empty();
        let load = SlotLoad {
            free: if waits { 0 } else { state.free.slots },
            ended: state.ended,
        };
        self.load.send_replace(load);
    }

    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Admitted>, Admitted)> {
        let now = self.start.elapsed();
        let mut state = self.lock();
        state.arrange(now);
        let free = state.free;
        let usable = Demand {
            // A single datum may start in any case.
            memory: if free == self.all {
                free.memory
            } else {
                free.memory.saturating_sub(state.excess)
            },
            ..free
        };
        let next = take_next(&mut state.waiting, usable)?;
        let running = state.order.begin(&next.datum.pipeline, now);
        state.free = free.without(next.demand);
        let left = state.devices.len() - next.demand.gpus as usize;
        let devices = state.devices.split_off(left);
        let admitted = Admitted {
            shared: Arc::clone(self),
            demand: next.demand,
            devices,
            running,
        };
        Some((next.datum.admit, admitted))
    }
}

impl State {
    /// Forgets datums without a waiting caller, and sorts the datums by the turns of the pipelines.
    fn arrange(&mut self, now: Duration) {
        let order = &mut self.order;
        self.waiting.retain(|waiting| {
            let is_gone = waiting.datum.admit.is_closed();
            if is_gone {
                order.give_up(&waiting.datum.pipeline);
            }
            !is_gone
        });
        let mut pipelines = self.waiting.iter().map(|it| &it.datum.pipeline);
        let first = pipelines.next();
        if pipelines.any(|other| Some(other) != first) {
            let waiting = self.waiting.make_contiguous();
            waiting.sort_by(|one, other| {
                let (one, other) = (&one.datum.pipeline, &other.datum.pipeline);
                order.compare(one, other, now)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::timeout;

    use super::*;

    fn name(text: &str) -> PipelineName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_free_slot_goes_to_the_pipeline_that_was_served_least() {
        let admission = Admission::new(1, 0, Vec::new());
        let (one, other) = (name("one"), name("other"));
        let first = admission.admit(&one, 1.0, demand(1, 0, 0)).await;
        let mut again = Box::pin(admission.admit(&one, 1.0, demand(1, 0, 0)));
        assert!(again.as_mut().now_or_never().is_none());
        let mut arrival = Box::pin(admission.admit(&other, 1.0, demand(1, 0, 0)));
        assert!(arrival.as_mut().now_or_never().is_none());
        drop(first);
        let is_next = again.as_mut().now_or_never();
        assert!(is_next.is_none(), "it was served already");
        drop(arrival.await);
        again.await;
    }

    #[tokio::test]
    async fn no_slot_counts_as_free_while_a_datum_waits() {
        let admission = Admission::new(2, 0, Vec::new());
        let load = admission.load();
        let running = admission.admit(&name("one"), 1.0, demand(1, 0, 0)).await;
        assert_eq!(load.borrow().free, 1);
        let other = name("other");
        let mut alone = Box::pin(admission.admit(&other, 1.0, demand(2, 0, 0)));
        assert!(alone.as_mut().now_or_never().is_none());
        assert_eq!(load.borrow().free, 0);
        drop(running);
        drop(alone.await);
        assert_eq!((load.borrow().free, load.borrow().ended), (2, 2));
    }

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
        let pipeline = name("p");
        let admitted = admission.admit(&pipeline, 1.0, demand);
        timeout(Duration::from_millis(10), admitted).await.ok()
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
        let pipeline = name("p");
        let mut waiting = Box::pin(waiting.admit(&pipeline, 1.0, demand(1, 40, 0)));
        assert!(waiting.as_mut().now_or_never().is_none());
        admission.note_excess(10);
        let second = waiting.await;
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
