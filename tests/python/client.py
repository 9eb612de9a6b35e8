"""Checks the Python client against a running `drover serve` and its OpenAPI document.

usage: client.py URL TOKEN SPEC    (tests/http/python.rs starts the service)
"""

import asyncio
import json
import pathlib
import sys
import typing
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "packaging" / "python"))

from drover_run import ApiError, AsyncClient, Client, Job, JobFailed, State
from drover_run.client import ROUTES


def matches_the_document(url: str) -> None:
    """Every route of the client is in the document, and the states are the document's."""
    with urllib.request.urlopen(f"{url}/api/v1/openapi.json", timeout=30) as answer:
        document = json.load(answer)
    for verb, (method, path) in ROUTES.items():
        assert method.lower() in document["paths"][f"/api/v1{path}"], f"{verb}: {method} {path} is not in the document"
    states = document["components"]["schemas"]["JobState"]["enum"]
    assert sorted(states) == sorted(typing.get_args(State)), f"the states are {states}"


def does_a_job(client: Client, spec: str) -> None:
    seen: list[str] = []
    job = client.publish(spec).wait(timeout=60, progress=lambda job: seen.append(job.state))
    assert job.state == "success" and seen[-1] == "success", (job, seen)
    assert [datum["state"] for datum in job.datums()] == ["success"] * 3, list(job.datums())
    assert [line["text"] for line in job.logs(0, tail=1)] == ["done"], job.logs(0)
    assert job.id in [other.id for other in client.jobs(pipeline=job.pipeline)]
    # The second time the pipeline is known.
    again = client.publish(spec).wait(timeout=60)
    assert again.id != job.id and isinstance(again, Job), again
    client.pause(job.pipeline)
    assert client.pipeline(job.pipeline)["paused"] is True
    client.delete(job.pipeline)
    assert client.pipelines() == []


def tells_what_failed(client: Client, url: str) -> None:
    failing = {
        "pipeline": {"name": "failing"},
        "input": {"pfs": {"repo": "in", "glob": "/*"}},
        "transform": {"cmd": ["sh", "-c", "exit 3"]},
        "datum_tries": 1,
    }
    try:
        client.publish(failing).wait(timeout=60)
    except JobFailed as failed:
        assert "exit 3" in str(failed), failed
        assert failed.job.state == "failure"
    else:
        raise AssertionError("a failed job is no success")
    for wrong, kind in [
        (lambda: client.job("0" * 26), "not_found"),
        (lambda: client.publish({"pipeline": {"name": "a b"}}), "invalid"),
        (lambda: Client(url, "wrong").pipelines(), "unauthorized"),
        (lambda: Client("http://127.0.0.1:1", "x").pipelines(), "unreachable"),
    ]:
        try:
            wrong()
        except ApiError as error:
            assert error.kind == kind and str(error), (error.kind, error)
        else:
            raise AssertionError(f"not refused: {kind}")


async def awaits(client: AsyncClient, spec: str) -> None:
    job = await (await client.publish(spec)).wait(timeout=60)
    assert job.state == "success" and len(await job.datums()) == 3, job


def main(url: str, token: str, spec: str) -> None:
    matches_the_document(url)
    does_a_job(Client(url, token), spec)
    tells_what_failed(Client(url, token), url)
    asyncio.run(awaits(AsyncClient(url, token), spec))
    print("the client does what it promises")


if __name__ == "__main__":
    main(*sys.argv[1:])
