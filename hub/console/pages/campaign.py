"""`/campaigns/{id}`: what a campaign has reached, what it does now, and whom it waits for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import Act
from hub.console.charts import Options, campaign_chart
from hub.console.elements import (
    Badge,
    Chart,
    Entries,
    FigureRow,
    Success,
    Track,
    block,
    cell,
    described,
    link,
    number_cell,
    pairs,
    section,
    table,
    text,
    time_cell,
)
from hub.console.frame import frame, reading_of
from hub.console.grids import Column, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.reading import CampaignPage, may_operate, read_campaign
from hub.console.words import (
    amount,
    count,
    energy,
    figure,
    interval,
    percent,
    plural,
    progress,
    score_in_words,
    short_digest,
)
from skills.messages.base import API
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.costs import StopWhen
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import RobotAtWork, RoundView

__all__ = ["order_in_words", "page"]

COLUMNS = (
    later("Round"),
    later("Candidate, 95 % interval"),
    later("Gate"),
    later("Deltas"),
    later("Steps"),
    later("Received"),
    later("Hub time"),
    later("Energy"),
    later("Opened"),
)
FIGURES = (
    later("Rounds"),
    later("Published"),
    later("Best candidate"),
    later("Received"),
    later("Cost"),
)
GAINS = (later("Round"), later("Delta"), later("Gain in return"))
MOST_GAINS = 64
DIGITS = 6  # of a round's number

ROBOTS: tuple[Column[RobotAtWork], ...] = (
    Column(
        later("Robot"),
        lambda each, _now: each.name,
        look="name",
        target=lambda each: f"/robots/{each.robot_id}",
        aside=lambda each, _now: each.embodiment,
    ),
    Column(later("State"), lambda each, _now: each.state, look="badge"),
    Column(later("At work since"), at=lambda each: each.since),
    Column(later("Brought"), at=lambda each: each.brought_at, never=later("not yet")),
    Column(later("Steps"), lambda each, _now: count(each.samples) if each.brought_at else "", look="number"),
    Column(
        later("Success in training"),
        lambda each, _now: "" if each.success is None else percent(each.success),
        look="number",
    ),
    Column(
        later("Length of its delta"),
        lambda each, _now: "" if each.norm is None else f"{each.norm:.3g}",
        look="number",
        minor=True,
    ),
)

Gain = tuple[int, str, float]
"""Number of the round, digest of a delta, and by how much the mean return would be lower without it."""


async def page(request: Request, campaign_id: str) -> RedirectResponse | None:
    """Serve one campaign."""
    asked = request.query_params.get("round", "")
    number = (int(asked) or None) if asked.isdecimal() and len(asked) <= DIGITS else None
    read = partial(read_campaign, reading_of(request), campaign_id, number)
    return await live(request, read, partial(_build, number))


def _build(
    number: int | None, viewer: Viewer, first: CampaignPage
) -> Callable[[CampaignPage, datetime], None]:
    order = first.campaign.order
    with frame(_("Campaign for {skill}", skill=order.skill), viewer):
        with described(block("nav", "crumbs"), aria_label=_("Breadcrumb")):
            link(_("Skills"), "/skills")
            text("span", " / ")
            link(order.skill, f"/skills/{order.skill}")
        with block("div", "titled"):
            text("h1", _("Campaign for {skill}", skill=order.skill))
            badge = Badge()
            may_act = may_operate(viewer, first.owner)
            stop = _stop_button(first.campaign.campaign_id) if may_act else None
        now_line = NowLine()
        figures = FigureRow(
            (later("Rounds"), later("Published"), later("Best candidate"), later("Received"), later("Cost"))
        )
        with section(_("Learning curve"), "section card"):
            curve = Chart(_("The first candidate appears here when the first round has been measured."))
        with section(_("Rounds"), "section card"):
            body = table(_("Rounds of this campaign, newest first"), COLUMNS)
            rounds = Entries[RoundView](body, _round_key, ShownRound)
        whose = _("Robots in round {number}", number=number) if number else _("Robots in the newest round")
        with described(section(whose, "section card"), id="robots") as at_work:
            robots = grid(whose, ROBOTS, lambda each: each.robot_id)
        with section(_("What each delta was good for"), "section card") as good_for:
            body = table(_("Gain in mean return by each delta, newest round first, the least first"), GAINS)
            gains = Entries[Gain](body, _gain_key, ShownGain)
        with section(_("The order"), "section card"):
            pairs(order_in_words(order))

    def show(found: CampaignPage, now: datetime) -> None:
        campaign = found.campaign
        badge.show(campaign.state)
        if stop is not None:
            stop.element.set_visibility(campaign.state == "running")
        now_line.show(campaign)
        _show_figures(figures, campaign)
        curve.show(_curve(campaign), _curve_in_words(campaign))
        rounds.show(reversed(campaign.rounds), now)
        at_work.set_visibility(bool(found.robots))
        robots.show(found.robots, now)
        found_gains = _gains(campaign)
        good_for.set_visibility(bool(found_gains))
        gains.show(found_gains, now)

    return show


def _stop_button(campaign_id: str) -> Act:
    question = _("Stop this campaign? What it published stays; the round under way gives no candidate.")
    return Act(_("Stop campaign"), "POST", f"{API}/campaigns/{quote(campaign_id)}/stop", question=question)


class NowLine:
    """Progress, and in words what the campaign is waiting for."""

    def __init__(self) -> None:
        with described(block("div", "section card"), aria_live="polite"):
            with block("div", "titled"):
                self._round = text("h2")
                self._badge = Badge()
            self._track = Track()
            self._waiting = text("p")
            self._arrived = text("p", "", "note")

    def show(self, campaign: CampaignView) -> None:
        """The campaign as it is now."""
        done, total = progress(campaign)
        running = campaign.state == "running"
        last = campaign.rounds[-1] if campaign.rounds else None
        self._track.show(done, total, ended=not running)
        self._badge.element.set_visibility(running and last is not None)
        if last is None or not running:
            self._round.text = _("{done} of {total} rounds", done=done, total=total)
            self._waiting.text = campaign.reason or campaign.waiting_for
            self._arrived.text = ""
            return
        self._round.text = _("Round {number} of {total}", number=last.number, total=total)
        self._badge.show(last.state)
        self._waiting.text = campaign.waiting_for
        self._arrived.text = _(
            "{deltas} so far: {samples} steps",
            deltas=plural(last.deltas, "delta"),
            samples=count(last.samples),
        )


class ShownRound:
    """One round on a line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Round"), "head"), block("span", "line"):
                self._number = link("", "", "name number")
                self._badge = Badge()
            with cell(_("Candidate")):
                self._candidate = Success()
            with cell(_("Gate"), "wide"):
                self._reason = text("span", "", "note")
            self._deltas, self._steps = number_cell(_("Deltas")), number_cell(_("Steps"), "minor")
            self._received, self._merge = (
                number_cell(_("Received"), "minor"),
                number_cell(_("Hub time"), "minor"),
            )
            self._energy = number_cell(_("Energy"), "minor")
            self._opened = time_cell(_("Opened"))

    def show(self, entry: RoundView, now: datetime) -> None:
        """The round as it is now."""
        self._number.text = str(entry.number)
        described(self._number, href=f"/campaigns/{entry.campaign_id}?round={entry.number}#robots")
        self._badge.show(entry.state)
        self._candidate.show(entry.gate.candidate if entry.gate else None)
        self._reason.text = entry.gate.reason if entry.gate else _why_ungated(entry)
        self._deltas.text, self._steps.text = _deltas(entry), count(entry.samples)
        self._received.text = amount(entry.bytes)
        self._merge.text = _seconds(entry)
        self._energy.text = energy(entry.cost) if entry.cost.joules else ""
        self._opened.show(entry.opened_at, now)


class ShownGain:
    """What one delta was good for, on a line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            self._round = number_cell(_("Round"))
            with cell(_("Delta")):
                self._delta = text("code", "", "mono")
            self._gain = number_cell(_("Gain in return"))

    def show(self, entry: Gain, now: datetime) -> None:  # noqa: ARG002 - an entry is shown at a time
        """As it was measured."""
        number, digest, effect = entry
        self._round.text, self._delta.text = str(number), short_digest(digest)
        self._gain.text = f"{effect:+.3g}"


def _gains(campaign: CampaignView) -> list[Gain]:
    return [
        (entry.number, digest, effect)
        for entry in reversed(campaign.rounds)
        if entry.gate
        for digest, effect in sorted(entry.gate.contributions.items(), key=lambda each: each[1])
    ][:MOST_GAINS]


def _gain_key(entry: Gain) -> tuple[int, str]:
    return entry[:2]


def _show_figures(figures: FigureRow, campaign: CampaignView) -> None:
    done, total = progress(campaign)
    published = sum(entry.state == "published" for entry in campaign.rounds)
    rejected = sum(entry.state == "rejected" for entry in campaign.rounds)
    scores = [entry.gate.candidate for entry in campaign.rounds if entry.gate]
    best = max(scores, key=lambda score: score.score, default=None)
    deltas, size = (
        sum(entry.deltas for entry in campaign.rounds),
        sum(entry.bytes for entry in campaign.rounds),
    )
    shown = len(campaign.rounds)
    figures.show(
        "Rounds",
        _("{done} of {total}", done=done, total=total),
        _("below: the last {shown}", shown=shown) if done > shown else "",
    )
    figures.show(
        "Published", count(published), _("{rejected} rejected at the gate", rejected=count(rejected))
    )
    figures.show(
        "Best candidate", percent(best.score) if best else _("none yet"), interval(best) if best else ""
    )
    figures.show("Received", amount(size), plural(deltas, "delta"))
    figures.show(
        "Cost",
        energy(campaign.cost),
        _("{hours} core-hours", hours=figure(campaign.cost.core_hours, "0.###")),
    )


def order_in_words(order: CampaignRequest) -> dict[str, str]:
    """What was ordered, line by line: what is said, by its name."""
    merge, gate = order.merge, order.gate
    full = plural(order.target, "delta") if order.target else _("the deltas of all active robots")
    return {
        _("A round closes"): _(
            "with {full}, or after {seconds} s with {deltas}",
            full=full,
            seconds=figure(order.deadline_seconds),
            deltas=plural(order.quorum, "delta"),
        ),
        **_phases_in_words(order),
        _("Merge"): merge.rule_in_words(),
        _("Server optimiser"): merge.optimiser_in_words(),
        _("Late deltas"): _("up to {rounds}", rounds=plural(merge.max_staleness, "round"))
        if merge.max_staleness
        else _("refused"),
        _("Gate"): gate.in_words(),
        **({_("Ends early"): _stop_in_words(order.stop_when)} if order.stop_when else {}),
        _("Arms at the gate"): ", ".join(gate.embodiments) or _("those of the enrolled robots"),
    }


def _stop_in_words(stop: StopWhen) -> str:
    return _(
        "once {rounds} gained less than {points} points of success a kWh",
        rounds=plural(stop.rounds, "round"),
        points=figure(stop.points_per_kwh),
    )


def _phases_in_words(order: CampaignRequest) -> dict[str, str]:
    """How robots train: line by line, or a line for each phase where there are several."""
    if not order.then:
        return _training_in_words(order.training)
    return {
        _("Rounds {first} to {last}", first=each.first, last=each.last): "; ".join(
            f"{name}: {said}" for name, said in _training_in_words(each.training).items()
        )
        for each in order.stretches
    }


def _training_in_words(training: TrainingPlan) -> dict[str, str]:
    return {
        _("Each robot trains"): _(
            "{iterations}, learning rate {first} falling to {last}",
            iterations=plural(training.iterations, "iteration"),
            first=figure(training.learning_rate),
            last=figure(training.final_learning_rate),
        ),
        _("They learn"): training.learner_in_words(),
        _("Robots send"): training.sent_in_words(),
        _("Deltas"): _(
            "codec {codec}, norm at most {norm}",
            codec=training.codec,
            norm=figure(training.clip_norm),
        ),
    }


def _curve(campaign: CampaignView) -> Options | None:
    return campaign_chart(campaign) if any(entry.gate for entry in campaign.rounds) else None


def _curve_in_words(campaign: CampaignView) -> str:
    lines = [
        _("round {number}", number=entry.number) + f": {score_in_words(entry.gate.candidate)}"
        for entry in campaign.rounds
        if entry.gate
    ]
    return (
        _("Success of each round's candidate.")
        + " "
        + ("; ".join(lines[-12:]) or _("No round has been measured yet"))
    )


def _why_ungated(entry: RoundView) -> str:
    # What an open round waits for stands above the table; repeating it each second would only flicker.
    return entry.waiting_for if entry.state == "failed" else ""


def _deltas(entry: RoundView) -> str:
    missing = int(entry.metrics.get("missing", 0))
    late = [_("{number} late", number=count(entry.late))] if entry.late else []
    odd = [*late, _("{number} missing", number=count(missing))] if missing else late
    return f"{count(entry.deltas)} ({', '.join(odd)})" if odd else count(entry.deltas)


def _seconds(entry: RoundView) -> str:
    spent = [entry.metrics[name] for name in ("merge_seconds", "gate_seconds") if name in entry.metrics]
    return f"{figure(sum(spent), '#,##0.0')} s" if spent else ""


def _round_key(entry: RoundView) -> str:
    return entry.round_id
