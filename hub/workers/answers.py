"""Jobs and their results as JSON, for a pipe or a cluster: no pickle, and errors arrive as what they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import BaseModel

from hub.merging.errors import MergeError
from hub.storage.objects import StoreError
from hub.workers.job import Job, Pool, Result, WorkersAwayError
from skills.errors import (
    ArtefactError,
    CodecError,
    ContractError,
    NotFoundError,
    ZunftError,
)

if TYPE_CHECKING:
    from hub.workers.bench import Bench

__all__ = ["Answering", "answer_of", "failure", "pool_of", "request_of", "result_of"]

ERRORS = {
    kind.__name__: kind
    for kind in (
        ArtefactError,
        CodecError,
        ContractError,
        MergeError,
        NotFoundError,
        StoreError,
        WorkersAwayError,
    )
}
DONE, FAILED = b"done ", b"failed "
Answering = Callable[[bytes], bytes]
"""A request as bytes, to an answer as bytes; never raises."""


class _Failure(BaseModel):
    """An error on its way: its class, and what it says."""

    kind: str
    code: str
    message: str
    where: str
    remedy: str


def request_of(job: Job[Any]) -> bytes:
    """A job as bytes: its class, and what it is told."""
    return f"{type(job).__name__} {job.model_dump_json()}".encode()


def pool_of(request: bytes) -> Pool:
    """Which nodes a job as bytes is for."""
    return Job.kinds[request.partition(b" ")[0].decode()].pool


def answer_of(request: bytes, bench: Callable[[], Bench]) -> bytes:
    """Do a job and answer, whatever happens; `bench` is opened by the first one."""
    kind, _, told = request.partition(b" ")
    try:
        done: BaseModel = Job.kinds[kind.decode()].model_validate_json(told).do(bench())
    except ZunftError as error:
        return failure(error)
    except Exception as error:  # noqa: BLE001 - any error of a job is for whoever asked for it
        structlog.get_logger("zunft.worker").exception("worker.job_failed")
        return failure(ZunftError(f"Internal error: {error!r}"))
    return DONE + done.model_dump_json().encode()


def failure(error: ZunftError) -> bytes:
    """An error as an answer."""
    kind = type(error).__name__
    told = _Failure(kind=kind, code=error.code, message=error.message, where=error.where, remedy=error.remedy)
    return FAILED + told.model_dump_json().encode()


def result_of(answer: bytes, job: Job[Result]) -> Result:
    """The job's result; or the error that it met is raised here.

    Raises:
        ZunftError: As the job's.
    """
    if answer.startswith(FAILED):
        told = _Failure.model_validate_json(answer.removeprefix(FAILED))
        kind = ERRORS.get(told.kind, ZunftError)
        raise kind(told.message, where=told.where, remedy=told.remedy, code=told.code)
    return job.result().model_validate_json(answer.removeprefix(DONE))
