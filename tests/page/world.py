"""The world that the mock serves: pipelines, jobs and datums, computed from their numbers and never stored.

A datum's state follows from its index by a cycle of 1,000, so a million of them cost nothing and can be counted exactly.
"""

import hashlib
import struct
import time
import zlib
from datetime import datetime, timezone

CYCLE = 1000
SCAN = 150_000  # datums looked at in one request, as the server's half second would
OPEN = ("starting", "running", "publishing", "egressing")
HOSTILE = "<img src=x onerror=window.broken=1>"

CAUSES = [
    ("exit 1", "row #: no such column 'price'", "row {}: no such column 'price'"),
    ("timeout", "", ""),
    ("exit 2", "cannot open …: " + HOSTILE, "cannot open /pfs/photos/{}.jpg: " + HOSTILE),
]


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def digest(*parts):
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def mixed(index):
    """What becomes of datum `index` in a job in which everything happens."""
    place = (index * 389 + 17) % CYCLE
    if place < 20:
        return "failed"
    if place < 24:
        return "recovered"
    return "skipped" if place < 174 else "success"


def fine(index):
    return "skipped" if (index * 389 + 17) % CYCLE < 400 else "success"


def content_of(name):
    """The bytes of a file by its ending."""
    if name.endswith((".png", ".jpg")):
        rows = b"".join(b"\0" + bytes((29, 79 + y, 145) * 24) for y in range(16))
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 16, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    if name.endswith(".wav"):
        return b"RIFF" + struct.pack("<I", 44) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<I", 8) + bytes([128] * 8)
    return b'name,count\n"a, b",1\n' + HOSTILE.encode() + b",2\n"


class Job:
    def __init__(self, number, pipeline, state, total, age, outcome=fine, ended=None, seconds=300.0, **more):
        self.id = "01kq3v9m7e8n5x2r4t6w8y0" + format(number, "03d")
        self.pipeline, self.state, self.total, self.outcome = pipeline, state, total, outcome
        self.created, self.seconds = time.time() - age, seconds
        self.fixed, self.speed = ended, more.get("speed", 0.0)
        self.reason, self.why, self.workers = more.get("reason"), more.get("why"), more.get("workers", 2)
        self.parent, self.of_group, self.stopping = more.get("parent"), more.get("group"), False

    @property
    def open(self):
        return self.state in OPEN

    def ended(self):
        """How many datums have ended: the first so many."""
        if self.state == "starting":
            return 0
        if not self.open:
            return self.total if self.fixed is None else self.fixed
        grown = self.fixed + int(self.speed * (time.time() - self.created - self.seconds))
        return min(self.total - min(self.workers, self.total), grown)

    def running(self):
        return range(self.ended(), min(self.total, self.ended() + self.workers)) if self.state == "running" else range(0)

    def state_of(self, index):
        if index < self.ended():
            return self.outcome(index)
        if index in self.running():
            return "retrying" if index % 7 == 3 else "running"
        return "queued"

    def count(self, state, end=None):
        end = self.ended() if end is None else end
        cycles, rest = divmod(end, CYCLE)
        of = lambda many: sum(1 for index in range(many) if self.outcome(index) == state)
        return (cycles * of(CYCLE) if cycles else 0) + of(rest)

    def record(self):
        done = not self.open
        return {
            "job": self.id, "pipeline": self.pipeline, "state": self.state, "reason": self.reason,
            "created": iso(self.created), "started": None if self.state == "starting" else iso(self.created + 0.4),
            "finished": iso(self.created + self.seconds) if done else None,
            "datums": {"total": self.total, "processed": self.count("success"), "skipped": self.count("skipped"),
                       "failed": self.count("failed"), "recovered": self.count("recovered")},
            "stats": {"download_bytes": self.ended() * 20_480, "upload_bytes": self.ended() * 5_000,
                      "download_time_s": self.ended() * 0.0004, "process_time_s": self.ended() * 0.021,
                      "upload_time_s": self.ended() * 0.0002},
            "redelivered": 3 if self.total > 3 else 0, "duplicates": 0,
        }

    def now(self):
        running = len(self.running())
        left = self.total - self.ended()
        rate = self.speed if self.state == "running" else None
        return {"queued": left - running if self.open else 0, "running": running, "rate": rate,
                "eta": left / rate if rate else None}

    def detail(self):
        now = self.now()
        live = {"rate": now["rate"] or 0.0, "eta": now["eta"], "expanded": True, "files": None,
                "running": [self.runs(index) for index in self.running()]} if self.open else None
        return {"record": self.record(), "live": live, "queued": now["queued"], "running": now["running"],
                "stop_requested": self.stopping, "parent": self.parent, "group": self.of_group, "why": self.why}

    def worker(self, index):
        return f"host-{index % self.workers:02d}-4k2m9x7p"

    def runs(self, index):
        return {"index": index, "attempt": 2 if index % 7 == 3 else 1, "worker": self.worker(index),
                "since": iso(time.time() - 3 - index % 90)}

    def group(self, index):
        return str(index % len(CAUSES))

    def failures(self):
        samples = {str(key): [] for key in range(len(CAUSES))}
        for index in range(min(self.ended(), CYCLE)):
            if self.outcome(index) == "failed" and len(samples[self.group(index)]) < 3:
                samples[self.group(index)].append(index)
        all_failed = self.count("failed")
        shares = {"0": all_failed - 2 * (all_failed // 4), "1": all_failed // 4, "2": all_failed // 4}
        if self.total <= 3:
            shares = {key: len(found) for key, found in samples.items()}
        groups = [{"key": key, "kind": CAUSES[int(key)][0], "pattern": CAUSES[int(key)][1],
                   "example": CAUSES[int(key)][2].format(indexes[0]), "count": shares[key], "samples": indexes}
                  for key, indexes in samples.items() if indexes]
        return {"groups": sorted(groups, key=lambda group: -group["count"]), "others": 0}

    def path(self, index):
        name = HOSTILE if index == 1 else f"img-{index:07d}"
        return f"/2026/{index // 10_000:03d}/{name}.jpg"

    def datum(self, index):
        state = self.state_of(index)
        ended = state in ("success", "failed", "recovered")
        kind, _, line = CAUSES[int(self.group(index))]
        reason = f"{kind}: {line.format(index)}".rstrip(": ") if state in ("failed", "recovered") else None
        return {
            "index": index, "datum": digest(self.pipeline, index), "state": state, "attempts": (3 if reason else 1) if ended else 0,
            "worker": self.worker(index) if ended else None, "reason": reason,
            "inputs": [{"name": "photos", "repo": "photos", "path": self.path(index), "kind": "file", "size": 20_480 + index % 999,
                        "join_on": None, "group_by": None}],
            "outputs": [{"path": f"/{index // 10_000:03d}/img-{index:07d}.png", "size": 5_000 + index % 777}] if state == "success" else [],
        }

    def datum_page(self, index):
        datum = self.datum(index)
        running = next((self.runs(each) for each in self.running() if each == index), None)
        verdict = None
        if datum["attempts"]:
            start = self.created + self.seconds * index / max(1, self.total)
            verdict = {"started": iso(start), "finished": iso(start + 0.0213), "stats": {
                "download_bytes": 20_480, "upload_bytes": 5_000, "download_time_s": 0.0004, "process_time_s": 0.0207, "upload_time_s": 0.0002}}
        for output in datum["outputs"]:
            output["from"] = [index, index + 1] if index % 5 == 0 and index + 1 < self.total else None
        return {**datum, "verdict": verdict, "running": running, "done": {"job": self.id, "index": index} if datum["state"] == "skipped" else None, "attempts_logged": list(range(1, datum["attempts"] + 1))}

    def logs(self, index, query):
        many = 3000 if index % 4 == 2 else 6
        attempt = max(1, self.datum(index)["attempts"])
        texts = ["loading the model", f"reading {self.path(index)}", "warning: no colour profile, taking sRGB",
                 f"<b>bold</b> & {HOSTILE}", "a long line " + "with many words " * 20, "done"]
        wanted = query.get("contains", "").lower()
        lines = [{"line": line, "index": index, "attempt": attempt, "time": iso(self.created + 0.01 * line),
                  "stream": "stderr" if line % 6 in (2, 3) else "stdout", "text": texts[line % 6]} for line in range(many)
                 if wanted in texts[line % 6].lower() and line >= int(query.get("offset", 0))]
        if "tail" in query:
            return {"truncated": len(lines) > int(query["tail"]), "lines": lines[-int(query["tail"]):]}
        limit = int(query.get("limit", 1000))
        return {"truncated": len(lines) > limit, "lines": lines[:limit]}

    def find(self, query):
        """A page of datums: looks for a while, then says where to go on."""
        limit = min(1000, int(query.get("limit") or 100))
        first = int(query["after"]) + 1 if query.get("after") else 0
        path, state = query.get("path", "").lower(), query.get("state")
        worker, group = query.get("worker"), query.get("group")
        found, index = [], first
        while index < min(self.total, first + SCAN) and len(found) < limit:
            failed = state in (None, "", "failed") and group and self.state_of(index) == "failed" and self.group(index) == group
            if ((not group or failed) and (not path or path in self.path(index).lower())
                    and (not worker or self.worker(index) == worker and index < self.ended())
                    and (not state or self.state_of(index) == state)):
                found.append(self.datum(index))
            index += 1
        end = index >= self.total
        complete = end or len(found) >= limit
        return {"datums": found, "next": None if end else index - 1, "complete": complete, "looked_at": index - first}

    def timeline(self, buckets):
        share = self.ended() / max(1, self.total)
        span = (time.time() - self.created) if self.open else self.seconds
        if self.ended() == 0:
            buckets = 0
        wave = lambda at, worker: 0.0 if (at + worker * 7) % 31 == 0 else 0.55 + 0.45 * ((at * 13 + worker * 29) % 17) / 17
        per = self.ended() / max(1, buckets)
        workers = [{
            "worker": self.worker(worker), "busy": [wave(at, worker) for at in range(buckets)],
            "ended": [int(per / self.workers) for _ in range(buckets)],
            "failed": [1 if self.count("failed") and (at * 7 + worker * 11) % 53 == 0 else 0 for at in range(buckets)],
        } for worker in range(self.workers if buckets else 0)]
        return {
            "from": iso(self.created), "to": iso(self.created + span), "bucket": span / max(1, buckets), "workers": workers,
            "throughput": [per * (0.7 + 0.6 * ((at * 17) % 23) / 23) * min(1, at / 8) for at in range(buckets)],
            "latency": {"p50": 0.021, "p90": 0.048, "p99": 0.31}, "sampled": 0.05 if self.total > 10_000 else 1.0,
            "queue_age": [None if at % 11 == 5 else span * share * at / max(1, buckets) * 0.4 + (at % 9) * 0.1 for at in range(buckets)],
        }


class World:
    """All there is. `size` is how many datums the big jobs have; an empty world has nothing."""

    def __init__(self, size=3, empty=False):
        self.started, self.paused, self.deleted = time.time(), {"report"}, set()
        self.jobs, self.pipelines = [], {}
        if empty:
            return
        many = size > 3
        workers = 24 if many else 2
        self.jobs = [
            Job(9, "thumbs", "running", size, 300, mixed if many else fine, ended=int(size * 0.42), speed=size / 2000 if many else 0.0,
                workers=workers if many else 1),
            Job(8, "index", "starting", 0, 20, why="no worker of index is connected"),
            Job(7, "thumbs", "failure", size, 4_000, mixed if many else lambda index: ["success", "failed", "skipped"][index % 3],
                reason="some datums failed: exit 1: 'row #: no such column' …", workers=workers),
            Job(6, "captions", "success", max(1, size // 2), 9_000, seconds=812.4, workers=workers),
            Job(5, "thumbs", "killed", size, 90_000, ended=int(size * 0.7), reason="stopped by a person", workers=workers),
            *[Job(4 - n, "captions" if n % 2 else "report", "success", 12 + n, 100_000 + n * 3600, seconds=2.5) for n in range(4)],
        ]
        inputs = {
            "thumbs": [self.reads("photos", "/**/*.jpg")], "captions": [self.reads("thumbs", "/*", "thumbs"), self.reads("models", "/")],
            "index": [self.reads("captions", "/**", "captions"), self.reads("thumbs", "/*", "thumbs")],
            "report": [self.reads("index", "/", "index"), {**self.reads("tick", None), "kind": "cron", "glob": None, "schedule": "@every 1h"}],
            "archive-of-everything-that-ever-was": [self.reads("captions", "/", "captions")],
        }
        if not many:
            inputs = {name: inputs[name] for name in ("thumbs", "index")}
            inputs["index"] = inputs["index"][1:]
            self.jobs = [job for job in self.jobs if job.pipeline in inputs]
        self.pipelines = inputs

    @staticmethod
    def reads(repo, glob, pipeline=None):
        return {"name": repo, "repo": repo, "glob": glob, "kind": "pfs", "from": pipeline, "schedule": None}

    def job(self, job_id):
        return next((job for job in self.jobs if job.id == job_id), None)

    def pipeline(self, name):
        jobs = [job for job in self.jobs if job.pipeline == name]
        opened = [job.record() for job in jobs if job.open]
        waits = any(job.why for job in jobs if job.open)
        failed = jobs and jobs[0].state in ("failure", "killed")
        state = "paused" if name in self.paused else "waiting" if waits else "running" if opened else "failed" if failed else "idle"
        return {
            "pipeline": name, "description": "Small pictures of large ones" if name == "thumbs" else "", "state": state,
            "why": "no worker of index is connected" if waits else "reads captions, which has published nothing yet" if name.startswith("archive") else None,
            "created": iso(self.started - 500_000), "updated": iso(self.started - 90_000), "revision": 3, "paused": name in self.paused,
            "inputs": self.pipelines[name], "last_job": jobs[0].record() if jobs else None, "open_jobs": opened,
            "outputs_to": sorted(each for each in self.names() if any(i["from"] == name for i in self.pipelines[each])),
        }

    def names(self):
        return sorted(name for name in self.pipelines if name not in self.deleted)

    def attention(self):
        stalled = [{"kind": "stalled", "pipeline": job.pipeline, "job": job.id, "why": job.why, "since": iso(job.created)} for job in self.jobs if job.open and job.why]
        failed = [{"kind": "failed", "pipeline": job.pipeline, "job": job.id, "why": job.reason, "since": iso(job.created)} for job in self.jobs if job.state == "failure"]
        return {"items": failed + stalled}

    def folder(self, path):
        names = {"": ["photos/", "thumbs/", "notes.txt"], "photos": ["2026/", "a.png", "rows.csv", "sound.wav"]}.get(path.strip("/"), [])
        entries = [{"name": name.rstrip("/"), "folder": name.endswith("/"), "size": None if name.endswith("/") else len(content_of(name))} for name in names]
        return {"entries": entries, "next": None, "total": len(entries)}

    def changes(self, job):
        before = next((each for each in self.jobs[self.jobs.index(job) + 1:] if each.pipeline == job.pipeline), None)
        named = {"count": 1, "first": [{"index": 0, "inputs": ["photos" + job.path(0)]}]}
        return {"with": before and before.record(), "same": max(0, job.total - 2), "changed": named, "added": named, "removed": {"count": 0, "first": []},
                "spec": [{"path": "transform.cmd", "before": '["thumb", "1"]', "after": '["thumb", "2"]'}]}

    def start(self, pipeline, total=3, parent=None, group=None):
        job = Job(10 + len(self.jobs), pipeline, "running", total, 1, ended=0, parent=parent, group=group)
        self.jobs.insert(0, job)
        return {"job": job.id, "why": None}

    def workers(self):
        rows = []
        for job in self.jobs:
            if job.state != "running":
                continue
            for number in range(job.workers):
                running = [{"job": job.id, **{key: value for key, value in job.runs(index).items() if key != "worker"}}
                           for index in job.running() if job.worker(index) == job.worker(number)]
                rows.append({"worker": job.worker(number), "pipeline": job.pipeline, "running": running, "last_seen": iso(time.time() - number % 5)})
        return {"workers": rows, "consumers": {job.pipeline: job.workers for job in self.jobs if job.state == "running"}}
