"""What the page of a version's failures shows."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.reading import must_see
from hub.services import Services
from skills.errors import ConflictError
from skills.messages.causes import Explanation
from skills.messages.skills import SkillView, VersionView

__all__ = ["ExplainPage", "read_explanation"]


@dataclass(frozen=True)
class ExplainPage:
    """Everything on `/skills/{name}/explain`; the explanation where there is one."""

    skill: SkillView
    version: VersionView
    explanation: Explanation | None


def read_explanation(hub: Services, name: str, version: str, viewer: Viewer) -> ExplainPage:
    """A version, by default what robots would run; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    found = hub.catalogue.skills.version(name, version or "base", viewer)
    try:
        told = hub.catalogue.explanations.explanation(name, str(found.version), viewer)
    except ConflictError:
        told = None
    return ExplainPage(hub.catalogue.skills.skill(name, viewer), found, told)
