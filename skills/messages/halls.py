"""What is said between halls: who is above whom, and what of a skill its hall's owner lets out."""

from __future__ import annotations

from pydantic import Field, model_validator

from skills.manifest import Digest, Name
from skills.messages.base import Label, Message
from skills.messages.plans import GatePlan, MergePlan

__all__ = ["HallPath", "Recall", "Recalled", "SharePlan"]


class HallPath(Message):
    """A hall's id, and those of the halls above it, the next one first."""

    hall: Digest
    above: tuple[Digest, ...] = Field(default=(), max_length=64)


class Recall(Message):
    """A hall takes back what it handed up for these rounds: a robot that had a part in it was withdrawn."""

    rounds: tuple[str, ...] = Field(min_length=1, max_length=1000)


class Recalled(Message):
    """What of it was there still, and the withdrawals that make again what came of it.

    Attributes:
        deltas: So many are taken back by this request; asked again, none.
    """

    deltas: int
    withdrawal_id: str | None = None


class SharePlan(Message):
    """What may leave of a skill, and how this hall works on a larger one's rounds; without it nothing leaves.

    Attributes:
        private: Whether also what only its own organisation sees of the hall's skills may leave.
        region: The region whose data may leave, where the skill's organisation is pinned to one.
        digests: Whether the larger hall is told the digests of this one's deltas.
        organisation: Whose the skill is, where it comes to this hall by the larger one.
        rounds: Rounds here for each of the larger hall's.
        quorum: Fewest deltas of a round here.
        target: Close a round here as soon as so many came; 0: every robot.
        merge: How deltas are merged here: without momentum, for what is handed up is a sum of steps.
        gate: By which candidates are examined here, and what comes down.
    """

    skill: Name
    private: bool = False
    region: str = Field(default="", max_length=64)
    digests: bool = False
    organisation: Label = "guild"
    rounds: int = Field(default=1, ge=1, le=1000)
    quorum: int = Field(default=1, ge=1, le=100_000)
    target: int = Field(default=0, ge=0, le=100_000)
    merge: MergePlan = MergePlan(step=1.0)
    gate: GatePlan = GatePlan()

    def in_words(self) -> str:
        """On one line: `leaves as one delta a round of 1 here, merged by mean`."""
        digests = ", with the digests of its deltas" * self.digests
        also = [*(["what is private"] * self.private), *([f"what lies in {self.region}"] * bool(self.region))]
        limits = f"; also {' and '.join(also)}" if also else ""
        rounds = "a round" if self.rounds == 1 else f"{self.rounds} rounds"
        return (
            f"leaves as one delta of {rounds} here, merged by {self.merge.rule_in_words()}{digests}{limits}"
        )

    @model_validator(mode="after")
    def _has_no_momentum(self) -> SharePlan:
        if self.merge.optimiser != "momentum" or self.merge.momentum:
            msg = "a hall merges without momentum: what it hands up is the sum of its own steps"
            raise ValueError(msg)
        return self
