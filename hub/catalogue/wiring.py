"""How the catalogue is put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.attestations.keeping import Attestations
from hub.catalogue.beginning import Beginnings
from hub.catalogue.catalogue import Catalogue
from hub.catalogue.comparing import Comparisons
from hub.catalogue.explaining import Explanations
from hub.catalogue.filming import Films
from hub.catalogue.kept_findings import KeptFindings
from hub.catalogue.releases import Releaser, Releases
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.workers.wiring import WorkersWing
from skills.messages.causes import Explanation
from skills.messages.comparisons import Comparison
from skills.messages.replays import Film

__all__ = ["CatalogueWing", "wire"]


@dataclass(frozen=True)
class CatalogueWing:
    """Skills and their versions, how they begin and why they fail, releases by hand and their measuring."""

    skills: Catalogue
    beginnings: Beginnings
    comparisons: Comparisons
    explanations: Explanations
    films: Films
    releases: Releases
    releaser: Releaser


def wire(
    settings: Settings,
    storage: StorageWing,
    attestations: Attestations,
    workers: WorkersWing,
    clock: Clock,
) -> CatalogueWing:
    """Measuring begins with the releaser's loop."""
    database = storage.database
    skills = Catalogue(database, storage.stores, storage.discards, attestations, clock)
    return CatalogueWing(
        skills=skills,
        beginnings=Beginnings(database, skills, workers.jobs, storage.spool),
        films=Films(database, workers.background, KeptFindings(settings.data_dir / "films", Film)),
        comparisons=Comparisons(
            database, workers.background, KeptFindings(settings.data_dir / "comparisons", Comparison)
        ),
        explanations=Explanations(
            database, workers.background, KeptFindings(settings.data_dir / "explanations", Explanation)
        ),
        releases=Releases(database, attestations, clock),
        releaser=Releaser(
            database, workers.jobs, attestations, clock, settings.lease_seconds, storage.stopping
        ),
    )
