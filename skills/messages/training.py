"""Which algorithm robots learn with in a round, and its knobs, as an operator may order them.

How each is done is left to `fleet.training`; learning rate, iterations and what travels stand in the plan
around it (`skills.messages.plans.TrainingPlan`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from skills.messages.base import Message

__all__ = ["Algorithm", "Ppo"]


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


Algorithm = Annotated[Ppo, Field(discriminator="algorithm")]
