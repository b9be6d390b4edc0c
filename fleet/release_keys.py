"""By which key a skill is released, as a robot remembers it: what that key did not sign moves nothing here.

Who has seen a skill released with its organisation's own key believes that alone, or one that it handed on
to, whatever the hub's keys say; a new root may name another (`skills.release_keys`). Pure but for looking up
what was verified; what is remembered is `fleet.robot_folder`'s.
"""

from __future__ import annotations

from fleet.robot_folder import Seen
from fleet.updater import DistrustError, Trusted
from skills.manifest import Name
from skills.release_keys import SignedRelease, leads
from skills.targets import Pointer, hidden_name

__all__ = ["stable_pointer"]


def stable_pointer(
    trusted: Trusted, skill: Name, embodiment: str, seen: Seen | None
) -> tuple[Pointer | None, str]:
    """Where the stable channel points, None for nowhere; and by whose key, empty for the hub's.

    Raises:
        DistrustError: It is not signed by the key that releases this skill.
    """
    pointer, release = trusted.pointer(skill, "stable"), trusted.release(skill)
    known = _known_key(trusted, skill, seen)
    if known is None:  # the first look, and no root says anything: the hub's word, once
        known = release.keys[0].key if release is not None else ""
    if known == "" and release is None:
        return pointer, ""
    if release is None or not leads(skill, known, release.keys) or release.pointer != pointer:
        raise DistrustError(
            f"{skill} is released with the key {known or 'of the hub'}, and that did not sign where "
            "its stable channel points now.",
            version=pointer.version if pointer else 0,
        )
    _check_fixed(trusted, skill, release, embodiment)
    return pointer, release.key


def _known_key(trusted: Trusted, skill: Name, seen: Seen | None) -> str | None:
    """The key that counts until it hands on; empty: the hub's; None: nobody has said so yet."""
    named = trusted.named_keys.get(hidden_name(skill))
    if named is not None and (seen is None or seen.root < named.since):
        return named.key
    return (seen.key or None) if seen is not None else None


def _check_fixed(trusted: Trusted, skill: Name, release: SignedRelease, embodiment: str) -> None:
    """The hub's key says which file a version is; here it has to be the one that was released."""
    number = release.pointer.on(embodiment).version
    if trusted.version(skill, number).digest != release.pointer.fixed[number]:
        raise DistrustError(
            f"version {number} of {skill} is another file than the one that was released.", version=number
        )
