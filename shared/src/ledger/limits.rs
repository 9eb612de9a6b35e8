//! Limits of the store, which several pipelines share: how many datums may run, and how many of these each pipeline has.
//!
//! The record changes by conditional puts. A leader publishes no more datums than the allotment of its pipeline, so the sum
//! of the allotments bounds the datums that run. An allotment belongs to the pipeline, not to the leader: a successor inherits
//! it together with the datums that are under way.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ledger;
use super::records::{advice, parse, to_json};
use crate::id::{LimitName, PipelineName};
use crate::store::{StoreError, layout};

/// Tries of a conditional put before the store counts as busy.
const MOST_TRIES: usize = 64;

/// A limit of the store.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SharedLimit {
    /// The most datums that run at the same time, those of all pipelines together; 0 lets none begin.
    pub running: u32,
    /// The allotments of the pipelines that have datums under way or want to.
    #[serde(default)]
    pub allotments: BTreeMap<PipelineName, Allotment>,
}

/// The part of a pipeline in a limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Allotment {
    /// The most datums that the pipeline has under way.
    pub granted: u32,
    /// The number of datums that the pipeline would have under way without the limit.
    pub wanted: u32,
}

impl SharedLimit {
    /// The datums that the pipelines may have under way, all together. More than [`SharedLimit::running`] only for a while after
    /// the limit was lowered.
    pub fn granted(&self) -> u32 {
        let granted = self.allotments.values().map(|it| it.granted);
        granted.fold(0, u32::saturating_add)
    }

    /// The allotment that is due to a pipeline with `under_way` datums that wants `wanted`. It grows only by what no pipeline
    /// has, and shrinks to the fair part, but never below the datums under way.
    pub fn due(&self, pipeline: &PipelineName, under_way: u32, wanted: u32) -> u32 {
        let mut wants: Vec<_> = self.allotments.iter().collect();
        wants.retain(|(other, _)| *other != pipeline);
        let mut wants: Vec<u32> = wants.iter().map(|(_, it)| it.wanted).collect();
        wants.push(wanted);
        let fair = wanted.min(level(self.running, &wants));
        let now = self.allotments.get(pipeline).map_or(0, |it| it.granted);
        if fair <= now {
            return fair.max(under_way.min(now));
        }
        let free = self.running.saturating_sub(self.granted());
        fair.min(now.saturating_add(free))
    }
}

/// The equal part of every pipeline at which the pipelines use the limit up: a part that a pipeline does not want goes to the other pipelines. The remainder of a division is everybody's, as allotments grow only by what is free.
fn level(running: u32, wants: &[u32]) -> u32 {
    let used = |level: u32| -> u64 {
        let each = wants.iter().map(|want| u64::from(*want.min(&level)));
        each.sum()
    };
    let (mut low, mut high) = (0, running);
    while low < high {
        let middle = low + (high - low) / 2;
        if used(middle) >= u64::from(running) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

impl Ledger {
    /// A limit of the store; none if it is not defined.
    pub async fn shared_limit(&self, name: &LimitName) -> Result<Option<SharedLimit>, StoreError> {
        self.read_optional(&layout::shared_limit(name), advice::LIMIT)
            .await
    }

    /// All limits of the store, by name.
    pub async fn shared_limits(&self) -> Result<Vec<(LimitName, SharedLimit)>, StoreError> {
        let mut limits = Vec::new();
        for name in self.store.names(&layout::shared_limits()).await? {
            let Some(Ok(name)) = name.strip_suffix(".json").map(str::parse) else {
                continue;
            };
            if let Some(limit) = self.shared_limit(&name).await? {
                limits.push((name, limit));
            }
        }
        Ok(limits)
    }

    /// Sets the most datums of a limit; defines the limit if need be.
    pub async fn set_shared_limit(&self, name: &LimitName, running: u32) -> Result<(), StoreError> {
        let changed = self.change_shared_limit(name, |limit| {
            limit.running = running;
        });
        if changed.await?.is_some() {
            return Ok(());
        }
        let key = layout::shared_limit(name);
        let limit = SharedLimit {
            running,
            ..SharedLimit::default()
        };
        match self.store.create(&key, to_json(&key, &limit)?).await {
            // Another process has defined the limit meanwhile.
            Err(StoreError::Exists { .. }) => {
                let changed = self.change_shared_limit(name, |limit| limit.running = running);
                changed.await.map(|_| ())
            }
            created => created,
        }
    }

    /// Removes a limit; the datums that use the limit wait then.
    pub async fn remove_shared_limit(&self, name: &LimitName) -> Result<(), StoreError> {
        self.store.delete(&layout::shared_limit(name)).await
    }

    /// Sets the allotment of a pipeline; an empty one is removed. None if the limit is not defined.
    pub async fn save_allotment(
        &self,
        name: &LimitName,
        pipeline: &PipelineName,
        change: impl Fn(&SharedLimit) -> Allotment,
    ) -> Result<Option<Allotment>, StoreError> {
        let changed = self.change_shared_limit(name, |limit| {
            let allotment = change(limit);
            if allotment == Allotment::default() {
                limit.allotments.remove(pipeline);
            } else {
                limit.allotments.insert(pipeline.clone(), allotment);
            }
        });
        let changed = changed.await?;
        Ok(changed.map(|limit| limit.allotments.get(pipeline).copied().unwrap_or_default()))
    }

    /// Changes a limit by a conditional put, repeated if another process was faster. None if the limit is not defined.
    async fn change_shared_limit(
        &self,
        name: &LimitName,
        change: impl Fn(&mut SharedLimit),
    ) -> Result<Option<SharedLimit>, StoreError> {
        let key = layout::shared_limit(name);
        for _ in 0..MOST_TRIES {
            let (before, version) = match self.store.get_versioned(&key).await {
                Ok(found) => found,
                Err(StoreError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut limit: SharedLimit = parse(&key, &before, advice::LIMIT)?;
            change(&mut limit);
            let after = to_json(&key, &limit)?;
            if after == before {
                return Ok(Some(limit));
            }
            match self.store.replace(&key, after, &version).await {
                Ok(()) => return Ok(Some(limit)),
                Err(StoreError::Changed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Changed { key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn name(number: usize) -> PipelineName {
        format!("p{number}").parse().unwrap()
    }

    fn limit(running: u32, allotments: &[(u32, u32)]) -> SharedLimit {
        let allotments = allotments.iter().enumerate();
        let allotments = allotments.map(|(number, (granted, wanted))| {
            let allotment = Allotment {
                granted: *granted,
                wanted: *wanted,
            };
            (name(number), allotment)
        });
        SharedLimit {
            running,
            allotments: allotments.collect(),
        }
    }

    #[test]
    fn an_allotment_grows_by_what_is_free_and_shrinks_to_the_fair_part() {
        #[rustfmt::skip]
        let rows = [
            ("alone",                           limit(8, &[]),                0, 20, 8),
            ("alone, with few datums",          limit(8, &[]),                0, 3,  3),
            ("what another leaves",             limit(8, &[(0, 0), (3, 3)]),  0, 20, 5),
            ("another has more than its part",  limit(8, &[(0, 0), (8, 20)]), 0, 20, 0),
            ("more than its own part",          limit(8, &[(8, 20), (0, 20)]), 8, 20, 8),
            ("datums under way have ended",     limit(8, &[(8, 20), (0, 20)]), 3, 20, 4),
            ("nothing more to do",              limit(8, &[(8, 20), (0, 20)]), 0, 0, 0),
            ("the limit was lowered",           limit(2, &[(8, 20)]),         5, 20, 5),
            ("the limit is zero",               limit(0, &[]),                0, 20, 0),
            ("the remainder goes to the first", limit(3, &[(1, 9), (1, 9)]),  1, 9,  2),
        ];
        for (case, limit, under_way, wanted, expected) in rows {
            let due = limit.due(&name(0), under_way, wanted);
            assert_eq!(due, expected, "{case}");
        }
    }

    proptest::proptest! {
        /// Pipelines with any number of datums, which take what is due to them in any order.
        #[test]
        fn a_limit_is_never_exceeded_and_always_used(
            running in 1..20_u32,
            wants in proptest::collection::vec(0..30_u32, 1..6),
            steps in proptest::collection::vec((0..6_usize, 0..30_u32), 0..100),
        ) {
            let mut wants = wants;
            let mut under_way = vec![0_u32; wants.len()];
            let mut limit = limit(running, &[]);
            let take = |limit: &mut SharedLimit, under_way: &mut Vec<u32>, wants: &[u32], at: usize| {
                let wanted = wants[at];
                let granted = limit.due(&name(at), under_way[at], wanted);
                limit.allotments.insert(name(at), Allotment { granted, wanted });
                under_way[at] = granted.min(wanted);
            };
            for (at, want) in steps {
                let at = at % wants.len();
                wants[at] = want;
                under_way[at] = under_way[at].min(want);
                take(&mut limit, &mut under_way, &wants, at);
                proptest::prop_assert!(limit.granted() <= running);
            }
            // Every datum under way has ended once, and everybody has looked twice.
            for _ in 0..2 {
                for at in 0..wants.len() {
                    under_way[at] = 0;
                    take(&mut limit, &mut under_way, &wants, at);
                    proptest::prop_assert!(limit.granted() <= running);
                }
            }
            for at in 0..wants.len() {
                take(&mut limit, &mut under_way, &wants, at);
            }
            let wanted: u32 = wants.iter().sum();
            proptest::prop_assert_eq!(limit.granted(), running.min(wanted), "{:?}", limit);
        }
    }

    #[tokio::test]
    async fn a_limit_is_changed_by_several_processes_without_a_loss() {
        let ledger = Ledger::new(Store::in_memory());
        let licence: LimitName = "licence".parse().unwrap();
        let take = async |number: usize| {
            let pipeline = name(number);
            let due = |limit: &SharedLimit| Allotment {
                granted: limit.due(&pipeline, 0, 3),
                wanted: 3,
            };
            ledger.save_allotment(&licence, &pipeline, due).await
        };
        assert_eq!(take(0).await.unwrap(), None, "it is not defined");
        ledger.set_shared_limit(&licence, 8).await.unwrap();
        let taken = futures::future::join_all((0..5).map(take)).await;
        let taken: u32 = taken
            .into_iter()
            .map(|it| it.unwrap().unwrap().granted)
            .sum();
        assert!(taken <= 8);
        let stored = ledger.shared_limit(&licence).await.unwrap().unwrap();
        assert_eq!((stored.granted(), stored.allotments.len()), (taken, 5));
        ledger.set_shared_limit(&licence, 2).await.unwrap();
        let all = ledger.shared_limits().await.unwrap();
        assert_eq!((all.len(), all[0].1.running), (1, 2));
        ledger.remove_shared_limit(&licence).await.unwrap();
        assert_eq!(ledger.shared_limits().await.unwrap(), []);
    }
}
