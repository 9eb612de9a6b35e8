//! Pure: how many datums of a job may be published, by the limits of its pipeline.
//!
//! A datum is *under way* from its publication to its verdict, so a limit on running datums bounds those under way. For a rate, a
//! datum that is under way and not known to have begun may begin at any moment: it counts as well as the begins
//! of the last period. A begin counts when the leader hears of it, which is later than the begin itself. So no limit is
//! exceeded, however late messages and reports are.

use std::collections::BTreeSet;
use std::time::Duration;

use drover_shared::pipeline::Limit;
use tokio::time::Instant;

use super::window::RateWindow;

/// The limits of a job, and the datums that count.
#[derive(Debug)]
pub(crate) struct LimitGate {
    /// The most datums under way.
    running: Option<u64>,
    rates: Vec<RateWindow>,
    /// Datums that were in the hands of workers as the leader began; none until the workers were asked.
    held: Option<u64>,
    /// Datums that have begun under the current leader.
    begun: u64,
    /// Those of them without a verdict.
    open: BTreeSet<u64>,
}

impl LimitGate {
    /// The gate of a pipeline with `limits`. `held` are the datums in the hands of workers, if that is known. Datums of an
    /// earlier job or leader may have begun `before`, if there were any.
    pub(crate) fn new(limits: &[Limit], held: Option<u64>, before: Option<Instant>) -> Self {
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
            running: running.min(),
            rates: rates.collect(),
            held,
            begun: 0,
            open: BTreeSet::new(),
        }
    }

    /// The workers have told how many datums they hold.
    pub(crate) fn set_held(&mut self, held: u64) {
        self.held = Some(held);
    }

    /// The datums in the hands of workers as the leader began, once known.
    pub(crate) fn held(&self) -> Option<u64> {
        self.held
    }

    /// A datum without a verdict has begun.
    pub(crate) fn note_begun(&mut self, index: u64, now: Instant) {
        if !self.rates.is_empty() && self.open.insert(index) {
            self.begun += 1;
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

    /// How many datums may be published in all, `ended` of which have ended. `allotted` is the smallest allotment of a
    /// shared limit; none without such limits.
    pub(crate) fn granted(&mut self, ended: u64, allotted: Option<u64>, now: Instant) -> u64 {
        let limits_running = self.running.is_some() || allotted.is_some();
        if !limits_running && self.rates.is_empty() {
            return u64::MAX;
        }
        let Some(held) = self.held else {
            return 0;
        };
        let under_way = self.running.into_iter().chain(allotted).min();
        let by_running = under_way.map(|most| ended.saturating_add(most));
        let begun = self.begun;
        let by_rates = self
            .rates
            .iter_mut()
            .map(|rate| begun.saturating_add(rate.room(now)));
        let most = by_running.into_iter().chain(by_rates).min();
        most.unwrap_or(u64::MAX).saturating_sub(held)
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
            let mut gate = LimitGate::new(&limits(texts), held, None);
            let granted = gate.granted(ended, allotted, now + Duration::from_millis(1));
            assert_eq!(granted, expected, "{texts:?} {held:?} {allotted:?} {ended}");
        }
    }

    #[test]
    fn after_an_earlier_leader_nothing_begins_for_a_period() {
        let now = Instant::now();
        let mut gate = LimitGate::new(&limits(&["9/min"]), Some(0), Some(now));
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(gate.granted(0, None, later(59)), 0);
        assert_eq!(gate.next_change(later(59)), Some(Duration::from_secs(1)));
        assert_eq!(gate.granted(0, None, later(60)), 9);
    }

    /// The fate of a published datum, in milliseconds after the step before: begin, report of the begin, end.
    type Fate = (u64, u64, u64);

    /// Publishes as many datums as the gate grants, and returns the moments at which they began.
    fn simulate(gate: &mut LimitGate, fates: &[Fate], start: Instant) -> Vec<u64> {
        let mut fates: VecDeque<_> = (0_u64..).zip(fates).collect();
        let (mut published, mut ended) = (0_u64, 0_u64);
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
                    ended += 1;
                }
                *end > now
            });
            while published < gate.granted(ended, None, at)
                && let Some((index, (begin, told, end))) = fates.pop_front()
            {
                published += 1;
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
            let mut gate = LimitGate::new(&limits(&[&format!("{number}/s")]), Some(0), None);
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
        let mut gate = LimitGate::new(&limits(&["100/min"]), Some(0), None);
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
