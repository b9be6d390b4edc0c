"""What the page that compares two versions of a skill shows."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.queries.asking import Asked
from hub.console.reading import must_see
from hub.services import Services
from skills.errors import ConflictError, NotFoundError
from skills.messages.campaigns import CampaignView
from skills.messages.comparisons import Comparison
from skills.messages.lists import VersionQuery
from skills.messages.skills import Compared, ScoreView, VersionView

__all__ = ["ArmPair", "ComparePage", "read_comparison"]


@dataclass(frozen=True)
class ArmPair:
    """What both versions scored on one arm, each at its own gate."""

    arm: str
    left: ScoreView | None
    right: ScoreView | None


@dataclass(frozen=True)
class ComparePage:
    """Everything on `/skills/{name}/compare`.

    Attributes:
        numbers: Of all versions that could be chosen, newest first.
        left: The earlier one.
        right: The later one.
        paired: The later one's gate held it to the earlier one, job by job; None: it did not.
        compared: What a worker found in jobs that none of them was chosen by; None: nobody had them compared.
        campaigns: That made each; None: none did.
        owner: The skill's organisation.
    """

    numbers: tuple[int, ...]
    left: VersionView
    right: VersionView
    arms: tuple[ArmPair, ...]
    paired: Compared | None
    compared: Comparison | None
    campaigns: tuple[CampaignView | None, CampaignView | None]
    owner: str


def read_comparison(hub: Services, name: str, asked: Asked, viewer: Viewer) -> ComparePage:
    """Two versions, by default the newest and the one before; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    skills = hub.catalogue.skills
    newest = skills.versions(name, viewer, VersionQuery(sort="newest", limit=100)).items
    numbers = tuple(each.version for each in newest)
    chosen = [
        asked.get("left") or str(numbers[min(1, len(numbers) - 1)]),
        asked.get("right") or str(numbers[0]),
    ]
    left, right = sorted((skills.version(name, ref, viewer) for ref in chosen), key=lambda each: each.version)
    try:
        compared = hub.catalogue.comparisons.comparison(name, str(left.version), str(right.version), viewer)
    except ConflictError:
        compared = None
    return ComparePage(
        numbers=numbers,
        left=left,
        right=right,
        arms=_arms(left, right),
        paired=_paired(left, right),
        compared=compared,
        campaigns=(_campaign(hub, left, viewer), _campaign(hub, right, viewer)),
        owner=skills.skill(name, viewer).organisation,
    )


def _campaign(hub: Services, version: VersionView, viewer: Viewer) -> CampaignView | None:
    if version.round_id is None:
        return None
    try:
        made_in = hub.rounds.campaigns.round(version.round_id, viewer)
        return hub.rounds.campaigns.campaign(made_in.campaign_id, viewer)
    except NotFoundError:  # it was another hall's
        return None


def _arms(left: VersionView, right: VersionView) -> tuple[ArmPair, ...]:
    mine, theirs = (each.gate.by_embodiment if each.gate else {} for each in (left, right))
    return tuple(ArmPair(arm, mine.get(arm), theirs.get(arm)) for arm in sorted({*mine, *theirs}))


def _paired(left: VersionView, right: VersionView) -> Compared | None:
    if right.gate is None:
        return None
    held = (right.gate.compared, right.gate.best)
    return next((each for each in held if each is not None and each.reference == left.digest), None)
