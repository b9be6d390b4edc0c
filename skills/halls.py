"""Halls that join a larger hall: what one is called, and why none may be above itself. Pure.

What is said between halls is what robots say, see `skills.messages.halls` for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from skills.container import digest_of
from skills.errors import ForbiddenError
from skills.manifest import Digest
from skills.signing import VerifyKey

__all__ = ["HALL", "check_path", "hall_id"]

HALL = "hall"
"""What a hall says in place of an embodiment where it joins another."""


def hall_id(key: VerifyKey) -> Digest:
    """What a hall is called: the digest of the key that signs its versions, with which it joins, too."""
    return digest_of(key.canonical().text.encode())


def check_path(own: Digest, path: Sequence[Digest]) -> None:
    """Refuse a membership by which a hall would be above itself.

    Args:
        own: The hall that joins.
        path: The hall that it joins, then those above that one.

    Raises:
        ForbiddenError: It finds itself there.
    """
    if own in path:
        raise ForbiddenError(
            f"hall {own[:19]} would be above itself: what it hands up would come back to it.",
            where="halls",
            remedy="Leave one of the memberships between them: zunft hub leave.",
            code="loop_of_halls",
        )
