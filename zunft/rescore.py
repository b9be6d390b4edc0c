"""A score measured again on this machine, and held to the digits that a hub shows."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict

from envs.evaluate import pool
from envs.task import Task
from hub.workers.scoring import made_with, score_skill, score_view
from skills.attestations import attest
from skills.errors import ContractError
from skills.messages.leaderboards import BOARD, BoardEntry, BoardPlan, Draw, Leaderboard
from skills.messages.skills import ScoreView
from skills.predicates import Figures, Score
from skills.signing import SigningKey
from skills.skill import Skill

__all__ = ["Repeated", "measure_again"]


class Repeated(BaseModel):
    """What was measured here.

    Attributes:
        hub: The hub's score; None where no hub was asked, or it has none of this version.
        same: Whether all digits of all scores are equal; None where there is nothing to compare.
    """

    model_config = ConfigDict(frozen=True)

    skill: str
    version: int
    digest: str
    task: str
    task_digest: str
    plan: BoardPlan
    seeds: tuple[Draw, ...]
    score: ScoreView
    by_embodiment: dict[str, ScoreView]
    made_with: str
    hub: BoardEntry | None = None
    same: bool | None = None

    def attested(self, key: SigningKey, by: str) -> bytes:
        """The same as a signed statement, as whoever is `by` at the hub."""
        said = Score(
            by=by,
            task=self.task,
            task_digest=self.task_digest,
            plan=self.plan,
            score=Figures.of(self.score),
            by_embodiment={arm: Figures.of(each) for arm, each in self.by_embodiment.items()},
            made_with=self.made_with,
            code=version("zunft"),
        )
        return attest(key, f"{self.skill}@{self.version}", self.digest, said)


def measure_again(
    skill: Skill,
    task: Task,
    board: Leaderboard | None,
    *,
    recorded: bool = False,
    tell: Callable[[int], None] = lambda _episodes: None,
) -> tuple[Repeated, bytes | None]:
    """Score as a hub does; the result, and the replay where one is wanted.

    Args:
        skill: The version.
        task: As it is on this machine.
        board: Of the hub, with its scores of this skill; None measures by the plan of this Zunft.
        recorded: Whether to make a replay.
        tell: Told how many episodes have come to their end.

    Raises:
        ContractError: The hub has another task of that name, or the skill does not fit it.
    """
    if board is not None and board.task_digest != task.digest:
        raise ContractError(
            f"the hub's task {task.name} is {board.task_digest}, that of this machine {task.digest}.",
            where="task",
            remedy="Install the hub's version of Zunft, or fetch the task from it; then measure again.",
        )
    plan = BOARD if board is None else board.plan
    seeds = plan.draws() if board is None else board.seeds
    found = score_skill(skill, task, seeds, recorded=recorded, tell=tell)
    entries = [] if board is None else [each for each in board.entries if each.digest == skill.digest]
    entry = entries[0] if entries else None
    scores = {robot: score_view(each) for robot, each in found.by_embodiment.items()}
    overall = score_view(pool(found.by_embodiment.values()))
    same = None if entry is None else (overall, scores) == (entry.score, entry.by_embodiment)
    result = Repeated(
        skill=skill.manifest.name,
        version=skill.manifest.version,
        digest=skill.digest,
        task=task.name,
        task_digest=task.digest,
        plan=plan,
        seeds=seeds,
        score=overall,
        by_embodiment=scores,
        made_with=made_with(),
        hub=entry,
        same=same,
    )
    return result, found.replay
