// Live figures of active jobs, from live events.

const FIELDS = ["queued", "running", "rate", "eta"];

/** Keeps the jobs of a list up to date. */
export class JobList {
  jobs = [];
  #now = new Map();

  /** Live figures of a job, if known. */
  now = (id) => this.#now.get(id);

  /** Takes the jobs of a list from the API. */
  take(jobs) {
    this.jobs = jobs;
    const listed = new Set(jobs.map(({ job }) => job));
    for (const id of this.#now.keys()) if (!listed.has(id)) this.#now.delete(id);
  }

  /** True if a live event is about a job that is newer than the list. */
  misses = (event) => this.jobs.length === 0 || event.created > this.jobs[0].created;

  /** Takes a live event; returns true if the job is in the list. */
  update(event) {
    const at = this.jobs.findIndex(({ job }) => job === event.job);
    if (at < 0) return false;
    this.jobs[at] = event;
    this.#now.set(event.job, Object.fromEntries(FIELDS.map((field) => [field, event[field]])));
    return true;
  }
}
