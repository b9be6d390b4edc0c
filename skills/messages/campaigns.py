"""What an operator orders, and how a campaign stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from skills.manifest import Name
from skills.messages.base import Message
from skills.messages.plans import GatePlan, MergePlan, TrainingPlan
from skills.messages.rounds import RoundView

__all__ = ["CampaignRequest", "CampaignView", "Phase", "Stretch"]

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


class CampaignRequest(Message):
    """An operator's standing order to improve one skill, in one phase or several.

    `rounds` and `training` are the first phase, `then` has the others. Rounds are numbered from 1 through all
    phases; learning rates fall within each.
    """

    skill: Name
    rounds: int = Field(default=16, ge=1, le=100_000)
    quorum: int = Field(default=2, ge=1, le=100_000)
    target: int = Field(
        default=0, ge=0, le=100_000, description="Close as soon as so many came; 0 = every robot"
    )
    deadline_seconds: float = Field(default=600, gt=0, le=LONGEST)
    training: TrainingPlan = TrainingPlan()
    merge: MergePlan = MergePlan()
    gate: GatePlan = GatePlan()
    ahead: bool = Field(
        default=False,
        description="The next round begins from the candidate while that is still measured; is it refused, "
        "what came for that round is dropped.",
    )
    then: tuple[Phase, ...] = Field(default=(), max_length=7, exclude_if=lambda phases: not phases)

    @model_validator(mode="after")
    def _fits_together(self) -> CampaignRequest:
        if self.target and self.target < self.quorum:
            msg = f"target {self.target} is below quorum {self.quorum}"
            raise ValueError(msg)
        if self.ahead and self.merge.max_staleness:
            msg = "ahead goes with no max_staleness: what is dropped with its round must not come late"
            raise ValueError(msg)
        return self

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

    `waiting_for` says in words why it is where it is.
    """

    campaign_id: str
    state: Literal["running", "finished", "stopped", "failed"]
    reason: str = ""
    waiting_for: str = ""
    order: CampaignRequest
    created_at: datetime
    rounds: tuple[RoundView, ...] = ()

    @property
    def rounds_ended(self) -> int:
        """How many of its rounds have ended, shown here or not."""
        if not self.rounds:
            return 0
        last = self.rounds[-1]
        return last.number if last.state in {"published", "rejected", "failed"} else last.number - 1
