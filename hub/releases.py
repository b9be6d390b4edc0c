"""Releases and rollbacks by hand: an operator moves a channel; what was never measured is measured first.

The gate that compares candidates of a campaign is the engine's business, see `hub.steps`.
"""

from __future__ import annotations

from hub.auth import Principal
from hub.catalogue import Catalogue
from hub.gate import Gate
from skills.messages import Channel, GatePlan, VersionView
from skills.skill import Skill

__all__ = ["Releases"]


class Releases:
    """Moves channels by an operator's order."""

    def __init__(self, catalogue: Catalogue, gate: Gate) -> None:
        self._catalogue = catalogue
        self._gate = gate

    def move(self, name: str, channel: Channel, number: int, *, by: Principal) -> VersionView:
        """Point a channel at a version. May take as long as a measurement.

        Raises:
            NotFoundError: No such skill or version.
            ForbiddenError: It is another organisation's.
            ContractError: It would become stable and cannot be measured here.
        """
        version = self._catalogue.own_version(name, str(number), by)
        if channel == "stable" and version.score is None:
            skill = Skill.from_bytes(self._catalogue.file(version, by), digest=version.digest)
            report = self._gate(skill, None, GatePlan())
            self._catalogue.record_score(version.digest, report.candidate)
        return self._catalogue.move_channel(name, channel, number, by=by)
