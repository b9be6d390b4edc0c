"""What speaks against making a version stable: it is possible all the same, for whoever says why."""

from __future__ import annotations

from skills.errors import ConflictError
from skills.messages.skills import VersionView

__all__ = ["must_have_reason", "objection"]


def objection(version: VersionView, stable: VersionView | None) -> str:
    """A sentence; empty where nothing speaks against it, and for what was never measured."""
    if stable is not None and stable.version == version.version:
        return ""
    if version.gate is not None and not version.gate.passed:
        return f"The gate rejected v{version.version}. {version.gate.reason}".strip()
    if version.score is None or stable is None or stable.score is None:
        return ""
    mine, theirs = version.score.score, stable.score.score
    if mine >= theirs:
        return ""
    return (
        f"v{version.version} succeeds in {mine:.1%} of its jobs, and the stable v{stable.version} "
        f"in {theirs:.1%}."
    )


def must_have_reason(version: VersionView, stable: VersionView | None, words: str) -> None:
    """Hold whoever makes a version stable to say why, where something speaks against it.

    Raises:
        ConflictError: Something does, and no reason was given.
    """
    found = objection(version, stable)
    if found and not words.strip():
        raise ConflictError(
            f"{found[:1].lower()}{found[1:]}",
            where="reason",
            remedy="Say why it should be stable all the same: --reason.",
            code="needs_reason",
        )
