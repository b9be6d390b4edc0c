"""Which larger hall this one joined, and the halls above: kept in the database, so that a backup has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.access.principal import THE_HUB
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.record import note, record
from hub.storage.tables.halls import MembershipRow, SharedRow
from skills.errors import ForbiddenError, NotFoundError
from skills.halls import check_path, hall_id
from skills.manifest import Digest
from skills.messages.halls import HallPath, SharePlan
from skills.signing import SigningKey

__all__ = ["Memberships"]


@dataclass(frozen=True)
class Memberships:
    """Each call is its own transaction.

    Attributes:
        key: The hall's own, with which it joins: its digest is the hall's id.
    """

    database: Database
    clock: Clock
    key: SigningKey

    @property
    def hall(self) -> Digest:
        """What this hall is called."""
        return hall_id(self.key.public)

    def path(self) -> HallPath:
        """This hall and those above it."""
        row = self.current()
        return HallPath(hall=self.hall, above=tuple(row.path) if row else ())

    def current(self) -> MembershipRow | None:
        """The membership, if there is one."""
        with self.database.read() as session:
            return session.get(MembershipRow, 1)

    def join(self, hub: str, identity: dict[str, Any], first_root: str, path: Sequence[Digest]) -> None:
        """Remember that the hall at this address let this one in; said again, it is the same.

        Raises:
            ForbiddenError: This hall is above that one, or is that one.
        """
        check_path(self.hall, path)
        now = self.clock()
        with self.database.write() as session:
            row = MembershipRow(
                id=1,
                hub=hub,
                identity=identity,
                first_root=first_root,
                path=list(path),
                refusal="",
                joined_at=now,
                heard_at=now,
            )
            session.merge(row)
            record(session, "hall.joined", now, hub=hub, path=list(path))
            note(session, "hall.joined", now, by=THE_HUB.actor, subject=path[0], hub=hub)

    def leave(self) -> None:
        """Forget the larger hall; what was handed up is withdrawn there, by its operators.

        Raises:
            NotFoundError: There is none.
        """
        with self.database.write() as session:
            row = session.get(MembershipRow, 1)
            if row is None:
                raise NotFoundError("this hall has joined no other.", where="membership")
            session.delete(row)
            now = self.clock()
            record(session, "hall.left", now, hub=row.hub)
            note(session, "hall.left", now, by=THE_HUB.actor, subject=row.path[0], hub=row.hub)

    def heard(self, path: Sequence[Digest]) -> None:
        """Remember who is above now, and that this hall may not be there.

        Raises:
            ForbiddenError: It is: nothing is taken from there, and nothing handed up, until that ends.
        """
        refusal: ForbiddenError | None = None
        try:
            check_path(self.hall, path)
        except ForbiddenError as error:
            refusal = error
        with self.database.write() as session:
            row = session.get_one(MembershipRow, 1)
            words = str(refusal or "")
            if words and words != row.refusal:
                record(session, "hall.refused", self.clock(), hub=row.hub, reason=words)
            row.path, row.refusal, row.heard_at = list(path), words, self.clock()
        if refusal is not None:
            raise refusal

    def share(self, plan: SharePlan) -> None:
        """Let out of a skill what the plan says, from the next round on."""
        now = self.clock()
        with self.database.write() as session:
            session.merge(SharedRow(skill=plan.skill, plan=plan.model_dump(mode="json"), changed_at=now))
            note(session, "hall.shares", now, by=THE_HUB.actor, subject=plan.skill)

    def keep(self, skill: str) -> None:
        """Let nothing more out of a skill.

        Raises:
            NotFoundError: Nothing is let out.
        """
        with self.database.write() as session:
            row = session.get(SharedRow, skill)
            if row is None:
                raise NotFoundError(f"nothing leaves of {skill[:64]!r}.", where="skill")
            session.delete(row)
            note(session, "hall.keeps", self.clock(), by=THE_HUB.actor, subject=skill)

    def plans(self) -> list[SharePlan]:
        """What may leave, skill by skill."""
        with self.database.read() as session:
            rows = session.query(SharedRow).order_by(SharedRow.skill).all()
            return [SharePlan.model_validate(row.plan) for row in rows]
