"""`/skills/{name}/compare`: two versions side by side, arm by arm, and job by job where a gate did so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import form
from hub.console.elements import (
    Command,
    Entries,
    Success,
    block,
    cell,
    link,
    number_cell,
    section,
    table,
    text,
)
from hub.console.frame import frame, reading_of
from hub.console.grids import Choice, Column, crumbs, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.pages.campaign import order_in_words
from hub.console.queries.asking import Asked
from hub.console.queries.compare import ArmPair, ComparePage, read_comparison
from hub.console.reading import may_operate
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
from skills.messages.base import API
from skills.messages.comparisons import ArmComparison, Comparison, TensorDistance
from skills.messages.skills import Compared, VersionView

__all__ = ["page"]

SAME_JOBS = later(
    "Both versions faced the same held-out robots and jobs, by which neither was chosen. "
    "Where the interval lies on one side of zero, they differ."
)
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
        measured = MeasuredPart(first, viewer)
        with section(_("At their own gates"), "section card") as by_arm:
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
        measured.show(found, now)
        facts.show([*_facts(found.left, found.right, now), *_ordered(found)], now)

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


class MeasuredPart:
    """What a worker found on the same jobs, or the button that has it found."""

    def __init__(self, first: ComparePage, viewer: Viewer) -> None:
        name, older, newer = first.left.skill, first.left.version, first.right.version
        with section(_("Arm by arm, on the same jobs"), "section card") as self._known:
            self._arms = grid(
                _("Arms on the same jobs"), _paired_columns(older, newer), lambda it: it.embodiment
            )
            text("p", _(SAME_JOBS), "note step")
        with section(_("How far their weights lie apart"), "section card") as self._weights:
            self._distance = text("p")
            self._tensors = grid(_("Tensors that moved most"), TENSORS, lambda each: each.name)
        with section(_("Compare on the same jobs"), "section card") as self._unknown:
            text("p", _("A worker runs both on many held-out robots and jobs; a minute or two."), "note")
            if may_operate(viewer, first.owner):
                path = f"{API}/skills/{quote(name)}/versions/{older}/comparisons/{newer}"
                goal = f"/skills/{quote(name)}/compare?left={older}&right={newer}"
                with block("div", "step"), form(path, _("Measure"), goal=goal):
                    pass
            Command(f"zunft skill compare {name}@{older} {newer}")

    def show(self, found: ComparePage, now: datetime) -> None:
        """As far as it is known."""
        told = found.compared
        for part in (self._known, self._weights):
            part.set_visibility(told is not None)
        self._unknown.set_visibility(told is None and found.left.version != found.right.version)
        if told is not None:
            self._arms.show(told.arms, now)
            self._tensors.show(told.weights.largest, now)
            self._distance.text = _distance_in_words(told)


def _paired_columns(older: int, newer: int) -> tuple[Column[ArmComparison], ...]:
    return (
        Column(later("Arm"), lambda each, _now: each.embodiment, look="name"),
        Column(f"v{older}", lambda each, _now: percent(each.left / each.jobs), look="number"),
        Column(f"v{newer}", lambda each, _now: percent(each.right / each.jobs), look="number"),
        Column(
            later("Difference, 95 % interval"),
            lambda each, _now: _(
                "{difference} ({low} to {high})",
                difference=signed(each.difference),
                low=signed(each.low),
                high=signed(each.high),
            ),
            look="number",
        ),
        Column(later("Only the later"), lambda each, _now: count(each.wins), look="number", minor=True),
        Column(later("Only the earlier"), lambda each, _now: count(each.losses), look="number", minor=True),
        Column(later("Jobs"), lambda each, _now: count(each.jobs), look="number", minor=True),
    )


def _distance_in_words(told: Comparison) -> str:
    weights = told.weights
    said = _(
        "{share} of the length of v{older}'s weights (L2).", share=percent(weights.relative), older=told.left
    )
    if not weights.others:
        return said
    alone = _("Tensors that only one has: {tensors}.", tensors=count(weights.others))
    return f"{said} {alone}"


TENSORS: tuple[Column[TensorDistance], ...] = (
    Column(later("Tensor"), lambda each, _now: each.name, look="mono"),
    Column(later("Moved, of its own length"), lambda each, _now: percent(each.relative), look="number"),
)


def _ordered(found: ComparePage) -> list[Fact]:
    """The campaigns that made them: their orders, line by line."""
    left, right = ({} if it is None else order_in_words(it.order) for it in found.campaigns)
    ids = [it.campaign_id if it else "" for it in found.campaigns]
    lines = [(_("Campaign"), ids[0], ids[1])] if any(ids) else []
    return lines + [(name, left.get(name, ""), right.get(name, "")) for name in {**left, **right}]


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
