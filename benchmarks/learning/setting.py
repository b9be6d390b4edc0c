"""What is held equal when methods are compared: the task, the workshops, the steps and the knobs.

Each seed has workshops of its own. How a method learns is left to `benchmarks.learning.methods`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from envs.changed import changed_workshop
from envs.task import Task, load_task
from envs.workshop import Workshop, fresh_workshop
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["Places", "Setting"]

HOMES, UNSEEN, CHANGED, LOOKS = 31_000, 47_000, 59_000, 83_000
"""Seeds of workshops, apart from those of gates, boards, demos and trials, and from each other."""
APART = 500


@dataclass(frozen=True)
class Places:
    """Workshops by what they are to the robots that train."""

    homes: tuple[Workshop, ...]
    changed: tuple[Workshop, ...]
    unseen: tuple[Workshop, ...]


@dataclass(frozen=True)
class Setting:
    """One comparison at one seed.

    Attributes:
        task: Its name.
        seed: Of workshops, networks and training.
        robots: That train.
        rounds: Of a campaign; alone and pooled learn as many iterations.
        training: Of the campaign.
        merge: Of the campaign.
        network: Kind and sizes; None for what the task advises.
        unseen: Workshops to score in that nobody trained in.
        episodes: In each workshop that is scored.
    """

    task: str
    seed: int
    robots: int
    rounds: int
    training: TrainingPlan
    merge: MergePlan
    network: dict[str, object] | None = None
    unseen: int = 32
    episodes: int = 32

    def loaded(self) -> Task:
        """The task."""
        return load_task(self.task)

    def places(self) -> Places:
        """The seed's own workshops; robots take turns among the task's embodiments."""
        file, homes = self.loaded().file, self._drawn(HOMES, self.robots)
        seeds = range(CHANGED + APART * self.seed, CHANGED + APART * (self.seed + 1))
        changed = (changed_workshop(file, home, seed) for home, seed in zip(homes, seeds, strict=False))
        return Places(homes, tuple(changed), self._drawn(UNSEEN, self.unseen))

    def looks(self) -> tuple[Workshop, ...]:
        """Workshops that say when a campaign may end, and are of no other use."""
        return self._drawn(LOOKS, self.unseen)

    def _drawn(self, begin: int, count: int) -> tuple[Workshop, ...]:
        file = self.loaded().file
        arms, first = file.embodiments, begin + APART * self.seed
        return tuple(
            fresh_workshop(file, arms[number % len(arms)], first + number) for number in range(count)
        )

    def quick(self) -> Setting:
        """A few minutes' worth: it shows that all runs, not what learning is worth."""
        return replace(self, robots=min(self.robots, 2), rounds=3, unseen=4, episodes=8)
