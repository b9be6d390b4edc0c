"""Success of skills and controllers in the workshops of a setting, on all workers of a crew.

Which workshops there are is `benchmarks.learning.setting`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.learning.campaign import run_all
from benchmarks.learning.setting import Setting
from envs.evaluate import evaluate_many
from envs.scripted import controller
from envs.workshop import Workshop
from fleet.workers.crew import Crew, Line
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["mean_success", "scores"]

SCORE_SEED = 71_000


def scores(crew: Crew, players: Sequence[Skill | str], setting: Setting) -> dict[str, tuple[float, ...]]:
    """Success by place: of one player for all robots, or of one a robot; a word is a controller's name.

    A robot's own skill is scored elsewhere in two other homes, and unseen in every workshop that is its turn.
    """
    places, count = setting.places(), len(players)
    homes = list(enumerate(places.homes))
    wanted: dict[str, list[tuple[int, Workshop]]] = {
        "home": homes,
        "changed": list(enumerate(places.changed)),
        "elsewhere": [
            (n, places.homes[(n + step) % len(homes)])
            for n, _ in homes
            for step in (1, 2)
            if len(homes) > step
        ],
        "unseen": list(enumerate(places.unseen)),
    }
    jobs = [(players[n % count], setting, shop) for pairs in wanted.values() for n, shop in pairs]
    found = iter(run_all(crew, _score, jobs))
    return {place: tuple(next(found) for _ in pairs) for place, pairs in wanted.items()}


def mean_success(crew: Crew, player: Skill, setting: Setting, shops: Sequence[Workshop]) -> float:
    """Mean over several workshops."""
    found: list[float] = run_all(crew, _score, [(player, setting, shop) for shop in shops])
    return sum(found) / len(found)


def _score(_: Line, player: Skill | str, setting: Setting, shop: Workshop) -> float:
    task = setting.loaded()
    one = Policy(player) if isinstance(player, Skill) else controller(player, task)
    [found] = evaluate_many(one, task, [shop], setting.episodes, SCORE_SEED)
    return found.score
