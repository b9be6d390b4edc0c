"""The button that makes a version stable: it shows both scores, the gate's word and whom it concerns first.

What speaks against it, and that it then takes a reason, is `hub.catalogue.objections`' rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from hub.catalogue.objections import objection
from hub.console.acting import Act
from hub.console.language import _
from hub.console.words import count, plural, score_in_words
from skills.fits import RobotFit
from skills.messages.base import API
from skills.messages.skills import VersionView

__all__ = ["ReleaseButton"]


class ReleaseButton:
    """For one version; red where it takes a reason, gone where it is stable."""

    def __init__(self, version: VersionView) -> None:
        path = f"{API}/skills/{quote(version.skill)}/channels/stable"
        self._act = Act(_("Make stable"), "PUT", path, question="?", body={"version": version.version})

    def show(self, version: VersionView, stable: VersionView | None, robots: Sequence[RobotFit]) -> None:
        """The version beside the one that is stable now, and the viewer's robots."""
        self._act.element.set_visibility("stable" not in version.channels and not version.withdrawn)
        against = objection(version, stable)
        lines = (
            _question(version, stable),
            *_scores(version, stable),
            _gate(version),
            _whom(robots),
            against,
        )
        self._act.ask("\n".join(line for line in lines if line), reason=bool(against), is_grave=bool(against))


def _question(version: VersionView, stable: VersionView | None) -> str:
    if stable is None:
        return _(
            "Make v{version} the stable version? Robots take it at their next look.", version=version.version
        )
    return _(
        "Make v{version} the stable version instead of v{stable}? Robots take it at their next look.",
        version=version.version,
        stable=stable.version,
    )


def _scores(version: VersionView, stable: VersionView | None) -> list[str]:
    both = [version] if stable is None else [version, stable]
    return [f"v{each.version}: {score_in_words(each.score)}." for each in both]


def _gate(version: VersionView) -> str:
    if version.gate is None:
        return _("It was never measured, so the gate does that first.")
    return _("The gate let it pass. {reason}", reason=version.gate.reason) if version.gate.passed else ""


def _whom(robots: Sequence[RobotFit]) -> str:
    if not robots:
        return ""
    able = sum(each.fits == "yes" for each in robots)
    return _(
        "{able} of {robots} of yours can run this skill.",
        able=count(able),
        robots=plural(len(robots), "robot"),
    )
