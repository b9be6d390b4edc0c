"""What the numbers of the weld-seam task mean: measures, observation channels, reward, success.

Small pure functions on arrays with the simulations first, (n, ...). All vectors are in the job frame
(z up, x the nominal feed), all figures in metres, seconds and radians. Where the seam and the robot
are is left to `envs.vector`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.task import Bell, Reward, Success, Task
from skills.errors import ContractError
from skills.manifest import Contract

__all__ = ["LIMIT", "Measures", "channel_scales", "measure", "reward", "within_tolerance"]

Floats = NDArray[np.float64]

LIMIT = 10.0
"""Every observed number is clipped to [-LIMIT, LIMIT]."""

OBSERVATION = {
    "error": 3, "tangent": 3, "ahead": 9, "tilt_error": 2, "velocity": 3, "feed": 1, "speed_error": 1,
    "lead": 3, "lead_tilt": 2, "last_action": 5, "action_before": 5,
}  # fmt: skip
"""The channels that `envs.vector` fills, in its order."""
ACTION = {"velocity": 3, "tilt_rate": 2}


@dataclass(frozen=True)
class Measures:
    """How far n torches are from their seams, each (n,).

    Attributes:
        distance: From the nearest seam point, m.
        cross: Its part across the seam, along the surface, m.
        standoff: Its part normal to the surface, m.
        angle: Between wanted and actual torch axis, rad.
        speed: Relative error of the smoothed travel speed.
    """

    distance: Floats
    cross: Floats
    standoff: Floats
    angle: Floats
    speed: Floats


def measure(error: Floats, tangent: Floats, tilt_error: Floats, speed_error: Floats) -> Measures:
    """Measures from the error (n, 3) to the nearest seam point and the seam's tangent (n, 3) there.

    The error is perpendicular to the tangent, so its part along the surface normal
    (z - (z.t) t) / |z - (z.t) t| is error_z / sqrt(1 - t_z^2).
    """
    squared = np.einsum("ij,ij->i", error, error)
    standoff = np.abs(error[:, 2]) / np.sqrt(1.0 - tangent[:, 2] ** 2)
    cross = np.sqrt(np.maximum(squared - standoff**2, 0.0))
    angle = np.sqrt(np.einsum("ij,ij->i", tilt_error, tilt_error))
    return Measures(np.sqrt(squared), cross, standoff, angle, np.abs(speed_error))


def reward(measures: Measures, change: Floats, figures: Reward) -> Floats:
    """Reward (n,) of one step; `change` (n, actions) is this action minus the last."""
    gain = _ring(measures.distance, figures.position)
    gain += _ring(measures.cross, figures.cross)
    gain += _ring(measures.standoff, figures.standoff)
    gain += _ring(measures.angle, figures.angle)
    gain += _ring(measures.speed, figures.speed)
    gain -= figures.jerk * np.einsum("ij,ij->i", change, change)
    return gain


def within_tolerance(measures: Measures, limits: Success) -> NDArray[np.bool_]:
    """Whether each torch (n,) is within all four tolerances now."""
    good: NDArray[np.bool_] = measures.cross < limits.cross
    good &= measures.standoff < limits.standoff
    good &= measures.angle < limits.angle
    good &= measures.speed < limits.speed
    return good


def channel_scales(task: Task) -> tuple[Floats, Floats]:
    """Physical value of 1 in each observed number and in each action.

    Raises:
        ContractError: The bundle asks for channels that this simulation does not have.
    """
    _compare(task.contract, "observation", OBSERVATION)
    _compare(task.contract, "action", ACTION)
    return (
        np.concatenate([np.full(c.size, c.scale) for c in task.contract.observation]),
        np.concatenate([np.full(c.size, c.scale) for c in task.contract.action]),
    )


def _ring(value: Floats, bell: Bell) -> Floats:
    ring: Floats = bell.weight * np.exp(np.square(value * (1.0 / bell.width)) * -1.0)
    return ring - bell.slope * value if bell.slope else ring


def _compare(contract: Contract, side: str, known: dict[str, int]) -> None:
    asked = {channel.name: channel.size for channel in getattr(contract, side)}
    if list(asked.items()) != list(known.items()):
        raise ContractError(
            f"{side} channels {asked} cannot be simulated.",
            where=f"contract.{side}",
            remedy=f"A weld-seam bundle may change scales only; names and sizes are {known}.",
        )
