"""What a job tells of an arm: friction and viscosity of each joint, payload and lag, beyond its nominal twin.

One least-squares fit a job, linear in what is sought as in the identification of manipulators (Khalil and
Dombre 2002, chapter 12): residual effort = friction * sign(velocity) + viscosity * velocity + payload *
effort of one kg. Which figures are unusual is left to `fleet.health.watch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from envs.nominal import NominalArm
from fleet.runtime.robot import Joints

__all__ = ["LEAST", "Trace", "figure_names", "figures_of"]

Floats = NDArray[np.float64]

LEAST = 40
"""Periods of a job that says anything."""
STARTING = 3
"""First periods, in which all starts from rest, that are left out."""
SLOW = 0.005
"""rad/s: below, friction has no direction yet."""
LAGS = 6
"""Lags of which the mean is the lag: 0 to 5 periods."""
RIDGE = 1e-2


@dataclass
class Trace:
    """What was sensed and sent in a job, by period: one more is sensed than is sent.

    Attributes:
        times: Seconds.
    """

    times: list[float] = field(default_factory=list)
    joints: list[Joints] = field(default_factory=list)
    sent: list[Floats] = field(default_factory=list)


def figure_names(joints: int) -> tuple[str, ...]:
    """What `figures_of` finds, in its order; joints count from 1, as the arm's file numbers them."""
    numbers = range(1, joints + 1)
    return (
        *(f"friction-{number}" for number in numbers),
        *(f"viscosity-{number}" for number in numbers),
        "payload",
        "lag",
    )


def figures_of(trace: Trace, arm: NominalArm) -> Floats | None:
    """Figures (2 joints + 2,) in N m, N m s/rad, kg and periods; None: the job says too little."""
    count = min(len(trace.sent), len(trace.joints) - 1)
    if count < LEAST or any(each.positions.shape != (arm.joints,) for each in trace.joints):
        return None
    positions, velocities, efforts = (
        _stacked([getattr(each, name) for each in trace.joints[: count + 1]])
        for name in ("positions", "velocities", "efforts")
    )
    seconds = np.diff(trace.times[: count + 1])
    kept = np.abs(seconds / arm.period - 1) < 0.5  # a period that was left out is none
    kept[:STARTING] = False
    if kept.sum() < LEAST - STARTING:
        return None
    middle = (velocities[1:] + velocities[:-1]) / 2
    change = np.diff(velocities, axis=0) / arm.period
    nominal, heavier = arm.efforts((positions[1:] + positions[:-1])[kept] / 2, middle[kept], change[kept])
    fitted = _fit(efforts[1:][kept] - nominal, middle[kept], heavier)
    found = np.append(fitted, _lag(efforts[1:], middle, _stacked(trace.sent[:count])))
    return found if np.isfinite(found).all() else None


def _fit(residual: Floats, velocities: Floats, heavier: Floats) -> Floats:
    """Friction and viscosity of each joint, and payload: all joints in one fit, as payload is of all."""
    steps, joints = residual.shape
    columns = np.zeros((2 * joints + 1, steps, joints))
    for joint in range(joints):
        columns[joint, :, joint] = np.tanh(velocities[:, joint] / SLOW)
        columns[joints + joint, :, joint] = velocities[:, joint]
    columns[-1] = heavier
    matrix = columns.reshape(len(columns), -1).T
    square = matrix.T @ matrix + 1e-3 * np.eye(len(columns))  # a joint that stood still has neither
    return np.asarray(np.linalg.solve(square, matrix.T @ residual.ravel()), np.float64)


def _lag(efforts: Floats, velocities: Floats, sent: Floats) -> float:
    """Periods from what was sent to where efforts change: the mean over lags, each by its part in a fit.

    Efforts also change as the arm moves, so its velocities are taken out first.
    """
    count, first = len(sent), LAGS - 1
    motion = np.column_stack(
        [np.diff(velocities, axis=0), velocities[1:], velocities[:-1], np.ones(count - 1)]
    )
    late = np.hstack(
        [np.vstack([np.zeros((lag, sent.shape[1])), sent[: count - lag]])[1:] for lag in range(LAGS)]
    )
    base, _ = np.linalg.qr(motion[first:])
    change, late = np.diff(efforts, axis=0)[first:], late[first:]
    change, late = change - base @ (base.T @ change), late - base @ (base.T @ late)
    size = RIDGE * len(late) * max(float(late.var()), 1e-12)
    fitted = np.linalg.solve(late.T @ late + size * np.eye(late.shape[1]), late.T @ change)
    parts = (fitted.reshape(LAGS, -1) ** 2).sum(axis=1)
    return float(parts @ np.arange(LAGS) / max(parts.sum(), 1e-30))


def _stacked(rows: Sequence[NDArray[np.float64]]) -> Floats:
    return np.asarray(rows, dtype=np.float64)
