"""What is said of skills, their versions, channels and scores."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.manifest import Digest, Manifest, Name
from skills.messages.base import Message
from skills.targets import HandedOn, Pointer

__all__ = [
    "ChannelMove",
    "ChannelName",
    "Compared",
    "GateReport",
    "MinimumChange",
    "ReleaseDraft",
    "ReleaseState",
    "ReleaseView",
    "ScoreView",
    "SkillView",
    "UntrainedRequest",
    "VersionView",
    "Visibility",
]


ChannelName = Literal["candidate", "stable"]


ReleaseState = Literal["queued", "measuring", "unsigned", "released", "refused"]
"""`unsigned`: measured, and waits for the key of the organisation, which alone releases the skill."""


Visibility = Literal["private", "organisation", "guild"]


class ScoreView(Message):
    """Success rate with a Wilson 95 % interval over held-out episodes, and their mean sum of rewards."""

    score: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    episodes: int = Field(ge=1)
    mean_return: float | None = None


class Compared(Message):
    """A candidate and a reference on the same jobs (`hub.workers.paired_test`).

    Attributes:
        reference: Digest of the version.
        score: Of the reference, over all embodiments.
        jobs: That both faced.
        wins: In which the candidate alone succeeded.
        losses: In which the reference alone did.
        verdict: What that says by the margins of the gate's plan; `open` means that it was not clear by the
            most episodes.
        unseen: A loss of up to so much may have gone unnoticed; a greater one is excluded but for probability
            `alpha`, however often one looks.
        unseen_by_embodiment: The same on each embodiment alone.
    """

    reference: Digest
    score: ScoreView
    jobs: int = Field(ge=1)
    wins: int = Field(ge=0)
    losses: int = Field(ge=0)
    verdict: Literal["not worse", "worse", "open"]
    unseen: float = Field(ge=0, le=1)
    unseen_by_embodiment: dict[str, float] = Field(default_factory=dict)

    def in_words(self) -> str:
        """What could not be seen: `a loss of up to 4.1 points, on ur5e of up to 9.3, may ...`."""
        worst = max(self.unseen_by_embodiment, key=lambda arm: self.unseen_by_embodiment[arm], default="")
        on_arm = f", on {worst} of up to {100 * self.unseen_by_embodiment[worst]:.1f}," if worst else ""
        return f"a loss of up to {100 * self.unseen:.1f} points{on_arm} may have gone unnoticed"


class GateReport(Message):
    """What the gate measured: candidate and current version on the same seeds, per embodiment.

    Attributes:
        passed: Whether the candidate was found to be not worse than any that it was compared with.
        reason: The same in a sentence or two, with what could not be seen.
        candidate: Over all embodiments, in all episodes that were needed.
        current: The version that it was compared with, in the same jobs.
        compared: With the current version, job by job; None: there was none, or the report is from before.
        best: With the best version of the lineage so far, where that is another one and was asked.
        kept: By embodiment, with the version that its robots still use, where that is an older one.
        failed_on: Embodiments on which it was not seen to be as good; it passed for the others.
        reached: Whether it reached the skill's minimum; None: it was not held to it.
        nothing: What doing nothing scores, where that is the minimum.
        by_embodiment: Of the candidate.
        contributions: By how much its mean return would be lower without each delta of its round, by the
            delta's digest; empty where the campaign does not ask.
        exploring: How the candidate did with the noise with which its training would begin, in few episodes.
        current_exploring: The same of the current version.
    """

    passed: bool
    reason: str
    candidate: ScoreView
    current: ScoreView | None = None
    compared: Compared | None = None
    best: Compared | None = None
    kept: dict[Name, Compared] = Field(default_factory=dict, exclude_if=lambda it: not it)
    failed_on: tuple[Name, ...] = Field(default=(), exclude_if=lambda it: not it)
    reached: bool | None = None
    nothing: ScoreView | None = None
    by_embodiment: dict[str, ScoreView] = Field(default_factory=dict)
    exploring: ScoreView | None = None
    current_exploring: ScoreView | None = None
    contributions: dict[Digest, float] = Field(default_factory=dict)
    seconds: float = Field(ge=0)


class VersionView(Message):
    """One version of a skill in the catalogue.

    Attributes:
        kept_on: Embodiments whose robots stay with this version, since the stable one failed on theirs.
    """

    skill: str
    version: int
    digest: Digest
    size: int
    origin: str
    task: str
    parents: tuple[Digest, ...] = ()
    round_id: str | None = None
    contributors: int = 0
    samples: int = 0
    created_at: datetime
    channels: tuple[str, ...] = ()
    kept_on: tuple[Name, ...] = Field(default=(), exclude_if=lambda it: not it)
    score: ScoreView | None = None
    gate: GateReport | None = None
    withdrawn: bool = False
    signature: str
    manifest: Manifest

    def arms_in_words(self) -> str:
        """Which arms' robots do not take it, and which stay with it; empty where all are alike."""
        failed_on = self.gate.failed_on if self.gate and self.gate.passed else ()
        said = [("failed on", failed_on), ("still used on", self.kept_on)]
        return "; ".join(f"{what} {', '.join(arms)}" for what, arms in said if arms)


class SkillView(Message):
    """A skill with its newest stable version, its owner, and who may see it.

    Attributes:
        minimum: Success that a version must reach before it becomes stable; None: more than doing nothing.
    """

    name: str
    organisation: str
    visibility: Visibility
    task: str
    summary: str
    versions: int
    stable: VersionView | None
    candidate: VersionView | None
    minimum: float | None = None
    updated_at: datetime


class UntrainedRequest(Message):
    """Somebody wants version 1 of a task's skill: an untrained network; equal seeds, equal files."""

    task: Name
    seed: int = Field(default=0, ge=0, lt=2**32)


class MinimumChange(Message):
    """What a version must reach before it becomes stable; None: more success than doing nothing."""

    minimum: float | None = Field(ge=0, le=1)


class ChannelMove(Message):
    """An operator points a channel at a version: a release or a rollback.

    Attributes:
        reason: Why; it goes into the attestation, which everybody reads who sees the skill.
        lowest: No version below this is safe any more: robots refuse it, whoever signs it. It never falls.
        key: The organisation's own public key under which it is to be released; the answer then says what is
            to be signed with it.
        signed: That, signed: the first such key of a skill is the skill's from then on.
    """

    version: int = Field(ge=1, le=1_000_000_000)
    reason: str = Field(default="", max_length=500)
    lowest: int | None = Field(default=None, ge=1, le=1_000_000_000)
    key: str = Field(default="", max_length=128, exclude_if=lambda it: not it)
    signed: str = Field(default="", max_length=64_000, exclude_if=lambda it: not it)


class ReleaseDraft(Message):
    """What an organisation's own key has to sign for the stable channel to move (docs/format.md).

    Attributes:
        pointer: Where the channel is to point; `lowest` may be raised.
        version: Of the metadata.
        keys: That released the skill so far, each named by the one before.
    """

    pointer: Pointer
    version: int = Field(ge=1)
    keys: tuple[HandedOn, ...] = ()


class ReleaseView(Message):
    """What becomes of a release or a rollback: the version is measured first, if it never was.

    Attributes:
        reason: Why it was refused, or what the measurement said.
        gate: What was measured for it; None where nothing had to be.
        draft: What has to be signed, while it is `unsigned`.
    """

    release_id: str
    skill: str
    version: int
    channel: ChannelName
    state: ReleaseState
    reason: str = ""
    gate: GateReport | None = None
    asked_at: datetime
    finished_at: datetime | None = None
    draft: ReleaseDraft | None = Field(default=None, exclude_if=lambda it: it is None)
