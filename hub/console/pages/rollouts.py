"""`/rollouts`: versions on their way to robots, and those that were kept from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.claims import badge_of
from hub.console.elements import block, empty, link, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Column, Pager, Search, chips, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.rollouts import RolloutsPage, read_rollouts
from hub.console.words import plural, score_in_words
from skills.messages.rollouts import RolloutCounts, RolloutView
from skills.messages.skills import SkillView, VersionView

__all__ = ["STANDING", "page"]

STATES: dict[str, str] = {
    "": later("all"),
    "open": later("running"),
    "waiting": later("waits for a word"),
    "paused": later("paused"),
    "done": later("finished"),
    "stopped": later("stopped"),
    "aborted": later("rolled back"),
}


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of roll-outs."""
    asked = dict(request.query_params)
    read = partial(read_rollouts, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, _first: RolloutsPage
) -> Callable[[RolloutsPage, datetime], None]:
    with frame(_("Roll-outs"), viewer):
        text("h1", _("Roll-outs"))
        lead = text("p", "", "lead")
        chips("/rollouts", asked, "state", STATES)
        filters("/rollouts", asked, Search(later("Skill"), "skill"))
        with block("section", "card") as listed:
            rows = grid(_("Roll-outs, newest first"), COLUMNS, lambda each: each.rollout_id)
            pager = Pager("/rollouts", asked)
        nothing = empty(
            _("Bring a version to a few robots first"),
            _("A roll-out takes it ring by ring to more, hears how it does, and goes back where it fails."),
            f"zunft rollout start SKILL VERSION --hub {address} --token TOKEN",
        )
        with nothing:
            link(_("Choose a skill"), "/skills", "primary step")
        with section(_("Could be next"), "section card") as upcoming:
            ready = grid(_("Candidates that are not stable yet"), NEXT, lambda skill: skill.name)
        none = text("p", _("No roll-out is like that."), "blank")

    def show(found: RolloutsPage, now: datetime) -> None:
        counts = found.counts
        lead.text = counts_in_words(counts)
        listed.set_visibility(bool(found.rollouts.items))
        nothing.set_visibility(not counts.rollouts)
        none.set_visibility(bool(counts.rollouts and not found.rollouts.items))
        upcoming.set_visibility(bool(found.next_up))
        ready.show(found.next_up, now)
        rows.show(found.rollouts.items, now)
        pager.show(found.rollouts.next)

    return show


def counts_in_words(counts: RolloutCounts) -> str:
    """How many are under way, and what was kept from robots."""
    if not counts.rollouts:
        return _("No version was brought to robots in rings yet.")
    return _(
        "{versions} on the way to robots; {incidents} prevented: versions that were stopped or taken back "
        "before all robots had them.",
        versions=plural(counts.under_way, "version"),
        incidents=plural(counts.prevented, "incident"),
    )


STANDING: tuple[Column[RolloutView], ...] = (
    Column(
        later("Roll-out"),
        lambda each, _now: f"{each.skill} v{each.new}",
        look="name",
        target=lambda each: f"/rollouts/{each.rollout_id}",
        aside=lambda each, _now: _("in place of v{version}", version=each.old),
    ),
    Column(later("State"), lambda each, _now: badge_of(each.state), look="badge"),
    Column(
        later("Ring"),
        lambda each, _now: _("{number} of {total}", number=each.ring, total=len(each.rings)),
        look="number",
    ),
)
"""Which one it is, and how far."""
COLUMNS: tuple[Column[RolloutView], ...] = (
    *STANDING,
    Column(later("Why"), lambda each, _now: each.reason),
    Column(later("Began"), at=lambda each: each.created_at),
)


def _scored(version: VersionView | None) -> str:
    return f"v{version.version}: {score_in_words(version.score)}" if version else ""


NEXT: tuple[Column[SkillView], ...] = (
    Column(
        later("Skill"),
        lambda skill, _now: skill.name,
        look="name",
        target=lambda skill: f"/skills/{skill.name}",
    ),
    Column(later("Candidate"), lambda skill, _now: _scored(skill.candidate)),
    Column(later("Stable now"), lambda skill, _now: _scored(skill.stable)),
    Column(
        "",
        lambda _skill, _now: _("Roll out"),
        target=lambda skill: (
            f"/skills/{skill.name}/rollout?version={skill.candidate.version if skill.candidate else 0}"
        ),
    ),
)
