// Progress of a job: the five states of its datums, which always add up to the known total. Pure.

const OPEN = ["starting", "running", "publishing", "egressing"];

/** True for an active job. */
export const isOpen = (record) => OPEN.includes(record.state);

/**
 * Figures of a job's bar. `now` has the live figures: `queued`, `running`, `rate`, `eta`, `expanded`;
 * without live figures, all outstanding datums count as queued.
 */
export function progressOf(record, now = {}) {
  const { total, processed, recovered, skipped, failed } = record.datums;
  const outstanding = Math.max(0, total - processed - recovered - skipped - failed);
  const open = isOpen(record);
  const running = open ? Math.min(now.running ?? 0, outstanding) : 0;
  return {
    total, recovered, skipped, failed, running, open,
    done: processed + recovered,
    queued: outstanding - running,
    growing: open && (now.expanded === false || record.state === "starting"),
    rate: open ? now.rate ?? null : null,
    eta: open ? now.eta ?? null : null,
  };
}

/** The segments of the bar in order: state, word, count. Outstanding datums of an ended job never ran. */
export function segmentsOf(progress) {
  const { done, recovered, skipped, failed, running, queued, open } = progress;
  return [
    { state: "done", word: "done", count: done - recovered },
    { state: "recovered", word: "recovered", count: recovered },
    { state: "skipped", word: "skipped", count: skipped },
    { state: "failed", word: "failed", count: failed },
    { state: "running", word: "running", count: running },
    { state: "queued", word: open ? "queued" : "not run", count: queued },
  ];
}
