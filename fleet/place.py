"""What the agent asks of the place where its robot practises, and how that may end before it is done.

`fleet.twin` has the two places in which something can be tried; `fleet.light` stands for none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from skills.container import Tensors
from skills.delta import Delta
from skills.errors import ZunftError
from skills.manifest import Contract
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.skill import Skill

__all__ = ["Iteration", "Place", "RobotError", "StoppedError", "Work"]


class StoppedError(Exception):
    """The robot is to end: what it was doing is left as it is."""


class RobotError(ZunftError):
    """The robot's own environment failed: that says nothing about round or skill, and may pass."""

    code = "robot_failed"


class Iteration(Protocol):
    """What the robot hears of one iteration of its training."""

    @property
    def steps(self) -> int:
        """Environment steps."""

    @property
    def success_rate(self) -> float | None:
        """Share of successful episodes."""

    @property
    def learning(self) -> dict[str, float]:
        """Figures of the learning, by name."""


class Work(Protocol):
    """What came of a round's work."""

    @property
    def delta(self) -> Delta:
        """For the hub."""

    @property
    def private(self) -> Tensors:
        """What the robot keeps for the campaign's next round, and nobody else gets."""


class Place(Protocol):
    """Where a robot practises and tries skills: its own environment, or its simulated twin.

    All methods raise RobotError where the environment fails, and StoppedError where the robot is to end.
    """

    contract: Contract
    task_digest: str | None
    trains: bool
    """Whether it can practise and try versions here; `fleet.light` cannot."""
    has_twin: bool

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        private: Tensors,
        on_iteration: Callable[[Iteration], None],
    ) -> Work:
        """Train for a round, with what the robot kept of the last; what `on_iteration` raises ends it."""

    def tune(
        self, guild: Skill, iterations: int, rate: float, on_iteration: Callable[[Iteration], None]
    ) -> Tensors:
        """The network's weights after training for this place alone; rounds know nothing of it."""

    def lacks_master(self, plan: TrainingPlan) -> bool:
        """Whether the plan wants robots to train a master before its lessons, and this one has none."""

    def train_master(
        self, base: Skill, plan: TrainingPlan, on_iteration: Callable[[Iteration], None]
    ) -> None:
        """Train this place's master from a round's base, as long as the plan says, and keep it.

        From the base, not from a new network: so masters who began as one are more alike in how they work,
        which is easier to learn from all at once. Where training made it worse here, the base is the master.
        """

    def try_version(self, skill: Skill) -> float | None:
        """Share of episodes in the simulated twin in which a version succeeds; None: there is no twin.

        Never on the robot itself: nobody watches.
        """

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """Share of episodes in which the skill succeeds.

        Args:
            skill: What is tried.
            episodes: How many; None: as many as a new version is tried in.
            draw: Which ones: the same for every skill, others for each draw.
        """
