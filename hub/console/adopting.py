"""Which versions robots run and how it goes, as a part of a skill's page. Asked is `hub.rollouts.fleet`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from urllib.parse import quote

from hub.console.claims import CLAIMS
from hub.console.elements import section, text
from hub.console.grids import Column, grid
from hub.console.language import _, later
from hub.console.words import count, percent
from skills.messages.reports import Adoption

__all__ = ["AdoptionSection"]


class AdoptionSection:
    """A line for each version that robots speak of; nothing where none does."""

    def __init__(self, skill: str) -> None:
        with section(_("Adoption"), "section card") as self._section:
            text("p", _(CLAIMS), "note")
            self._rows = grid(_("Versions in use"), _columns(skill), lambda each: each.version)

    def show(self, found: tuple[Adoption, ...], now: datetime) -> None:
        """These, the newest first."""
        self._section.set_visibility(bool(found))
        self._rows.show(found, now)


def _columns(skill: str) -> tuple[Column[Adoption], ...]:
    return (
        Column(
            later("Version in use"),
            lambda each, _now: f"v{each.version}" if each.version else _("none"),
            look="name",
            target=partial(_robots, skill),
        ),
        Column(later("Robots"), lambda each, _now: count(each.robots), look="number"),
        Column(
            later("Should use another"),
            lambda each, _now: count(each.drifting) if each.drifting else "",
            look="warn",
        ),
        Column(later("Jobs done"), lambda each, _now: count(each.done), look="number"),
        Column(later("Failed"), lambda each, _now: count(each.failed), look="number"),
        Column(
            later("Success at work"),
            lambda each, _now: percent(each.success) if each.success is not None else "",
            look="number",
        ),
    )


def _robots(skill: str, each: Adoption) -> str:
    return f"/skills/{quote(skill)}/robots?version={each.version}"
