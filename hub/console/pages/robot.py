"""`/robots/{id}`: one robot, what it sent, what happened to it, and how it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import Act
from hub.console.claims import CLAIMS, drift_in_words, guards_in_words, in_use, jobs_in_words, since
from hub.console.elements import Badge, Command, FigureRow, block, link, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Column, crumbs, grid
from hub.console.happenings import in_words
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.robots import RobotPage, read_robot
from hub.console.reading import may_operate
from hub.console.words import ONE_DECIMAL, ago, amount, count, figure, plural, state_in_words
from skills.messages.base import API
from skills.messages.events import Event
from skills.messages.health import RobotHealth
from skills.messages.reports import Use
from skills.messages.robots import Contribution, RobotView

__all__ = ["page"]

FORGET = later(
    "Forget {name} for good? Its deltas are deleted, and every version that learned from it is made again "
    "without it or taken back. There is no way back."
)


async def page(request: Request, robot_id: str) -> RedirectResponse | None:
    """Serve one robot."""
    read = partial(read_robot, reading_of(request), robot_id)
    return await live(request, read, partial(_build, hub_address(request)))


def _build(address: str, viewer: Viewer, first: RobotPage) -> Callable[[RobotPage, datetime], None]:
    robot = first.robot
    with frame(robot.name, viewer):
        crumbs((_("Robots"), "/robots"))
        with block("div", "titled"):
            text("h1", robot.name)
            badge = Badge()
            link(_("Skills that fit it"), f"/skills?robot={quote(robot.robot_id)}", "secondary apart")
            forget = _forget(first) if may_operate(viewer, robot.organisation) else None
        figures = FigureRow((later("Arm"), later("Organisation"), later("Last seen"), later("Joined")))
        refusal = Refused()
        with section(_("Its machine"), "section card") as machine:
            health = text("p")
        with section(_("Forgotten"), "section card") as gone:
            withdrawn, changed = text("p"), text("p", "", "note")
            retry = _retry(robot.robot_id) if may_operate(viewer, robot.organisation) else None
        with section(_("What it uses"), "section card") as used:
            uses = grid(_("Skills that it asks for"), USES, lambda each: each.skill)
            guards = text("p", "", "note step")
            text("p", _(CLAIMS), "note")
        with section(_("What it sent"), "section card") as sent:
            contributions = grid(_("Contributions, newest first"), SENT, lambda each: each.round_id)
        nothing_sent = text("p", _("It has sent nothing that counted yet."), "blank")
        with section(_("What happened"), "section card"):
            events = grid(_("Events, newest first"), EVENTS, lambda each: each.id)
        with section(_("From a terminal"), "section card"):
            Command(f"zunft robot list --text {robot.robot_id} --hub {address}")
            Command(f"zunft robot forget {robot.robot_id} --dry-run --hub {address}")

    def show(found: RobotPage, now: datetime) -> None:
        one, withdrawal = found.robot, found.withdrawal
        badge.show("withdrawn" if one.withdrawn else one.state)
        _show_figures(figures, found, now)
        refusal.show(one)
        machine.set_visibility(bool(found.health))
        health.text = "; ".join(_health(each, now) for each in found.health)
        gone.set_visibility(withdrawal is not None)
        if withdrawal is not None:
            deltas = plural(withdrawal.deltas, "delta")
            withdrawn.text = _(
                "{state}: {deltas} deleted", state=state_in_words(withdrawal.state), deltas=deltas
            )
            changed.text = withdrawal.reason or ", ".join(each.skill for each in withdrawal.skills)
            if retry is not None:
                retry.element.set_visibility(withdrawal.state == "failed")
        if forget is not None:
            forget.element.set_visibility(not one.withdrawn)
        used.set_visibility(bool(found.uses))
        uses.show(found.uses, now)
        guards.text = guards_in_words(found.uses)
        sent.set_visibility(bool(found.contributions))
        nothing_sent.set_visibility(not found.contributions)
        contributions.show(found.contributions, now)
        events.show(found.events, now)

    return show


class Refused:
    """What it would not take, where there is such a thing."""

    def __init__(self) -> None:
        with section(_("Would not take"), "section card warned") as self._card:
            self._what, self._why = text("p"), text("p", "", "note")

    def show(self, robot: RobotView) -> None:
        """As it is now."""
        said = robot.refusal
        self._card.set_visibility(said is not None)
        if said is not None:
            self._what.text = f"{said.skill} v{said.version}, {state_in_words(said.code)}"
            self._why.text = said.reason


def _show_figures(figures: FigureRow, found: RobotPage, now: datetime) -> None:
    robot = found.robot
    figures.show("Arm", robot.embodiment, robot.robot_id)
    figures.show("Organisation", robot.organisation)
    lost = _("missed since {lost_at}", lost_at=ago(robot.lost_at, now)) if robot.lost_at else ""
    figures.show("Last seen", ago(robot.last_seen_at, now) if robot.last_seen_at else _("never"), lost)
    figures.show("Joined", ago(robot.enrolled_at, now))


def _health(each: RobotHealth, now: datetime) -> str:
    state = each.state
    if state.worn_since is not None:
        return _(
            "{skill}: worn since {moment}, as it says ({figure})",
            skill=each.skill,
            moment=ago(state.worn_since, now),
            figure=state.figure,
        )
    jobs = plural(state.jobs, "job")
    if not state.limit:
        return _("{skill}: learns what is usual after {jobs}", skill=each.skill, jobs=jobs)
    return _(
        "{skill}: as usual, {height} of {limit} after {jobs}",
        skill=each.skill,
        height=figure(state.height, ONE_DECIMAL),
        limit=figure(state.limit, ONE_DECIMAL),
        jobs=jobs,
    )


def _forget(first: RobotPage) -> Act:
    robot = first.robot
    path = f"{API}/robots/{quote(robot.robot_id)}/withdrawal"
    question = _(FORGET, name=robot.name)
    return Act(_("Forget robot"), "POST", path, question=question, body={}, confirm=robot.name, is_grave=True)


def _retry(robot_id: str) -> Act:
    return Act(_("Try again"), "POST", f"{API}/robots/{quote(robot_id)}/withdrawal", body={})


USES: tuple[Column[Use], ...] = (
    Column(
        later("Skill"),
        lambda each, _now: each.skill,
        look="name",
        target=lambda each: f"/skills/{each.skill}",
    ),
    Column(later("Version in use"), in_use, look="number", aside=since),
    Column(
        later("Should use"),
        lambda each, _now: f"v{each.wanted}" if each.wanted else _("nothing yet"),
        look="number",
    ),
    Column(later("Drift"), drift_in_words, look="warn"),
    Column(later("Jobs with it"), jobs_in_words, look="number"),
    Column(
        later("Before that"),
        lambda each, _now: ", ".join(
            _(
                "v{version}: {done} of {jobs}",
                version=tally.version,
                done=count(tally.done),
                jobs=count(tally.jobs),
            )
            for tally in (each.report.tallies if each.report else ())
            if tally.version != (each.report.version if each.report else 0)
        ),
        look="number",
    ),
)
SENT: tuple[Column[Contribution], ...] = (
    Column(
        later("Round"),
        lambda each, _now: _("{skill}, round {number}", skill=each.skill, number=each.number),
        look="name",
        target=lambda each: f"/campaigns/{each.campaign_id}",
    ),
    Column(later("Steps"), lambda each, _now: count(each.samples), look="number"),
    Column(later("Size"), lambda each, _now: amount(each.size), look="number"),
    Column(
        later("Late by"),
        lambda each, _now: plural(each.staleness, "round") if each.staleness else "",
        look="number",
    ),
    Column(later("Received"), at=lambda each: each.received_at),
)
EVENTS: tuple[Column[Event], ...] = (
    Column(later("What"), lambda each, _now: in_words(each)),
    Column(later("When"), at=lambda each: each.at),
)
