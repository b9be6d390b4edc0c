"""The demo's result: as data, as a table for the terminal. Measuring is `zunft.scoreboard`."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from envs.evaluate import Evaluation, pool

__all__ = ["FleetRow", "Report", "Score", "UnseenRow", "mean_score", "print_report", "write_report"]


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
    """A robot that trained: its policy alone, the guild's skill, and two scripted controllers."""

    robot: str
    embodiment: str
    alone_home: Score
    alone_elsewhere: Score
    guild: Score
    scripted: Score
    scripted_p: Score


class UnseenRow(_Row):
    """An arm that never trained, in workshops that nobody trained in; `alone` pools the lone policies."""

    embodiment: str
    alone: Score
    guild: Score
    scripted: Score
    scripted_p: Score


class Report(_Row):
    """Everything that `zunft demo --json` writes.

    Attributes:
        scripted: In the rows: proportional-derivative control with 80 ms look-ahead. `scripted_p` is plain P.
        guild_by_round: Success of each round's candidate at the gate, in order.
        published_by_round: Whether that candidate was published.
    """

    task: str
    seed: int
    fleet: list[FleetRow]
    unseen: list[UnseenRow]
    rounds: int
    seconds: float
    steps_per_robot: int
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
    console.print(_fleet_table(report.fleet))
    console.print(_unseen_table(report.unseen))
    sent, received = report.bytes_sent_per_robot / 1e6, report.bytes_received_per_robot / 1e6
    console.print(
        f"{report.rounds} rounds, {report.steps_per_robot:,} steps a robot, {report.seconds:.0f} s in all. "
        f"A robot sent {sent:.2f} MB and received {received:.2f} MB. "
        f"The hub's memory and its worker's peaked at {report.hub_peak_mb:.0f} MB."
    )
    console.print(_reading(report))


def _fleet_table(rows: list[FleetRow]) -> Table:
    table = Table(title="Success of the four arms that trained (Wilson 95 % interval)")
    for column in (
        "robot",
        "alone at home",
        "alone elsewhere",
        "guild at home",
        "scripted P",
        "PD + look-ahead",
    ):
        table.add_column(column, justify="left" if column == "robot" else "right")
    for row in rows:
        scores = (row.alone_home, row.alone_elsewhere, row.guild, row.scripted_p, row.scripted)
        table.add_row(f"{row.robot} ({row.embodiment})", *map(_cell, scores))
    columns = [[getattr(row, key) for row in rows] for key in FLEET_COLUMNS]
    table.add_section()
    table.add_row("mean", *(f"[bold]{mean_score(column):.2f}[/]" for column in columns))
    return table


def _unseen_table(rows: list[UnseenRow]) -> Table:
    table = Table(title="Two arms that never trained, in workshops that nobody trained in")
    for column in ("arm", "alone policies", "guild", "scripted P", "PD + look-ahead"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for row in rows:
        table.add_row(row.embodiment, *map(_cell, (row.alone, row.guild, row.scripted_p, row.scripted)))
    columns = [[getattr(row, key) for row in rows] for key in ("alone", "guild", "scripted_p", "scripted")]
    table.add_section()
    table.add_row("mean", *(f"[bold]{mean_score(column):.2f}[/]" for column in columns))
    return table


FLEET_COLUMNS = ("alone_home", "alone_elsewhere", "guild", "scripted_p", "scripted")


def _cell(score: Score) -> str:
    return f"{score.score:.2f} [dim]{score.low:.2f}-{score.high:.2f}[/]"


def _reading(report: Report) -> str:
    guild = mean_score([row.guild for row in report.fleet])
    home = mean_score([row.alone_home for row in report.fleet])
    elsewhere = mean_score([row.alone_elsewhere for row in report.fleet])
    unseen_guild = mean_score([row.guild for row in report.unseen])
    unseen_alone = mean_score([row.alone for row in report.unseen])
    scripted = mean_score([row.scripted for row in report.unseen])
    return (
        f"The guild's skill: {guild:.2f} in the fleet's own workshops, {guild - elsewhere:+.2f} against lone "
        f"policies away from home; {unseen_guild:.2f} on unseen arms, {unseen_guild - unseen_alone:+.2f} "
        f"against lone policies.\n"
        f"What it does not give: at home a specialist reaches {home:.2f} (guild {guild - home:+.2f}), and on "
        f"unseen arms a well-tuned controller with look-ahead {scripted:.2f} "
        f"(guild {unseen_guild - scripted:+.2f})."
    )
