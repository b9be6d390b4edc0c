"""What a simulated arm is like inside: warm or cold by the job, torque sensors with noise, and worn.

Wear: friction in its joints, play in its gears, a tool that is not where it was, commands that come late. The
play is of the whole arm, as its drive pulls the tool; gears of single joints are not simulated. When wear is
due is `fleet.cell.faults`'; what a robot makes of it is `fleet.health`'s.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.single import TaskEnv
from envs.vector import TaskVectorEnv

__all__ = ["NEW", "NOISE", "WARMTH", "Machine", "MachineEnv", "Wear"]

Floats = NDArray[np.float64]

NOISE = 0.2
"""N m, of each effort that is sensed, one standard deviation: of a mean over a period, not of one sample."""
WARMTH = 0.1
"""By how much all friction differs from job to job, as the oil is warm or cold; log-normal."""


@dataclass(frozen=True)
class Wear:
    """How worn a machine is.

    Attributes:
        friction: N m more in each joint, or in one; a number, or one for each copy of the cell.
        joint: Which one, from 0.
        backlash: Play of the target, m.
        drift: By how much the tool is aside of where it seems, m, along each axis.
        delay: Periods by which commands come later.
    """

    friction: float | Floats = 0.0
    joint: int | None = None
    backlash: float = 0.0
    drift: float = 0.0
    delay: int = 0


NEW = Wear()


class Machine:
    """The insides of one arm, in all copies of its cell.

    Args:
        vector: The cell; stepped by who has it.
        random: Of warmth and noise.
        noise: See `NOISE`.
        warmth: See `WARMTH`.
    """

    def __init__(
        self,
        vector: TaskVectorEnv,
        random: np.random.Generator,
        *,
        noise: float = NOISE,
        warmth: float = WARMTH,
    ) -> None:
        self._vector, self._random, self._noise, self._warmth = vector, random, noise, warmth
        self._late: deque[NDArray[np.float32]] = deque()
        channels = vector.task.bundle.observation
        contract = vector.task.contract.observation
        aside = [
            np.full(each.size, 1 / channel.scale if channel.offset else 0.0)
            for channel, each in zip(channels, contract, strict=True)
        ]
        self._aside = np.concatenate(aside).astype(np.float32)
        self.wear = NEW

    def begin(self) -> None:
        """New jobs are about to begin."""
        count, joints = self._vector.cells.joint_velocities().shape
        friction = np.zeros((count, joints))
        which = slice(None) if self.wear.joint is None else slice(self.wear.joint, self.wear.joint + 1)
        friction[:, which] = np.reshape(self.wear.friction, (-1, 1))
        warmth = np.exp(self._random.normal(0.0, self._warmth, (count, 1)))
        self._vector.cells.play = self.wear.backlash
        self._vector.cells.wear_joints(friction, warmth)
        self._late.clear()

    def acted(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the machine makes of actions (count, outputs): those of `delay` periods ago."""
        self._late.append(np.array(actions))
        while len(self._late) > self.wear.delay + 1:
            self._late.popleft()
        return self._late[0] if len(self._late) > self.wear.delay else np.zeros_like(actions)

    def sensed(self, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Observations (count, inputs), with the tool aside."""
        return numbers + self._aside * np.float32(self.wear.drift) if self.wear.drift else numbers

    def joints(self) -> Floats:
        """Positions, velocities, efforts (3, count, joints) as they are sensed."""
        cells = self._vector.cells
        effort = cells.joint_efforts()
        noisy = effort + self._random.normal(0.0, self._noise, effort.shape)
        return np.stack([cells.joint_positions(), cells.joint_velocities(), noisy])


class MachineEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """One job at a time with such a machine."""

    def __init__(self, env: TaskEnv, random: np.random.Generator) -> None:
        super().__init__(env)
        self.is_arm = not env.vector.task.bundle.control.floating
        self.machine = Machine(env.vector, random, warmth=0.0)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin a job with the wear that there is now."""
        if self.is_arm:
            self.machine.begin()
        numbers, info = self.env.reset(**options)
        return self.machine.sensed(numbers[None])[0], info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Move by one control step."""
        numbers, gained, failed, ended, info = self.env.step(self.machine.acted(np.asarray(action)[None])[0])
        return self.machine.sensed(numbers[None])[0], gained, failed, ended, info

    def joints(self) -> Floats | None:
        """See `envs.single.TaskEnv.joints`."""
        return self.machine.joints()[:, 0] if self.is_arm else None
