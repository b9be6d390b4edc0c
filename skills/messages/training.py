"""Which algorithm robots learn with in a round, and its knobs, as an operator may order them.

How each is done is left to `fleet.training`; learning rate, iterations and what travels stand in the plan
around it (`skills.messages.plans.TrainingPlan`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from skills.messages.base import Message

__all__ = ["Algorithm", "Imitation", "Ppo", "Sac"]


class Ppo(Message):
    """Proximal policy optimisation (Schulman et al. 2017) on the robot's own experience.

    Attributes:
        batch: Environment steps collected before each update.
        minibatch: Steps of one gradient step; of a network with memory as many in whole sequences.
        epochs: Passes over each batch.
        discount: Gamma; .95 at 50 Hz looks .4 s ahead. A task whose reward comes late needs more.
        trace: Lambda of generalised advantage estimation (Schulman et al. 2016).
        clip: How far the probability ratio may leave 1.
        value_weight: Weight of the value error in the loss.
        entropy_weight: Weight of the entropy bonus.
        gradient_norm: Largest Euclidean norm of a gradient.
        keep_moments: Whether Adam's moments stay with the robot from round to round; else each begins anew.
    """

    algorithm: Literal["ppo"] = "ppo"
    batch: int = Field(default=3200, ge=1, le=10_000_000)
    minibatch: int = Field(default=400, ge=1, le=10_000_000)
    epochs: int = Field(default=5, ge=1, le=1000)
    discount: float = Field(default=0.95, gt=0, le=1)
    trace: float = Field(default=0.9, ge=0, le=1)
    clip: float = Field(default=0.2, gt=0, lt=1)
    value_weight: float = Field(default=0.5, ge=0, le=100)
    entropy_weight: float = Field(default=0.0, ge=0, le=10)
    gradient_norm: float = Field(default=0.5, gt=0, le=1e6)
    keep_moments: bool = False


class Imitation(Message):
    """Imitation of a teacher, such as a master of the trade or a controller; each iteration is a *lesson*.

    With `beta` 0 the robot learns to do what its teacher would have done where the robot itself got to
    (DAgger: Ross, Gordon and Bagnell 2011). With more, the teacher does all jobs, and the robot learns to do
    as it did, the more so the better it turned out (MARWIL: Wang et al. 2018): for teachers who may err.

    Attributes:
        batch: Environment steps of each lesson, such as 48 jobs of 60.
        minibatch: Steps of one gradient step; of a network with memory as many in whole sequences.
        steps: Gradient steps after each lesson.
        keep: How many lessons, the last ones, are learned from.
        fade: Lessons after which the teacher acts no longer; its share of the jobs falls from 1 evenly.
        noise: Standard deviation of what is added to the actions in lessons.
        beta: How much more counts what turned out well.
        discount: Gamma of how it turned out; without `beta` of no effect.
        gradient_norm: Largest Euclidean norm of a gradient.
        keep_moments: Whether Adam's moments stay with the robot from round to round; else each begins anew.
        master_iterations: A robot that has no master trains one at home first, so many iterations by the
            learner that the task advises; 0: it leaves these rounds out until its owner names one.
    """

    algorithm: Literal["imitation"] = "imitation"
    batch: int = Field(default=2880, ge=1, le=10_000_000)
    minibatch: int = Field(default=1440, ge=1, le=10_000_000)
    steps: int = Field(default=40, ge=1, le=100_000)
    keep: int = Field(default=6, ge=1, le=1000)
    fade: int = Field(default=5, ge=0, le=10_000)
    noise: float = Field(default=0.1, ge=0, le=1)
    beta: float = Field(default=0.0, ge=0, le=1)
    discount: float = Field(default=0.95, gt=0, le=1)
    gradient_norm: float = Field(default=1.0, gt=0, le=1e6)
    keep_moments: bool = False
    master_iterations: int = Field(default=0, ge=0, le=10_000)

    def teachers_share(self, lessons: int) -> float:
        """Of the jobs of the next lesson, after so many."""
        return 1.0 if self.beta else max(0.0, 1 - lessons / self.fade) if self.fade else 0.0


class Sac(Message):
    """Soft actor-critic (Haarnoja et al. 2018) on all that the robot remembers of its own experience.

    Actor, critics and temperature learn at the plan's learning rate.

    Attributes:
        batch: Environment steps collected in each iteration.
        updates: Gradient steps after them.
        minibatch: Remembered steps of one gradient step.
        buffer: Steps that are remembered, the last ones; each costs eight bytes a number observed.
        begin: Steps that must be there before anything is learned.
        discount: Gamma; see `Ppo`.
        tau: Share of the critics that their slow copies take over at each gradient step.
        temperature: Initial weight of the entropy.
        target_entropy: Entropy of one number of the action that the temperature is steered to.
        gradient_norm: Largest Euclidean norm of a gradient, of actor and critics each.
        keep_moments: Whether Adam's moments stay with the robot from round to round; else each begins anew.
    """

    algorithm: Literal["sac"] = "sac"
    batch: int = Field(default=320, ge=1, le=10_000_000)
    updates: int = Field(default=160, ge=1, le=1_000_000)
    minibatch: int = Field(default=256, ge=1, le=100_000)
    buffer: int = Field(default=100_000, ge=1, le=1_000_000)
    begin: int = Field(default=1000, ge=1, le=10_000_000)
    discount: float = Field(default=0.95, gt=0, le=1)
    tau: float = Field(default=0.005, gt=0, le=1)
    temperature: float = Field(default=0.1, gt=0, le=100)
    target_entropy: float = Field(default=-1.0, ge=-10, le=10)
    gradient_norm: float = Field(default=1.0, gt=0, le=1e6)
    keep_moments: bool = True

    @model_validator(mode="after")
    def _begins_some_time(self) -> Sac:
        if self.begin > self.buffer:
            msg = "nothing would ever be learned: begin is more than the buffer holds"
            raise ValueError(msg)
        return self


Algorithm = Annotated[Imitation | Ppo | Sac, Field(discriminator="algorithm")]
