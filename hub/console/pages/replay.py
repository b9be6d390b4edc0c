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
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.grids import Choice, crumbs, filters
from hub.console.queries.asking import Asked
from hub.console.queries.replay import ReplayPage, ReplayReader
from hub.console.reading import may_operate
from hub.console.words import plural
from skills.messages.base import API
from skills.messages.replays import Film

__all__ = ["page"]

KINDS = {"worst": "Worst", "median": "Median", "best": "Best"}


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
    said = " and ".join(f"v{each.version}" for each in first.versions)
    numbers = {str(number): f"v{number}" for number in first.numbers}
    films = [film for film in first.films if film is not None]
    with frame(f"Replay of {name} {said}", viewer):
        crumbs(("Skills", "/skills"), (name, here))
        text("h1", f"How {said} does it")
        shown = {"version": str(first.versions[0].version), "arm": first.arm, **asked}
        filters(
            f"{here}/replay",
            shown,
            Choice("Version", "version", numbers, none="what robots run"),
            Choice("Beside it", "beside", numbers, none="a controller"),
            Choice("Arm", "arm", {arm: arm for arm in first.arms}),
        )
        if len(films) == len(first.films):
            _player(films)
        with section("Record it", "section card") as missing:
            text("p", "A worker steps the gate's first jobs again with their seed; about a minute.", "note")
            if may_operate(viewer, first.skill.organisation):
                for version, film in zip(first.versions, first.films, strict=True):
                    if film is None:
                        path = (
                            f"{API}/skills/{quote(name)}/versions/{version.version}/films/{quote(first.arm)}"
                        )
                        goal = f"{here}/replay?{urlencode(shown)}"
                        with block("div", "step"), form(path, f"Record v{version.version}", goal=goal):
                            pass
        with section("From a terminal", "section card"):
            for version in first.versions:
                reference = f"{name}@{version.version}"
                Command(
                    f"zunft skill replay {reference} --embodiment {first.arm} -o film.json --hub {address}"
                )

    def show(found: ReplayPage, _now: datetime) -> None:
        missing.set_visibility(None in found.films)

    return show


def _path(skill: str, version: int, arm: str) -> str:
    return f"{API}/skills/{quote(skill)}/versions/{version}/films/{quote(arm)}"


def _player(films: list[Film]) -> None:
    ui.add_body_html(f'<script type="module">{_script()}</script>')
    paths = [_path(film.skill, film.version, film.embodiment) for film in films]
    with described(block("section", "section player"), data_films=" ".join(paths)):
        described(text("p", "", "refusal"), role="alert")
        with block("div", "controls"):
            described(text("button", "Play", "primary"), type="button", data_play="Play", data_pause="Pause")
            described(
                block("input"), type="range", min="0", max="1", step="0.05", value="0", aria_label="Time"
            )
            described(text("span", "0.0 s", "number"), data_clock="yes")
            with described(block("select"), aria_label="Which job"):
                for kind, words in _kinds(films).items():
                    described(text("option", words), value=kind)
        with block("div", "films"):
            for number, film in enumerate(films):
                _figure(number, film, f"v{film.version}", "policy")
            if len(films) == 1 and films[0].theirs:
                _figure(0, films[0], films[0].controller, "controller")
        text("p", "Dashed lines are bounds, a red line is the moment of failure. Drag to turn.", "note step")


def _kinds(films: list[Film]) -> dict[str, str]:
    failed = max(sum("failed" in each.kinds for each in film.episodes) for film in films)
    return {**KINDS, **{f"failed {number}": f"Failed {number + 1}" for number in range(failed)}}


def _figure(number: int, film: Film, who: str, kind: str) -> None:
    with described(block("figure", "card"), data_film=str(number), data_who=kind):
        with block("figcaption", "titled"):
            text("h2", who)
            described(text("span", "", "note"), data_said="yes")
        described(block("canvas"), role="img", aria_label=f"{who} on {film.embodiment}, moving")
        described(block("div", "traces"), data_traces="yes")
        if kind == "policy":
            text(
                "p", f"{film.succeeded} of {plural(film.measured, 'job')} done on {film.embodiment}.", "note"
            )
