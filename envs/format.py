"""What may stand in a `task.toml`: the models of its sections, and nothing that is executed.

Quantities are checked by the terms that compute them (`envs.terms`), the control section by its drive
(`envs.drives`), controllers are `envs.controllers`; reading a folder, names that refer to each other and the
error messages are `envs.task`. The JSON schema in docs/task.schema.json is made from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    StringConstraints,
    create_model,
    model_validator,
)

from envs.conditions import Condition
from envs.controllers.controller import AnyController
from envs.controllers.parts import Feedback, Schedule
from envs.defaults import Training
from envs.drives.base import Acted, Drive
from envs.drives.impedance import Impedance
from envs.drives.registry import known_drives
from envs.late import MOST_DELAY
from envs.terms.base import Term
from envs.terms.registry import known_terms
from envs.values import Finite, Key, Positive, Reference, Section
from envs.variation import Variation
from skills.manifest import Name

__all__ = [
    "Change",
    "Condition",
    "Cost",
    "Feedback",
    "Known",
    "Observed",
    "Reward",
    "Schedule",
    "Success",
    "TaskFile",
    "Tolerance",
    "task_file",
]


class Change(Section):
    """A figure that changes the compiled model, such as a cloth's friction.

    Attributes:
        what: A geom's sliding `friction`, `radius` (m) or contact `stiffness`; a body's `mass`, kg, the
            `length` by which it hangs from its parent, m, how far aside its `centre` of mass lies, m, in the
            direction in which the file has it, or opposite, or its `tilt` about the x and y axes of its
            parent, of `work` about those of the job, rad; a joint's `damping` or `friction` (N s/m and N, or
            N m s and N m), or the `position` in which it stands when a job begins.
        of: The geom, body or joint, by its name in the scene or the tool.
        by: The figure of the robots or of the jobs, one number, of a tilt two; a position is of the jobs.
    """

    what: Literal[
        "centre", "damping", "friction", "length", "mass", "position", "radius", "stiffness", "tilt"
    ]
    of: str = Field(min_length=1, max_length=64)
    by: Key


class Observed(Section):
    """One observation channel: a quantity (or a part of it) as the robot senses it, over its scale.

    Attributes:
        name: In the contract.
        of: The quantity.
        part: First and behind-last component, where only some are sensed.
        scale: Physical value of 1.
        noise: Standard deviation, a number or a figure of the robots, in the quantity's unit ...
        lever: ... over this length, m, where a direction is fitted to points with that noise.
        offset: A figure of the robots that is added: a calibration error.
        turn: A figure of the robots, rad: the sensor is turned by it about the vertical.
        delay: Control steps that pass before it is sensed, a number or a figure of the robots or the jobs.
    """

    name: Key
    of: Reference
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    scale: Positive
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Key = 0.0
    lever: Positive | None = None
    offset: Key | None = None
    turn: Key | None = None
    delay: Annotated[int, Field(ge=0, le=MOST_DELAY)] | Key = 0


class Known(Section):
    """What the twin alone knows: a quantity, or a figure that no robot is told, over its scale.

    Attributes:
        name: For a controller that is told.
        of: The quantity, or the figure of the robots or the jobs.
        part: First and behind-last component, where only some are meant.
        scale: Physical value of 1.
    """

    name: Key
    of: Reference
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    scale: Positive


class Tolerance(Section):
    """weight * exp(-(x / width)²) - slope * x; x is how far the quantity is from `target ± within`.

    A quantity of several components counts by its length.
    """

    of: Reference
    target: Finite = 0.0
    within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    width: Positive
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    slope: Annotated[float, Field(ge=0, le=100)] = 0.0


class Cost(Section):
    """weight * |quantity|², taken from the reward."""

    of: Reference
    weight: Annotated[float, Field(gt=0, le=1000)]


class Reward(Section):
    """One step's reward: the tolerances' sum or product, less the costs.

    In a product a tolerance of weight w (at most 1, without slope) is the factor 1 - w + w * bell: it
    counts in full at w = 1, and at less it only sharpens what the others reward.
    """

    combine: Literal["sum", "product"] = "sum"
    tolerance: tuple[Tolerance, ...] = Field(min_length=1, max_length=64)
    cost: tuple[Cost, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _factors_are_between_0_and_1(self) -> Reward:
        if self.combine == "product" and any(each.weight > 1 or each.slope for each in self.tolerance):
            raise ValueError("in a product no weight is above 1, and there are no slopes")
        return self


class Success(Section):
    """An episode succeeds that did not fail, was good for long enough and ended well.

    Attributes:
        steps: A step is good when all of these hold at once.
        share: So many of the steps after `grace` must be good.
        grace: First steps that do not count.
        end: Must hold in the last step.
    """

    steps: tuple[Condition, ...] = Field(default=(), max_length=64)
    share: float = Field(default=1.0, gt=0, le=1)
    grace: int = Field(default=0, ge=0)
    end: tuple[Condition, ...] = Field(default=(), max_length=64)

    @model_validator(mode="after")
    def _something_is_asked(self) -> Success:
        if not (self.steps or self.end):
            raise ValueError("say what success is: steps, end or both")
        return self


class TaskFile(Section):
    """A whole `task.toml`.

    Attributes:
        format: Of this page.
        name: Lower-case words with hyphens; the skill for the task has the same.
        title: What is to be done, in a few words.
        summary: In a sentence or two.
        licence: Of the bundle, as an SPDX expression.
        embodiments: Robots that the task was made for; one's own are admitted where their drive fits.
        control_hz: Actions a second.
        horizon: Control steps in an episode.
        reach: Start poses lie within this box around the tool's home, m.
        control: How actions become motion: a drive by its kind, such as `impedance` or `flight`.
        robots: What differs from robot to robot, by name.
        jobs: What differs from job to job, by name; a job's `heading` and `offset` say where it lies.
        changes: What figures of the robots and the jobs change in the scene.
        quantities: By name; each may read those before it.
        observation: What the robot senses, in order.
        twin: What only the twin knows, in order: for a critic in training, never for a skill.
        action: What it does, in order.
        reward: Of each step.
        success: Of an episode.
        failure: Any of these ends the episode.
        training: Where training begins, unless somebody says otherwise.
        scripted: Controllers by name, the best last: for each action the parts that are added up, or a
            `Controller` that remembers.
        oracle: One that is told what the twin knows as well: proof that the task can be done, no yardstick.
    """

    format: Literal["zunft.task/1"]
    name: Name
    title: str = Field(min_length=1, max_length=100)
    summary: str = Field(default="", max_length=2000)
    licence: str = Field(min_length=1, max_length=64)
    embodiments: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$")], ...] = Field(
        min_length=1, max_length=64
    )
    control_hz: float = Field(gt=0, le=1000)
    horizon: int = Field(gt=0, le=100_000)
    reach: tuple[Positive, Positive, Positive] = (0.04, 0.04, 0.02)
    control: SerializeAsAny[Drive] = Impedance()
    robots: dict[Key, Variation] = Field(default={}, max_length=64)
    jobs: dict[Key, Variation] = Field(default={}, max_length=64)
    changes: tuple[Change, ...] = Field(default=(), max_length=64)
    quantities: dict[Key, SerializeAsAny[Term]] = Field(default={}, max_length=64)
    observation: tuple[Observed, ...] = Field(min_length=1, max_length=64)
    twin: tuple[Known, ...] = Field(default=(), max_length=64)
    action: tuple[Acted, ...] = Field(min_length=1, max_length=16)
    reward: Reward
    success: Success
    failure: tuple[Condition, ...] = Field(default=(), max_length=64)
    training: Training = Training()
    scripted: dict[Name, AnyController] = Field(default={}, max_length=16)
    oracle: Annotated[AnyController, Field(default={})]

    @model_validator(mode="after")
    def _some_steps_count(self) -> TaskFile:
        if self.success.grace >= self.horizon:
            raise ValueError(f"success.grace {self.success.grace} leaves no step of {self.horizon} to judge")
        return self


@lru_cache(maxsize=1)
def task_file() -> type[TaskFile]:
    """`TaskFile` with the drives and terms that are known here, each section checked by its kind."""
    quantity = _one_of(known_terms())
    fields: dict[str, Any] = {
        "control": (_one_of(known_drives()), Impedance()),
        "quantities": (dict[Key, quantity], Field(default={}, max_length=64)),  # type: ignore[valid-type]
    }
    return create_model("TaskFile", __base__=TaskFile, __doc__=TaskFile.__doc__, **fields)


def _one_of(kinds: Mapping[str, type[Section]]) -> Any:
    return Annotated[reduce(or_, kinds.values()), Field(discriminator="kind")]
