"""What an operator orders, and how a campaign stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, model_validator

from skills.manifest import Name
from skills.messages.base import Message
from skills.messages.costs import Cost, StopWhen
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.rollouts import DEFAULT_RINGS, RingPlan
from skills.messages.rounds import RoundView

__all__ = ["CampaignPlan", "CampaignRequest", "CampaignView", "Phase", "Stretch"]

LONGEST = 31_536_000
"""Seconds that a round may take: a year."""


class Phase(Message):
    """So many rounds with one plan of training; all else is the campaign's."""

    rounds: int = Field(ge=1, le=100_000)
    training: TrainingPlan = TrainingPlan()


@dataclass(frozen=True)
class Stretch:
    """A phase by the numbers of its first and last round."""

    first: int
    last: int
    training: TrainingPlan


class CampaignPlan(Message):
    """How long and how a campaign learns, in one phase or several: what a task may advise of it.

    Rounds are numbered from 1 through all phases; learning rates fall within each.

    Attributes:
        rounds: Of the first phase.
        training: What each robot does in a round of the first phase.
        merge: How deltas become one update, in all phases.
        then: The phases that follow.
        gate: How candidates are measured. A margin that is narrower than scores swing while little is
            learned yet lets no candidate pass.
        contributions: Whether each delta's part in a candidate is measured, too: for N deltas N more merges
            and N more measurements a round.
    """

    rounds: int = Field(default=16, ge=1, le=100_000)
    training: TrainingPlan = TrainingPlan()
    merge: MergePlan = MergePlan()
    then: tuple[Phase, ...] = Field(default=(), max_length=7, exclude_if=lambda phases: not phases)
    gate: GatePlan = GatePlan()
    contributions: bool = Field(default=False, exclude_if=lambda asked: not asked)

    def but(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of an order: what is said, and of what is not, also inside a plan of an order, this."""
        mine = self.model_dump(mode="json")
        inner = {
            name: mine[name] | said[name]
            for name in ("training", "merge", "gate")
            if isinstance(said.get(name), dict)
        }
        return {**mine, **said, **inner}

    def in_words(self) -> str:
        """On one line: `16 rounds of 3 iterations by ppo; robots send policy, critic; merged by ...`."""
        phases = [
            f"{each.last - each.first + 1} rounds of {each.training.iterations} iterations "
            f"{each.training.learner_in_words()}; robots send {each.training.sent_in_words()}"
            for each in self.stretches
        ]
        merged = f"merged by {self.merge.rule_in_words()}, {self.merge.optimiser_in_words()}"
        asked = ["each delta's part is measured (N merges and N measurements more)"] * self.contributions
        return "; ".join([", then ".join(phases), merged, self.gate.in_words(), *asked])

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """All phases, by the numbers of their rounds."""
        found = [Stretch(1, self.rounds, self.training)]
        for phase in self.then:
            before = found[-1].last
            found.append(Stretch(before + 1, before + phase.rounds, phase.training))
        return tuple(found)

    @property
    def rounds_in_all(self) -> int:
        """Rounds of all phases."""
        return self.rounds + sum(phase.rounds for phase in self.then)

    def phase_of(self, number: int) -> Stretch:
        """The phase that round `number` is in."""
        return next(each for each in self.stretches[::-1] if each.first <= number)

    def training_of(self, number: int) -> TrainingPlan:
        """What robots do in round `number`."""
        return self.phase_of(number).training

    def rate_of(self, number: int) -> float:
        """The learning rate of round `number`."""
        phase = self.phase_of(number)
        return phase.training.rate_of_round(number - phase.first + 1, phase.last - phase.first + 1)


class CampaignRequest(CampaignPlan):
    """An operator's standing order to improve one skill."""

    skill: Name
    quorum: int = Field(default=2, ge=1, le=100_000)
    target: int = Field(
        default=0, ge=0, le=100_000, description="Close as soon as so many came; 0 = every robot"
    )
    deadline_seconds: float = Field(default=600, gt=0, le=LONGEST)
    ahead: bool = Field(
        default=False,
        description="The next round begins from the candidate while that is still measured; is it refused, "
        "what came for that round is dropped.",
    )

    release: Literal["stable", "canary", "none"] = Field(
        default="stable",
        description="Whether what passes is everybody's at once, or the last of it goes ring by ring, or it "
        "is only for whoever ordered it, such as a larger hall.",
        exclude_if=lambda release: release == "stable",
    )
    base: int | None = Field(
        default=None,
        ge=1,
        description="Of `none`: the version that the first round begins from; by default as ever.",
        exclude_if=lambda base: base is None,
    )
    rings: tuple[RingPlan, ...] = Field(
        default=DEFAULT_RINGS,
        min_length=1,
        max_length=10,
        description="Of the roll-out, where it is `canary`.",
        exclude_if=lambda rings: rings == DEFAULT_RINGS,
    )
    stop_when: StopWhen | None = Field(
        default=None,
        description="End before all rounds, in the last phase, once they gain less than they cost.",
        exclude_if=lambda stop: stop is None,
    )

    @model_validator(mode="after")
    def _fits_together(self) -> CampaignRequest:
        if self.target and self.target < self.quorum:
            msg = f"target {self.target} is below quorum {self.quorum}"
            raise ValueError(msg)
        if self.base is not None and self.release != "none":
            msg = "a base goes with release none: what comes of it is held to that, not to the stable version"
            raise ValueError(msg)
        if self.contributions and self.quorum < 2:
            msg = "contributions need a quorum of 2: of a single delta there is nothing to leave out"
            raise ValueError(msg)
        if self.ahead and self.merge.max_staleness:
            msg = "ahead goes with no max_staleness: what is dropped with its round must not come late"
            raise ValueError(msg)
        if self.ahead and self.stop_when:
            msg = "ahead goes with no stop_when: a round has begun by the time that the one before is judged"
            raise ValueError(msg)
        if self.release == "canary" and self.gate.on_weak_arm == "release_others":
            msg = "canary goes with on_weak_arm reject: a ring has one version, whatever its robots' arms"
            raise ValueError(msg)
        return self

    def seconds_of(self, number: int) -> float:
        """After how many seconds round `number` closes with its quorum.

        The deadline is meant for the plan's iterations. Where robots train their masters first, the phase's
        first round has as much time again for each iteration of that.
        """
        phase = self.phase_of(number)
        masters = phase.training.master_iterations if number == phase.first else 0
        return min(LONGEST, self.deadline_seconds * (1 + masters / phase.training.iterations))


class CampaignView(Message):
    """A campaign and its newest rounds, the last at the end: at most 100, in a list of campaigns one.

    `waiting_for` says in words why it is where it is, `cost` what all its rounds took.
    """

    campaign_id: str
    state: Literal["running", "finished", "stopped", "failed"]
    reason: str = ""
    waiting_for: str = ""
    order: CampaignRequest
    created_at: datetime
    rounds: tuple[RoundView, ...] = ()
    cost: Cost = Cost()

    @property
    def rounds_ended(self) -> int:
        """How many of its rounds have ended, shown here or not."""
        if not self.rounds:
            return 0
        last = self.rounds[-1]
        return last.number if last.state in {"published", "rejected", "failed"} else last.number - 1
