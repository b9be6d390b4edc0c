"""What is said of organisations over HTTP: what one may use, what it uses, and who sees its skills.

The rules are the hub's: `hub.access.visibility` and `hub.organisations.quotas`.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from skills.messages.base import Label, Message
from skills.messages.skills import Visibility

__all__ = [
    "REGION",
    "OrganisationRequest",
    "OrganisationSettings",
    "OrganisationView",
    "Quotas",
    "Use",
    "VisibilityChange",
]

REGION = r"[a-z][a-z0-9-]{0,31}"
"""What a region's name may look like."""

LARGEST = 2**62


class Quotas(Message):
    """What an organisation may use; None is no limit but the hub's own, and what is usual for a new one.

    Attributes:
        robots: Enrolled robots.
        storage_bytes: Bytes of the skills that it owns, and of the deltas that were sent for them.
        uploads_per_hour: Deltas of its robots and versions of its skills that were taken in within an hour.
        delta_bytes: The largest delta that one of its robots may send.
        skill_bytes: The largest skill file that one of its users may send.
        campaigns: Campaigns for its skills that run at a time.
    """

    robots: int | None = Field(default=None, ge=0, le=LARGEST)
    storage_bytes: int | None = Field(default=None, ge=0, le=LARGEST)
    uploads_per_hour: int | None = Field(default=None, ge=0, le=1_000_000)
    delta_bytes: int | None = Field(default=None, ge=0, le=LARGEST)
    skill_bytes: int | None = Field(default=None, ge=0, le=LARGEST)
    campaigns: int | None = Field(default=None, ge=0, le=LARGEST)


class OrganisationSettings(Message):
    """What an admin decides for an organisation.

    Attributes:
        region: Where its blobs must lie, a name from ZUNFT_REGIONS; empty: in the hub's own store.
        visibility: Of a skill that its users publish without saying who may see it.
    """

    region: str = Field(default="", pattern=f"^({REGION})?$")
    visibility: Visibility = "organisation"
    quotas: Quotas = Quotas()


class OrganisationRequest(OrganisationSettings):
    """An admin creates an organisation."""

    name: Label


class Use(Message):
    """What an organisation uses of its quotas now."""

    robots: int
    storage_bytes: int
    uploads_per_hour: int
    campaigns: int


class OrganisationView(OrganisationSettings):
    """An organisation as its users and admins see it."""

    name: str
    use: Use
    users: int
    created_at: datetime


class VisibilityChange(Message):
    """An operator says who may see a skill from now on."""

    visibility: Visibility
