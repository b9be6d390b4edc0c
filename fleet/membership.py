"""Joining a guild, and speaking to its hub as the robot that joined."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from fleet.auth import ProofAuth
from fleet.client import HubClient, enrol
from fleet.connection import Connection
from fleet.robot_folder import Identity, RobotFolder
from fleet.updater import DistrustError, Guild, fetch_root
from skills.errors import ConflictError
from skills.manifest import Name
from skills.messages.robots import EnrolmentRequest
from skills.targets import trusted_root

__all__ = ["connect", "join"]


def join(
    bench: RobotFolder,
    hub: str,
    *,
    token: str,
    name: str,
    embodiment: Name,
    workshop: str = "",
    transport: httpx.BaseTransport | None = None,
) -> Identity:
    """Enrol this folder's robot and remember its root of trust; one that has joined is left as it is.

    Raises:
        DistrustError: Whoever answers does not have the root that the token names; nor has it seen the token.
        ConflictError: The robot belongs to another hub.
        HubUnreachableError: No answer; join again with the same token.
        ZunftError: The hub refused, for example a token that was used.
    """
    if bench.joined():
        return _known(bench, hub)
    request = EnrolmentRequest(
        token=token, name=name, embodiment=embodiment, public_key=bench.key().public.text
    )
    root = _root_for(hub, token, transport)
    enrolled = enrol(hub, request, transport)
    identity = Identity(
        hub=hub,
        hub_key=enrolled.hub_key,
        gate_key=enrolled.gate_key,
        robot_id=enrolled.robot_id,
        organisation=enrolled.organisation,
        name=name,
        embodiment=embodiment,
        workshop=workshop,
    )
    bench.keep_first_root(root)
    bench.keep_identity(identity)
    return identity


def _root_for(hub: str, token: str, transport: httpx.BaseTransport | None) -> bytes:
    digest = trusted_root(token)
    if digest is None:
        raise DistrustError(
            "this enrolment token names no root of trust, so nobody could be believed. "
            "Ask an operator for a new one."
        )
    connection = Connection(hub, transport=transport)
    try:
        return fetch_root(connection, digest)
    finally:
        connection.close()


def _known(bench: RobotFolder, hub: str) -> Identity:
    identity = bench.identity()
    if hub and identity.hub != hub:
        raise ConflictError(
            f"this robot belongs to {identity.hub}.",
            where=str(bench.home),
            remedy="Give another --home to join a second hub.",
        )
    return identity


def connect(
    bench: RobotFolder,
    transport: httpx.BaseTransport | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> HubClient:
    """The robot's line to the hub that it joined.

    Raises:
        NotFoundError: It has not joined one.
    """
    identity, key = bench.identity(), bench.key()
    connection = Connection(
        identity.hub, auth=ProofAuth(identity.robot_id, key), transport=transport, stopped=stopped
    )
    guild = Guild(bench.metadata, bench.first_root, connection, identity.pinned_key)
    return HubClient(connection, key, guild)
