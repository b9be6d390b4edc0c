"""`/skills/{name}/replay`: recorded episodes of a version beside a controller's, or of two versions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from importlib.resources import files
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui

from hub.access.principal import Viewer
from hub.console.acting import form
from hub.console.elements import Command, block, described, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Choice, crumbs, filters
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.replay import ReplayPage, ReplayReader
from hub.console.reading import may_operate
from hub.console.words import plural
from skills.messages.base import API
from skills.messages.replays import Film

__all__ = ["page"]

KINDS = {"worst": later("Worst"), "median": later("Median"), "best": later("Best")}


@cache
def _script() -> str:
    return (files("hub.console") / "replay.js").read_text("utf-8")


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve a player."""
    asked = dict(request.query_params)
    build = partial(_build, hub_address(request), asked)
    return await live(request, ReplayReader(reading_of(request), name, asked), build)


def _build(
    address: str, asked: Asked, viewer: Viewer, first: ReplayPage
) -> Callable[[ReplayPage, datetime], None]:
    name, here = first.skill.name, f"/skills/{quote(first.skill.name)}"
    said = _versions(first)
    numbers = {str(number): f"v{number}" for number in first.numbers}
    films = [film for film in first.films if film is not None]
    with frame(_("Replay of {skill} {versions}", skill=name, versions=said), viewer):
        crumbs((_("Skills"), "/skills"), (name, here))
        text("h1", _("How {versions} does it", versions=said))
        shown = {"version": str(first.versions[0].version), "arm": first.arm, **asked}
        filters(
            f"{here}/replay",
            shown,
            Choice(later("Version"), "version", numbers, none=later("what robots run")),
            Choice(later("Beside it"), "beside", numbers, none=later("a controller")),
            Choice(later("Arm"), "arm", {arm: arm for arm in first.arms}),
        )
        if len(films) == len(first.films):
            _player(films)
        with section(_("Record it"), "section card") as missing:
            again = _("A worker steps the gate's first jobs again with their seed; about a minute.")
            text("p", again, "note")
            if may_operate(viewer, first.skill.organisation):
                for version, film in zip(first.versions, first.films, strict=True):
                    if film is None:
                        path = _path(name, version.version, first.arm)
                        record = _("Record v{version}", version=version.version)
                        goal = f"{here}/replay?{urlencode(shown)}"
                        with block("div", "step"), form(path, record, goal=goal):
                            pass
        with section(_("From a terminal"), "section card"):
            for version in first.versions:
                reference = f"{name}@{version.version}"
                Command(
                    f"zunft skill replay {reference} --embodiment {first.arm} -o film.json --hub {address}"
                )

    def show(found: ReplayPage, _now: datetime) -> None:
        missing.set_visibility(None in found.films)

    return show


def _versions(shown: ReplayPage) -> str:
    """One or two, in words."""
    names = [f"v{each.version}" for each in shown.versions]
    return _("{older} and {newer}", older=names[0], newer=names[1]) if len(names) > 1 else names[0]


def _path(skill: str, version: int, arm: str) -> str:
    return f"{API}/skills/{quote(skill)}/versions/{version}/films/{quote(arm)}"


def _player(films: list[Film]) -> None:
    ui.add_body_html(f'<script type="module">{_script()}</script>')
    paths = [_path(film.skill, film.version, film.embodiment) for film in films]
    player = block("section", "section player")
    broken = _("{line}, fails at {seconds} s")
    with described(player, data_films=" ".join(paths), data_broken=broken):
        described(text("p", "", "refusal"), role="alert")
        with block("div", "controls"):
            play, pause = _("Play"), _("Pause")
            described(text("button", play, "primary"), type="button", data_play=play, data_pause=pause)
            time = described(block("input"), type="range", aria_label=_("Time"))
            described(time, min="0", max="1", step="0.05", value="0")
            described(text("span", "0.0 s", "number"), data_clock="yes")
            with described(block("select"), aria_label=_("Which job")):
                for kind, words in _kinds(films).items():
                    described(text("option", words), value=kind)
        with block("div", "films"):
            for number, film in enumerate(films):
                _figure(number, film, f"v{film.version}", "policy")
            if len(films) == 1 and films[0].theirs:
                _figure(0, films[0], films[0].controller, "controller")
        legend = _("Dashed lines are bounds, a red line is the moment of failure. Drag to turn.")
        text("p", legend, "note step")


def _kinds(films: list[Film]) -> dict[str, str]:
    failed = max(sum("failed" in each.kinds for each in film.episodes) for film in films)
    named = {kind: _(words) for kind, words in KINDS.items()}
    return named | {f"failed {n}": _("Failed {number}", number=n + 1) for n in range(failed)}


def _figure(number: int, film: Film, who: str, kind: str) -> None:
    with described(block("figure", "card"), data_film=str(number), data_who=kind):
        with block("figcaption", "titled"):
            text("h2", who)
            succeeds, fails = _("job {job}: succeeds"), _("job {job}: fails")
            described(text("span", "", "note"), data_said="yes", data_succeeds=succeeds, data_fails=fails)
        moving = _("{version} on {arm}, moving", version=who, arm=film.embodiment)
        described(block("canvas"), role="img", aria_label=moving)
        described(block("div", "traces"), data_traces="yes")
        if kind == "policy":
            jobs = plural(film.measured, "job")
            done = _("{done} of {jobs} done on {arm}.", done=film.succeeded, jobs=jobs, arm=film.embodiment)
            text("p", done, "note")
