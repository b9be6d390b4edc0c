"""What attestations say: how a version was merged, measured, released, scored, or came from a larger hall.

Each is read strictly: an unknown field is an error, and whoever needs another one writes a later edition.
Envelopes, signatures and whose word counts are `skills.attestations`'.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from skills.manifest import Digest, Name
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.skills import ChannelName, ScoreView

__all__ = [
    "Decision",
    "Figures",
    "Gate",
    "Hall",
    "Kind",
    "Merge",
    "MergedDelta",
    "Predicate",
    "Release",
    "Rival",
    "Score",
    "Strict",
]

Kind = Literal["merge", "gate", "release", "score", "hall"]
Decision = Literal["passed", "rejected", "unjudged"]


class Strict(BaseModel):
    """Known fields of their own types alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Predicate(Strict):
    """What is said of a version; each kind has a type of its own in the statement."""

    kind: ClassVar[Kind]
    edition: ClassVar[int] = 1

    @classmethod
    def type_uri(cls, edition: int | None = None) -> str:
        """How the statement names it."""
        return f"urn:zunft:{cls.kind}:{edition or cls.edition}"


class MergedDelta(Strict):
    """One delta of a merge.

    Attributes:
        organisation: Of the robot that sent it.
        samples: Environment steps behind it.
        staleness: Rounds that it came late.
        weight: What it counted before the rule.
        trust: How far the gate's own rollouts trusted it; None where the rule does not ask.
    """

    digest: Digest
    size: int = Field(ge=1)
    organisation: str
    samples: int = Field(ge=0)
    staleness: int = Field(ge=0)
    weight: float = Field(ge=0)
    trust: float | None = Field(default=None, ge=0)


class Merge(Predicate):
    """How a version was merged: all that is needed to merge it again, bit for bit.

    Attributes:
        parents: The version that the update was added to.
        deltas: In the order in which they were merged.
        plan: Rule, options and server optimiser.
        optimiser_before: Digest of the optimiser's state; None: none.
        optimiser_after: The same after this merge.
        device: What merged.
        code: Version of Zunft that merged.
    """

    kind = "merge"
    round_id: str
    version: int = Field(ge=1)
    parents: tuple[Digest, ...] = Field(min_length=1, max_length=1)
    deltas: tuple[MergedDelta, ...] = Field(min_length=1)
    training: TrainingPlan
    plan: MergePlan
    optimiser_before: Digest | None
    optimiser_after: Digest
    device: str
    code: str


class Figures(Strict):
    """A success rate with its 95 % interval."""

    score: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    episodes: int = Field(ge=1)

    @classmethod
    def of(cls, view: ScoreView) -> Figures:
        """The same of a message."""
        return cls(score=view.score, low=view.low, high=view.high, episodes=view.episodes)


class Rival(Strict):
    """Another version that a candidate was held to, in the same jobs.

    Attributes:
        score: The rival's.
        wins: Jobs in which the candidate alone succeeded.
        losses: In which the rival alone did.
    """

    digest: Digest
    score: Figures
    jobs: int = Field(ge=1)
    wins: int = Field(ge=0)
    losses: int = Field(ge=0)


class Gate(Predicate):
    """What the gate measured, and what it decided.

    Attributes:
        reference: Digest of the version that the candidate was compared with; None: with none.
        best: The best version of the lineage, which it was held to as well; None: that was the reference, or
            it did not come to that.
        kept: By embodiment, the version that robots of it still use, and that it was held to there.
        task_digest: Of the bundle that was measured on; None where a hub measures by a gate of its own.
        plan: Seed, episodes and tolerance.
        minimum: Success that it was held to; None: more than `nothing`, or not held to anything.
        reached: Whether it reached that; None: it was not held to it.
        decision: `passed`: not worse than any of these, and it reached what it was held to; `unjudged`:
            there was nothing to hold it to.
        failed_on: Embodiments on which it was not seen to be as good: it passed for the others.
        code: Version of Zunft that measured.
    """

    kind = "gate"
    edition = 2
    reference: Digest | None
    best: Rival | None = None
    kept: dict[Name, Rival] = Field(default_factory=dict)
    task: Name
    task_digest: Digest | None
    plan: GatePlan
    minimum: float | None
    reached: bool | None
    candidate: Figures
    current: Figures | None
    nothing: Figures | None
    by_embodiment: dict[str, Figures]
    decision: Decision
    failed_on: tuple[Name, ...] = ()
    reason: str
    code: str

    def contradiction(self) -> str:
        """What of it cannot be true; empty where nothing is.

        Nothing passes that lost to a rival by the plan's margin or more: no evidence comes of such counts.
        """
        rivals = {arm: rival for arm, rival in self.kept.items() if arm not in self.failed_on}
        for rival in (*([self.best] if self.best else []), *rivals.values()):
            if self.decision == "passed" and rival.wins - rival.losses <= -self.plan.margin * rival.jobs:
                return (
                    f"the gate says that it passed, and that it lost {rival.losses} of {rival.jobs} jobs to "
                    f"{rival.digest} and won {rival.wins}"
                )
        return ""


class Release(Predicate):
    """Who moved a channel to this version, and why.

    Attributes:
        before: Digest of the version that the channel pointed at; None: at none.
        by: As in the audit log: `hub`, or who asked for it.
        reason: What a person typed, or for the hub what the gate found.
    """

    kind = "release"
    channel: ChannelName
    version: int = Field(ge=1)
    before: Digest | None
    by: str
    reason: str
    at: datetime


class Score(Predicate):
    """What somebody scored by the plan of the leaderboard, on each embodiment of the task.

    Attributes:
        by: Who measured, as in the audit log of the hub that was handed it; empty in the first edition.
        plan: All jobs follow from its seed.
    """

    kind = "score"
    edition = 2
    by: str = Field(default="", max_length=128)
    task: Name
    task_digest: Digest
    plan: BoardPlan
    score: Figures
    by_embodiment: dict[str, Figures]
    made_with: str
    code: str


class Hall(Predicate):
    """What a hall found of the version of a larger hall whose numbers this one has, before it took it in.

    With that version's manifest, whoever has the numbers makes the larger hall's file again and sees that its
    digest is `upper`: so what is vouched for there is vouched for here.

    Attributes:
        hall: The larger hall's id.
        path: Those above it, the next one first, as last heard.
        gate_key: Whose word on what its gate found counts there.
        hub_key: Whose word on merges and releases does.
        upper: Digest of its version.
        upper_version: Its number there.
        manifest: As it stands in its file.
        vouched: Envelopes that vouch for it there: what its gate found, who released it, and, where it came
            from a hall above, what that is there. Nobody's robots are in them.
    """

    kind = "hall"
    hall: Digest
    path: tuple[Digest, ...] = Field(max_length=64)
    gate_key: str = Field(max_length=128)
    hub_key: str = Field(max_length=128)
    upper: Digest
    upper_version: int = Field(ge=1)
    manifest: str = Field(max_length=1_000_000)
    vouched: tuple[str, ...] = Field(default=(), max_length=64)
