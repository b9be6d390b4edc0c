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
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Column, Pager, chips, crumbs, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.rollouts import RolloutPage, read_rollout
from hub.console.reading import may_operate
from hub.console.words import ago, count, figure, percent, plural, span
from skills.messages.base import API
from skills.messages.rollouts import UNENDED, RingArm, RingView, RolloutState, RolloutView, StepView

__all__ = ["page"]

Ring = tuple[int, RingView, RolloutView]
ORDERS: tuple[tuple[str, str, tuple[RolloutState, ...], str], ...] = (
    ("approve", later("Approve"), ("waiting",), later("Let the next ring have v{new}?")),
    (
        "pause",
        later("Pause"),
        ("open", "waiting"),
        later("Open no further ring? Robots keep what they have."),
    ),
    ("resume", later("Resume"), ("paused",), later("Go on with the next ring when it is due?")),
)
"""Order, what its button says, states in which it can be given, and what is asked first."""
FIGURES = (later("Robots that use it"), later("Jobs with it"), later("Ring"), later("Prevented incidents"))
HAPPENED = (
    later("started"),
    later("measured"),
    later("passed"),
    later("held"),
    later("approved"),
    later("finished"),
    later("paused"),
    later("resumed"),
    later("failed"),
    later("overtaken"),
    later("aborted"),
)
"""Steps, in the API's words."""


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
        crumbs((_("Roll-outs"), "/rollouts"), (rollout.skill, f"/skills/{quote(rollout.skill)}"))
        with block("div", "titled"):
            text("h1", _("{skill} v{version} to robots", skill=rollout.skill, version=rollout.new))
            badge = Badge()
            acts = _orders(rollout) if may_act else {}
        lead = text("p", "", "lead")
        figures = FigureRow(FIGURES)
        back = _way_back(rollout) if may_act else None
        with section(_("Rings")):
            rings = Entries[Ring](block("div", "rings"), lambda each: each[0], RingCard)
        robots, pager = None, None
        if first.robots is not None:
            with section(_("Robots"), "section card"):
                text("p", _(CLAIMS), "note")
                numbers = range(1, len(rollout.rings) + 1)
                names = {str(each): _("ring {number}", number=each) for each in numbers}
                chips(here, asked, "ring", {"": later("all"), **names})
                robots = grid(_("Robots that ask for the skill"), FLEET, lambda each: each.robot_id)
                nobody = text("p", _("No robot is in it."), "blank")
                pager = Pager(here, asked)
        with section(_("What happened"), "section card"):
            steps = grid(_("Steps, newest first"), STEPS, lambda each: each.number)
        with section(_("From a terminal"), "section card"):
            Command(f"zunft rollout show {rollout.rollout_id} --hub {address}")
            Command(f"zunft rollout abort {rollout.rollout_id} --reason REASON --hub {address}")

    def show(found: RolloutPage, now: datetime) -> None:
        one = found.rollout
        badge.show(badge_of(one.state))
        place = _("In place of v{version}.", version=one.old)
        lead.text = " ".join(filter(None, (place, one.waiting_for or one.reason)))
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
        order: Act(_(label), "POST", path, question=_(question, new=rollout.new), body={"order": order})
        for order, label, _states, question in ORDERS
    }


def _way_back(rollout: RolloutView) -> Element:
    with section(_("Go back"), "section card warned") as found:
        how = _("All robots return to v{version} with their next look, without a trial.", version=rollout.old)
        text("p", how, "note")
        fixed = {"order": "abort"}
        with form(_path(rollout), _("Roll back"), goal="", fixed=fixed, look="primary grave"):
            field(_("Why, for the record"), "reason", maxlength="500", autocomplete="off")
    return found


def _show_figures(figures: FigureRow, one: RolloutView) -> None:
    done, failed = (sum(getattr(ring, name) or 0 for ring in one.rings) for name in ("done", "failed"))
    using = sum(ring.using or 0 for ring in one.rings)
    robots = count(sum(ring.robots or 0 for ring in one.rings))
    figures.show("Robots that use it", count(using), _("of {total}", total=robots))
    jobs = done + failed
    share = _("{share} done", share=percent(done / jobs)) if jobs else _("none yet")
    figures.show("Jobs with it", count(jobs), share)
    figures.show("Ring", _("{number} of {total}", number=one.ring, total=len(one.rings)))
    figures.show("Prevented incidents", "1" if one.prevented else "0")


class RingCard:
    """A ring: who is in it, how far it is, and how the version does there, arm by arm."""

    def __init__(self) -> None:
        with block("article", "card") as self.element:
            with block("h3", "titled"):
                self._name = text("span")
                self._version = text("span", "", "badge")
            self._who = text("p")
            self._track = Track(later("Jobs that count"))
            self._least = text("p", "", "note")
            self._arms = grid(_("By arm"), ARMS, lambda each: each.embodiment)

    def show(self, shown: Ring, now: datetime) -> None:
        """The ring as it is now."""
        number, ring, rollout = shown
        self._name.text, self._version.text = _("Ring {number}", number=number), f"v{ring.version}"
        is_new = ring.version == rollout.new
        self._version.classes(replace="badge stable" if is_new else "badge")
        robots = plural(ring.robots or 0, "robot")
        self._who.text = f"{ring.plan.in_words()[:1].upper()}{ring.plan.in_words()[1:]}: {robots}"
        jobs = (ring.done or 0) + (ring.failed or 0)
        self._track.show(min(jobs, ring.plan.least_jobs), max(ring.plan.least_jobs, 1), ended=is_new)
        self._least.text = _least(ring, jobs, now)
        self._arms.show(ring.arms, now)


def _least(ring: RingView, jobs: int, now: datetime) -> str:
    asked = _(
        "{jobs} of {least} at least, {time} at least",
        jobs=count(jobs),
        least=plural(ring.plan.least_jobs, "job"),
        time=span(ring.plan.least_seconds),
    )
    if ring.opened_at:
        opened = _("open since {moment}", moment=ago(ring.opened_at, now))
    else:
        opened = _("not open yet")
    said = f"{asked}, {opened}"
    return _("{said}; somebody must approve", said=said) if ring.plan.approval else said


def _share(done: int, jobs: int) -> str:
    return _("{number} of {total}", number=count(done), total=count(jobs))


ARMS: tuple[Column[RingArm], ...] = (
    Column(later("Arm"), lambda each, _now: each.embodiment, look="name"),
    Column(later("Use it"), lambda each, _now: _share(each.using, each.robots), look="number"),
    Column(later("Jobs done"), lambda each, _now: _share(each.done, each.done + each.failed), look="number"),
    Column(
        later("Success"),
        lambda each, _now: percent(each.done / (each.done + each.failed)) if each.done + each.failed else "",
        look="number",
    ),
)
STEPS: tuple[Column[StepView], ...] = (
    Column(
        later("What"),
        lambda each, _now: _(each.event),
        look="name",
        aside=lambda each, _now: each.reason,
    ),
    Column(later("Ring"), lambda each, _now: str(each.ring), look="number"),
    Column(
        later("Known then"),
        lambda each, _now: ", ".join(f"{name} {figure(value)}" for name, value in each.known.items()),
        look="note",
        minor=True,
    ),
    Column(later("When"), at=lambda each: each.at),
)
