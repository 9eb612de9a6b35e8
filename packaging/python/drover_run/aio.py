"""The client for asyncio: the same verbs, each in a thread of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

from .client import Client, Job, Record, State


class AsyncClient:
    """As `Client`, with verbs to be awaited."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._client = Client(url, token)

    async def publish(self, spec: str | os.PathLike[str] | Mapping[str, Any]) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self._client.publish, spec))

    async def run(self, pipeline: str) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self._client.run, pipeline))

    async def job(self, id: str) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self._client.job, id))

    async def jobs(self, pipeline: str | None = None, state: State | None = None) -> list[AsyncJob]:
        found = await asyncio.to_thread(lambda: list(self._client.jobs(pipeline, state)))
        return [AsyncJob(job) for job in found]

    async def pipelines(self) -> list[Record]:
        return await asyncio.to_thread(self._client.pipelines)

    async def pipeline(self, name: str) -> Record:
        return await asyncio.to_thread(self._client.pipeline, name)

    async def pause(self, name: str) -> Record:
        return await asyncio.to_thread(self._client.pause, name)

    async def resume(self, name: str) -> Record:
        return await asyncio.to_thread(self._client.resume, name)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._client.delete, name)

    async def workers(self) -> Record:
        return await asyncio.to_thread(self._client.workers)

    async def session(self) -> Record:
        return await asyncio.to_thread(self._client.session)


class AsyncJob:
    """As `Job`, with verbs to be awaited."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @property
    def record(self) -> Record:
        return self._job.record

    @property
    def id(self) -> str:
        return self._job.id

    @property
    def pipeline(self) -> str:
        return self._job.pipeline

    @property
    def state(self) -> State:
        return self._job.state

    @property
    def has_ended(self) -> bool:
        return self._job.has_ended

    async def refresh(self) -> AsyncJob:
        await asyncio.to_thread(self._job.refresh)
        return self

    async def wait(
        self, timeout: float | None = None, check: bool = True, progress: Callable[[Job], object] | None = None
    ) -> AsyncJob:
        await asyncio.to_thread(self._job.wait, timeout, check, progress)
        return self

    async def stop(self) -> AsyncJob:
        await asyncio.to_thread(self._job.stop)
        return self

    async def retry(self, group: str | None = None) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(self._job.retry, group))

    async def failures(self) -> Record:
        return await asyncio.to_thread(self._job.failures)

    async def datums(self, state: str | None = None) -> list[Record]:
        return await asyncio.to_thread(lambda: list(self._job.datums(state)))

    async def logs(self, index: int, tail: int | None = None) -> list[Record]:
        return await asyncio.to_thread(self._job.logs, index, tail)

    def __repr__(self) -> str:
        return repr(self._job)
