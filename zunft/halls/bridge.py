"""What a hall does in a larger one, step by step, as one of its robots.

    1 hear     who is above, and refuse a loop
    2 take     the larger hall's new stable version: verify it, adopt it, have the own gate look at it
    3 ask      what there is to do, for each skill of which the owner lets something out
    4 begin    adopt the round's base, and start an own campaign from it
    5 wait     for that campaign; what it found good is owed
    6 push     the one delta that comes of it, until the larger hall has it, or will not have it
    7 recall   what a robot had a part in that was withdrawn here, and withdraw what was withdrawn there

All that lasts is in the hub's database, and each step may be done again: either side may be down, killed,
late or restored from a backup between any two of them. The journal is `hub.halls.journal`'s, what is believed
of the larger hall `fleet.fetch`'s and `fleet.trust`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import httpx
import numpy as np
import structlog

from fleet.client import HubClient
from fleet.fetch import DistrustError, Needs, pull_skill, vouched_version
from fleet.place import StoppedError
from fleet.sync import backoff
from fleet.trust import UnvouchedError, Vouching
from hub.halls.wiring import HallsWing
from hub.storage.objects import StoreError
from hub.storage.tables.halls import HallRoundRow
from skills.attestations import ENVELOPE_LIMIT
from skills.container import digest_of, unpack
from skills.errors import (
    ConflictError,
    ForbiddenError,
    HubUnreachableError,
    NotFoundError,
    SignatureError,
    UnauthorizedError,
    ZunftError,
)
from skills.halls import HALL
from skills.messages.halls import HallPath, SharePlan
from skills.messages.rounds import Assignment
from skills.messages.skills import VersionView
from skills.predicates import Hall
from skills.skill import Skill
from zunft.halls.joining import HallFolder, restored

__all__ = ["Bridge"]

IDLE_SECONDS = 5.0
POLL_SECONDS = 1.0
LOOK_SECONDS = 10.0
BACKOFF_SECONDS, BACKOFF_CAP = 1.0, 60.0
MOST_VOUCHERS = 16
LATER = (HubUnreachableError, StoreError, UnauthorizedError, ForbiddenError, SignatureError, DistrustError)
"""What may pass: the work is kept, and done again."""
TOLD: frozenset[str] = frozenset({"gate", "release", "hall"})
"""What is handed on of who vouches for a version above: not its merge, which lists the deltas of others."""


class Bridge:
    """One hall in a larger one; nothing is held in memory that a restart needs."""

    def __init__(
        self,
        halls: HallsWing,
        folder: HallFolder,
        *,
        transport: httpx.BaseTransport | None = None,
        look_seconds: float = LOOK_SECONDS,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._halls = halls
        self._folder = folder
        self._transport = transport
        self._look_seconds = look_seconds
        self._stopped = stopped
        self._clock = clock
        self._log = structlog.get_logger("zunft.halls")
        self._rng = np.random.default_rng()  # not seeded: halls that lost one hall must not come back at once
        self._client: tuple[datetime, HubClient] | None = None
        self._path: HallPath | None = None
        self._next_look = 0.0
        self._failures = 0

    def step(self) -> float:
        """Do the next thing for each shared skill.

        Returns:
            Seconds after which to call again.
        """
        try:
            wait = self._step()
        except StoppedError:
            return 0.0
        except LATER as error:
            pause = backoff(self._failures, self._rng, base=BACKOFF_SECONDS, cap=BACKOFF_CAP)
            self._failures += 1
            self._log.warning("hall.waits", reason=str(error), seconds=round(pause, 1))
            return pause
        self._failures = 0
        return wait

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client[1].connection.close()
            self._client = None

    def _step(self) -> float:
        row, plans = self._halls.memberships.current(), self._halls.memberships.plans()
        self._halls.rounds.drop_unshared([plan.skill for plan in plans])
        if row is None or not plans:
            return IDLE_SECONDS
        if self._client is None or self._client[0] != row.joined_at:
            self.close()
            self._client = (row.joined_at, restored(self._folder, row, self._transport, self._stopped))
        client = self._client[1]
        is_due = self._clock() >= self._next_look
        if is_due or self._path is None:
            self._next_look = self._clock() + self._look_seconds
            self._path = None
            path = client.hall_path()
            self._halls.memberships.heard((path.hall, *path.above))  # 1
            self._path = path
            self._recall(client)  # 7
        moved = [self._serve(client, plan, is_due=is_due) for plan in plans]
        return 0.0 if any(moved) else POLL_SECONDS

    def _serve(self, client: HubClient, plan: SharePlan, *, is_due: bool) -> bool:
        """The next thing for one skill; whether anything moved."""
        if is_due:
            self._bring_down(client, plan)
        row = self._halls.rounds.open(plan.skill)
        match row.state if row else "":
            case "given" if row:
                return self._begin(client, row, plan)
            case "working" if row:
                return self._halls.rounds.look(row.round_id)  # 5
            case "owed" if row:
                return self._push(client, row, plan)
        asked = client.assignment(plan.skill)  # 3
        return asked is not None and self._halls.rounds.take(asked)

    def _recall(self, client: HubClient) -> None:
        rounds = self._halls.rounds.to_recall()
        if rounds:
            client.recall(rounds)
            self._halls.rounds.recalled(rounds)

    def _take_back(self, client: HubClient, skill: str) -> None:
        """Let go of the stable version, where the larger hall has withdrawn what it comes from."""
        row = self._halls.adoption.of_stable(skill)
        if row is None or not client.version(skill, str(row.upper)).withdrawn:
            return
        try:
            client.guild.refresh().version(skill, row.upper)
        except DistrustError:  # nor is it signed any more
            self._halls.adoption.take_back(row.digest)

    def _bring_down(self, client: HubClient, plan: SharePlan) -> None:
        with suppress(NotFoundError):  # nothing is stable there
            self._take_back(client, plan.skill)
            version = vouched_version(client, plan.skill, "stable", embodiment=HALL)
            if self._halls.adoption.is_brought_down(version.digest):
                return
            try:
                Vouching.by_owner(self._folder, client).check(version)
                self._adopt(client, version, plan)
            except (UnvouchedError, ConflictError) as error:
                self._log.warning("hall.version_waits", version=version.version, reason=str(error))
                return
            self._halls.adoption.bring_down(version.digest)  # 2

    def _begin(self, client: HubClient, row: HallRoundRow, plan: SharePlan) -> bool:
        asked = Assignment.model_validate(row.assignment)
        try:
            self._adopt(client, asked.base, plan)
            self._halls.rounds.begin(row.round_id, plan)  # 4
        except ConflictError as error:
            self._log.info("hall.round_waits", round_id=row.round_id, reason=str(error))
            return False
        except LATER:
            raise
        except ZunftError as error:
            self._halls.rounds.drop(row.round_id, str(error))
        return True

    def _adopt(self, client: HubClient, version: VersionView, plan: SharePlan) -> None:
        if self._halls.adoption.adopted(version.digest) is not None:
            return
        needs = Needs(plan.skill, version.manifest.contract, None)  # the own one is held to it by `adopt`
        skill = pull_skill(self._folder, client, version, needs)
        self._halls.adoption.adopt(skill, plan, self._vouchers(client, version, skill))

    def _vouchers(self, client: HubClient, version: VersionView, skill: Skill) -> Hall:
        listed = [each for each in client.attestations(version) if each.kind in TOLD][:MOST_VOUCHERS]
        path, identity = self._path or client.hall_path(), self._folder.identity()
        limit = ENVELOPE_LIMIT // (4 * MOST_VOUCHERS)
        return Hall(
            hall=path.hall,
            path=path.above,
            gate_key=client.guild.gate_key() or identity.gate_key,
            hub_key=identity.hub_key,
            upper=version.digest,
            upper_version=version.version,
            manifest=unpack(skill.blob, "skill")[0],
            vouched=tuple(
                client.envelope(version, each.digest, limit).decode() for each in listed if each.size <= limit
            ),
        )

    def _push(self, client: HubClient, row: HallRoundRow, plan: SharePlan) -> bool:
        try:
            delta = self._halls.rounds.delta(row.round_id, self._folder.identity().robot_id, plan)
            data = self._folder.write_delta(delta)
            client.push_delta(row.round_id, data)  # 6
        except (HubUnreachableError, StoreError, UnauthorizedError, SignatureError):
            raise
        except ZunftError as error:
            self._halls.rounds.drop(row.round_id, f"the larger hall did not take it: {error}")
            return True
        self._halls.rounds.handed(row.round_id, digest_of(data), delta.header)
        return True
