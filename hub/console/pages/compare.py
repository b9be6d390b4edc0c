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
from hub.console.frame import frame, reading_of
from hub.console.grids import Choice, Column, crumbs, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.compare import ArmPair, ComparePage, read_comparison
from hub.console.words import (
    ago,
    amount,
    count,
    interval,
    no_score,
    percent,
    points,
    short_digest,
    signed,
    state_in_words,
)
from skills.messages.skills import Compared, VersionView

__all__ = ["page"]

VERDICTS = (later("not worse"), later("worse"), later("open"))
"""What a gate finds, in the API's words."""

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
    with frame(_("{name}: {older} and {newer}", name=name, older=older, newer=newer), viewer):
        crumbs((_("Skills"), "/skills"), (name, here))
        text("h1", _("{older} and {newer}", older=older, newer=newer))
        filters(
            f"{here}/compare",
            shown,
            Choice(later("One version"), "left", choices, none=later("the one before")),
            Choice(later("Another"), "right", choices, none=later("the newest")),
        )
        numbers = f"version={first.left.version}&beside={first.right.version}"
        link(_("Their worst episodes, side by side"), f"{here}/replay?{numbers}", "also")
        with section(_("On the same jobs"), "section card"):
            paired = text("p")
        with section(_("Arm by arm"), "section card") as by_arm:
            columns = (
                _("Arm"),
                _("Success of {older}", older=older),
                _("Success of {newer}", newer=newer),
                _("Difference"),
            )
            arms = Entries[ArmPair](table(_("Arms"), columns), lambda each: each.arm, ArmRow)
            text(
                "p", _("Each at its own gate: jobs may differ, so small differences say little."), "note step"
            )
        with section(_("What they are"), "section card"):
            facts = grid(_("Facts"), _columns(older, newer), lambda each: each[0])

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
            with cell(_("Arm"), "head"):
                self._arm = text("span", "", "name")
            with cell(_("Earlier")):
                self._left = Success()
            with cell(_("Later")):
                self._right = Success()
            self._difference = number_cell(_("Difference"))

    def show(self, pair: ArmPair, _now: datetime) -> None:
        """Both scores on it."""
        self._arm.text = pair.arm
        self._left.show(pair.left)
        self._right.show(pair.right)
        both = pair.left is not None and pair.right is not None
        self._difference.text = (
            signed(pair.right.score - pair.left.score) if both and pair.left and pair.right else ""
        )


def _in_words(paired: Compared | None, older: str, newer: str) -> str:
    if paired is None:
        return _("No gate held {newer} to {older} job by job.", newer=newer, older=older)
    difference = (paired.wins - paired.losses) / paired.jobs
    return _(
        "Of {jobs} jobs that both faced, {newer} alone succeeded in {wins}, {older} alone in {losses}: "
        "{difference} apart, which says {newer} is {verdict}; {details}.",
        jobs=count(paired.jobs),
        newer=newer,
        wins=count(paired.wins),
        older=older,
        losses=count(paired.losses),
        difference=points(difference),
        verdict=_(paired.verdict),
        details=paired.in_words(),
    )


def _columns(older: str, newer: str) -> tuple[Column[Fact], ...]:
    return (
        Column("", lambda each, _: each[0]),
        Column(older, lambda each, _: each[1], look="number"),
        Column(newer, lambda each, _: each[2], look="number"),
    )


def _facts(left: VersionView, right: VersionView, now: datetime) -> list[Fact]:
    lines: dict[str, Callable[[VersionView], str]] = {
        _("Success"): lambda each: (
            f"{percent(each.score.score)} ({interval(each.score)})" if each.score else no_score()
        ),
        _("Gate"): lambda each: (
            state_in_words("passed" if each.gate.passed else "rejected") if each.gate else no_score()
        ),
        _("Origin"): lambda each: each.origin,
        _("Round"): lambda each: each.round_id or "",
        _("Robots that contributed"): lambda each: count(each.contributors),
        _("Steps behind it"): lambda each: count(each.samples),
        _("Size"): lambda each: amount(each.size),
        _("Digest"): lambda each: short_digest(each.digest),
        _("Made"): lambda each: ago(each.created_at, now),
    }
    return [(label, say(left), say(right)) for label, say in lines.items()]
