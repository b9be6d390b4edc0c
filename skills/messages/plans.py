"""How a campaign is carried out: training, merging and measuring, as an operator may order them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from skills.manifest import Name
from skills.messages.base import Finite, Message, Whole
from skills.messages.leaderboards import Draw
from skills.messages.low_rank import LowRank
from skills.messages.training import Algorithm, Imitation, Ppo
from skills.parts import CARRIED, Carried

__all__ = ["GatePlan", "MergePlan", "OnWeakArm", "OptimiserName", "RuleName", "TrainingPlan"]

LEAST_MARGIN = 0.06
"""By default; and of orders from before, whose few episodes could not tell less."""
WORKSHOPS = 2
"""Held out, for each embodiment: all batches have their jobs in them."""

RuleName = Literal[
    "mean",
    "median",
    "trimmed-mean",
    "krum",
    "multi-krum",
    "bulyan",
    "geometric-median",
    "centred-clipping",
    "mda",
    "fltrust",
    "task-arithmetic",
    "ties",
    "dare",
]


OptimiserName = Literal["momentum", "adam", "yogi", "adagrad"]


OnWeakArm = Literal["reject", "release_others"]


class TrainingPlan(Message):
    """What each robot does in a round; the learning rate falls from first to last over the phase.

    Attributes:
        learner: How a robot learns, with all its knobs; None: as the task advises.
        iterations: Batches collected and learned from before the delta is sent.
        proximal: FedProx mu (Li et al. 2020); 0 leaves it out.
        clip_norm: Largest Euclidean norm of a delta, leaving out what the skill carries (`skills.parts`).
        variates: Whether robots take control variates into account and send theirs, so that the part of
            their gradients that is their own does not pull at what all share (SCAFFOLD).
        moments: Whether robots begin a round with the hub's moments of gradients; needs `variates`.
        share: Whether the critic stays at home (`policy`): robots whose rewards differ need one of their own.
        low_rank: Of which matrices robots send factors; None: of none.
    """

    learner: Algorithm | None = None
    iterations: int = Field(default=3, ge=1, le=10_000)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    final_learning_rate: float = Field(default=1e-4, gt=0, le=1)
    proximal: float = Field(default=0.0, ge=0, le=100)
    clip_norm: float = Field(default=50.0, gt=0, le=1e6)
    codec: str = Field(default="fp16", max_length=32)
    variates: bool = False
    moments: bool = False
    share: Literal["all", "policy"] = "all"
    low_rank: LowRank | None = Field(default=None, exclude_if=lambda plan: plan is None)

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingPlan:
        if self.low_rank and self.variates:
            msg = "variates are gradients of whole matrices, of which robots with low_rank send factors alone"
            raise ValueError(msg)
        if self.moments and not self.variates:
            msg = "moments are made of variates: order these, too"
            raise ValueError(msg)
        return self

    @property
    def carries(self) -> tuple[Carried, ...]:
        """What the versions of such a campaign carry."""
        return CARRIED if self.moments else ("variate",) if self.variates else ()

    @property
    def steps_done(self) -> int:
        """Environment steps behind the delta of a robot that did all this, less a tenth for resets.

        Where the task advises the learner, the hub may not know it: then the usual one's.
        """
        batch = (self.learner or Ppo()).batch
        return max(1, self.iterations * batch * 9 // 10)

    @property
    def master_iterations(self) -> int:
        """Iterations of a robot that trains its master first, as far as the plan says so."""
        return self.learner.master_iterations if isinstance(self.learner, Imitation) else 0

    def learner_in_words(self) -> str:
        """Algorithm and the knobs that differ from its defaults."""
        if self.learner is None:
            return "as the task advises"
        knobs = self.learner.model_dump(exclude={"algorithm"}, exclude_defaults=True)
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in knobs.items())
        return f"by {self.learner.algorithm}" + (f", {said}" if said else "")

    def sent_in_words(self) -> str:
        """What robots send on one line: `policy, control variates`."""
        network = ["policy"] if self.share == "policy" else ["policy", "critic"]
        variates = ["control variates"] if self.variates else []
        factors = [self.low_rank.in_words()] if self.low_rank else []
        return ", ".join([*network, *variates, *(["moments"] if self.moments else []), *factors])

    def rate_of_round(self, number: int, rounds: int) -> float:
        """The rate of round `number` (from 1) of `rounds`: a straight line from first to last."""
        share = (number - 1) / max(1, rounds - 1)
        return self.learning_rate + (self.final_learning_rate - self.learning_rate) * share


class MergePlan(Message):
    """How deltas become one update: clip, mix, rule, and the server's step. See docs/merging.md.

    Attributes:
        rule: What is done with the deltas of a round; `fltrust` costs the gate one measurement a delta.
        options: The rule's own, such as `trim` or `byzantine`.
        clip: Deltas longer than so many times the median length are scaled down to it; None: none is.
        mixing: Whether each delta is first replaced by the mean of its nearest; needs `byzantine`.
        sample_cap: Environment steps beyond which a robot's weight no longer grows; None: what any robot has
            that did what the training plan says, so that nobody gains by boasting.
        max_staleness: How many rounds late a delta may come and still count, with weight / sqrt(1 + rounds).
        optimiser: What turns the merged delta into a step; `momentum` with momentum 0 only scales it.
        momentum: Share of the last step that is taken again.
        step: Factor on the merged delta; robots' deltas are nearly orthogonal, so their mean is short.
        learning_rate: Of `adam`, `yogi` and `adagrad`: about how far a weight moves in a round.
        beta1: Of the same: share of the merged delta's running mean that is kept.
        beta2: Of `adam` and `yogi`: share of its running square that is kept.
        tau: Of the same: merged deltas far below it hardly move a weight.
    """

    rule: RuleName = "mean"
    options: dict[str, Whole | Finite] = Field(default_factory=dict, max_length=16)
    clip: float | None = Field(default=None, gt=0, le=1e6)
    mixing: bool = False
    sample_cap: int | None = Field(default=None, ge=1, le=10**12)
    max_staleness: int = Field(default=0, ge=0, le=1000)
    optimiser: OptimiserName = "momentum"
    momentum: float = Field(default=0.0, ge=0, lt=1)
    step: float = Field(default=1.5, gt=0, le=10)
    learning_rate: float = Field(default=0.01, gt=0, le=10)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    tau: float = Field(default=1e-3, gt=0, le=10)

    def rule_in_words(self) -> str:
        """Chain and rule on one line: `clip 3, mixing, trimmed-mean (trim 0.2)`."""
        options = ", ".join(f"{name} {value:g}" for name, value in self.options.items())
        rule = f"{self.rule} ({options})" if options else self.rule
        clip = [] if self.clip is None else [f"clip {self.clip:g}"]
        return ", ".join([*clip, *(["mixing"] if self.mixing else []), rule])

    def optimiser_in_words(self) -> str:
        """The server optimiser on one line: `momentum 0.5, step 1.5`."""
        if self.optimiser == "momentum":
            return f"momentum {self.momentum:g}, step {self.step:g}"
        return f"{self.optimiser}, learning rate {self.learning_rate:g}"


class GatePlan(Message):
    """How a candidate is examined on held-out variations: in batches, until it is clear (docs/rounds.md).

    An order of before says `tolerance`: that is its margin, as far as episodes can tell.

    Attributes:
        episodes: For each embodiment, in a batch; what has nothing to be compared with plays two.
        most: For each embodiment, in all batches: what is not clear by then is not published.
        margin: What succeeds so much less often than the stable or the best version, is published with
            probability `alpha` at most.
        arm_margin: The same on each embodiment alone, so that none is sacrificed for the mean; as wide as
            `margin` at least.
        alpha: See `margin`.
        power: What is as good is taken for worse with probability `1 - power` at most.
        on_weak_arm: What becomes of a candidate that is not seen to be as good on one embodiment: nothing, or
            it is released for robots of the others, while those of that one keep the version they have.
    """

    embodiments: tuple[Name, ...] = ()
    episodes: int = Field(default=16, ge=1, le=10_000)
    most: int = Field(default=480, ge=1, le=100_000)
    margin: float = Field(default=LEAST_MARGIN, gt=0, le=1)
    arm_margin: float = Field(default=0.25, gt=0, le=1)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    power: float = Field(default=0.9, gt=0, lt=1)
    seed: int = Field(default=20_000, ge=0, le=2**63 - 1)
    on_weak_arm: OnWeakArm = Field(default="reject", exclude_if=lambda it: it == "reject")

    @model_validator(mode="before")
    @classmethod
    def _from_before(cls, fields: Any) -> Any:
        """Read an order that was written when a gate had a fixed number of episodes and a tolerance."""
        if not isinstance(fields, dict) or not isinstance(fields.get("tolerance"), int | float):
            return fields
        rest = {name: value for name, value in fields.items() if name != "tolerance"}
        return {**rest, "margin": max(fields["tolerance"], LEAST_MARGIN)}

    @property
    def batches(self) -> int:
        """At most so many."""
        return max(1, self.most // self.episodes)

    def draws(self, batch: int) -> tuple[Draw, ...]:
        """Jobs of a batch, counted from 0, for each embodiment: new ones, always in the same workshops."""
        count = min(WORKSHOPS, self.episodes)
        jobs = np.random.SeedSequence([self.seed, batch]).generate_state(count).tolist()
        each = -(-self.episodes // count)
        return tuple(Draw(workshop=self.seed + i, jobs=own, episodes=each) for i, own in enumerate(jobs))

    def in_words(self) -> str:
        """On one line: `at most 6 % worse passes, 25 % on an arm; 16 to 480 episodes an arm`."""
        others = "; for the others where one arm fails" * (self.on_weak_arm == "release_others")
        return (
            f"at most {self.margin:.0%} worse passes, {max(self.margin, self.arm_margin):.0%} on an arm; "
            f"{self.episodes} to {max(self.episodes, self.most)} episodes an arm{others}"
        )

    def on(self, embodiments: tuple[Name, ...]) -> GatePlan:
        """The same on these embodiments alone."""
        return self.model_copy(update={"embodiments": embodiments})
