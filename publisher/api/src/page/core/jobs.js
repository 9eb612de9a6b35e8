// What is known of the open jobs beside their records: from live events.

const FIELDS = ["queued", "running", "rate", "eta"];

/** Keeps the jobs of a list up to date. */
export class JobList {
  jobs = [];
  #now = new Map();

  /** What the record of a job does not hold, if it is known. */
  now = (id) => this.#now.get(id);

  /** Takes what the API lists. */
  take(jobs) {
    this.jobs = jobs;
    const listed = new Set(jobs.map(({ job }) => job));
    for (const id of this.#now.keys()) if (!listed.has(id)) this.#now.delete(id);
  }

  /** Whether a live event tells of a job that is newer than all of the list. */
  misses = (event) => this.jobs.length === 0 || event.created > this.jobs[0].created;

  /** Takes a live event; says whether it is about a job of the list. */
  update(event) {
    const at = this.jobs.findIndex(({ job }) => job === event.job);
    if (at < 0) return false;
    this.jobs[at] = event;
    this.#now.set(event.job, Object.fromEntries(FIELDS.map((field) => [field, event[field]])));
    return true;
  }
}
