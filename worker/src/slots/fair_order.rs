//! Pure: which pipeline gets the next free slot, if its datum fits.
//!
//! An account holds the slot time that a pipeline used, divided by its weight. Of the pipelines with a datum that waits, the
//! one with the smallest account is next, so the time is shared by the weights, every pipeline gets its turn, and a free slot
//! is never kept from a datum that waits. Time without a datum earns nothing: a pipeline that arrives starts level with the
//! pipeline that was served least.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use drover_shared::id::PipelineName;

/// The expected time of a datum of a pipeline of which none has ended.
const UNKNOWN: f64 = 1.0;

/// The weight of an older datum in the mean time of a pipeline's datums.
const MEMORY: f64 = 0.75;

/// Accounts from which on those of pipelines without a datum are forgotten.
const REMEMBERED: usize = 256;

/// The accounts of all pipelines. Times are durations since any fixed moment.
#[derive(Debug, Default)]
pub(super) struct FairOrder {
    accounts: HashMap<PipelineName, Account>,
    begun: u64,
    /// The account of the pipeline that was served last.
    served: f64,
}

/// The account of one pipeline.
#[derive(Debug)]
struct Account {
    weight: f64,
    /// Seconds of the datums that have ended, divided by the weights that counted then.
    used: f64,
    /// The mean seconds of the last few datums; none before the first end.
    mean: Option<f64>,
    waiting: usize,
    running: HashMap<u64, Duration>,
}

/// A datum in a slot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Running {
    pub(super) pipeline: PipelineName,
    number: u64,
}

impl FairOrder {
    /// A datum waits from now on. The last `weight` of a pipeline, above 0, counts for all its datums.
    pub(super) fn wait(&mut self, pipeline: &PipelineName, weight: f64) {
        if !self.accounts.contains_key(pipeline) {
            self.forget_idle();
        }
        let least = self.least();
        let account = self.accounts.entry(pipeline.clone());
        let account = account.or_insert_with(Account::new);
        if !account.is_active() {
            account.used = account.used.max(least);
        }
        account.weight = weight;
        account.waiting += 1;
    }

    /// Changes the weight of a pipeline, also for waiting datums.
    pub(super) fn reweigh(&mut self, pipeline: &PipelineName, weight: f64) {
        if let Some(account) = self.accounts.get_mut(pipeline) {
            account.weight = weight;
        }
    }

    /// A datum no longer waits, without having had a slot.
    pub(super) fn give_up(&mut self, pipeline: &PipelineName) {
        if let Some(account) = self.accounts.get_mut(pipeline) {
            account.waiting = account.waiting.saturating_sub(1);
        }
    }

    /// Which of two pipelines with datums that wait is due first.
    pub(super) fn compare(
        &self,
        one: &PipelineName,
        other: &PipelineName,
        now: Duration,
    ) -> Ordering {
        match (self.accounts.get(one), self.accounts.get(other)) {
            (Some(first), Some(second)) if one != other => first.compare(second, now),
            _ => Ordering::Equal,
        }
    }

    /// A datum that waited has a slot from now on.
    pub(super) fn begin(&mut self, pipeline: &PipelineName, now: Duration) -> Running {
        let number = self.begun;
        self.begun += 1;
        let account = self.accounts.entry(pipeline.clone());
        let account = account.or_insert_with(Account::new);
        self.served = self.served.max(account.used);
        account.waiting = account.waiting.saturating_sub(1);
        account.running.insert(number, now);
        Running {
            pipeline: pipeline.clone(),
            number,
        }
    }

    /// A datum has left its slot.
    pub(super) fn end(&mut self, running: &Running, now: Duration) {
        let Some(account) = self.accounts.get_mut(&running.pipeline) else {
            return;
        };
        if let Some(since) = account.running.remove(&running.number) {
            let took = now.saturating_sub(since).as_secs_f64();
            account.used += took / account.weight;
            let mean = account
                .mean
                .map_or(took, |mean| mean * MEMORY + took * (1.0 - MEMORY));
            account.mean = Some(mean);
        }
    }

    /// The smallest account of a pipeline with datums, without those that run; without any pipeline, the account that was
    /// served last.
    fn least(&self) -> f64 {
        let active = self.accounts.values().filter(|it| it.is_active());
        let least = active.map(|it| it.used).min_by(f64::total_cmp);
        least.unwrap_or(self.served)
    }

    fn forget_idle(&mut self) {
        if self.accounts.len() >= REMEMBERED {
            self.accounts.retain(|_, it| it.is_active());
        }
    }
}

impl Account {
    fn new() -> Self {
        Self {
            weight: 1.0,
            used: 0.0,
            mean: None,
            waiting: 0,
            running: HashMap::new(),
        }
    }

    fn is_active(&self) -> bool {
        self.waiting > 0 || !self.running.is_empty()
    }

    /// The account with the datums that run: each counts as long as it has run, and at least for the mean time.
    fn used_by(&self, now: Duration) -> f64 {
        let mean = self.mean.unwrap_or(UNKNOWN);
        let times = self.running.values();
        let times = times.map(|since| now.saturating_sub(*since).as_secs_f64().max(mean));
        self.used + times.sum::<f64>() / self.weight
    }

    /// The smaller account first; of equal ones, the heavier pipeline.
    fn compare(&self, other: &Self, now: Duration) -> Ordering {
        let used = self.used_by(now).total_cmp(&other.used_by(now));
        used.then(other.weight.total_cmp(&self.weight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> PipelineName {
        format!("p{number}").parse().unwrap()
    }

    /// Slots, each with its running datum and the time of the datum's end, and the seconds of each pipeline.
    struct Machine {
        order: FairOrder,
        slots: Vec<Option<(Duration, Running)>>,
        waiting: Vec<usize>,
        got: Vec<f64>,
        now: Duration,
    }

    impl Machine {
        fn new(slots: usize, pipelines: usize) -> Self {
            Self {
                order: FairOrder::default(),
                slots: vec![None; slots],
                waiting: vec![0; pipelines],
                got: vec![0.0; pipelines],
                now: Duration::ZERO,
            }
        }

        fn wait(&mut self, pipeline: usize, weight: f64) {
            self.order.wait(&name(pipeline), weight);
            self.waiting[pipeline] += 1;
        }

        fn give_up(&mut self, pipeline: usize) {
            self.order.give_up(&name(pipeline));
            self.waiting[pipeline] -= 1;
        }

        /// The pipeline whose datum is next.
        fn next(&self) -> Option<PipelineName> {
            let waiting = self.waiting.iter().enumerate();
            let waiting = waiting.filter(|(_, count)| **count > 0);
            let names = waiting.map(|(pipeline, _)| name(pipeline));
            names.min_by(|one, other| self.order.compare(one, other, self.now))
        }

        /// Fills the free slots with datums that take `times` by pipeline, and goes on to the next end.
        fn step(&mut self, times: &[f64]) -> Vec<usize> {
            let mut begun = Vec::new();
            for slot in 0..self.slots.len() {
                if self.slots[slot].is_some() {
                    continue;
                }
                let Some(next) = self.next() else {
                    break;
                };
                let number = number(&next);
                let until = self.now + Duration::from_secs_f64(times[number]);
                self.slots[slot] = Some((until, self.order.begin(&next, self.now)));
                self.waiting[number] -= 1;
                begun.push(number);
            }
            let ends = self.slots.iter().flatten().map(|(until, _)| *until).min();
            self.now = ends.unwrap_or(self.now);
            for slot in &mut self.slots {
                if let Some((until, running)) = slot.take_if(|(until, _)| *until <= self.now) {
                    self.order.end(&running, until);
                    self.got[number(&running.pipeline)] += times[number(&running.pipeline)];
                }
            }
            begun
        }
    }

    fn number(name: &PipelineName) -> usize {
        name.as_str()[1..].parse().unwrap()
    }

    #[test]
    fn the_time_of_the_slots_is_shared_by_the_weights_whatever_the_datums_take() {
        #[rustfmt::skip]
        let rows: [(&str, usize, &[f64], &[f64]); 5] = [
            ("one slot",               1, &[1.0, 2.0, 4.0], &[0.1, 0.1, 0.1]),
            ("several slots",          4, &[1.0, 2.0, 4.0], &[0.1, 0.1, 0.1]),
            ("short beside long",      4, &[1.0, 1.0],      &[0.01, 0.5]),
            ("long ones with weight",  2, &[1.0, 3.0],      &[0.02, 0.3]),
            ("alone",                  3, &[1.0],           &[0.2]),
        ];
        for (case, slots, weights, times) in rows {
            let mut machine = Machine::new(slots, weights.len());
            for (pipeline, weight) in weights.iter().enumerate() {
                // There is always more to do than slots.
                for _ in 0..=slots {
                    machine.wait(pipeline, *weight);
                }
            }
            while machine.now < Duration::from_secs(60) {
                for pipeline in machine.step(times) {
                    machine.wait(pipeline, weights[pipeline]);
                }
            }
            let (all, weight): (f64, f64) = (machine.got.iter().sum(), weights.iter().sum());
            for (got, of) in machine.got.iter().zip(weights) {
                let share = got / all;
                let expected = of / weight;
                assert!(
                    (share - expected).abs() < 0.05,
                    "{case}: {share} of {expected}"
                );
            }
        }
    }

    #[test]
    fn an_arrival_goes_first_if_it_is_urgent_and_earns_nothing_by_having_been_away() {
        let mut machine = Machine::new(1, 2);
        for _ in 0..100 {
            machine.wait(0, 1.0);
        }
        for _ in 0..10 {
            machine.step(&[1.0, 1.0]);
        }
        machine.wait(1, 100.0);
        machine.wait(1, 100.0);
        assert_eq!(machine.step(&[1.0, 1.0]), [1], "the next slot is its own");
        machine.give_up(1);
        for _ in 0..10 {
            assert_eq!(machine.step(&[1.0, 1.0]), [0]);
        }
        for _ in 0..100 {
            machine.wait(1, 1.0);
        }
        let begun: Vec<_> = (0..20).flat_map(|_| machine.step(&[1.0, 1.0])).collect();
        let of_arrival = begun.iter().filter(|it| **it == 1).count();
        assert_eq!(of_arrival, 10, "it caught up on time without a datum");
    }

    #[test]
    fn accounts_do_not_grow_with_the_pipelines_that_ever_came() {
        let mut order = FairOrder::default();
        for number in 0..10 * REMEMBERED {
            let now = Duration::from_secs(number as u64);
            order.wait(&name(number), 1.0);
            let running = order.begin(&name(number), now);
            order.end(&running, now + Duration::from_millis(1));
        }
        assert!(order.accounts.len() <= REMEMBERED + 1);
    }

    proptest::proptest! {
        #[test]
        fn no_slot_stays_free_and_no_pipeline_starves(
            arrivals in proptest::collection::vec((0..5_usize, 1..4_u32), 1..200),
            weights in proptest::collection::vec(0.01..100_f64, 5),
            times in proptest::collection::vec(0.001..3_f64, 5),
            slots in 1..5_usize,
        ) {
            let mut machine = Machine::new(slots, 5);
            let mut waiting = 0;
            let mut begun = [0_usize; 5];
            let mut asked = [0_usize; 5];
            for (pipeline, count) in arrivals {
                for _ in 0..count {
                    machine.wait(pipeline, weights[pipeline]);
                    waiting += 1;
                    asked[pipeline] += 1;
                }
                let free = machine.slots.iter().filter(|slot| slot.is_none()).count();
                let began = machine.step(&times);
                proptest::prop_assert_eq!(began.len(), free.min(waiting), "work-conserving");
                waiting -= began.len();
                for pipeline in began {
                    begun[pipeline] += 1;
                }
            }
            for _ in 0..waiting {
                for pipeline in machine.step(&times) {
                    begun[pipeline] += 1;
                }
            }
            proptest::prop_assert_eq!(begun, asked, "every datum had its turn");
        }

        #[test]
        fn a_pipeline_with_datums_waits_no_longer_than_its_weight_demands(
            weight in 0.1..10_f64, others in proptest::collection::vec(0.1..10_f64, 1..5),
        ) {
            let mut machine = Machine::new(1, others.len() + 1);
            let times = vec![1.0; others.len() + 1];
            let all: f64 = others.iter().sum::<f64>() + weight;
            machine.wait(0, weight);
            let mut waited = 0.0;
            let most = all / weight + 2.0 + others.iter().map(|_| 1.0).sum::<f64>();
            // Every pipeline always has a datum that waits.
            for (other, of) in others.iter().enumerate() {
                machine.wait(other + 1, *of);
            }
            for _ in 0..300 {
                for pipeline in machine.step(&times) {
                    let of = if pipeline == 0 { weight } else { others[pipeline - 1] };
                    machine.wait(pipeline, of);
                    waited = if pipeline == 0 { 0.0 } else { waited + 1.0 };
                }
                proptest::prop_assert!(waited <= most, "{waited} of {most}");
            }
        }
    }

    #[test]
    fn a_changed_weight_counts_for_datums_that_wait_already() {
        let mut order = FairOrder::default();
        let [one, other]: [PipelineName; 2] = ["one", "other"].map(|it| it.parse().unwrap());
        let now = Duration::from_secs(10);
        for pipeline in [&one, &other, &one, &other] {
            order.wait(pipeline, 1.0);
        }
        for pipeline in [&one, &other] {
            let running = order.begin(pipeline, Duration::ZERO);
            order.end(&running, now);
        }
        order.begin(&one, now);
        order.wait(&one, 1.0);
        assert_eq!(order.compare(&one, &other, now), Ordering::Greater);
        order.reweigh(&one, 10_000.0);
        order.wait(&one, 10_000.0);
        let running = order.begin(&one, now);
        order.end(&running, now + now);
        let more = order.accounts[&one].used - order.accounts[&other].used;
        assert!(more < 0.01, "{more}");
    }
}
