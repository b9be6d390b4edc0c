"""What may stand in a `task.toml`: the models of its sections, and nothing that is executed.

Quantities are checked by the terms that compute them (`envs.terms`); reading a folder, names that
refer to each other and the error messages are `envs.task`. The JSON schema in docs/task.schema.json
is made from these models.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    create_model,
    model_validator,
)

from envs.terms.base import Finite, Key, Positive, Reference, Term
from envs.terms.registry import known_terms
from skills.manifest import Name

__all__ = [
    "Acted",
    "Change",
    "Condition",
    "Control",
    "Cost",
    "Feedback",
    "FlightControl",
    "ImpedanceControl",
    "Observed",
    "Range",
    "Reward",
    "Success",
    "TaskFile",
    "Tolerance",
    "Variation",
    "Varied",
    "Wind",
    "task_file",
]

Numbers = Finite | tuple[Finite, ...]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Section):
    """Bounds of a uniform draw, one number or one per component; or the values that are drawn from."""

    low: Numbers | None = None
    high: Numbers | None = None
    values: tuple[str, ...] | tuple[Finite, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Range:
        if (self.low is None) != (self.high is None) or (self.low is not None) == bool(self.values):
            raise ValueError("give low and high, or values")
        if self.low is not None and any(b > t for b, t in zip(*self.bounds, strict=True)):
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Low and high as tuples of equal length; empty where there are values instead."""
        low, high = (side if isinstance(side, tuple) else (side,) for side in (self.low, self.high))
        return ((), ()) if self.values else (low, high)  # type: ignore[return-value]


class Variation(_Section):
    """What differs: from robot to robot (drawn once for a workshop) or from job to job (each episode).

    Attributes:
        unit: Of the figure.
        low: Least, one number or one per component.
        high: Greatest.
        values: Instead of both: what is chosen from. Workshops of consecutive seeds take turns.
        nominal: What the data sheet says; a robot that was not drawn has it.
        held_out: Kept from training: only the gate's workshops draw from it.
        limits: A workshop's own figure must lie within; without it, within the ranges above.
    """

    unit: str = Field(default="1", max_length=16)
    low: Numbers | None = None
    high: Numbers | None = None
    values: tuple[str, ...] | tuple[Finite, ...] = ()
    nominal: Numbers | None = None
    held_out: Range | None = None
    limits: tuple[Finite, Finite] | None = None

    @model_validator(mode="after")
    def _something_to_draw(self) -> Variation:
        drawn = self.drawn
        values = (*self.values, *(self.held_out.values if self.held_out else ()))
        if len({isinstance(each, str) for each in values}) > 1:
            raise ValueError("values and held_out's values must be both words or both numbers")
        if self.held_out and drawn and _overlap(drawn, self.held_out):
            raise ValueError("held_out overlaps what robots train on: move one of the two ranges")
        return self

    @property
    def drawn(self) -> Range | None:
        """What robots in training are drawn from; None where the figure is fixed."""
        if self.low is None and self.high is None and not self.values and self.nominal is not None:
            return None
        return Range(low=self.low, high=self.high, values=self.values)

    @property
    def size(self) -> int:
        """Components of the figure."""
        some = self.nominal if self.drawn is None else self.drawn.low
        return len(some) if isinstance(some, tuple) else 1


def _overlap(one: Range, other: Range) -> bool:
    if one.values or other.values:
        return bool(set(one.values) & set(other.values))
    pairs = zip(*one.bounds, *other.bounds, strict=True)
    return all(low < top and bottom < high for low, high, bottom, top in pairs)


class Varied(Protocol):
    """What of a task's file says who does it and what differs."""

    @property
    def name(self) -> str:
        """Of the task."""

    @property
    def embodiments(self) -> tuple[str, ...]:
        """Robots that are admitted."""

    @property
    def robots(self) -> dict[str, Variation]:
        """What differs from robot to robot."""

    @property
    def jobs(self) -> dict[str, Variation]:
        """What differs from job to job."""


class ImpedanceControl(_Section):
    """An arm's Cartesian impedance: actions move a set-point, springs and dampers pull the tool to it.

    Attributes:
        stiffness: N/m.
        damping: N s/m.
        turn_stiffness: N m/rad.
        turn_damping: N m s/rad.
        lead: The set-point stays this close to the tool, per axis, m.
        lead_tilt: The same for rotations, rad.
        feed: A figure of the jobs, m/s: the set-point moves so fast along the job's x by itself.
    """

    kind: Literal["impedance"] = "impedance"
    stiffness: Positive = 3000.0
    damping: Positive = 120.0
    turn_stiffness: Positive = 150.0
    turn_damping: Positive = 8.0
    lead: Positive = 0.025
    lead_tilt: Positive = 0.15
    feed: Key | None = None


class Wind(_Section):
    """A horizontal wind with gusts (Ornstein-Uhlenbeck) that pushes a flying body.

    Attributes:
        force: A figure of the jobs with two components, N: the mean, in the job frame.
        gust: Standard deviation of the gusts, N, per axis; number or figure of the robots.
        memory: Time constant of the gusts, s.
    """

    force: Key
    gust: Finite | Key = 0.0
    memory: Positive = 0.5


class FlightControl(_Section):
    """A quadrotor's autopilot: actions ask for lean, climb and turn; the attitude loop runs on board.

    Attributes:
        attitude: Angular acceleration per rad of attitude error, 1/s².
        attitude_damping: And per rad/s of turning, 1/s.
        motor_lag: Time constant of the thrust, s.
        wind: What blows.
    """

    kind: Literal["flight"]
    attitude: Positive = 120.0
    attitude_damping: Positive = 18.0
    motor_lag: Positive = 0.04
    wind: Wind | None = None


Control = Annotated[ImpedanceControl | FlightControl, Field(discriminator="kind")]


class Change(_Section):
    """A figure of the robots that changes the compiled model, such as a cloth's friction.

    Attributes:
        what: A geom's sliding `friction`, `radius` (m) or contact `stiffness`, or a body's `mass`, kg.
        of: The geom or body, by its name in the scene or the tool.
        by: The figure.
    """

    what: Literal["friction", "mass", "radius", "stiffness"]
    of: str = Field(min_length=1, max_length=64)
    by: Key


class Observed(_Section):
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
        delay: Control steps that pass before it is sensed.
    """

    name: Key
    of: Reference
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    scale: Positive
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Key = 0.0
    lever: Positive | None = None
    offset: Key | None = None
    turn: Key | None = None
    delay: int = Field(default=0, ge=0, le=20)


class Acted(_Section):
    """One action channel: what of the robot it drives, and the physical value of 1."""

    name: Key
    of: Reference
    scale: Positive


class Tolerance(_Section):
    """weight * exp(-(x / width)²) - slope * x; x is how far the quantity is from `target ± within`.

    A quantity of several components counts by its length.
    """

    of: Reference
    target: Finite = 0.0
    within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    width: Positive
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    slope: Annotated[float, Field(ge=0, le=100)] = 0.0


class Cost(_Section):
    """weight * |quantity|², taken from the reward."""

    of: Reference
    weight: Annotated[float, Field(gt=0, le=1000)]


class Reward(_Section):
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


class Condition(_Section):
    """Bounds on a quantity, in its unit; one of several components counts by its length.

    Attributes:
        of: The quantity.
        above: It must be greater.
        below: It must be less.
        within: Its absolute value must be less.
    """

    of: Reference
    above: Finite | None = None
    below: Finite | None = None
    within: Positive | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Condition:
        one_sided = self.above is not None or self.below is not None
        if one_sided == (self.within is not None):
            raise ValueError("give above, below or both; or within")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values it holds."""
        if self.within is not None:
            return -self.within, self.within
        low = float("-inf") if self.above is None else self.above
        return low, float("inf") if self.below is None else self.below

    @property
    def words(self) -> str:
        """For people: `gap` below 0.01."""
        if self.within is not None:
            return f"`{self.of}` within ±{self.within:g}"
        sides = (("above", self.above), ("below", self.below))
        return f"`{self.of}` " + " and ".join(
            f"{word} {value:g}" for word, value in sides if value is not None
        )


class Success(_Section):
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


class Feedback(_Section):
    """One part of a controller: gain * observed value * the scalars in `times`, each component limited.

    Attributes:
        of: An observation channel; without it, `value`.
        part: First and behind-last component of it.
        value: A constant vector in the action channel's unit.
        gain: One number or one per component.
        times: Observation channels of one component each, multiplied in.
        limit: Greatest length of the resulting vector; a longer one is shortened.
    """

    of: Key | None = None
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    value: tuple[Finite, ...] = ()
    gain: Numbers = 1.0
    times: tuple[Key, ...] = ()
    limit: Positive | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Feedback:
        if (self.of is None) == (not self.value):
            raise ValueError("give of or value")
        return self


class TaskFile(_Section):
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
        control: How actions become motion: `ImpedanceControl` or `FlightControl`.
        robots: What differs from robot to robot, by name.
        jobs: What differs from job to job, by name; a job's `heading` and `offset` say where it lies.
        changes: What figures of the robots change in the scene.
        quantities: By name; each may read those before it.
        observation: What the robot senses, in order.
        action: What it does, in order.
        reward: Of each step.
        success: Of an episode.
        failure: Any of these ends the episode.
        scripted: Controllers by name, the best last: for each action the parts that are added up.
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
    control: Control = ImpedanceControl()
    robots: dict[Key, Variation] = Field(default={}, max_length=64)
    jobs: dict[Key, Variation] = Field(default={}, max_length=64)
    changes: tuple[Change, ...] = Field(default=(), max_length=64)
    quantities: dict[Key, SerializeAsAny[Term]] = Field(default={}, max_length=64)
    observation: tuple[Observed, ...] = Field(min_length=1, max_length=64)
    action: tuple[Acted, ...] = Field(min_length=1, max_length=16)
    reward: Reward
    success: Success
    failure: tuple[Condition, ...] = Field(default=(), max_length=64)
    scripted: dict[Name, dict[Key, tuple[Feedback, ...]]] = Field(default={}, max_length=16)

    @model_validator(mode="after")
    def _some_steps_count(self) -> TaskFile:
        if self.success.grace >= self.horizon:
            raise ValueError(f"success.grace {self.success.grace} leaves no step of {self.horizon} to judge")
        return self


@lru_cache(maxsize=1)
def task_file() -> type[TaskFile]:
    """`TaskFile` with the terms that are known here, so that each quantity is checked by its kind."""
    kinds = reduce(or_, known_terms().values())
    quantity = Annotated[kinds, Field(discriminator="kind")]  # type: ignore[valid-type]
    quantities: Any = (dict[Key, quantity], Field(default={}, max_length=64))
    return create_model("TaskFile", __base__=TaskFile, __doc__=TaskFile.__doc__, quantities=quantities)
