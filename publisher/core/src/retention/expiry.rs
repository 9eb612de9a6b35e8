//! The jobs that expire.

use std::collections::BTreeSet;

use drover_shared::id::JobId;

/// Pure: the jobs that expire, oldest first. `finished` are the finished jobs of a pipeline, oldest first, of which the
/// newest `limit` stay; `needed` are jobs with references from unfinished jobs.
pub(super) fn expiring(finished: &[JobId], limit: u32, needed: &BTreeSet<JobId>) -> Vec<JobId> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let surplus = finished.len().saturating_sub(limit);
    let surplus = finished.iter().take(surplus);
    surplus
        .filter(|job| !needed.contains(job))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_jobs_and_the_needed_ones_stay() {
        let jobs: Vec<JobId> = (0..5).map(|_| JobId::generate()).collect();
        #[rustfmt::skip]
        let rows: [(&str, u32, &[usize], &[usize]); 6] = [
            ("fewer than the limit",      9,        &[],        &[]),
            ("as many as the limit",      5,        &[],        &[]),
            ("the largest limit",         u32::MAX, &[],        &[]),
            ("the oldest go",             3,        &[],        &[0, 1]),
            ("a needed one stays",        3,        &[0],       &[1]),
            ("one that is new is needed", 1,        &[1, 4],    &[0, 2, 3]),
        ];
        for (name, limit, needed, expected) in rows {
            let needed = needed.iter().map(|n| jobs[*n]).collect();
            let expected: Vec<JobId> = expected.iter().map(|n| jobs[*n]).collect();
            assert_eq!(expiring(&jobs, limit, &needed), expected, "{name}");
        }
        assert!(expiring(&[], 1, &BTreeSet::new()).is_empty());
    }
}
