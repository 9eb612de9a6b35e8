"""A client of the HTTP API of `drover serve`: `Client().publish("totals.yaml").wait()`."""

from .aio import AsyncClient, AsyncJob
from .client import ApiError, Client, Job, JobFailed, State

__all__ = ["ApiError", "AsyncClient", "AsyncJob", "Client", "Job", "JobFailed", "State"]
