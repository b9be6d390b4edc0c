"""Which of LeRobot's features are a skill's numbers, in which units: the owner's settings, and arithmetic.

Tasks here move by speeds, and most LeRobot arms are told places: `start_of` has the one follow the other. Who
speaks with the arm is `fleet.runtime.lerobot`. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from skills.errors import ContractError
from skills.manifest import Channel

__all__ = ["Feature", "Features", "Line", "lines_of", "start_of"]

CONVERSIONS = {"deg": ("rad", math.pi / 180), "mm": ("m", 1e-3), "cm": ("m", 1e-2), "%": ("1", 1e-2)}
NUMBERS: tuple[object, ...] = (float, int, bool)
"""What LeRobot says of a feature that is one number; of an image it says its shape."""
AHEAD = 0.25
"""Seconds at its channel's full speed by which a goal may be ahead of the place that is seen."""


class Feature(BaseModel):
    """One number of LeRobot's; value in the channel's unit = factor x (number - zero), its unit converted.

    Attributes:
        name: LeRobot's, such as `shoulder_pan.pos`.
        unit: Of its number: the channel's own (empty), or `deg`, `mm`, `cm`, `%`, each also `/s`.
        factor: Negative where it turns the other way; of numbers without a unit, such as LeRobot's from -100
            to 100, channel units for each of them.
        zero: Its number where the skill's is 0.
        kind: Of an action: whether it is told a place or a speed. Empty: by its name, `.pos` or `.vel`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    unit: str = Field(default="", max_length=32)
    factor: float = Field(default=1.0, allow_inf_nan=False)
    zero: float = Field(default=0.0, allow_inf_nan=False)
    kind: Literal["place", "speed", ""] = ""


class Features(BaseModel):
    """The table `[lerobot]` of a robot's settings.

    Attributes:
        observation: By channel of the contract, a feature for each of its numbers.
        action: The same.
        over: Observed feature that is not 0 when the job is over. Empty: never.
        success: The same, looked at when it is over. Empty: not known.
        busy: The same, of a robot that must not get another version now. Empty: never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observation: dict[str, tuple[Feature, ...]] = Field(default_factory=dict)
    action: dict[str, tuple[Feature, ...]] = Field(default_factory=dict)
    over: str = ""
    success: str = ""
    busy: str = ""


@dataclass(frozen=True)
class Line:
    """One number of the contract and the feature that it is.

    Attributes:
        feature: Its name.
        factor: The number, over its channel's scale, for each unit of LeRobot's.
        zero: LeRobot's number where it is 0.
        is_place: Whether LeRobot is told a place by it, and not a speed.
        is_rate: Whether the skill says the speed of what LeRobot is told as a place.
    """

    feature: str
    factor: float
    zero: float
    is_place: bool
    is_rate: bool

    def number(self, value: float) -> float:
        """The contract's number of LeRobot's."""
        return self.factor * (value - self.zero)


def lines_of(
    side: Literal["observation", "action"],
    channels: tuple[Channel, ...],
    given: Mapping[str, tuple[Feature, ...]],
    known: Mapping[str, object],
) -> tuple[Line, ...]:
    """One line for each number of a side of the contract.

    Args:
        side: Which.
        channels: Of the contract.
        given: The owner's.
        known: What the robot says it has, by name; `float` where that is one number.

    Raises:
        ContractError: A channel has no features, or too few; the robot has no such feature; units differ.
    """
    found: list[Line] = []
    for channel in channels:
        features = given.get(channel.name, ())
        if len(features) != channel.size:
            raise _refused(
                side, f"{channel.name} has {channel.size} numbers and {len(features)} features", "Name each."
            )
        found += [_line(side, channel, each, known) for each in features]
    if unknown := sorted(set(given) - {each.name for each in channels}):
        raise _refused(
            side, f"there is no channel {unknown[0]!r}", f"It has {', '.join(c.name for c in channels)}."
        )
    return tuple(found)


def start_of(line: Line, before: float, seen: float) -> float:
    """From where the next step of a goal counts, in LeRobot's unit.

    From the goal before, as a joint that lags behind would never move by small steps from where it is; and
    never from further ahead than `AHEAD` at full speed, so that one that was held up does not leap.

    Args:
        line: Of a place that the skill says the speed of.
        before: The goal before.
        seen: Where it is.
    """
    ahead = AHEAD / abs(line.factor)
    return min(max(before, seen - ahead), seen + ahead)


def _line(side: str, channel: Channel, feature: Feature, known: Mapping[str, object]) -> Line:
    if known.get(feature.name) not in NUMBERS:
        numbers = sorted(name for name, kind in known.items() if kind in NUMBERS)
        raise _refused(side, f"the robot has no number {feature.name!r}", f"It has {', '.join(numbers)}.")
    is_place = _is_place(feature) if side == "action" else False
    unit = channel.unit
    is_rate = is_place and unit.endswith("/s")
    factor = feature.factor * _conversion(side, feature, unit.removesuffix("/s") if is_rate else unit)
    if factor == 0:
        raise _refused(side, f"{feature.name} has the factor 0", "Give another.")
    return Line(feature.name, factor / channel.scale, feature.zero, is_place, is_rate)


def _is_place(feature: Feature) -> bool:
    if not feature.kind and not feature.name.endswith((".pos", ".vel")):
        raise _refused("action", f"{feature.name} may be a place or a speed", 'Say it: kind = "place".')
    return feature.kind == "place" or (not feature.kind and feature.name.endswith(".pos"))


def _conversion(side: str, feature: Feature, unit: str) -> float:
    if feature.unit in {"", unit}:
        return 1.0
    slash = "/s" if feature.unit.endswith("/s") else ""
    wanted, factor = CONVERSIONS.get(feature.unit.removesuffix("/s"), ("", 1.0))
    if wanted + slash != unit:
        raise _refused(
            side, f"{feature.name} is in {feature.unit!r} and wanted in {unit!r}", "Leave it empty: factor."
        )
    return factor


def _refused(side: str, what: str, remedy: str) -> ContractError:
    return ContractError(f"{what}.", where=f"lerobot.{side}", remedy=remedy)
