"""Controllers written by hand, on the policy's own observation: the proof that a task can be done.

They are also the honest yardstick beside every learned skill.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from envs.task import Task

__all__ = ["Scripted", "controller"]

Floats = NDArray[np.float64]
Gains = dict[str, float]

GAINS: dict[str, Gains] = {
    "p": {"ahead": 0, "error": 8.0, "damping": 0.0, "tilt": 4.0, "speed": 0.0},
    "pd-look-ahead": {"ahead": 2, "error": 9.0, "damping": 0.7, "tilt": 4.0, "speed": 0.75},
}
"""Per controller: look-ahead point (0 the nearest), 1/s on error and tilt, share of the speed error."""


class Scripted:
    """Feed along the seam's direction, plus gains on what is observed; stateless."""

    def __init__(self, task: Task, gains: Gains) -> None:
        channels, begin = {}, 0
        for channel in task.contract.observation:
            channels[channel.name] = (slice(begin, begin + channel.size), channel.scale)
            begin += channel.size
        self._channels, self._gains = channels, gains
        self._action_scale = np.concatenate([np.full(c.size, c.scale) for c in task.contract.action])

    def act(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Action for one observation (size,) or many (n, size), each number in [-1, 1]."""
        seen = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        gains, feed = self._gains, self._read(seen, "feed")
        ahead = int(gains["ahead"])
        directions = self._read(seen, "ahead")
        here = self._read(seen, "tangent")
        towards = directions[:, 3 * ahead - 3 : 3 * ahead] if ahead else here
        wanted = feed * towards * (1.0 - gains["speed"] * self._read(seen, "speed_error"))
        wanted = wanted + gains["error"] * self._read(seen, "error")
        velocity = self._read(seen, "velocity")
        wanted = wanted + gains["damping"] * (feed * here - velocity)
        wanted[:, :1] -= feed
        tilt = gains["tilt"] * self._read(seen, "tilt_error")
        action = np.clip(np.concatenate([wanted, tilt], axis=1) / self._action_scale, -1, 1)
        answer: NDArray[np.float32] = action.astype(np.float32)
        return answer.reshape(*np.shape(observation)[:-1], -1)

    def _read(self, seen: Floats, name: str) -> Floats:
        part, scale = self._channels[name]
        physical: Floats = seen[:, part] * scale
        return physical


def controller(name: Literal["p", "pd-look-ahead"], task: Task) -> Scripted:
    """Build a controller of that name.

    `p` corrects position and tilt in proportion to what is under the torch; `pd-look-ahead` steers by
    the seam 80 ms ahead, damps by the velocity and regulates the travel speed.
    """
    return Scripted(task, GAINS[name])
