"""What can be wrong with a merge, beyond a broken file (`ArtefactError`)."""

from __future__ import annotations

from skills.errors import ZunftError

__all__ = ["MergeError"]


class MergeError(ZunftError):
    """Updates cannot be merged so: none there, a bad weight or option, too few for the rule."""

    code = "cannot_merge"
    status = 422
