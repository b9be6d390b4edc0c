"""Which versions robots run and how it goes, as a part of a skill's page. Asked is `hub.rollouts.fleet`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from urllib.parse import quote

from hub.console.claims import CLAIMS
from hub.console.elements import section, text
from hub.console.grids import Column, grid
from hub.console.words import count, percent
from skills.messages.reports import Adoption

__all__ = ["AdoptionSection"]


class AdoptionSection:
    """A line for each version that robots speak of; nothing where none does."""

    def __init__(self, skill: str) -> None:
        with section("Adoption", "section card") as self._section:
            text("p", CLAIMS, "note")
            self._rows = grid("Versions in use", _columns(skill), lambda each: each.version)

    def show(self, found: tuple[Adoption, ...], now: datetime) -> None:
        """These, the newest first."""
        self._section.set_visibility(bool(found))
        self._rows.show(found, now)


def _columns(skill: str) -> tuple[Column[Adoption], ...]:
    return (
        Column(
            "Version in use",
            lambda each, _: f"v{each.version}" if each.version else "none",
            look="name",
            target=partial(_robots, skill),
        ),
        Column("Robots", lambda each, _: count(each.robots), look="number"),
        Column(
            "Should use another", lambda each, _: count(each.drifting) if each.drifting else "", look="warn"
        ),
        Column("Jobs done", lambda each, _: count(each.done), look="number"),
        Column("Failed", lambda each, _: count(each.failed), look="number"),
        Column(
            "Success at work",
            lambda each, _: percent(each.success) if each.success is not None else "",
            look="number",
        ),
    )


def _robots(skill: str, each: Adoption) -> str:
    return f"/skills/{quote(skill)}/robots?version={each.version}"
