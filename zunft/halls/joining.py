"""A hall joins a larger hall as a robot would, by the hall's own key; what comes of it is in its database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx

from fleet.client import HubClient
from fleet.membership import connect, join
from fleet.robot_folder import Identity, RobotFolder
from hub.halls.membership import Memberships
from hub.storage.tables.halls import MembershipRow
from skills.errors import ConflictError
from skills.halls import HALL
from skills.messages.base import Label
from skills.signing import SigningKey

__all__ = ["HallFolder", "join_hall", "restored"]

FOLDER = "upper-hall"


class HallFolder(RobotFolder):
    """What a robot has in its folder, in the hub's: metadata, fetched skills. Its key is the hall's own."""

    def __init__(self, data_dir: Path, key: SigningKey) -> None:
        super().__init__(data_dir / FOLDER)
        self._key = key

    def key(self) -> SigningKey:
        """The key that signs the hall's versions: its digest is the hall's id, above as here."""
        return self._key


def join_hall(
    memberships: Memberships,
    folder: HallFolder,
    hub: str,
    token: str,
    name: Label,
    transport: httpx.BaseTransport | None = None,
) -> Identity:
    """Join the hall at an address; what broke off is done again with the same token.

    Raises:
        ConflictError: This hall has joined another one.
        ForbiddenError: This hall is above that one, or is that one.
        DistrustError, HubUnreachableError, ZunftError: See `fleet.membership.join`.
    """
    known = memberships.current()
    if known is not None and known.hub != hub:
        raise ConflictError(
            f"this hall has joined {known.hub}.", where="hub", remedy="Leave it first: zunft hub leave."
        )
    identity = join(folder, hub, token=token, name=name, embodiment=HALL, transport=transport)
    client = connect(folder, transport)
    try:
        path = client.hall_path()
    finally:
        client.connection.close()
    document, root = identity.model_dump(mode="json"), folder.first_root.read_text()
    memberships.join(hub, document, root, (path.hall, *path.above))
    return identity


def restored(
    folder: HallFolder,
    row: MembershipRow,
    transport: httpx.BaseTransport | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> HubClient:
    """The line to the larger hall; what of the folder is lost, as after a restore, is written anew."""
    identity = Identity.model_validate(row.identity)
    if not folder.joined() or folder.identity().robot_id != identity.robot_id:
        folder.keep_first_root(row.first_root.encode())
        folder.keep_identity(identity)
    return connect(folder, transport, stopped)
