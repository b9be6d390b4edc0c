"""What researchers and the hub say to each other about tasks that are published through the hub.

Models only. A bundle travels as the archive of `envs.archive`, raw bytes beside these messages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from skills.manifest import Contract, Digest, Name
from skills.messages.base import Message
from skills.messages.campaigns import CampaignPlan
from skills.messages.skills import Visibility

__all__ = ["FindingView", "TaskFacts", "TaskState", "TaskVersionView", "TaskView"]

TaskState = Literal["checking", "listed", "refused"]
Words = Annotated[str, StringConstraints(max_length=4000)]


class FindingView(Message):
    """What one check of the contract checker found.

    Attributes:
        remedy: Empty where all is well; of a check that passed it is advice.
    """

    check: Annotated[str, StringConstraints(max_length=200)]
    passed: bool
    text: Words
    remedy: Words = ""


class TaskFacts(Message):
    """What the checker read out of a bundle.

    Attributes:
        horizon: Control steps in an episode.
        campaign: What it advises whoever orders one.
    """

    contract: Contract
    embodiments: tuple[str, ...] = Field(max_length=64)
    horizon: int
    campaign: CampaignPlan = CampaignPlan()


class TaskVersionView(Message):
    """One published bundle of a task.

    Attributes:
        version: Counted by the hub.
        digest: Of the archive, which is the file that is fetched.
        bundle: `envs.bundle.digest_folder` of what is in it; skills name it as their `task_digest`.
        signature: The hub's, on `skills.signing.task_statement`.
        readme: The bundle's README, cut off where it is long.
        findings: What the checker found; empty while it is at work.
        facts: None while it is at work, and where the bundle could not be read.
    """

    task: Name
    version: int
    digest: Digest
    bundle: Digest
    size: int
    title: str
    summary: str
    licence: str
    readme: str = ""
    state: TaskState
    findings: tuple[FindingView, ...] = ()
    facts: TaskFacts | None = None
    created_at: datetime
    checked_at: datetime | None = None
    signature: str


class TaskView(Message):
    """A task as whoever looks sees it; title, summary, licence and state are of the newest version seen.

    Attributes:
        latest: Number of the newest listed version; None where none is.
        versions: Numbers of all versions that one sees, oldest first.
    """

    name: Name
    organisation: str
    visibility: Visibility
    title: str
    summary: str
    licence: str
    state: TaskState
    latest: int | None
    versions: tuple[int, ...]
    updated_at: datetime
