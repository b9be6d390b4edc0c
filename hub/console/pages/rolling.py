"""`/skills/{name}/rollout`: bring a version to robots ring by ring, as far as most operators set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import check, field, form
from hub.console.elements import Command, block, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import crumbs
from hub.console.language import _
from hub.console.live import live
from hub.console.queries.rollouts import StartPage, read_beginning
from hub.console.reading import may_operate
from hub.console.words import score_in_words
from skills.messages.base import API
from skills.messages.rollouts import DEFAULT_RINGS, RingPlan

__all__ = ["page"]


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve the form."""
    version = request.query_params.get("version", "")
    read = partial(read_beginning, reading_of(request), name, version)
    return await live(request, read, partial(_build, hub_address(request)))


def _build(address: str, viewer: Viewer, first: StartPage) -> Callable[[StartPage, datetime], None]:
    name, version = first.skill.name, first.version
    with frame(_("Roll out {skill} v{version}", skill=name, version=version.version), viewer):
        crumbs((_("Skills"), "/skills"), (name, f"/skills/{quote(name)}"))
        text("h1", _("Bring v{version} to robots", version=version.version))
        stable = first.skill.stable
        text("p", f"v{version.version}: {score_in_words(version.score)}.", "lead")
        if stable is None:
            text("p", _("Nothing is stable yet, so robots have nothing to go back to."), "step")
        elif not may_operate(viewer, first.skill.organisation):
            text("p", _("Operators of its organisation do this."), "step")
        else:
            score = score_in_words(stable.score)
            now = _("v{version}, which robots have now: {score}.", version=stable.version, score=score)
            text("p", now, "note")
            _rings(name, version.version)
        with section(_("From a terminal"), "section card"):
            Command(f"zunft rollout start {name} {version.version} --hub {address} --token TOKEN")
    return lambda _found, _now: None


def _rings(name: str, version: int) -> None:
    rings = [ring.model_dump(mode="json") for ring in DEFAULT_RINGS]
    with section(_("Ring by ring"), "section card"):
        text(
            "p",
            _(
                "A ring opens when the one before has had the version for long enough, has done jobs enough, "
                "and is shown to be not worse. Where it is worse, all rings go back by themselves."
            ),
            "note",
        )
        fixed = {"skill": name, "version": version, "rings": rings}
        begin = form(f"{API}/rollouts", _("Start"), fixed=fixed, goal="/rollouts/{rollout_id}")
        with begin, block("div", "rows"):
            for place, ring in enumerate(DEFAULT_RINGS):
                _ring(place, ring)


def _ring(place: int, ring: RingPlan) -> None:
    at = f"rings.{place}"
    with block("fieldset", "ring"):
        text("legend", _("Ring {number}", number=place + 1))
        share = {"min": "0.01", "max": "1", "step": "0.01"}
        for label, name, value, limits in (
            (_("Share of the robots, to 1"), "share", ring.share, share),
            (_("Jobs at least"), "least_jobs", ring.least_jobs, {"min": "0"}),
            (_("Seconds at least"), "least_seconds", ring.least_seconds, {"min": "0"}),
        ):
            field(label, f"{at}.{name}", type="number", value=f"{value:g}", **limits)
        check(_("Then ask a person"), f"{at}.approval")
