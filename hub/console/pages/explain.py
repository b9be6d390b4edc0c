"""`/skills/{name}/explain`: what goes with a version's failures, the surest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import form
from hub.console.charts import cause_chart
from hub.console.elements import Chart, Command, Entries, block, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Column, crumbs, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.explain import ExplainPage, read_explanation
from hub.console.reading import may_operate
from hub.console.words import count, percent, points, probability
from skills.messages.base import API
from skills.messages.causes import Cause

__all__ = ["page"]

CAUSES: tuple[Column[Cause], ...] = (
    Column(later("Where it fails more"), lambda each, _now: each.in_words(), look="name"),
    Column(later("Success there"), lambda each, _now: percent(each.success), look="number"),
    Column(later("Elsewhere"), lambda each, _now: percent(each.elsewhere), look="number"),
    Column(
        later("Lower by, 95 % interval"),
        lambda each, _now: _(
            "{effect} ({low} to {high})",
            effect=points(each.effect),
            low=points(each.low),
            high=points(each.high),
        ),
        look="number",
    ),
    Column(later("By chance"), lambda each, _now: probability(each.chance), look="number"),
    Column(later("Episodes there"), lambda each, _now: count(each.episodes), look="number", minor=True),
)


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve what is known of one version."""
    version = request.query_params.get("version", "")
    read = partial(read_explanation, reading_of(request), name, version)
    return await live(request, read, partial(_build, hub_address(request)))


def _build(address: str, viewer: Viewer, first: ExplainPage) -> Callable[[ExplainPage, datetime], None]:
    name, version = first.skill.name, first.version.version
    here = f"/skills/{quote(name)}"
    with frame(_("Why {name} v{version} fails", name=name, version=version), viewer):
        crumbs((_("Skills"), "/skills"), (name, here))
        text("h1", _("Why v{version} fails", version=version))
        lead = text("p", "", "lead")
        with section(_("What goes with failure"), "section card") as known:
            causes = grid(_("Figures, the surest first"), CAUSES, lambda each: each.figure)
            text(
                "p",
                _(
                    "Chance counts every part that was looked at. What goes with failure need not cause it; "
                    "figures of robots differ by robot."
                ),
                "note step",
            )
        with section(_("Success over each figure"), "section") as plotted:
            plots = Entries[Cause](block("div", "cards"), lambda each: each.figure, CausePlot)
        with section(_("Find out"), "section card") as unknown:
            text(
                "p", _("A worker runs the version on many held-out robots and jobs; about a minute."), "note"
            )
            if may_operate(viewer, first.skill.organisation):
                path = f"{API}/skills/{quote(name)}/versions/{version}/causes"
                with block("div", "step"), form(path, _("Measure"), goal=f"{here}/explain?version={version}"):
                    pass
        with section(_("From a terminal"), "section card"):
            Command(f"zunft skill explain {name}@{version} --hub {address}")

    def show(found: ExplainPage, now: datetime) -> None:
        told = found.explanation
        known.set_visibility(told is not None and bool(told.causes))
        plotted.set_visibility(told is not None and bool(told.causes))
        unknown.set_visibility(told is None)
        lead.text = _("Nobody has measured this yet.")
        if told is not None:
            lead.text = _(
                "{success} success in {episodes} episodes on held-out robots.",
                success=percent(told.success),
                episodes=count(told.episodes),
            )
            causes.show(told.causes, now)
            plots.show(told.causes, now)

    return show


class CausePlot:
    """A figure that goes with failure: success over all of it."""

    def __init__(self) -> None:
        with block("article", "card") as self.element:
            self._name = text("h3")
            self._chart = Chart(_("No episodes."), "chart low")

    def show(self, cause: Cause, now: datetime) -> None:  # noqa: ARG002 - every entry is told the time
        """The figure as it was measured."""
        self._name.text = cause.in_words()
        parts = (f"{part.where}: {percent(part.success)}" for part in cause.parts)
        said = _("Success over {figure}: {parts}", figure=cause.figure, parts=", ".join(parts))
        self._chart.show(cause_chart(cause), said)
