"""What the page of replays shows: which films of one or two versions there are."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.queries.asking import Asked
from hub.console.reading import must_see
from hub.services import Services
from skills.errors import ConflictError
from skills.messages.lists import VersionQuery
from skills.messages.replays import Film
from skills.messages.skills import SkillView, VersionView

__all__ = ["ReplayPage", "ReplayReader"]


@dataclass(frozen=True)
class ReplayPage:
    """Everything on `/skills/{name}/replay`.

    Attributes:
        arms: On which the versions were measured.
        arm: Which of them is shown.
        numbers: Of versions that could be shown, newest first.
        versions: One, or two side by side.
        films: Of these; None where it was not recorded yet.
    """

    skill: SkillView
    arms: tuple[str, ...]
    arm: str
    numbers: tuple[int, ...]
    versions: tuple[VersionView, ...]
    films: tuple[Film | None, ...]


class ReplayReader:
    """Reads the page again and again; a film that is known is not read again."""

    def __init__(self, hub: Services, name: str, asked: Asked) -> None:
        self._hub, self._name, self._asked = hub, name, asked
        self._films: dict[tuple[str, str], Film] = {}

    def __call__(self, viewer: Viewer) -> ReplayPage:
        """One or two versions; raises NotFoundError, UnauthorizedError."""
        must_see(self._hub, viewer)
        skills, asked = self._hub.catalogue.skills, self._asked
        refs = [each for each in (asked.get("version") or "base", asked.get("beside", "")) if each]
        versions = tuple(skills.version(self._name, ref, viewer) for ref in dict.fromkeys(refs))
        arms = sorted({arm for each in versions if each.gate for arm in each.gate.by_embodiment})
        arm = asked.get("arm") or (arms[0] if arms else "ur5e")
        newest = skills.versions(self._name, viewer, VersionQuery(sort="newest", limit=100)).items
        return ReplayPage(
            skills.skill(self._name, viewer),
            tuple(arms or [arm]),
            arm,
            tuple(each.version for each in newest),
            versions,
            tuple(self._film(each, arm, viewer) for each in versions),
        )

    def _film(self, version: VersionView, arm: str, viewer: Viewer) -> Film | None:
        key = version.digest, arm
        if key not in self._films:
            try:
                found = self._hub.catalogue.films.film(self._name, str(version.version), arm, viewer)
            except ConflictError:
                return None
            self._films[key] = found
        return self._films[key]
