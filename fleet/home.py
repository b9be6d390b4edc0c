"""Which workshop is a robot's home."""

from __future__ import annotations

from zlib import crc32

from envs.workshop import Workshop, fresh_workshop, load_workshop
from fleet.workbench import Identity

__all__ = ["home_workshop"]


def home_workshop(identity: Identity) -> Workshop:
    """The workshop that the robot named when it joined; where it named none, one drawn from its id.

    Raises:
        ContractError: There is no such workshop.
    """
    if identity.workshop:
        return load_workshop(identity.workshop)
    return fresh_workshop(identity.embodiment, seed=crc32(identity.robot_id.encode()))
