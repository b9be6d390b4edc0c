"""Guards: may this observation be acted on, and how much of this action may be sent? Pure.

What becomes of a robot whose guards object is `fleet.runtime.state`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from skills.errors import ContractError
from skills.manifest import Channel, Contract

__all__ = ["ActionLimits", "Floats", "Limits", "Sent", "limited", "objection", "refused_action"]

Floats = NDArray[np.float64]
PERIODS = 3  # that an observation may be old, unless the owner says otherwise


class Limits(BaseModel):
    """What a robot's owner allows, whatever a skill wants.

    Attributes:
        oldest: Seconds that an observation may be old when it is acted on; None: three periods.
        sensed: An observed number beyond so many times its channel's scale is no measurement.
        repeats: So many observations in a row with the very same numbers, while it moves, are a stuck sensor.
        budget: Share of a period after which an action would come too late to be sent.
        patience: When guards object in so many periods in a row, the robot is stopped until it is released.
        most: By action channel, the greatest value in its unit; none: its scale.
        slew: By action channel, how much it may change in a second, in its unit.
        jerk: By action channel, how much that change may change in a second, in its unit per second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    oldest: float | None = Field(default=None, gt=0, le=10)
    sensed: float = Field(default=20.0, gt=0, le=1e6)
    repeats: int = Field(default=25, ge=1, le=100_000)
    budget: float = Field(default=0.8, gt=0, le=1)
    patience: int = Field(default=5, ge=1, le=10_000)
    most: dict[str, float] = Field(default_factory=dict)
    slew: dict[str, float] = Field(default_factory=dict)
    jerk: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class ActionLimits:
    """Limits of each number of an action, over its scale and for one period; infinite where there is none.

    `pace` is the share of what a skill wants that is asked for at all.
    """

    pace: Floats
    most: Floats
    slew: Floats
    jerk: Floats

    @classmethod
    def of(cls, limits: Limits, contract: Contract, speed: float = 1.0) -> ActionLimits:
        """What an owner's limits mean for the actions of a contract.

        Args:
            limits: The owner's.
            contract: Names the channels.
            speed: Share of their speed at which channels go that are velocities, by their unit.

        Raises:
            ContractError: They name a channel that it has not, or are not positive.
        """
        channels, dt = contract.action, 1 / contract.control_hz
        for name in ("most", "slew", "jerk"):
            _check(name, getattr(limits, name), channels)
        slow = {each.name: speed * each.scale for each in channels if each.unit.endswith("/s")}
        return cls(
            np.minimum(1.0, _each(slow, channels)),
            np.minimum(1.0, _each(limits.most, channels)),
            _each(limits.slew, channels) * dt,
            _each(limits.jerk, channels) * dt**2,
        )


@dataclass(frozen=True)
class Sent:
    """What may be sent instead of what was wanted, and which limits shortened it."""

    action: Floats
    by: tuple[str, ...]


def objection(
    numbers: NDArray[np.float32], age: float, repeats: int, limits: Limits, contract: Contract
) -> str:
    """Why an observation may not be acted on; empty where it may.

    Args:
        numbers: (inputs,).
        age: Seconds since it was taken.
        repeats: How often it has come before without a change, while the robot moved.
        limits: The owner's.
        contract: Names its channels.
    """
    if numbers.shape != (contract.observation_size,):
        return f"observation: {numbers.shape} instead of {contract.observation_size} numbers"
    if not np.isfinite(numbers).all():
        return f"finite: {_channel_of(~np.isfinite(numbers), contract)} is no number"
    oldest = limits.oldest or PERIODS / contract.control_hz
    if not -oldest <= age <= oldest:  # also where it is no number
        return f"fresh: the observation is {age:.3f} s old"
    if repeats >= limits.repeats:
        return f"repeated: the same numbers for {repeats} periods in motion"
    beyond = np.abs(numbers) > limits.sensed
    if beyond.any():
        return f"sensed: {_channel_of(beyond, contract)} is beyond {limits.sensed:g} times its scale"
    return ""


def refused_action(action: NDArray[np.float32], contract: Contract) -> str:
    """Why an action may not be sent at all, not even shortened; empty where it may."""
    if action.shape != (contract.action_size,):
        return f"action: {action.shape} instead of {contract.action_size} numbers"
    return "" if np.isfinite(action).all() else "action: not all of it are numbers"


def limited(wanted: Floats, last: Floats, change: Floats, limits: ActionLimits) -> Sent:
    """What the limits leave of the wanted action; the bounds count most, then slew, then jerk.

    Args:
        wanted: (outputs,), finite.
        last: The action before, within the bounds; 0 at rest.
        change: By how much that one differed from the one before it.
        limits: For one period.
    """
    bounded = np.clip(wanted, -limits.most, limits.most)
    slewed = np.clip(bounded - last, -limits.slew, limits.slew)
    jerked = np.clip(slewed, change - limits.jerk, change + limits.jerk)
    action = np.clip(last + np.clip(jerked, -limits.slew, limits.slew), -limits.most, limits.most)
    shortened = {
        "most": not np.array_equal(bounded, wanted),
        "slew": not np.array_equal(slewed, bounded - last),
        "jerk": not np.array_equal(jerked, slewed),
    }
    return Sent(action, tuple(name for name, is_so in shortened.items() if is_so))


def _each(given: Mapping[str, float], channels: tuple[Channel, ...]) -> Floats:
    found = [np.full(each.size, given.get(each.name, np.inf) / each.scale) for each in channels]
    return np.concatenate(found)


def _check(name: str, given: Mapping[str, float], channels: tuple[Channel, ...]) -> None:
    known = {each.name for each in channels}
    for channel, value in given.items():
        if channel not in known:
            raise ContractError(
                f"there is no action {channel!r}.",
                where=f"runtime.{name}",
                remedy=f"This skill has {', '.join(sorted(known))}.",
            )
        if not value > 0:
            raise ContractError(
                f"{channel} may not move at all.", where=f"runtime.{name}", remedy="Give a positive number."
            )


def _channel_of(where: NDArray[np.bool_], contract: Contract) -> str:
    """The channel of the first number that is marked."""
    first, end = int(np.argmax(where)), 0
    for channel in contract.observation:
        end += channel.size
        if first < end:
            return channel.name
    return ""
