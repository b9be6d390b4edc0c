"""What robots, researchers and the hub say to each other about a large file that is brought in parts.

    POST   /uploads                      announce a file, or ask again how far it got
    PUT    /uploads/{id}/parts/{number}  bring a part; or PUT it to the address that the hub named
    POST   /uploads/{id}/complete        all parts are there: the same as if the file had come in one request
    DELETE /uploads/{id}                 give up

Parts may come in any order, at once, and more than once. Small files come in one request, without all this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from skills.manifest import Digest
from skills.messages.base import Message
from skills.messages.skills import Visibility

__all__ = ["DeltaPurpose", "MissingPart", "Purpose", "SkillPurpose", "UploadRequest", "UploadView"]


class DeltaPurpose(Message):
    """A robot's delta for a round; the signature is that of the delta, over its digest."""

    kind: Literal["delta"] = "delta"
    round_id: str = Field(min_length=1, max_length=64)
    signature: str = Field(max_length=128)


class SkillPurpose(Message):
    """A new version for the catalogue; `visibility` as for a file that comes in one request."""

    kind: Literal["skill"] = "skill"
    visibility: Visibility | None = None


Purpose = Annotated[DeltaPurpose | SkillPurpose, Field(discriminator="kind")]


class UploadRequest(Message):
    """A file is announced: what it is, how large, and what for. The hub holds its sender to all three."""

    digest: Digest
    size: int = Field(ge=1, le=2**40)
    purpose: Purpose


class MissingPart(Message):
    """Bytes that have not come yet.

    Attributes:
        number: From 1.
        offset: Of its first byte in the file.
        size: In bytes.
        url: Where to PUT it, without any header of ours; empty: to the hub.
    """

    number: int
    offset: int
    size: int
    url: str = ""


class UploadView(Message):
    """How far an upload got.

    Attributes:
        missing: What has still to be sent; nothing also where the hub has taken the file in already.
        expires_at: The parts are thrown away then, unless the file is announced once more before.
    """

    upload_id: str
    digest: Digest
    size: int
    missing: tuple[MissingPart, ...]
    expires_at: datetime
