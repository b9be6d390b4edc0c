"""The demo's result: as data, as a table for the terminal. Measuring is `zunft.demo.scoreboard`."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich import box
from rich.console import Console
from rich.table import Table

from envs.evaluate import Evaluation, pool

__all__ = [
    "FleetRow",
    "Report",
    "Score",
    "UnseenRow",
    "mean_score",
    "print_report",
    "scripted_columns",
    "write_report",
]

LONG = 10
"""Characters of a word that a column of seven may have in one line."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Score(_Row):
    """Success rate over `episodes`, with its Wilson 95 % interval."""

    score: float
    low: float
    high: float
    episodes: int

    @classmethod
    def of(cls, *evaluations: Evaluation) -> Score:
        """Evaluations of one player, pooled."""
        pooled = pool(evaluations)
        return cls(score=pooled.score, low=pooled.low, high=pooled.high, episodes=pooled.episodes)


class FleetRow(_Row):
    """A robot that trained: its policy alone, the guild's skill, that tuned at home, and controllers.

    `..._changed` is home after its peculiarities were drawn anew.
    """

    robot: str
    embodiment: str
    alone_home: Score
    alone_elsewhere: Score
    alone_changed: Score
    guild: Score
    guild_changed: Score
    tuned: Score
    scripted: dict[str, Score]


class UnseenRow(_Row):
    """A robot that never trained, in workshops that nobody trained in; `alone` pools the lone policies."""

    embodiment: str
    alone: Score
    guild: Score
    scripted: dict[str, Score]


class Report(_Row):
    """Everything that `zunft demo --json` writes.

    Attributes:
        scripted: In the rows: the controllers that the task brings, by name, the best last.
        told: Those of them that no robot could have: they are told what none observes. They come behind.
        master_steps: Of each robot alone, where the lone policies are masters who taught.
        guild_by_round: Success of each round's candidate at the gate, in order.
        published_by_round: Whether that candidate was published.
    """

    task: str
    seed: int
    fleet: list[FleetRow]
    unseen: list[UnseenRow]
    told: tuple[str, ...] = ()
    rounds: int
    seconds: float
    steps_per_robot: int
    master_steps: int = 0
    bytes_sent_per_robot: int
    bytes_received_per_robot: int
    hub_peak_mb: float
    guild_by_round: list[float]
    published_by_round: list[bool]


def mean_score(scores: list[Score]) -> float:
    """Mean over rows, each row the same weight."""
    return sum(score.score for score in scores) / len(scores)


def write_report(report: Report, path: Path) -> None:
    """Write the JSON that scripts read."""
    path.write_text(json.dumps(report.model_dump(), indent=2) + "\n")


def print_report(report: Report, console: Console) -> None:
    """Print both tables and the figures of the run."""
    console.print(_fleet_table(report))
    console.print(_unseen_table(report))
    sent, received = report.bytes_sent_per_robot / 1e6, report.bytes_received_per_robot / 1e6
    console.print(
        f"{report.rounds} rounds, {report.steps_per_robot:,} steps a robot{_masters(report)}, "
        f"{report.seconds:.0f} s in all. "
        f"A robot sent {sent:.2f} MB and received {received:.2f} MB. "
        f"The hub's memory and its worker's peaked at {report.hub_peak_mb:.0f} MB."
    )
    console.print(_reading(report))


def _masters(report: Report) -> str:
    """Where masters taught, they are the lone policies of the tables."""
    return f" after {report.master_steps:,} alone for its master" if report.master_steps else ""


def _fleet_table(report: Report) -> Table:
    rows = report.fleet
    columns = {
        "alone at home": [row.alone_home for row in rows],
        "alone elsewhere": [row.alone_elsewhere for row in rows],
        "guild at home": [row.guild for row in rows],
        "guild, tuned": [row.tuned for row in rows],
        **{_broken(name): scores for name, scores in scripted_columns(rows, report.told).items()},
    }
    labels = [f"{row.robot}\n{row.embodiment}" for row in rows]
    return _table("Success of the robots that trained (Wilson 95 % interval)", "robot", labels, columns)


def _unseen_table(report: Report) -> Table:
    rows = report.unseen
    columns = {
        "alone policies": [row.alone for row in rows],
        "guild": [row.guild for row in rows],
        **scripted_columns(rows, report.told),
    }
    title = "Robots that never trained, in workshops that nobody trained in"
    return _table(title, "robot", [row.embodiment for row in rows], columns)


def scripted_columns(rows: Sequence[FleetRow | UnseenRow], told: Collection[str]) -> dict[str, list[Score]]:
    """The scores of each controller of the task, one column a controller."""
    return {
        f"{name} (told)" if name in told else f"scripted {name}": [row.scripted[name] for row in rows]
        for name in rows[0].scripted
    }


def _table(title: str, first: str, labels: list[str], columns: dict[str, list[Score]]) -> Table:
    # Seven columns in 80 characters leave no room for lines between them.
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    for label, scores in zip(labels, zip(*columns.values(), strict=True), strict=True):
        table.add_row(label, *map(_cell, scores))
    table.add_section()
    table.add_row("mean", *(f"[bold]{mean_score(scores):.2f}[/]" for scores in columns.values()))
    return table


def _broken(head: str) -> str:
    """A head whose long words may be broken at their hyphens: the table has to fit into 80 characters."""
    return " ".join(word.replace("-", "-\n", 1) if len(word) > LONG else word for word in head.split())


def _cell(score: Score) -> str:
    return f"{score.score:.2f}\n[dim]{score.low:.2f}-{score.high:.2f}[/]"


def _reading(report: Report) -> str:
    guild = mean_score([row.guild for row in report.fleet])
    tuned = mean_score([row.tuned for row in report.fleet])
    home = mean_score([row.alone_home for row in report.fleet])
    elsewhere = mean_score([row.alone_elsewhere for row in report.fleet])
    changed = mean_score([row.alone_changed for row in report.fleet])
    guild_changed = mean_score([row.guild_changed for row in report.fleet])
    unseen_guild = mean_score([row.guild for row in report.unseen])
    unseen_alone = mean_score([row.alone for row in report.unseen])
    return (
        f"The guild's skill: {guild:.2f} in the fleet's own workshops, {guild - elsewhere:+.2f} against lone "
        f"policies away from home; {unseen_guild:.2f} on robots that never trained, "
        f"{unseen_guild - unseen_alone:+.2f} against lone policies.\n"
        f"For comparison: at home a specialist reaches {home:.2f} (guild {guild - home:+.2f}, tuned there "
        f"{tuned - home:+.2f})"
        f"{_against_the_best(report, unseen_guild)}.\n"
        f"Once a home has changed, with other payload, sensors and friction: a specialist {changed:.2f} "
        f"there at once, the guild's skill {guild_changed:.2f}."
    )


def _against_the_best(report: Report, guild: float) -> str:
    """What the best controller that a robot could have reaches; nothing where the task brings none."""
    names = [name for name in report.unseen[0].scripted if name not in report.told]
    if not names:
        return "; the task brings no controller to compare with"
    name = names[-1]
    best = mean_score([row.scripted[name] for row in report.unseen])
    return (
        f", and on robots that never trained the task's best controller, {name}, {best:.2f} "
        f"(guild {guild - best:+.2f})"
    )
