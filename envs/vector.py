"""Any task in many copies at once, as a Gymnasium vector environment with next-step autoreset.

It compiles a bundle: drive, quantities, reward and senses over one array of numbers; a step is controls,
physics, measure, judge, sense. What each of them does is theirs; physics is `envs.physics`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.changes import JobChanges
from envs.context import CompileContext
from envs.figures import Figures, check_workshop
from envs.frame import Frame
from envs.quantities import Quantities
from envs.reward import Conditions, RewardOf
from envs.senses import LIMIT, Senses
from envs.start import make_cells
from envs.task import Task
from envs.terms.path import LivePath
from envs.twin import Twin
from envs.values import Floats, Indices
from envs.workshop import Workshop
from envs.wrapped import WrappedFile
from envs.wrapped_env import WrappedVectorEnv

__all__ = ["TaskVectorEnv", "make_vector_env"]

Observation = NDArray[np.float32]
Mask = NDArray[np.bool_]
Seed = int | list[int | None] | None


def make_vector_env(
    task: Task, workshop: Workshop, num_envs: int, seed: int | None = None, threads: int = 1
) -> TaskVectorEnv | WrappedVectorEnv:
    """`num_envs` copies of one workshop; same seed and calls, same numbers, whatever the threads."""
    if isinstance(task.file, WrappedFile):
        check_workshop(task.file, workshop)
        return WrappedVectorEnv(task.file, num_envs, seed)
    return TaskVectorEnv(task, workshop, num_envs, seed, threads)


class TaskVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """One workshop's robot on `num_envs` jobs at once.

    The step that ends an episode carries `infos["success"]` (num_envs,) with the mask `_success`;
    the next step resets those copies, ignores their action and gives them reward 0. Of a task that says what
    only the twin knows, all infos carry it as `twin` (num_envs, task.twin_size), of the same moment as the
    observation.

    Raises:
        ContractError: Task, workshop and scene do not fit together.
    """

    def __init__(
        self, task: Task, workshop: Workshop, num_envs: int, seed: int | None = None, threads: int = 1
    ) -> None:
        self.task, self.workshop, self.num_envs = task, workshop, num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_fps": task.contract.control_hz}
        sizes = (task.contract.observation_size, task.contract.action_size)
        self.single_observation_space = Box(-LIMIT, LIMIT, (sizes[0],), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (sizes[1],), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.cells = make_cells(task, workshop, num_envs, threads)
        self.frame, self.quantities = Frame(num_envs), Quantities(num_envs, task.outputs)
        self._figures = Figures(task.bundle, workshop, num_envs)
        self._seed(seed)
        self._compile(sizes[1])

    def _seed(self, seed: Seed) -> None:
        # Jobs, sensor noise and weather have their own generators: a policy that fails early, and so resets
        # early, meets the same noise as one that does not.
        self._jobs, self._noise, self._weather = np.random.default_rng(seed).spawn(3)  # type: ignore[arg-type]

    def _compile(self, actions: int) -> None:
        file, quantities, count = self.task.bundle, self.quantities, self.num_envs
        context = CompileContext(count, self.task.dt, self.cells, self.frame, self._figures, quantities)
        self._changes = JobChanges(file, self._figures, self.cells)
        self._drive = file.control.compile(context, file.action)
        self.terms = {name: term.compile(name, context) for name, term in file.quantities.items()}
        self._senses, self._reward = (
            Senses(file, quantities, self._figures),
            RewardOf(file.reward, quantities),
        )
        self._twin = Twin(file, quantities, self._figures)
        self._good_step, self._good_end = (
            Conditions(file.success.steps, quantities),
            Conditions(file.success.end, quantities),
        )
        self._failure = Conditions(file.failure, quantities)
        self._last, self._change = quantities.view("action.last"), quantities.view("action.change")
        self._before, self._left = quantities.view("action.before"), quantities.view("clock.left")[:, 0]
        self._actions = np.zeros((count, actions))
        self._steps, self._good = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._over = np.zeros(count, np.bool_)
        counted = self.task.horizon - file.success.grace
        self._needed = file.success.share * counted if file.success.steps else 0.0

    def reset(
        self,
        *,
        seed: Seed = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new job in every copy; a seed makes this and all that follows repeatable."""
        if seed is not None:
            self._seed(seed)
        everybody = np.arange(self.num_envs)
        self._start(everybody)
        self._over[:] = False
        self._measure()
        return self._sense(everybody), {**self._twin.infos()}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Move all copies by one control step; see the class for the ends of episodes."""
        controls = self._controls(actions)
        fresh = self._physics(controls)
        self._measure()
        gained, failed, ended, infos = self._judge(fresh)
        return self._sense(fresh), gained, failed, ended, infos | self._twin.infos()

    @property
    def horizon(self) -> int:
        """Control steps of an episode that does not fail."""
        return self.task.horizon

    @property
    def twin_size(self) -> int:
        """Numbers that only the twin knows, of `infos["twin"]`."""
        return self.task.twin_size

    def figures(self) -> dict[str, Floats]:
        """What the robot and its jobs are like, (copies, components): for studies, not for policies."""
        return self._figures.now()

    def paths_in_home_frame(self, copy: int) -> list[Floats]:
        """Points (rows, 3) of one copy's paths, m from the tool's home: for pictures, not for policies."""
        paths = [term for term in self.terms.values() if isinstance(term, LivePath)]
        return [self.frame.points_in_home(copy, path.trace(copy)) for path in paths]

    def _controls(self, actions: NDArray[np.float32]) -> Floats:
        action = np.clip(np.asarray(actions, dtype=np.float64), -1.0, 1.0)
        self._before[:] = self._last
        self._last[:] = action
        np.subtract(action, self._before, out=self._change)
        return self._drive.controls(action, self._weather)

    def _physics(self, controls: Floats) -> Indices:
        """Step, and begin new jobs where an episode was over: in which copies."""
        self.cells.move(controls)
        self._steps += 1
        fresh = np.flatnonzero(self._over)
        if len(fresh):
            self._start(fresh)
        return fresh

    def _measure(self) -> None:
        np.subtract(1.0, self._steps / self.task.horizon, out=self._left)
        self._drive.update()
        for term in self.terms.values():
            term.update()

    def _judge(self, fresh: Indices) -> tuple[Floats, Mask, Mask, dict[str, Any]]:
        gained = self._reward.now()
        gained[fresh] = 0.0
        self._good += self._good_step.all_hold() & (self._steps > self.task.bundle.success.grace)
        failed = self._failure.any_holds()
        failed[fresh] = False
        ended = (self._steps >= self.task.horizon) & ~failed
        np.logical_or(failed, ended, out=self._over)
        if not self._over.any():
            return gained, failed, ended, {}
        success = self._over & ~failed & (self._good >= self._needed) & self._good_end.all_hold()
        return gained, failed, ended, {"success": success, "_success": self._over.copy()}

    def _sense(self, fresh: Indices) -> Observation:
        if len(fresh):
            self._senses.forget(fresh)
        return self._senses.read(self._noise)

    def _start(self, copies: Indices) -> None:
        """New jobs for these copies: the robot at rest, the work near its tool."""
        random, frame, figures = self._jobs, self.frame, self._figures
        self.cells.reset(copies, random)
        figures.draw(copies, random)
        self._changes.start(copies)
        if "heading" in figures:
            frame.turn_to(copies, figures.of("heading")[copies, 0])
        frame.origin[copies] = frame.into_job(self.cells.pose)[copies, :3]
        if "offset" in figures:
            frame.origin[copies] += figures.of("offset")[copies]
        self.cells.place_work(copies, frame)
        self._drive.start(copies, random)
        for term in self.terms.values():
            term.start(copies, random)
        for quantity in (self._last, self._before, self._change):
            quantity[copies] = 0.0
        self._steps[copies] = 0
        self._good[copies] = 0
