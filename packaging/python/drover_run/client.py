"""The client, made of the standard library alone."""

from __future__ import annotations

import json
import os
import pathlib
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

Record = dict[str, Any]
State = Literal["starting", "running", "publishing", "egressing", "success", "failure", "killed"]

FINAL = ("success", "failure", "killed")
DEFAULT_URL = "http://127.0.0.1:7600"
# Seconds between two looks at a job: the first pause and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
# Seconds that the service may take for an answer; it gives up after 30 itself.
PATIENCE = 40.0

# Seconds in which a recorded request must have started its job.
START_PATIENCE = 60.0

# Every route that the client uses, as the OpenAPI document writes it.
ROUTES = {
    "session": ("GET", "/session"),
    "workers": ("GET", "/workers"),
    "pipelines": ("GET", "/pipelines"),
    "create": ("POST", "/pipelines"),
    "pipeline": ("GET", "/pipelines/{name}"),
    "update": ("PUT", "/pipelines/{name}"),
    "delete": ("DELETE", "/pipelines/{name}"),
    "pause": ("POST", "/pipelines/{name}/pause"),
    "resume": ("POST", "/pipelines/{name}/resume"),
    "run": ("POST", "/pipelines/{name}/run"),
    "jobs": ("GET", "/jobs"),
    "job": ("GET", "/jobs/{id}"),
    "stop": ("POST", "/jobs/{id}/stop"),
    "retry": ("POST", "/jobs/{id}/retry"),
    "failures": ("GET", "/jobs/{id}/failures"),
    "datums": ("GET", "/jobs/{id}/datums"),
    "logs": ("GET", "/jobs/{id}/datums/{index}/logs"),
}


class ApiError(Exception):
    """A request that the service refused, or could not be reached for.

    `kind` is the one of docs/api.md, or "unreachable"; `status` is the HTTP status, or 0.
    """

    def __init__(self, kind: str, status: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status


class JobFailed(Exception):
    """A job that ended without success."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.id} of {job.pipeline} ended in {job.state}: {job.record.get('reason')}")
        self.job = job


class Client:
    """Talks to one `drover serve`.

    `url` is `$DROVER_URL` or http://127.0.0.1:7600 by default; `token` is `$DROVER_TOKEN`, or the one that the service keeps in
    `.drover/token` of the store, which is the folder `$DROVER_STORE` or the current one.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or os.environ.get("DROVER_URL") or DEFAULT_URL).rstrip("/")
        self.token = token or os.environ.get("DROVER_TOKEN") or _stored_token()

    def publish(self, spec: str | os.PathLike[str] | Mapping[str, Any]) -> Job:
        """Registers the pipeline of a spec, or changes it to the spec, and starts a job of it.

        `spec` is the path of a file with one spec in JSON or YAML, or the spec itself.
        """
        body, kind = _spec(spec)
        try:
            pipeline = self._send("create", {}, body=body, kind=kind)
        except ApiError as error:
            # The name is in the answer, so that no YAML need be read here.
            known = re.search(r"PUT /api/v1/pipelines/(\S+) changes it", str(error))
            if error.status != 409 or not known:
                raise
            pipeline = self._send("update", {"name": known[1]}, body=body, kind=kind)
        return self.run(pipeline["pipeline"])

    def run(self, pipeline: str) -> Job:
        """Starts a job of a registered pipeline."""
        before = self._newest(pipeline)
        answer = self._send("run", {"name": pipeline})
        if answer["job"] is not None:
            return self.job(answer["job"])
        # A busy service records the request and starts the job later. Ids of later jobs are greater.
        end = time.monotonic() + START_PATIENCE
        while time.monotonic() < end:
            time.sleep(LONGEST_PAUSE)
            newest = self._newest(pipeline)
            if newest > before:
                return self.job(newest)
        raise ApiError("conflict", 200, f"no job of {pipeline} was started in {START_PATIENCE:.0f} s: {answer['why']}")

    def job(self, id: str) -> Job:
        """The job with the id."""
        return Job(self, self._send("job", {"id": id})["record"])

    def jobs(self, pipeline: str | None = None, state: State | None = None) -> Iterator[Job]:
        """All jobs, from new to old, asked for page by page."""
        for record in self._pages("jobs", {}, "jobs", "before", {"pipeline": pipeline, "state": state}):
            yield Job(self, record)

    def pipelines(self) -> list[Record]:
        """The registered pipelines."""
        return self._send("pipelines", {})["pipelines"]

    def pipeline(self, name: str) -> Record:
        """One registered pipeline."""
        return self._send("pipeline", {"name": name})

    def pause(self, name: str) -> Record:
        """Starts no more jobs of a pipeline."""
        return self._send("pause", {"name": name})

    def resume(self, name: str) -> Record:
        """Starts jobs of a paused pipeline again."""
        return self._send("resume", {"name": name})

    def delete(self, name: str) -> None:
        """Removes a registered pipeline; its output stays."""
        self._send("delete", {"name": name})

    def workers(self) -> Record:
        """The workers that the service knows."""
        return self._send("workers", {})

    def session(self) -> Record:
        """Version, store, role and broker of the service."""
        return self._send("session", {})

    def _newest(self, pipeline: str) -> str:
        """The id of the newest job of a pipeline; empty if there is none."""
        records = self._send("jobs", {}, query={"pipeline": pipeline, "limit": 1})["jobs"]
        return records[0]["job"] if records else ""

    def _pages(
        self, route: str, path: Mapping[str, Any], field: str, cursor: str, query: Mapping[str, Any]
    ) -> Iterator[Record]:
        after: Any = None
        while True:
            page = self._send(route, path, query={**query, cursor: after})
            yield from page[field]
            after = page["next"]
            if after is None:
                return

    def _send(
        self,
        route: str,
        path: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        kind: str = "application/json",
    ) -> Any:
        """The answer of a route, as Python values; None if it has no body."""
        method, template = ROUTES[route]
        quoted = {name: urllib.parse.quote(str(value), safe="") for name, value in path.items()}
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        address = f"{self.url}/api/v1{template.format(**quoted)}"
        if asked:
            address += "?" + urllib.parse.urlencode(asked)
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = kind
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(address, method=method, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refused:
            raise _refusal(refused) from None
        except OSError as error:
            raise ApiError("unreachable", 0, f"no `drover serve` answers at {self.url}: {error}") from error
        return json.loads(text) if text else None


class Job:
    """A job as it was when it was last asked for; `refresh` and `wait` ask again."""

    def __init__(self, client: Client, record: Record) -> None:
        self._client = client
        self.record = record

    @property
    def id(self) -> str:
        return self.record["job"]

    @property
    def pipeline(self) -> str:
        return self.record["pipeline"]

    @property
    def state(self) -> State:
        return self.record["state"]

    @property
    def has_ended(self) -> bool:
        return self.state in FINAL

    def refresh(self) -> Job:
        """Asks for the present state."""
        self.record = self._client.job(self.id).record
        return self

    def wait(
        self, timeout: float | None = None, check: bool = True, progress: Callable[[Job], object] | None = None
    ) -> Job:
        """Waits for the end of the job, at most `timeout` seconds (else TimeoutError).

        `progress` is called with the job after each look. A job that ended without success raises JobFailed, unless `check`
        is False.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_PAUSE
        while True:
            self.refresh()
            if progress:
                progress(self)
            if self.has_ended:
                break
            if end is not None and time.monotonic() + pause > end:
                raise TimeoutError(f"job {self.id} is {self.state} after {timeout} s")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        if check and self.state != "success":
            raise JobFailed(self)
        return self

    def stop(self) -> Job:
        """Asks for a stop; finished datums stay finished."""
        self._client._send("stop", {"id": self.id})
        return self.refresh()

    def retry(self, group: str | None = None) -> Job:
        """Runs the failed datums again as a new job, or those of one group of failures."""
        body = json.dumps({"group": group} if group else {}).encode()
        return self._client.job(self._client._send("retry", {"id": self.id}, body=body)["job"])

    def failures(self) -> Record:
        """The failures by cause."""
        return self._client._send("failures", {"id": self.id})

    def datums(self, state: str | None = None) -> Iterator[Record]:
        """The datums by index, asked for page by page."""
        return self._client._pages("datums", {"id": self.id}, "datums", "after", {"state": state})

    def logs(self, index: int, tail: int | None = None) -> list[Record]:
        """The first lines of the log of a datum, or the last `tail`."""
        return self._client._send("logs", {"id": self.id, "index": index}, query={"tail": tail})["lines"]

    def __repr__(self) -> str:
        return f"<Job {self.id} of {self.pipeline}: {self.state}>"


def _stored_token() -> str | None:
    try:
        store = pathlib.Path(os.environ.get("DROVER_STORE") or ".")
        return (store / ".drover" / "token").read_text().strip() or None
    except OSError:
        return None


def _spec(spec: str | os.PathLike[str] | Mapping[str, Any]) -> tuple[bytes, str]:
    """The body of a spec, and its media type."""
    if isinstance(spec, Mapping):
        return json.dumps(spec).encode(), "application/json"
    path = pathlib.Path(spec)
    kind = "application/json" if path.suffix == ".json" else "application/yaml"
    return path.read_bytes(), kind


def _refusal(refused: urllib.error.HTTPError) -> ApiError:
    try:
        told = json.loads(refused.read())["error"]
        findings = "".join(f"\n- {finding.get('message', finding)}" for finding in told.get("findings") or [])
        return ApiError(told["kind"], refused.code, told["message"] + findings)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError("internal", refused.code, f"the answer is not one of Drover: {refused.code} {refused.reason}")
