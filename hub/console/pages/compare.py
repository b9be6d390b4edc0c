"""`/skills/{name}/compare`: two versions side by side, arm by arm, and job by job where a gate did so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.elements import Entries, Success, block, cell, link, number_cell, section, table, text
from hub.console.frame import frame, live, reading_of
from hub.console.grids import Choice, Column, crumbs, filters, grid
from hub.console.queries.asking import Asked
from hub.console.queries.compare import ArmPair, ComparePage, read_comparison
from hub.console.words import NO_SCORE, ago, amount, count, interval, percent, points, short_digest
from skills.messages.skills import Compared, VersionView

__all__ = ["page"]

Fact = tuple[str, str, str]


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve two versions."""
    asked = dict(request.query_params)
    read = partial(read_comparison, reading_of(request), name, asked)
    return await live(request, read, partial(_build, name, asked))


def _build(
    name: str, asked: Asked, viewer: Viewer, first: ComparePage
) -> Callable[[ComparePage, datetime], None]:
    here = f"/skills/{quote(name)}"
    older, newer = f"v{first.left.version}", f"v{first.right.version}"
    choices = {str(number): f"v{number}" for number in first.numbers}
    shown = {"left": str(first.left.version), "right": str(first.right.version), **asked}
    with frame(f"{name}: {older} and {newer}", viewer):
        crumbs(("Skills", "/skills"), (name, here))
        text("h1", f"{older} and {newer}")
        filters(
            f"{here}/compare",
            shown,
            Choice("One version", "left", choices, none="the one before"),
            Choice("Another", "right", choices, none="the newest"),
        )
        numbers = f"version={first.left.version}&beside={first.right.version}"
        link("Their worst episodes, side by side", f"{here}/replay?{numbers}", "also")
        with section("On the same jobs", "section card"):
            paired = text("p")
        with section("Arm by arm", "section card") as by_arm:
            columns = ("Arm", f"Success of {older}", f"Success of {newer}", "Difference")
            arms = Entries[ArmPair](table("Arms", columns), lambda each: each.arm, ArmRow)
            text("p", "Each at its own gate: jobs may differ, so small differences say little.", "note step")
        with section("What they are", "section card"):
            facts = grid("Facts", _columns(older, newer), lambda each: each[0])

    def show(found: ComparePage, now: datetime) -> None:
        paired.text = _in_words(found.paired, older, newer)
        by_arm.set_visibility(bool(found.arms))
        arms.show(found.arms, now)
        facts.show(_facts(found.left, found.right, now), now)

    return show


class ArmRow:
    """One arm on a line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Arm", "head"):
                self._arm = text("span", "", "name")
            with cell("Earlier"):
                self._left = Success()
            with cell("Later"):
                self._right = Success()
            self._difference = number_cell("Difference")

    def show(self, pair: ArmPair, _now: datetime) -> None:
        """Both scores on it."""
        self._arm.text = pair.arm
        self._left.show(pair.left)
        self._right.show(pair.right)
        both = pair.left is not None and pair.right is not None
        self._difference.text = (
            f"{pair.right.score - pair.left.score:+.1%}" if both and pair.left and pair.right else ""
        )


def _in_words(paired: Compared | None, older: str, newer: str) -> str:
    if paired is None:
        return f"No gate held {newer} to {older} job by job."
    difference = (paired.wins - paired.losses) / paired.jobs
    return (
        f"Of {count(paired.jobs)} jobs that both faced, {newer} alone succeeded in {count(paired.wins)}, "
        f"{older} alone in {count(paired.losses)}: {points(difference)} apart, which says {newer} is "
        f"{paired.verdict}; {paired.in_words()}."
    )


def _columns(older: str, newer: str) -> tuple[Column[Fact], ...]:
    return (
        Column("", lambda each, _: each[0]),
        Column(older, lambda each, _: each[1], look="number"),
        Column(newer, lambda each, _: each[2], look="number"),
    )


def _facts(left: VersionView, right: VersionView, now: datetime) -> list[Fact]:
    lines: dict[str, Callable[[VersionView], str]] = {
        "Success": lambda each: (
            f"{percent(each.score.score)} ({interval(each.score)})" if each.score else NO_SCORE
        ),
        "Gate": lambda each: ("passed" if each.gate.passed else "rejected") if each.gate else NO_SCORE,
        "Origin": lambda each: each.origin,
        "Round": lambda each: each.round_id or "",
        "Robots that contributed": lambda each: count(each.contributors),
        "Steps behind it": lambda each: count(each.samples),
        "Size": lambda each: amount(each.size),
        "Digest": lambda each: short_digest(each.digest),
        "Made": lambda each: ago(each.created_at, now),
    }
    return [(label, say(left), say(right)) for label, say in lines.items()]
