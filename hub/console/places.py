"""Where one can go from every page: the console's places, by what their visitors may see. Pure."""

from __future__ import annotations

from hub.access.principal import Viewer
from hub.console.language import later

__all__ = ["places_of"]

FOR_ALL = ((later("Skills"), "/skills"), (later("Tasks"), "/tasks"))
FOR_KNOWN = ((later("Roll-outs"), "/rollouts"),)
FOR_OPERATORS = ((later("Robots"), "/robots"), (later("People"), "/people"))
FOR_ADMINS = ((later("Audit"), "/audit"),)


def places_of(viewer: Viewer) -> tuple[tuple[str, str], ...]:
    """Names and addresses, in order."""
    if viewer is None:
        return FOR_ALL
    operators = FOR_OPERATORS if viewer.may_act_as("operator", "read") else ()
    admins = FOR_ADMINS if viewer.may_act_as("admin", "administer") else ()
    return FOR_ALL + FOR_KNOWN + operators + admins
