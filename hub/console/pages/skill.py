"""`/skills/{name}`: how good a skill is, where it came from, and how to run it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from hub.access.principal import Viewer
from hub.console.acting import field, form
from hub.console.adopting import AdoptionSection
from hub.console.charts import Options, embodiment_chart, lineage_chart, success_chart
from hub.console.elements import (
    Badge,
    Chart,
    Command,
    Entries,
    FigureRow,
    Success,
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
from hub.console.fitting import FitSection
from hub.console.frame import frame, hub_address, reading_of
from hub.console.language import _, later
from hub.console.live import live
from hub.console.reading import SkillPage, SkillReader, may_operate
from hub.console.releasing import ReleaseButton
from hub.console.words import (
    ago,
    amount,
    count,
    figure,
    interval,
    no_score,
    percent,
    plural,
    release_in_words,
    score_in_words,
    short_digest,
)
from skills.manifest import Channel, Contract
from skills.messages.base import API
from skills.messages.campaigns import CampaignPlan, CampaignView
from skills.messages.skills import ScoreView, SkillView, VersionView

__all__ = ["page"]

COLUMNS = (
    later("Version"),
    later("Success, 95 % interval"),
    later("Origin"),
    later("Robots"),
    later("Steps"),
    later("Size"),
    later("Digest"),
    later("Made"),
)
ORDER = (
    (later("Deltas at least"), "quorum", 2, 100_000),
    (later("Seconds a round"), "deadline_seconds", 600, 31_536_000),
)
"""Label, field of the order, default and most; the rounds are as the task advises."""


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve one skill."""
    build = partial(_build, hub_address(request))
    return await live(request, SkillReader(reading_of(request), name), build)


def _elsewhere(name: str, task: str) -> None:
    with block("p", "section"):
        link(_("Leaderboard of {task}", task=task), f"/tasks/{quote(task)}/leaderboard", "also")
        link(_("Compare two versions"), f"/skills/{quote(name)}/compare", "also")
        link(_("See it move"), f"/skills/{quote(name)}/replay", "also")
        link(_("Why it fails"), f"/skills/{quote(name)}/explain", "also")


def _build(address: str, viewer: Viewer, first: SkillPage) -> Callable[[SkillPage, datetime], None]:
    name = first.skill.name
    may_act = may_operate(viewer, first.skill.organisation)
    with frame(name, viewer):
        _crumbs()
        text("h1", name)
        summary = text("p", "", "lead")
        figures = FigureRow((later("Success"), later("Stable version"), later("Learned from"), later("Task")))
        _elsewhere(name, first.skill.task)
        campaign = CampaignLine()
        with block("div", "section columns"):
            success = _chart_card(_("Success against version"), _("No version has been measured yet."))
            arms = _chart_card(
                _("Stable version, arm by arm"), _("The gate measures each arm when a round ends.")
            )
        order = _order(name, first.advice) if may_act else None
        _commands(address, name)
        with section(_("Versions"), "section card"):
            releasing = described(text("p", "", "note"), role="status")
            body = table(
                _("Versions of {name}", name=name), (*COLUMNS, later("Release")) if may_act else COLUMNS
            )
            versions = Entries[tuple[VersionView, SkillPage]](
                body, _version_key, partial(ShownVersion, may_act=may_act)
            )
        adopting = AdoptionSection(name)
        fitting = FitSection()
        with section(_("Lineage"), "section card"):
            lineage = Chart(_("No version yet."), "chart low")
            text(
                "p",
                _("Left to right: each version and what it was made from. Rings were not published."),
                "note",
            )
        _contract(first.versions[0].manifest.contract if first.versions else None)

    def show(found: SkillPage, now: datetime) -> None:
        summary.text = found.skill.summary
        _show_figures(figures, found.skill, now)
        campaign.show(found.campaigns)
        if order is not None:
            running = any(each.state == "running" for each in found.campaigns)
            order.set_visibility(found.skill.candidate is not None and not running)
        success.show(_success_chart(found.versions), _success_in_words(found.versions))
        scores = _scores_by_arm(found.skill)
        arms.show(embodiment_chart(scores) if scores else None, _arms_in_words(scores))
        lineage.show(
            lineage_chart(found.versions),
            _("Lineage of {versions}", versions=plural(len(found.versions), "version")),
        )
        versions.show(((version, found) for version in found.versions), now)
        releasing.text = release_in_words(found.release)
        adopting.show(found.adoption, now)
        fitting.show(found.fits, found.to_run, now)

    return show


class CampaignLine:
    """The campaign that improves the skill now, in one line; nothing when there is none."""

    def __init__(self) -> None:
        with block("p", "section titled") as self._element:
            self._badge = Badge("running")
            self._link = link("", "/")

    def show(self, campaigns: tuple[CampaignView, ...]) -> None:
        """The newest running campaign."""
        running = next((campaign for campaign in campaigns if campaign.state == "running"), None)
        self._element.set_visibility(running is not None)
        if running is not None:
            last = running.rounds[-1] if running.rounds else None
            self._badge.show(last.state if last else "running")
            total = running.order.rounds_in_all
            self._link.text = _(
                "Round {number} of {total} is under way", number=last.number if last else 1, total=total
            )
            described(self._link, href=f"/campaigns/{running.campaign_id}")


class ShownVersion:
    """One version on a line; with a button that releases it for who may."""

    def __init__(self, *, may_act: bool) -> None:
        with block("tr") as self.element:
            with cell(_("Version"), "head"), block("span", "line"):
                self._name = text("span", "", "name number")
                self._badges = {name: Badge(name) for name in ("stable", "candidate", "rejected")}
                self._arms = text("span", "", "note")
            with cell(_("Success")):
                self._success = Success()
            self._origin, self._robots = number_cell(_("Origin")), number_cell(_("Robots"))
            self._steps, self._size = number_cell(_("Steps"), "minor"), number_cell(_("Size"), "minor")
            with cell(_("Digest")):
                self._digest = text("code", "", "mono")
            self._made = time_cell(_("Made"))
            self._release = cell(_("Release"), "acts") if may_act else None
            self._act: ReleaseButton | None = None
            self._rollout: TextElement | None = None

    def show(self, shown: tuple[VersionView, SkillPage], now: datetime) -> None:
        """The version as it is now, on its page."""
        version, found = shown
        if self._release is not None:
            if self._act is None:
                with self._release:
                    self._act = ReleaseButton(version)
                    here = f"/skills/{quote(version.skill)}/rollout?version={version.version}"
                    self._rollout = link(_("Roll out"), here, "quiet")
            self._act.show(version, found.skill.stable, found.fits)
        if self._rollout is not None:
            stable = found.skill.stable
            is_ours = stable is None or stable.version == version.version or bool(version.withdrawn)
            self._rollout.set_visibility(not is_ours)
        rejected = version.gate is not None and not version.gate.passed
        marks = {"rejected"} if rejected else set(version.channels)
        if "stable" in marks:
            marks.discard("candidate")
        for name, badge in self._badges.items():
            badge.element.set_visibility(name in marks)
        self._name.text, self._arms.text = f"v{version.version}", version.arms_in_words()
        self._success.show(version.score)
        self._origin.text, self._robots.text = version.origin, count(version.contributors)
        self._steps.text, self._size.text = count(version.samples), amount(version.size)
        self._digest.text = short_digest(version.digest)
        described(self._digest, title=version.digest)
        self._made.show(version.created_at, now)


def _order(name: str, advice: CampaignPlan) -> Element:
    """A campaign for this skill, with what an operator most often sets; all else as its task advises."""
    fixed = {"skill": name, **advice.model_dump(mode="json", exclude={"rounds"})}
    rounds = (later("Rounds"), "rounds", advice.rounds, 100_000)
    with section(_("Start a campaign"), "section card") as frame_:
        text(
            "p", _("Robots practise this skill round by round, from its stable or newest version on."), "note"
        )
        text("p", _("As its task advises: {advice}.", advice=advice.in_words()), "note")
        with form(f"{API}/campaigns", _("Start"), fixed=fixed, goal="/campaigns/{campaign_id}"):
            for label, key, value, most in (rounds, *ORDER):
                field(_(label), key, type="number", value=str(value), min="1", max=str(most))
    return frame_


def _crumbs() -> None:
    with described(block("nav", "crumbs"), aria_label=_("Breadcrumb")):
        link(_("Skills"), "/skills")


def _chart_card(title: str, nothing: str) -> Chart:
    with block("section", "card"):
        text("h2", title)
        return Chart(nothing)


def _show_figures(figures: FigureRow, skill: SkillView, now: datetime) -> None:
    stable = skill.stable
    score = stable.score if stable else None
    aside = f"{interval(score)}, {plural(score.episodes, 'episode')}" if score else ""
    figures.show("Success", percent(score.score) if score else no_score(), aside)
    figures.show(
        "Stable version",
        f"v{stable.version}" if stable else _("none yet"),
        _("of {versions}, {ago}", versions=count(skill.versions), ago=ago(skill.updated_at, now)),
    )
    learned = plural(stable.contributors, "robot") if stable and stable.contributors else _("nobody yet")
    figures.show(
        "Learned from", learned, _("{samples} steps", samples=count(stable.samples)) if stable else ""
    )
    figures.show("Task", skill.task)


def _commands(address: str, name: str) -> None:
    with section(_("Use it"), "section card"):
        text("p", _("Let a robot in, with a one-time token from an operator."), "note")
        Command(f"zunft robot join --hub {address} --token TOKEN --name NAME --embodiment ur5e")
        text("p", _("Run the skill on it: verified, and without torch or Ray."), "note step")
        Command(f"zunft robot use {name}")
        text("p", _("Or let it practise the skill and share what it learns."), "note step")
        Command(f"zunft robot run --skill {name}")
        text("p", _("Only take the file. The program checks its digest, curl does not."), "note step")
        Command(f"zunft skill pull {name}@stable --hub {address} -o {name}.skill")
        Command(f"curl -fL {address}{API}/skills/{name}/versions/stable/file -o {name}.skill")


def _contract(contract: Contract | None) -> None:
    if contract is None:
        return
    with block("section", "section card"), block("details"):
        text("summary", _("What a robot must sense and obey"))
        with block("div", "cards"):
            _channels(_("Observation"), contract.observation)
            _channels(_("Action, {hertz} times a second", hertz=figure(contract.control_hz)), contract.action)


def _channels(title: str, channels: tuple[Channel, ...]) -> Element:
    with block("div") as part:
        text("h3", title)
        pairs({channel.name: f"{channel.size} \u00d7 {channel.unit or '1'}" for channel in channels})
    return part


def _success_chart(versions: tuple[VersionView, ...]) -> Options | None:
    return success_chart(versions) if any(version.score for version in versions) else None


def _scores_by_arm(skill: SkillView) -> dict[str, ScoreView]:
    return skill.stable.gate.by_embodiment if skill.stable and skill.stable.gate else {}


def _success_in_words(versions: tuple[VersionView, ...]) -> str:
    lines = [f"v{version.version}: {score_in_words(version.score)}" for version in versions[:12]]
    return _("Success against version") + ": " + "; ".join(lines)


def _arms_in_words(scores: dict[str, ScoreView]) -> str:
    return "; ".join(f"{name}: {score_in_words(score)}" for name, score in scores.items()) or _(
        "Not measured yet"
    )


def _version_key(shown: tuple[VersionView, SkillPage]) -> int:
    return shown[0].version
