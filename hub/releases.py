"""Releases and rollbacks by hand: an operator moves a channel; what was never measured is measured first.

The gate that compares candidates of a campaign is the engine's business, see `hub.steps`.
"""

from __future__ import annotations

from hub.audit import HUB
from hub.catalogue import Catalogue
from hub.gate import Gate
from hub.spool import Spool
from skills.messages import Channel, GatePlan, VersionView

__all__ = ["Releases"]


class Releases:
    """Moves channels by an operator's order."""

    def __init__(self, catalogue: Catalogue, spool: Spool, gate: Gate) -> None:
        self._catalogue = catalogue
        self._spool = spool
        self._gate = gate

    def move(self, name: str, channel: Channel, number: int, *, by: str = HUB) -> VersionView:
        """Point a channel at a version. May take as long as a measurement.

        Raises:
            NotFoundError: No such skill or version.
            ContractError: It would become stable and cannot be measured here.
        """
        version = self._catalogue.version(name, str(number))
        if channel == "stable" and version.score is None:
            report = self._gate(self._spool.skill(version.digest), None, GatePlan())
            self._catalogue.record_score(version.digest, report.candidate)
        return self._catalogue.move_channel(name, channel, number, by=by)
