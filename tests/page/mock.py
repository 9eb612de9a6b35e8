"""A stand-in for `drover serve`: the page's files and the HTTP contract, over a computed world.

    python3 tests/page/mock.py --port 8080 --size 1000000 [--empty] [--token T] [--read-token R]
"""

import argparse
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

sys.dont_write_bytecode = True  # nothing is to be left in the source tree

from world import World, content_of, iso

PAGE = Path(__file__).resolve().parents[2] / "publisher/api/src/page"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SECURITY = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
EVENT_PAUSE = 0.5


class Refusal(Exception):
    def __init__(self, status, kind, message):
        super().__init__(message)
        self.status, self.body = status, {"error": {"kind": kind, "message": message}}


class Mock(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, size=3, empty=False, token=None, read_token=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.world, self.token, self.read_token = World(size, empty), token, read_token
        self.requests = []  # (time, method, path): what the page asked for
        self.events_refused = self.gone = False
        self.base = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def vanish(self):
        """Answers nobody any more, as if it had been killed."""
        self.gone = self.events_refused = True

    def role(self, header):
        if not self.token:
            return "full"
        given = (header or "").removeprefix("Bearer ")
        return {self.token: "full", self.read_token: "read"}.get(given)

    def session(self, role):
        return {"role": role, "version": "0.2.0", "store": "file:///srv/drover", "broker": "up", "broker_why": None, "time": iso(time.time())}

    def handle_error(self, request, address):
        pass  # a browser that goes away is no news


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def parse_request(self):
        self.close_connection = self.server.gone
        return not self.server.gone and super().parse_request()

    def do_GET(self):
        url = urlsplit(self.path)
        if not url.path.startswith("/api/"):
            return self.asset(url.path)
        return self.api("GET", url)

    def do_POST(self):
        self.api("POST", urlsplit(self.path))

    def do_PUT(self):
        self.api("PUT", urlsplit(self.path))

    def do_DELETE(self):
        self.api("DELETE", urlsplit(self.path))

    def asset(self, path):
        file = PAGE / (path.removeprefix("/page/") if path.startswith("/page/") else "index.html")
        if ".." in path or not file.is_file():
            return self.answer(404, b"not found", "text/plain")
        return self.answer(200, file.read_bytes(), TYPES[file.suffix])

    def api(self, method, url):
        server, path = self.server, url.path.removeprefix("/api/v1")
        server.requests.append((time.time(), method, path + ("?" + url.query if url.query else "")))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        body = body.decode() if "yaml" in self.headers.get("Content-Type", "") else json.loads(body or b"{}")
        role = server.role(self.headers.get("Authorization"))
        try:
            if role is None:
                raise Refusal(401, "unauthorized", "a token is needed")
            if method != "GET" and role != "full":
                raise Refusal(403, "forbidden", "this token may only look")
            if path == "/events":
                return self.events(role)
            if path.endswith(("/output", "/content")):
                return self.answer(200, content_of(dict(parse_qsl(url.query))["path"]), "application/octet-stream")
            if path.endswith("/log"):
                return self.answer(200, b"the whole log\n", "text/plain")
            self.json(*self.route(method, path, dict(parse_qsl(url.query)), body, role))
        except Refusal as refusal:
            self.json(refusal.status, refusal.body)

    def route(self, method, path, query, body, role):
        world = self.server.world
        fixed = {
            "/session": lambda: self.server.session(role), "/attention": world.attention, "/workers": world.workers,
            "/files": lambda: world.folder(query.get("path", "")), "/audit": self.audit,
            "/pipelines": lambda: {"pipelines": [world.pipeline(name) for name in world.names()]},
            "/jobs": lambda: self.jobs(query),
        }
        if method == "GET" and path in fixed:
            return 200, fixed[path]()
        if path == "/validate":
            return 200, self.checked(body)
        if method == "POST" and path == "/pipelines":
            return 201, {"pipeline": self.checked(body)["pipeline"]}
        if match := re.fullmatch(r"/pipelines/([\w-]+)(/\w+)?", path):
            return self.pipeline(method, match[1], match[2])
        if match := re.fullmatch(r"/jobs/(\w+)(/.*)?", path):
            job = world.job(match[1])
            if job is None:
                raise Refusal(404, "not_found", f"there is no job {match[1]}; `drover jobs` lists all")
            return self.job(method, job, match[2] or "", query, body)
        raise Refusal(404, "not_found", f"there is no {path}")

    def checked(self, text):
        """Finds fault with lines that say so."""
        findings = [{"file": "body.yaml", "line": at, "column": 1, "path": "input", "message": "there is no such field", "advice": "did you mean `glob`?", "severity": "error"}
                    for at, line in enumerate(text.split("\n"), 1) if "wrong" in line]
        if findings:
            refusal = Refusal(422, "invalid", "the spec is not valid: 1 error")
            refusal.body["error"]["findings"] = findings
            raise refusal
        return {"pipeline": "thumbs", "spec": {}, "notes": []}

    def audit(self):
        actions = [{"id": f"{at:04d}", "time": iso(when), "who": "full 3f9a01bc", "method": method, "path": "/api/v1" + path, "status": 202}
                   for at, (when, method, path) in enumerate(self.server.requests) if method != "GET"]
        return {"actions": actions[::-1], "next": None}

    def jobs(self, query):
        states = [state for state in query.get("state", "").split(",") if state]
        rows = [job for job in self.server.world.jobs if (not states or job.state in states)
                and query.get("pipeline", job.pipeline) == job.pipeline and job.id < query.get("before", "~")]
        limit = int(query.get("limit", 50))
        return {"jobs": [job.record() for job in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}

    def pipeline(self, method, name, verb):
        world = self.server.world
        if name not in world.names():
            raise Refusal(404, "not_found", f"there is no pipeline {name}; `drover pipelines` lists all")
        if method == "DELETE":
            world.deleted.add(name)
            return 204, None
        if verb == "/run":
            return 202, world.start(name)
        if verb == "/pause":
            world.paused.add(name)
        if verb == "/resume":
            world.paused.discard(name)
        spec = {"pipeline": {"name": name}, "input": {"pfs": {"repo": "photos", "glob": "/**/*.jpg"}},
                "transform": {"cmd": ["python3", "/code/thumb.py"], "image": "thumbs:1"}, "datum_tries": 3}
        return 200, {**world.pipeline(name), "spec": spec}

    def job(self, method, job, rest, query, body):
        if method == "POST" and rest == "/stop":
            job.fixed, job.state, job.reason = job.ended(), "killed", "stopped by a person"
            return 202, job.record()
        if method == "POST" and rest == "/redo":
            return 202, {**self.server.world.start(job.pipeline), "datums": 2}
        if method == "POST" and rest == "/retry":
            return 202, self.server.world.start(job.pipeline, parent=job.id, group=body.get("group"))
        if match := re.fullmatch(r"/datums/(\d+)(/logs)?", rest):
            index = int(match[1])
            if index >= job.total:
                raise Refusal(404, "not_found", f"job {job.id} has no datum {index}: it has {job.total}")
            return 200, job.logs(index, query) if match[2] else job.datum_page(index)
        parts = {"": job.detail, "/failures": job.failures, "/datums": lambda: job.find(query), "/changes": lambda: self.server.world.changes(job),
                 "/timeline": lambda: job.timeline(int(query.get("buckets", 120)))}
        if rest not in parts:
            raise Refusal(404, "not_found", f"there is no {rest}")
        return 200, parts[rest]()

    def events(self, role):
        if self.server.events_refused:
            raise Refusal(503, "unavailable", "no more streams")
        self.send_response(200)
        self.headers_of("text/event-stream", None)
        self.close_connection = True
        self.event("hello", self.server.session(role))
        while not self.server.events_refused:
            for job in self.server.world.jobs:
                if job.open:
                    self.event("job", {**job.record(), **job.now()})
            time.sleep(EVENT_PAUSE)

    def event(self, kind, data):
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def json(self, status, body):
        self.answer(status, b"" if body is None else json.dumps(body).encode(), "application/json")

    def answer(self, status, content, kind):
        self.send_response(status)
        self.headers_of(kind, len(content))
        self.wfile.write(content)

    def headers_of(self, kind, length):
        for name, value in SECURITY.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store" if self.path.startswith("/api/") else "no-cache")
        if length is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--port", type=int, default=8080)
    options.add_argument("--size", type=int, default=3)
    options.add_argument("--empty", action="store_true")
    options.add_argument("--token")
    options.add_argument("--read-token")
    given = options.parse_args()
    mock = Mock(given.port, given.size, given.empty, given.token, given.read_token)
    print(mock.base, flush=True)
    mock.serve_forever()


if __name__ == "__main__":
    main()
