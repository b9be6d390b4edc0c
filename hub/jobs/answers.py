"""Jobs and their results as JSON, for a pipe or a cluster: no pickle, and errors arrive as what they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog
from pydantic import BaseModel

from hub.jobs.job import (
    Checked,
    CheckJob,
    GateJob,
    Job,
    Merged,
    MergeJob,
    Request,
    Result,
    Scored,
    ScoreJob,
    WorkersAwayError,
)
from hub.merging.errors import MergeError
from hub.store import StoreError
from skills.errors import (
    ArtefactError,
    CodecError,
    ContractError,
    NotFoundError,
    ZunftError,
)
from skills.messages import GateReport

__all__ = ["Answering", "Job", "Result", "answer_of", "failure", "request_of", "result_of"]

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
Answering = Callable[[bytes], bytes]
"""A request as bytes, to an answer as bytes; never raises."""


class Doing(Protocol):
    """The part of `hub.jobs.bench.Bench` that answers."""

    def merge(self, job: MergeJob) -> Merged:
        """See `Bench`."""

    def gate(self, job: GateJob) -> GateReport:
        """See `Bench`."""

    def score(self, job: ScoreJob) -> Scored:
        """See `Bench`."""

    def check(self, job: CheckJob) -> Checked:
        """See `Bench`."""


class _Failure(BaseModel):
    """An error on its way: its class, and what it says."""

    kind: str
    code: str
    message: str
    where: str
    remedy: str


class _Answer(BaseModel):
    """One of five."""

    merged: Merged | None = None
    report: GateReport | None = None
    scored: Scored | None = None
    checked: Checked | None = None
    failure: _Failure | None = None


def request_of(job: Job) -> bytes:
    """A job as bytes."""
    return Request(job=job).model_dump_json().encode()


def answer_of(request: bytes, bench: Callable[[], Doing]) -> bytes:
    """Do a job and answer, whatever happens; `bench` is opened by the first one."""
    try:
        return _bytes_of(_done(Request.model_validate_json(request).job, bench()))
    except ZunftError as error:
        return failure(error)
    except Exception as error:  # noqa: BLE001 - any error of a job is for whoever asked for it
        structlog.get_logger("zunft.worker").exception("worker.job_failed")
        return failure(ZunftError(f"Internal error: {error!r}"))


def _done(job: Job, bench: Doing) -> _Answer:
    match job:
        case MergeJob():
            return _Answer(merged=bench.merge(job))
        case GateJob():
            return _Answer(report=bench.gate(job))
        case ScoreJob():
            return _Answer(scored=bench.score(job))
        case CheckJob():
            return _Answer(checked=bench.check(job))


def failure(error: ZunftError) -> bytes:
    """An error as an answer."""
    return _bytes_of(
        _Answer(
            failure=_Failure(
                kind=type(error).__name__,
                code=error.code,
                message=error.message,
                where=error.where,
                remedy=error.remedy,
            )
        )
    )


def result_of(answer: bytes) -> Result:
    """The result; or the error that the job met is raised here.

    Raises:
        ZunftError: As the job's.
    """
    found = _Answer.model_validate_json(answer)
    if found.failure is not None:
        told = found.failure
        kind = ERRORS.get(told.kind, ZunftError)
        raise kind(told.message, where=told.where, remedy=told.remedy, code=told.code)
    result = found.merged or found.report or found.scored or found.checked
    if result is None:
        raise ZunftError("a worker's answer is empty.", remedy="See the hub's log.")
    return result


def _bytes_of(answer: _Answer) -> bytes:
    return answer.model_dump_json().encode()
