"""Organisations: made and changed by an admin, looked at by their own users.

What follows from their settings is for `hub.access.visibility`, `hub.organisations.quotas` and
`hub.storage.regions`. None is deleted.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import may_change, of_organisation
from hub.clock import Clock
from hub.organisations.quotas import hold, uses_of
from hub.storage.database import Database, SettingsError, announce
from hub.storage.notify import Bell
from hub.storage.paging import Order, containing, page_of
from hub.storage.record import note, take_turn
from hub.storage.regions import HOME, Stores
from hub.storage.single_flight import Shared
from hub.storage.tables.people import OrganisationRow, UserRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import DeltaRow
from hub.storage.tables.skills import SkillRow
from hub.storage.tables.tasks import TaskRow
from skills.errors import ConflictError, NotFoundError
from skills.messages.lists import OrganisationQuery, Page
from skills.messages.organisations import (
    OrganisationRequest,
    OrganisationSettings,
    OrganisationView,
    Quotas,
    Use,
)

__all__ = ["Organisations", "find_organisation"]

ORDER = Order("organisations", (OrganisationRow.name,))
GUILD = "guild"
"""The organisation that is always there; what its users publish is seen by the guild."""

LIMITS = {
    "robots": "robots_limit",
    "storage_bytes": "storage_limit",
    "uploads_per_hour": "uploads_limit",
    "delta_bytes": "delta_limit",
    "skill_bytes": "skill_limit",
    "campaigns": "campaigns_limit",
}
"""Column of each quota."""


class Organisations:
    """The hub's organisations; each call is its own transaction.

    Args:
        database: Where they are.
        stores: By region.
        clock: The time.
        bell: Rings when limits were changed.
        usual: What a new one may use as far as nothing is said of it.
    """

    def __init__(self, database: Database, stores: Stores, clock: Clock, bell: Bell, usual: Quotas) -> None:
        self._database = database
        self._stores = stores
        self._clock = clock
        self._usual = usual
        self._body_limits = Shared(bell, self._look_at_limits, "zunft-limits")

    def ensure_guild(self) -> None:
        """Make the guild when the hub has none yet, and see that the hub has a store for every pinned region.

        Raises:
            SettingsError: An organisation is pinned to a region that the settings do not name.
        """
        with self._database.write() as session:
            take_turn(session)  # several processes may start at once
            if session.get(OrganisationRow, GUILD) is None:
                session.add(self._row(OrganisationRequest(name=GUILD, visibility="guild")))
                session.flush()
            pinned = set(session.scalars(select(OrganisationRow.region).distinct()))
        for region in sorted(pinned - {HOME, *self._stores.regions}):
            raise SettingsError(
                f"an organisation is pinned to the region {region}, for which there is no store.",
                where="regions",
                remedy="Name the region in ZUNFT_REGIONS.",
            )

    def create(self, request: OrganisationRequest, *, by: Principal) -> OrganisationView:
        """Make an organisation.

        Raises:
            ConflictError: The name is taken.
            NotFoundError: The hub has no such region.
        """
        self._check_region(request.region)
        with self._database.write() as session:
            if session.get(OrganisationRow, request.name) is not None:
                raise ConflictError(
                    f"there is an organisation {request.name} already.",
                    where="name",
                    remedy="Choose another name.",
                )
            row = self._row(request)
            session.add(row)
            session.flush()
            self._note(session, "organisation.created", row, by)
            return self._view(session, row)

    def change(self, name: str, wanted: OrganisationSettings, *, by: Principal) -> OrganisationView:
        """Give an organisation other settings; what is over a smaller quota stays, and no more is taken.

        Raises:
            NotFoundError: No such organisation or region.
            ConflictError: It would have another region, and something of it is stored.
        """
        self._check_region(wanted.region)
        with self._database.write() as session:
            row = hold(session, name).get(name)
            if row is None:
                raise _unknown(name)
            if wanted.region != row.region and _stores_something(session, name):
                raise ConflictError(
                    f"{name} has blobs in {row.region or 'the store that is in no region'}.",
                    where="region",
                    remedy="Pin an organisation before it publishes skills and its robots send deltas.",
                    code="region_in_use",
                )
            row.region, row.visibility = wanted.region, wanted.visibility
            for quota, column in LIMITS.items():
                setattr(row, column, getattr(wanted.quotas, quota))
            session.flush()
            self._note(session, "organisation.changed", row, by)
            announce(session)  # its limits are known from before
            return self._view(session, row)

    def organisations(self, viewer: Viewer, query: OrganisationQuery) -> Page[OrganisationView]:
        """The viewer's own; all by name for an admin."""
        found = select(OrganisationRow).where(of_organisation(viewer, OrganisationRow.name))
        if query.text:
            found = found.where(containing(query.text, OrganisationRow.name))
        with self._database.read() as session:
            return page_of(
                session, found, ORDER, query, lambda rows: self._views(session, [row[0] for row in rows])
            )

    def organisation(self, name: str, viewer: Viewer) -> OrganisationView:
        """One organisation.

        Raises:
            NotFoundError: None that the viewer sees.
        """
        with self._database.read() as session:
            row = session.get(OrganisationRow, name)
            if row is None or not _may_look(viewer, name):
                raise _unknown(name)
            return self._view(session, row)

    def body_limit(self, name: str, kind: str) -> int | None:
        """How many bytes a body that an organisation sends may have; `kind` is `delta` or `skill`."""
        return self._look_at_limits(name).get(kind)

    async def body_limit_async(self, name: str, kind: str) -> int | None:
        """Like `body_limit`, for a coroutine; looked up once for many who send at once."""
        return (await self._body_limits.ask(name)).get(kind)

    def close(self) -> None:
        """Look no more."""
        self._body_limits.close()

    def _look_at_limits(self, name: str) -> dict[str, int | None]:
        with self._database.read() as session:
            row = session.get(OrganisationRow, name)
            return {"delta": row.delta_limit, "skill": row.skill_limit} if row else {}

    def region(self, name: str) -> str:
        """Where the blobs of an organisation's skills lie."""
        with self._database.read() as session:
            return session.get_one(OrganisationRow, name).region

    def _check_region(self, region: str) -> None:
        if region != HOME and region not in self._stores.regions:
            known = ", ".join(self._stores.regions) or "none"
            raise NotFoundError(
                f"this hub has no region {region}.",
                where="region",
                remedy=f"Name it in ZUNFT_REGIONS; there are: {known}.",
            )

    def _row(self, request: OrganisationRequest) -> OrganisationRow:
        said = request.quotas.model_dump(exclude_none=True)
        quotas = self._usual.model_copy(update=said)
        limits = {column: getattr(quotas, quota) for quota, column in LIMITS.items()}
        return OrganisationRow(
            name=request.name,
            region=request.region,
            visibility=request.visibility,
            stored_bytes=0,
            created_at=self._clock(),
            **limits,
        )

    def _note(self, session: Session, action: str, row: OrganisationRow, by: Principal) -> None:
        limits = {quota: getattr(row, column) for quota, column in LIMITS.items()}
        details = {quota: limit for quota, limit in limits.items() if limit is not None}
        note(
            session,
            action,
            self._clock(),
            by=by.actor,
            subject=row.name,
            region=row.region,
            visibility=row.visibility,
            **details,
        )

    def _view(self, session: Session, row: OrganisationRow) -> OrganisationView:
        return self._views(session, [row])[0]

    def _views(self, session: Session, rows: Sequence[OrganisationRow]) -> list[OrganisationView]:
        counted = (
            select(UserRow.organisation, func.count())
            .where(UserRow.organisation.in_([row.name for row in rows]))
            .group_by(UserRow.organisation)
        )
        users = dict(session.execute(counted).all())
        uses = uses_of(session, rows, self._clock())
        return [_view(row, users.get(row.name, 0), use) for row, use in zip(rows, uses, strict=True)]


def _view(row: OrganisationRow, users: int, use: Use) -> OrganisationView:
    quotas = {quota: getattr(row, column) for quota, column in LIMITS.items()}
    return OrganisationView.model_validate(
        {
            "name": row.name,
            "region": row.region,
            "visibility": row.visibility,
            "quotas": Quotas.model_validate(quotas),
            "use": use,
            "users": users,
            "created_at": row.created_at,
        }
    )


def find_organisation(session: Session, name: str) -> OrganisationRow:
    """An organisation, for somebody who may know of all.

    Raises:
        NotFoundError: No such organisation.
    """
    row = session.get(OrganisationRow, name)
    if row is None:
        raise _unknown(name)
    return row


def _may_look(viewer: Viewer, name: str) -> bool:
    return viewer is not None and may_change(viewer, name)


def _stores_something(session: Session, name: str) -> bool:
    skills = select(SkillRow.name).where(SkillRow.organisation == name).limit(1)
    deltas = (
        select(DeltaRow.digest)
        .join(RobotRow, RobotRow.robot_id == DeltaRow.robot_id)
        .where(RobotRow.organisation == name)
        .limit(1)
    )
    tasks = select(TaskRow.name).where(TaskRow.organisation == name).limit(1)
    return any(session.scalar(each) is not None for each in (skills, deltas, tasks))


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"there is no organisation {name[:64]!r}.",
        where="organisation",
        remedy="See zunft organisation list.",
    )
