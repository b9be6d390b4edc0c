"""Score many policies in many workshops at once, on fixed seeds, by a crew of workers.

How one policy is scored is `envs.evaluate`; which comparisons make the demo's table is `zunft.demo.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.evaluate import Evaluation, evaluate
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import Workshop
from fleet.progress import Progress
from fleet.workers.crew import Crew, Line
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["SCORE_SEED", "Cell", "episodes_seed", "measure"]

SCORE_SEED = 90_000  # apart from the gate's and the twins', so that nobody was chosen on these episodes


@dataclass(frozen=True)
class Cell:
    """One player in one workshop; `player` is a key of the skills or one of the task's controllers."""

    player: str
    workshop: Workshop


def measure(
    crew: Crew,
    cells: Sequence[Cell],
    skills: Mapping[str, Skill],
    *,
    task: str,
    episodes: int,
    seed: int,
    on_progress: Callable[[Progress], None],
) -> dict[Cell, Evaluation]:
    """Score every cell; all players of a workshop face the same episodes, see `episodes_seed`."""
    files = {player: skill.to_bytes() for player, skill in skills.items()}
    results = crew.run(
        _score,
        [
            (cell, files.get(cell.player), task, episodes, episodes_seed(cell.workshop, seed))
            for cell in cells
        ],
        labels=[f"{cell.player} in {cell.workshop.name}" for cell in cells],
        on_progress=on_progress,
    )
    return dict(zip(cells, results, strict=True))


def episodes_seed(workshop: Workshop, seed: int) -> int:
    """A seed for each workshop: with one for all, the same unlucky job would count in each of them."""
    return int(np.random.SeedSequence([seed, *workshop.name.encode()]).generate_state(1)[0])


def _score(
    line: Line, cell: Cell, file: bytes | None, task_name: str, episodes: int, seed: int
) -> Evaluation:
    task = load_task(task_name)
    if file is None:
        result = evaluate(controller(cell.player, task), task, cell.workshop, episodes, seed)
    else:
        result = evaluate(Policy(Skill.from_bytes(file)), task, cell.workshop, episodes, seed)
    line.report(Progress(cell.player, "scored", success=result.score, text=cell.workshop.name))
    return result
