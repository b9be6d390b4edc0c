"""Stores by region: the hub's own, and those in which pinned organisations' blobs must lie.

A blob lies in the store of its skill's organisation and nowhere else; every caller says whose it is before it
puts or asks, so a blob that is not where it must be is not found. Who may look is `hub.access.visibility`'s.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.settings import Settings, StoreKeys
from hub.storage.objects import ObjectStore, StoreError, open_store
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.skills import SkillRow

__all__ = ["HOME", "Stores", "connect_stores", "region_of"]

HOME = ""
"""The region of what is pinned nowhere."""


class Stores:
    """The hub's stores; each is an `ObjectStore`."""

    def __init__(self, own: ObjectStore, regions: Mapping[str, ObjectStore]) -> None:
        self._stores = {HOME: own, **regions}
        self._checking = threading.Lock()
        self._checked_at = -math.inf
        self._trouble: StoreError | None = None

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions, sorted."""
        return tuple(sorted(self._stores.keys() - {HOME}))

    def of(self, region: str) -> ObjectStore:
        """The one store of a region.

        Raises:
            StoreError: This hub does not know the region.
        """
        if region not in self._stores:
            raise StoreError(
                f"this hub has no store in the region {region!r}.",
                where="regions",
                remedy="Name it in ZUNFT_REGIONS.",
                code="unknown_region",
            )
        return self._stores[region]

    def check(self) -> None:
        """Check every store.

        Raises:
            StoreError: One cannot be used.
        """
        for store in self._stores.values():
            store.check()

    def check_lately(self, seconds: float) -> None:
        """As `check`, but at most once in so many seconds, whoever asks: each look writes to every store.

        Raises:
            StoreError: At the last look, one could not be used.
        """
        is_due = time.monotonic() >= self._checked_at + seconds
        if is_due and self._checking.acquire(blocking=False):  # others are told of the look before
            try:
                self.check()
                self._trouble = None
            except StoreError as error:
                self._trouble = error
            finally:
                self._checked_at = time.monotonic()
                self._checking.release()
        if self._trouble is not None:
            raise self._trouble


def connect_stores(settings: Settings) -> Stores:
    """The stores of these settings.

    Raises:
        StoreError: An address or credentials cannot be used.
    """
    regions = {region: _open(*settings.place(region), f"regions.{region}") for region in settings.regions}
    return Stores(_open(*settings.place(HOME), "store_url"), regions)


def region_of(session: Session, skill: str) -> str:
    """Where a skill's blobs lie; it stays the same for as long as there is one."""
    statement = select(OrganisationRow.region).join(SkillRow, SkillRow.organisation == OrganisationRow.name)
    return session.scalars(statement.where(SkillRow.name == skill)).one()


def _open(url: str, keys: StoreKeys, where: str) -> ObjectStore:
    try:
        return open_store(
            url,
            access_key=keys.access_key.get_secret_value(),
            secret_key=keys.secret_key.get_secret_value(),
            direct_url=keys.direct_url,
        )
    except StoreError as error:
        raise StoreError(error.message, where=where, remedy=error.remedy, code=error.code) from error
