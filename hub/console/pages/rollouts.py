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
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.grids import Column, Pager, Search, chips, filters, grid
from hub.console.queries.asking import Asked
from hub.console.queries.rollouts import RolloutsPage, read_rollouts
from hub.console.words import ago, plural, score_in_words, state_in_words
from skills.messages.rollouts import RolloutState, RolloutView
from skills.messages.skills import SkillView, VersionView

__all__ = ["page"]

SHOWN: tuple[RolloutState, ...] = ("open", "waiting", "paused", "done", "stopped", "aborted")
STATES: dict[str, str] = {"": "all"} | {each: state_in_words(badge_of(each)) for each in SHOWN}


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of roll-outs."""
    asked = dict(request.query_params)
    read = partial(read_rollouts, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, _: RolloutsPage
) -> Callable[[RolloutsPage, datetime], None]:
    with frame("Roll-outs", viewer):
        text("h1", "Roll-outs")
        lead = text("p", "", "lead")
        chips("/rollouts", asked, "state", STATES)
        filters("/rollouts", asked, Search("Skill", "skill"))
        with block("section", "card") as listed:
            rows = grid("Roll-outs, newest first", COLUMNS, lambda each: each.rollout_id)
            pager = Pager("/rollouts", asked)
        nothing = empty(
            "Bring a version to a few robots first",
            "A roll-out takes it ring by ring to more, hears how it does, and goes back where it fails.",
            f"zunft rollout start SKILL VERSION --hub {address} --token TOKEN",
        )
        with nothing:
            link("Choose a skill", "/skills", "primary step")
        with section("Could be next", "section card") as upcoming:
            ready = grid("Candidates that are not stable yet", NEXT, lambda skill: skill.name)
        none = text("p", "No roll-out is like that.", "blank")

    def show(found: RolloutsPage, now: datetime) -> None:
        counts = found.counts
        lead.text = (
            f"{plural(counts.under_way, 'version')} on the way to robots; "
            f"{plural(counts.prevented, 'incident')} prevented: versions that were stopped or "
            "taken back before all robots had them."
            if counts.rollouts
            else "No version was brought to robots in rings yet."
        )
        listed.set_visibility(bool(found.rollouts.items))
        nothing.set_visibility(not counts.rollouts)
        none.set_visibility(bool(counts.rollouts and not found.rollouts.items))
        upcoming.set_visibility(bool(found.next_up))
        ready.show(found.next_up, now)
        rows.show(found.rollouts.items, now)
        pager.show(found.rollouts.next)

    return show


COLUMNS: tuple[Column[RolloutView], ...] = (
    Column(
        "Roll-out",
        lambda each, _: f"{each.skill} v{each.new}",
        look="name",
        target=lambda each: f"/rollouts/{each.rollout_id}",
        aside=lambda each, _: f"in place of v{each.old}",
    ),
    Column("State", lambda each, _: badge_of(each.state), look="badge"),
    Column("Ring", lambda each, _: f"{each.ring} of {len(each.rings)}", look="number"),
    Column("Why", lambda each, _: each.reason),
    Column("Began", lambda each, now: ago(each.created_at, now), look="number"),
)


def _scored(version: VersionView | None) -> str:
    return f"v{version.version}: {score_in_words(version.score)}" if version else ""


NEXT: tuple[Column[SkillView], ...] = (
    Column("Skill", lambda skill, _: skill.name, look="name", target=lambda skill: f"/skills/{skill.name}"),
    Column("Candidate", lambda skill, _: _scored(skill.candidate)),
    Column("Stable now", lambda skill, _: _scored(skill.stable)),
    Column(
        "",
        lambda _skill, _: "Roll out",
        target=lambda skill: (
            f"/skills/{skill.name}/rollout?version={skill.candidate.version if skill.candidate else 0}"
        ),
    ),
)
