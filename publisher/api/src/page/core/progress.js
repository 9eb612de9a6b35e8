// How far a job is: the five states of its datums, that always add up to the known total. Pure.

const OPEN = ["starting", "running", "publishing", "egressing"];

/** Whether the job is still to end. */
export const isOpen = (record) => OPEN.includes(record.state);

/**
 * What a job's bar shows. `now` holds what the record does not: `queued`, `running`, `rate`, `eta`, `expanded`;
 * without it, all that has not ended counts as queued.
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

/** The segments of the bar in their order: state, word, count. What a job that has ended left over was not run. */
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
