"""`/rollouts/{id}`: the rings with the robots in them, how the version does there, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui.element import Element

from hub.access.principal import Viewer
from hub.console.acting import Act, field, form
from hub.console.claims import CLAIMS, FLEET, badge_of
from hub.console.elements import Badge, Command, Entries, FigureRow, Track, block, section, text
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.grids import Column, Pager, chips, crumbs, grid
from hub.console.queries.asking import Asked
from hub.console.queries.rollouts import RolloutPage, read_rollout
from hub.console.reading import may_operate
from hub.console.words import ago, count, percent, plural, span
from skills.messages.base import API
from skills.messages.rollouts import UNENDED, RingArm, RingView, RolloutState, RolloutView, StepView

__all__ = ["page"]

Ring = tuple[int, RingView, RolloutView]
ORDERS: tuple[tuple[str, str, tuple[RolloutState, ...], str], ...] = (
    ("approve", "Approve", ("waiting",), "Let the next ring have v{new}?"),
    ("pause", "Pause", ("open", "waiting"), "Open no further ring? Robots keep what they have."),
    ("resume", "Resume", ("paused",), "Go on with the next ring when it is due?"),
)
"""Order, what its button says, states in which it can be given, and what is asked first."""


async def page(request: Request, rollout_id: str) -> RedirectResponse | None:
    """Serve one roll-out."""
    asked = dict(request.query_params)
    read = partial(read_rollout, reading_of(request), rollout_id, asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, first: RolloutPage
) -> Callable[[RolloutPage, datetime], None]:
    rollout, may_act = first.rollout, may_operate(viewer, first.owner)
    here = f"/rollouts/{quote(rollout.rollout_id)}"
    with frame(f"{rollout.skill} v{rollout.new}", viewer):
        crumbs(("Roll-outs", "/rollouts"), (rollout.skill, f"/skills/{quote(rollout.skill)}"))
        with block("div", "titled"):
            text("h1", f"{rollout.skill} v{rollout.new} to robots")
            badge = Badge()
            acts = _orders(rollout) if may_act else {}
        lead = text("p", "", "lead")
        figures = FigureRow(("Robots that use it", "Jobs with it", "Ring", "Prevented incidents"))
        back = _way_back(rollout) if may_act else None
        with section("Rings"):
            rings = Entries[Ring](block("div", "rings"), lambda each: each[0], RingCard)
        robots, pager = None, None
        if first.robots is not None:
            with section("Robots", "section card"):
                text("p", CLAIMS, "note")
                names = {str(number): f"ring {number}" for number, _ in enumerate(rollout.rings, start=1)}
                chips(here, asked, "ring", {"": "all", **names})
                robots = grid("Robots that ask for the skill", FLEET, lambda each: each.robot_id)
                nobody = text("p", "No robot is in it.", "blank")
                pager = Pager(here, asked)
        with section("What happened", "section card"):
            steps = grid("Steps, newest first", STEPS, lambda each: each.number)
        with section("From a terminal", "section card"):
            Command(f"zunft rollout show {rollout.rollout_id} --hub {address}")
            Command(f"zunft rollout abort {rollout.rollout_id} --reason REASON --hub {address}")

    def show(found: RolloutPage, now: datetime) -> None:
        one = found.rollout
        badge.show(badge_of(one.state))
        lead.text = " ".join(filter(None, (f"In place of v{one.old}.", one.waiting_for or one.reason)))
        _show_figures(figures, one)
        for order, act in acts.items():
            act.element.set_visibility(any(each[0] == order and one.state in each[2] for each in ORDERS))
        if back is not None:
            back.set_visibility(one.state in {*UNENDED, "done"})
        rings.show([(number, each, one) for number, each in enumerate(one.rings, start=1)], now)
        if found.robots is not None and robots is not None and pager is not None:
            robots.show(found.robots.items, now)
            nobody.set_visibility(not found.robots.items)
            pager.show(found.robots.next)
        steps.show(one.steps[::-1], now)

    return show


def _path(rollout: RolloutView) -> str:
    return f"{API}/rollouts/{quote(rollout.rollout_id)}/orders"


def _orders(rollout: RolloutView) -> dict[str, Act]:
    path = _path(rollout)
    return {
        order: Act(label, "POST", path, question=question.format(new=rollout.new), body={"order": order})
        for order, label, _, question in ORDERS
    }


def _way_back(rollout: RolloutView) -> Element:
    with section("Go back", "section card warned") as found:
        text("p", f"All robots return to v{rollout.old} with their next look, without a trial.", "note")
        fixed = {"order": "abort"}
        with form(_path(rollout), "Roll back", goal="", fixed=fixed, look="primary grave"):
            field("Why, for the record", "reason", maxlength="500", autocomplete="off")
    return found


def _show_figures(figures: FigureRow, one: RolloutView) -> None:
    done, failed = (sum(getattr(ring, name) or 0 for ring in one.rings) for name in ("done", "failed"))
    using = sum(ring.using or 0 for ring in one.rings)
    figures.show("Robots that use it", count(using), f"of {count(sum(r.robots or 0 for r in one.rings))}")
    share = f"{percent(done / (done + failed))} done" if done + failed else "none yet"
    figures.show("Jobs with it", count(done + failed), share)
    figures.show("Ring", f"{one.ring} of {len(one.rings)}")
    figures.show("Prevented incidents", "1" if one.prevented else "0")


class RingCard:
    """A ring: who is in it, how far it is, and how the version does there, arm by arm."""

    def __init__(self) -> None:
        with block("article", "card") as self.element:
            with block("h3", "titled"):
                self._name = text("span")
                self._version = text("span", "", "badge")
            self._who = text("p")
            self._track = Track("Jobs that count")
            self._least = text("p", "", "note")
            self._arms = grid("By arm", ARMS, lambda each: each.embodiment)

    def show(self, shown: Ring, now: datetime) -> None:
        """The ring as it is now."""
        number, ring, rollout = shown
        self._name.text, self._version.text = f"Ring {number}", f"v{ring.version}"
        is_new = ring.version == rollout.new
        self._version.classes(replace="badge stable" if is_new else "badge")
        robots = plural(ring.robots or 0, "robot")
        self._who.text = f"{ring.plan.in_words()[:1].upper()}{ring.plan.in_words()[1:]}: {robots}"
        jobs = (ring.done or 0) + (ring.failed or 0)
        self._track.show(min(jobs, ring.plan.least_jobs), max(ring.plan.least_jobs, 1), ended=is_new)
        self._least.text = _least(ring, jobs, now)
        self._arms.show(ring.arms, now)


def _least(ring: RingView, jobs: int, now: datetime) -> str:
    least = plural(ring.plan.least_jobs, "job")
    asked = f"{count(jobs)} of {least} at least, {span(ring.plan.least_seconds)}"
    opened = f", open since {ago(ring.opened_at, now)}" if ring.opened_at else ", not open yet"
    return f"{asked} at least{opened}{'; somebody must approve' if ring.plan.approval else ''}"


ARMS: tuple[Column[RingArm], ...] = (
    Column("Arm", lambda each, _: each.embodiment, look="name"),
    Column("Use it", lambda each, _: f"{count(each.using)} of {count(each.robots)}", look="number"),
    Column(
        "Jobs done", lambda each, _: f"{count(each.done)} of {count(each.done + each.failed)}", look="number"
    ),
    Column(
        "Success",
        lambda each, _: percent(each.done / (each.done + each.failed)) if each.done + each.failed else "",
        look="number",
    ),
)
STEPS: tuple[Column[StepView], ...] = (
    Column("What", lambda each, _: each.event, look="name", aside=lambda each, _: each.reason),
    Column("Ring", lambda each, _: str(each.ring), look="number"),
    Column(
        "Known then",
        lambda each, _: ", ".join(f"{name} {value:g}" for name, value in each.known.items()),
        look="note",
        minor=True,
    ),
    Column("When", lambda each, now: ago(each.at, now), look="number"),
)
