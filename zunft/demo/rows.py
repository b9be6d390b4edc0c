"""The demo's tables: who is scored where, and what stands in each row.

Scoring itself is `zunft.demo.scoreboard`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from envs.evaluate import Evaluation
from envs.scripted import controllers
from envs.task import load_task
from envs.workshop import Workshop
from fleet.progress import Progress
from fleet.workers.crew import Crew
from skills.skill import Skill
from zunft.demo.newcomer import Newcomer
from zunft.demo.plan import ROBOTS, DemoPlan
from zunft.demo.report import FleetRow, Score, UnseenRow
from zunft.demo.scoreboard import SCORE_SEED, Cell, measure

__all__ = ["score_all", "tuned_player"]


def tuned_player(robot: str) -> str:
    """A robot as the player of what it tuned."""
    return f"{robot}-tuned"


def score_all(
    plan: DemoPlan,
    crew: Crew,
    skills: Mapping[str, Skill],
    visits: Mapping[Workshop, Evaluation],
    on_progress: Callable[[Progress], None],
) -> tuple[list[FleetRow], list[UnseenRow]]:
    """Both tables' rows.

    Args:
        plan: Of the demo.
        crew: Who scores.
        skills: Each robot's own by its name, what it tuned by `tuned_player`, and the `guild`'s.
        visits: What newcomers reached with the guild's skill.
        on_progress: Told of each score.
    """
    scripted = tuple(controllers(load_task(plan.task)))
    homes, newcomers = plan.homes(), plan.newcomers()
    changed = {robot: plan.changed(home) for robot, home in homes.items()}
    at_home = [Cell(player, shop) for shop in homes.values() for player in (*ROBOTS, "guild", *scripted)]
    at_home += [Cell(tuned_player(robot), home) for robot, home in homes.items()]
    away = [
        Cell(player, shop)
        for newcomer in newcomers
        for shop in newcomer.workshops
        for player in (*ROBOTS, *scripted)
    ]
    away += [Cell(player, shop) for robot in ROBOTS for shop in changed[robot] for player in (robot, "guild")]
    scores: dict[Cell, Evaluation] = {Cell("guild", shop): score for shop, score in visits.items()}
    for cells, episodes in ((at_home, plan.episodes), (away, plan.share)):
        scores |= measure(
            crew, cells, skills, task=plan.task, episodes=episodes, seed=SCORE_SEED, on_progress=on_progress
        )
    fleet = [_fleet_row(scores, robot, homes, changed[robot], scripted) for robot in ROBOTS]
    return fleet, [_unseen_row(scores, newcomer, scripted) for newcomer in newcomers]


def _fleet_row(
    scores: Mapping[Cell, Evaluation],
    robot: str,
    homes: Mapping[str, Workshop],
    changed: list[Workshop],
    scripted: tuple[str, ...],
) -> FleetRow:
    home = homes[robot]

    def of(player: str, *shops: Workshop) -> Score:
        return Score.of(*(scores[Cell(player, shop)] for shop in shops))

    return FleetRow(
        robot=robot,
        embodiment=home.embodiment,
        alone_home=of(robot, home),
        alone_elsewhere=of(robot, *(shop for shop in homes.values() if shop != home)),
        alone_changed=of(robot, *changed),
        guild=of("guild", home),
        guild_changed=of("guild", *changed),
        tuned=of(tuned_player(robot), home),
        scripted={name: of(name, home) for name in scripted},
    )


def _unseen_row(
    scores: Mapping[Cell, Evaluation], newcomer: Newcomer, scripted: tuple[str, ...]
) -> UnseenRow:
    def of(*players: str) -> Score:
        return Score.of(*(scores[Cell(player, shop)] for player in players for shop in newcomer.workshops))

    return UnseenRow(
        embodiment=newcomer.embodiment,
        alone=of(*ROBOTS),
        guild=of("guild"),
        scripted={name: of(name) for name in scripted},
    )
