"""Which pointer a robot follows: its ring's while a roll-out is under way, else the stable channel's.

Both are signed, and so is who is in which ring: a hub that wanted one robot to have another version would
have to sign that, in metadata which everybody reads. Pure but for looking targets up in what was verified.
"""

from __future__ import annotations

from fleet.release_keys import stable_pointer
from fleet.robot_folder import Identity, Memory
from fleet.updater import DistrustError, Trusted
from skills.rings import Member, ring_name, ring_of
from skills.targets import Pointer

__all__ = ["followed"]


def followed(
    trusted: Trusted, skill: str, identity: Identity, memory: Memory
) -> tuple[Pointer | None, str, Memory]:
    """Where this robot is pointed, None for nowhere; by whose key; and what it is to remember of rings.

    A robot that has no version yet when it first hears of a roll-out takes what passed all rings, and stays
    out of this roll-out.

    Raises:
        DistrustError: There are rings, and nothing is signed of where its own leads; or they are not by the
            key that releases this skill, or the stable channel is not.
    """
    stable, key = stable_pointer(trusted, skill, identity.embodiment, memory.seen)
    rollout = trusted.rollout(skill)
    if rollout is None or stable is None:
        return stable, key, memory
    if key:
        raise DistrustError(f"there are rings for {skill}, which its organisation's own key did not sign.")
    if memory.in_use is None and not memory.sits_out:
        memory = memory.model_copy(update={"sits_out": rollout.rollout})
    member = Member(
        robot_id=identity.robot_id, organisation=identity.organisation, embodiment=identity.embodiment
    )
    place = ring_of(rollout.rings, rollout.rollout, member)
    if place is None or memory.sits_out == rollout.rollout:
        return stable, key, memory
    pointer = trusted.pointer(skill, ring_name(place))
    if pointer is None:
        raise DistrustError(f"nothing is signed of ring {place + 1}, which is this robot's.")
    return pointer, key, memory
