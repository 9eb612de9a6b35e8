//! Pure: how many datums of a job may be published, by the limits of its pipeline.
//!
//! A datum is *under way* from its publication to its verdict, so a limit on running datums bounds the datums under way. For a
//! rate, a datum that is under way and not known to have begun may begin at any moment: it counts as well as the begins
//! of the last period. A begin counts when the leader hears of it, which is later than the begin itself. So no limit is
//! exceeded, however late messages and reports are. Datums are counted by index: the end of a datum that neither was published
//! by the current leader nor is in the hands of a worker frees no place.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_shared::pipeline::Limit;
use tokio::time::Instant;

use super::window::RateWindow;

/// The limits of a job, and the datums that count.
#[derive(Debug)]
pub(crate) struct LimitGate {
    /// False for a pipeline without limits, whose datums are not counted.
    counts: bool,
    /// The most datums under way.
    running: Option<u64>,
    rates: Vec<RateWindow>,
    /// True once the datums in the hands of workers are known.
    is_known: bool,
    /// Datums published under the current leader.
    published: u64,
    /// Datums that are under way, but not known to have begun.
    waiting: BTreeSet<u64>,
    /// Datums that have begun, without a verdict.
    open: BTreeSet<u64>,
}

impl LimitGate {
    /// The gate of a pipeline with `limits`. Nothing is granted before [`set_held`](Self::set_held). Datums of an earlier job or
    /// leader may have begun `before`, if there were any.
    pub(crate) fn new(limits: &[Limit], before: Option<Instant>) -> Self {
        let running = limits.iter().filter_map(|limit| match limit {
            Limit::Running(most) => Some(u64::from(most.get())),
            Limit::Rate(_) | Limit::Named(_) => None,
        });
        let rates = limits.iter().filter_map(|limit| match limit {
            Limit::Rate(rate) => {
                let period = rate.period.length();
                let quiet_until = before.map(|before| before + period);
                let number = u64::from(rate.number.get());
                Some(RateWindow::new(number, period, quiet_until))
            }
            Limit::Running(_) | Limit::Named(_) => None,
        });
        Self {
            counts: !limits.is_empty(),
            running: running.min(),
            rates: rates.collect(),
            is_known: false,
            published: 0,
            waiting: BTreeSet::new(),
            open: BTreeSet::new(),
        }
    }

    /// The workers have told which datums without a verdict they hold.
    pub(crate) fn set_held(&mut self, held: impl IntoIterator<Item = u64>) {
        self.is_known = true;
        for index in held {
            self.note_under_way(index);
        }
    }

    /// The datums under way, and the number of datums published under the current leader; none until the workers have told
    /// what they hold.
    pub(crate) fn under_way(&self) -> Option<(u64, u64)> {
        let number = self.waiting.len() + self.open.len();
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.is_known.then_some((number, self.published))
    }

    /// A datum is about to be published; `is_outstanding` if it has no verdict.
    pub(crate) fn note_published(&mut self, index: u64, is_outstanding: bool) {
        self.published += 1;
        if is_outstanding {
            self.note_under_way(index);
        }
    }

    fn note_under_way(&mut self, index: u64) {
        if self.counts && !self.open.contains(&index) {
            self.waiting.insert(index);
        }
    }

    /// A datum without a verdict has begun.
    pub(crate) fn note_begun(&mut self, index: u64, now: Instant) {
        if self.counts && self.open.insert(index) {
            self.waiting.remove(&index);
            self.note_attempt(now);
        }
    }

    /// A datum begins another attempt.
    pub(crate) fn note_attempt(&mut self, now: Instant) {
        for rate in &mut self.rates {
            rate.note(now);
        }
    }

    /// A datum has its first verdict.
    pub(crate) fn note_ended(&mut self, index: u64, now: Instant) {
        self.note_begun(index, now);
        self.open.remove(&index);
    }

    /// How many datums may be published in all under the current leader. `allotted` is the smallest allotment of a shared
    /// limit; none without such limits.
    pub(crate) fn granted(&mut self, allotted: Option<u64>, now: Instant) -> u64 {
        let limits_running = self.running.is_some() || allotted.is_some();
        if !limits_running && self.rates.is_empty() {
            return u64::MAX;
        }
        let Some((under_way, published)) = self.under_way() else {
            return 0;
        };
        let most = self.running.into_iter().chain(allotted).min();
        let by_running = most.map(|most| most.saturating_sub(under_way));
        let waiting = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        let rates = self.rates.iter_mut();
        let by_rates = rates.map(|rate| rate.room(now).saturating_sub(waiting));
        let more = by_running.into_iter().chain(by_rates).min();
        published.saturating_add(more.unwrap_or(u64::MAX))
    }

    /// How long until more may be published without any report; none if only a report changes that.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Duration> {
        let next = self.rates.iter().filter_map(|rate| rate.next_room(now));
        next.min().map(|next| next.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn limits(texts: &[&str]) -> Vec<Limit> {
        let parse = |text: &&str| match text.parse() {
            Ok(rate) => Limit::Rate(rate),
            Err(_) => Limit::Running(text.parse().unwrap()),
        };
        texts.iter().map(parse).collect()
    }

    #[test]
    fn the_smallest_limit_counts_and_without_limits_there_is_no_bound() {
        type Row<'a> = (&'a [&'a str], Option<u64>, Option<u64>, u64, u64);
        let now = Instant::now();
        // Limits; datums held by workers, if known; allotment; datums published, all of which have ended; grant.
        #[rustfmt::skip]
        let rows: [Row<'_>; 8] = [
            (&[],               None,    None,    0,  u64::MAX),
            (&["5"],            Some(0), None,    0,  5),
            (&["5", "3"],       Some(0), None,    7,  10),
            (&["5"],            Some(2), None,    1,  4),
            (&["5"],            None,    None,    0,  0),
            (&["5"],            Some(0), Some(2), 0,  2),
            (&[],               Some(0), Some(0), 4,  4),
            (&["9/min", "20"],  Some(0), None,    0,  9),
        ];
        for (texts, held, allotted, ended, expected) in rows {
            let mut gate = LimitGate::new(&limits(texts), None);
            if let Some(held) = held {
                gate.set_held(100..100 + held);
            }
            for index in 0..ended {
                gate.note_published(index, true);
                gate.note_ended(index, now);
            }
            let granted = gate.granted(allotted, now + Duration::from_millis(1));
            assert_eq!(granted, expected, "{texts:?} {held:?} {allotted:?} {ended}");
        }
    }

    #[test]
    fn the_end_of_a_datum_that_did_not_count_frees_no_place() {
        let now = Instant::now();
        let mut gate = LimitGate::new(&limits(&["3"]), None);
        // Datum 7 ended under the leader before, and the report comes before and after the answers of the workers.
        gate.note_ended(7, now);
        gate.set_held([5, 6]);
        gate.note_ended(7, now);
        assert_eq!(gate.granted(None, now), 1);
        // The leader publishes datum 8, whose report of the end is there already.
        gate.note_ended(8, now);
        gate.note_published(8, false);
        assert_eq!(gate.granted(None, now), 2);
        gate.note_ended(5, now);
        assert_eq!(gate.granted(None, now), 3);
    }

    #[test]
    fn after_an_earlier_leader_nothing_begins_for_a_period() {
        let now = Instant::now();
        let mut gate = LimitGate::new(&limits(&["9/min"]), Some(now));
        gate.set_held([]);
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(gate.granted(None, later(59)), 0);
        assert_eq!(gate.next_change(later(59)), Some(Duration::from_secs(1)));
        assert_eq!(gate.granted(None, later(60)), 9);
    }

    /// The fate of a published datum, in milliseconds after the step before: begin, report of the begin, end.
    type Fate = (u64, u64, u64);

    /// Publishes as many datums as the gate grants, and returns the moments at which they began.
    fn simulate(gate: &mut LimitGate, fates: &[Fate], start: Instant) -> Vec<u64> {
        let mut fates: VecDeque<_> = (0_u64..).zip(fates).collect();
        let mut published = 0_u64;
        let mut under_way: Vec<(u64, u64, u64, u64)> = Vec::new();
        let mut begins = Vec::new();
        let mut now = 0;
        while !fates.is_empty() || !under_way.is_empty() {
            let at = start + Duration::from_millis(now);
            for (index, _, told, _) in &under_way {
                if *told <= now {
                    gate.note_begun(*index, at);
                }
            }
            under_way.retain(|(index, _, _, end)| {
                if *end <= now {
                    gate.note_ended(*index, at);
                }
                *end > now
            });
            while published < gate.granted(None, at)
                && let Some((index, (begin, told, end))) = fates.pop_front()
            {
                published += 1;
                gate.note_published(index, true);
                begins.push(now + begin);
                let told = now + begin + told;
                under_way.push((index, now + begin, told, told + end));
            }
            now += 10;
            assert!(now < 10_000_000, "the gate stays shut");
        }
        begins.sort_unstable();
        begins
    }

    proptest::proptest! {
        #[test]
        fn a_rate_is_never_exceeded_however_late_datums_begin(
            number in 1..20_u32,
            fates in proptest::collection::vec((0..3_000_u64, 0..500_u64, 0..2_000_u64), 1..100),
        ) {
            let start = Instant::now();
            let mut gate = LimitGate::new(&limits(&[&format!("{number}/s")]), None);
            gate.set_held([]);
            let begins = simulate(&mut gate, &fates, start + Duration::from_millis(1));
            for window in begins.windows(number as usize + 1) {
                let took = window[window.len() - 1] - window[0];
                proptest::prop_assert!(took >= 1_000, "{number} and one more within {took} ms");
            }
        }
    }

    #[test]
    fn a_rate_is_used_while_datums_begin_at_once() {
        let start = Instant::now();
        let mut gate = LimitGate::new(&limits(&["100/min"]), None);
        gate.set_held([]);
        let begins = simulate(
            &mut gate,
            &vec![(10, 10, 100); 1_000],
            start + Duration::from_millis(1),
        );
        let took = begins[999];
        // The last hundred begin at once at the end of the ninth minute.
        assert!(took < 9 * 61_200, "{took} ms");
    }
}
