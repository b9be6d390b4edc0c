"""Large files in parts: announced with digest and size, brought in any order, taken in when they are whole.

An upload's id follows from who brings what for what: announcing it again, also from another connection or
after a reboot, finds it again. Parts lie in the object store (`hub.storage.objects.contract.Parts`); what
becomes of the whole file is decided where it would be if it had come in one request: `hub.deltas.admission`,
`hub.catalogue.catalogue`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.catalogue.catalogue import Catalogue
from hub.clock import Clock
from hub.deltas.admission import Admission
from hub.organisations.quotas import check_room, hold
from hub.organisations.registry import Organisations
from hub.queue.background_loop import beat
from hub.storage.database import Database
from hub.storage.objects.contract import Parts
from hub.storage.regions import HOME, Stores
from hub.storage.spool import Spool, SpoolFile
from hub.storage.tables.uploads import UploadRow
from skills.errors import ArtefactError, ConflictError, NotFoundError, TooLargeError, ZunftError
from skills.messages.rounds import DeltaReceipt
from skills.messages.skills import VersionView
from skills.messages.uploads import DeltaPurpose, MissingPart, Purpose, UploadRequest, UploadView

__all__ = ["UploadLimits", "Uploads"]

MOST_PARTS = 10_000
URL_SECONDS = 3600.0
BATCH = 500
"""Uploads that one sweep throws away at most."""
LATER = 500
"""From this status on an error is no refusal for good."""

INCOMPLETE = "incomplete_upload"
ANNOUNCE = "Announce the file again: POST /uploads."
PURPOSE: TypeAdapter[Purpose] = TypeAdapter(Purpose)


@dataclass(frozen=True)
class UploadLimits:
    """Bytes of a delta, of a skill and of a part at most; seconds after which parts are thrown away."""

    delta: int
    skill: int
    part: int
    seconds: float


class Uploads:
    """All uploads of a hub; each belongs to whoever announced it, and nobody else learns of it."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        spool: Spool,
        admission: Admission,
        catalogue: Catalogue,
        organisations: Organisations,
        clock: Clock,
        limits: UploadLimits,
    ) -> None:
        self._database = database
        self._stores = stores
        self._spool = spool
        self._admission = admission
        self._catalogue = catalogue
        self._organisations = organisations
        self._clock = clock
        self._limits = limits

    @property
    def largest_part(self) -> int:
        """Bytes of a part of the largest file that may come."""
        return self._part_size(max(self._limits.delta, self._limits.skill))

    def announce(self, request: UploadRequest, principal: Principal) -> UploadView:
        """Begin an upload, or find it again and keep it alive; says what has still to be sent.

        Raises:
            ForbiddenError: Robots bring deltas, researchers skills.
            TooLargeError: Over the limit for its purpose, or the organisation has no room for the parts.
            NotFoundError, SignatureError, ConflictError, BetweenRoundsError: The delta would be refused
                whatever it holds, see `Admission.expect`.
            StoreError: The store failed.
        """
        purpose = request.purpose
        _check_right(purpose, principal)
        self._check_size(request, principal)
        done = self._known(request.digest, request.size, purpose, principal) is not None
        return self._view(self._enter(request, principal), done=done)

    def take_part(self, upload_id: str, number: int, file: SpoolFile, principal: Principal) -> None:
        """Keep a part that came through the hub; again is harmless.

        Raises:
            NotFoundError: This caller has no such upload, or it has no such part.
            ArtefactError: The part has another size than it was to have.
            StoreError: The store failed; send it again.
        """
        row = self.find(upload_id, principal)
        expected = _layout(row).get(number)
        if expected is None:
            raise NotFoundError(f"upload {upload_id} has no part {number}.", where="number", remedy=ANNOUNCE)
        if file.size != expected.size:
            raise ArtefactError(
                f"part {number} has {expected.size} bytes, {file.size} came.",
                where="body",
                remedy="Send it again whole.",
                code="wrong_part",
            )
        self._parts(row).put(upload_id, number, file.path)

    def complete(self, row: UploadRow, principal: Principal) -> tuple[DeltaReceipt | VersionView, bool]:
        """Take the whole file in; again gives the same answer.

        Returns:
            What the direct request would have given, and whether the file is new here.

        Raises:
            ConflictError: Parts are missing (`incomplete_upload`).
            ArtefactError: The parts are not what was announced; they are thrown away.
            ZunftError: Refused, see `Admission.admit` and `Catalogue.publish`; the parts are thrown away,
                unless the same file may be welcome later.
            StoreError: Nothing was kept, the parts are still there: complete it again.
        """
        purpose = PURPOSE.validate_python(row.purpose)
        try:
            known = self._known(row.digest, row.size, purpose, principal)
            done = self._take_in(row, purpose, principal) if known is None else (known, False)
        except ZunftError as error:
            if error.status < LATER and error.code != INCOMPLETE:
                self._remove(row)
            raise
        self._parts(row).drop(row.upload_id)
        return done

    def cancel(self, upload_id: str, principal: Principal) -> None:
        """Throw the parts away.

        Raises:
            NotFoundError: This caller has no such upload.
        """
        self._remove(self.find(upload_id, principal))

    def sweep(self) -> bool:
        """Throw away a batch of what expired, at last what a killed hub left; whether there may be more."""
        now = self._clock()
        with self._database.read() as session:
            expired = session.scalars(select(UploadRow).where(UploadRow.expires_at <= now).limit(BATCH)).all()
        for row in expired:
            self._remove(row)
            beat()
        if len(expired) == BATCH:
            return True
        with self._database.read() as session:
            alive = set(session.scalars(select(UploadRow.upload_id)))
        before = now - timedelta(seconds=self._limits.seconds)
        for region in (HOME, *self._stores.regions):
            self._stores.of(region).parts.sweep(before, alive)
            beat()
        self._spool.sweep(before)
        return False

    def _check_size(self, request: UploadRequest, principal: Principal) -> None:
        kind = request.purpose.kind
        theirs = self._organisations.body_limit(principal.organisation, kind)
        limit = self._limits.delta if kind == "delta" else self._limits.skill
        if request.size > limit or (theirs is not None and request.size > theirs):
            raise TooLargeError(
                f"{request.size} bytes are over the limit for a {kind}.",
                where="size",
                remedy="Send less, or ask an admin to raise the hub's or the organisation's limit.",
            )

    def _known(
        self, digest: str, size: int, purpose: Purpose, principal: Principal
    ) -> DeltaReceipt | VersionView | None:
        """What the hub answered, or would have, when it took this very file in; None if it has not."""
        if isinstance(purpose, DeltaPurpose):
            return self._admission.expect(purpose.round_id, digest, size, purpose.signature, principal)
        return self._catalogue.published(digest, principal)

    def _region(self, purpose: Purpose, principal: Principal) -> str:
        if isinstance(purpose, DeltaPurpose):
            return self._admission.region(purpose.round_id, principal)
        return self._organisations.region(principal.organisation)

    def _parts(self, row: UploadRow) -> Parts:
        return self._stores.of(row.region).parts

    def _enter(self, request: UploadRequest, principal: Principal) -> UploadRow:
        upload_id = _id_of(request, principal)
        expires_at = self._clock() + timedelta(seconds=self._limits.seconds)
        row = UploadRow(
            upload_id=upload_id,
            owner=principal.actor,
            organisation=principal.organisation,
            region=self._region(request.purpose, principal),
            digest=request.digest,
            size=request.size,
            part_size=self._part_size(request.size),
            purpose=request.purpose.model_dump(mode="json"),
            expires_at=expires_at,
        )
        try:
            with self._database.write() as session:
                known = session.get(UploadRow, upload_id, with_for_update=True)
                if known is not None:
                    known.expires_at = expires_at
                    return known
                # Parts take up room that no row of a delta or version counts yet.
                held = hold(session, principal.organisation)[principal.organisation]
                check_room(held, request.size + _coming(session, principal.organisation))
                session.add(row)
        except IntegrityError:
            return self.find(upload_id, principal)  # announced on another connection at this moment
        return row

    def find(self, upload_id: str, principal: Principal) -> UploadRow:
        """An upload of this caller's.

        Raises:
            NotFoundError: There is none, or it expired.
            ForbiddenError: This token is not for what the upload is for.
        """
        with self._database.read() as session:
            row = session.get(UploadRow, upload_id)
        if row is None or row.owner != principal.actor or row.expires_at <= self._clock():
            raise NotFoundError(
                f"you have no upload {upload_id[:64]!r}.",
                where="upload_id",
                remedy=ANNOUNCE,
                code="unknown_upload",
            )
        _check_right(PURPOSE.validate_python(row.purpose), principal)
        return row

    def _view(self, row: UploadRow, *, done: bool) -> UploadView:
        sizes = {} if done else self._parts(row).sizes(row.upload_id)
        missing = (
            [] if done else [part for part in _layout(row).values() if sizes.get(part.number) != part.size]
        )
        return UploadView(
            upload_id=row.upload_id,
            digest=row.digest,
            size=row.size,
            missing=tuple(self._with_url(row, part) for part in missing),
            expires_at=row.expires_at,
        )

    def _with_url(self, row: UploadRow, part: MissingPart) -> MissingPart:
        url = self._parts(row).url(row.upload_id, part.number, URL_SECONDS)
        return part.model_copy(update={"url": url})

    def _take_in(
        self, row: UploadRow, purpose: Purpose, principal: Principal
    ) -> tuple[DeltaReceipt | VersionView, bool]:
        with self._spool.file() as file:
            try:
                self._join(row, file)
            except (NotFoundError, ConflictError):
                # Completed on another connection, which dropped the parts before we had read them?
                known = self._known(row.digest, row.size, purpose, principal)
                if known is None:
                    raise _incomplete(row) from None
                return known, False
            if file.digest != row.digest:
                raise ArtefactError(
                    f"the parts make {file.digest}, not {row.digest}.",
                    where="digest",
                    remedy="They were thrown away: announce the file and send it again.",
                    code="wrong_digest",
                )
            if isinstance(purpose, DeltaPurpose):
                receipt = self._admission.admit(purpose.round_id, file, purpose.signature, principal)
                return receipt, receipt.status == "admitted"
            return self._catalogue.publish(file, by=principal, visibility=purpose.visibility)

    def _join(self, row: UploadRow, file: SpoolFile) -> None:
        """Write all parts into one file."""
        sizes = self._parts(row).sizes(row.upload_id)
        for part in _layout(row).values():
            if sizes.get(part.number) != part.size:
                raise _incomplete(row)
        for number in _layout(row):
            for piece in self._parts(row).read(row.upload_id, number):
                if file.size + len(piece) > row.size:
                    raise _incomplete(row)  # it was exchanged for a larger one after we had looked
                file.write(piece)

    def _part_size(self, size: int) -> int:
        return max(self._limits.part, -(-size // MOST_PARTS))

    def _remove(self, row: UploadRow) -> None:
        self._parts(row).drop(row.upload_id)
        with self._database.write() as session:
            session.execute(delete(UploadRow).where(UploadRow.upload_id == row.upload_id))


def _check_right(purpose: Purpose, principal: Principal) -> None:
    if isinstance(purpose, DeltaPurpose):
        principal.must_be("robot", "read")
    else:
        principal.must_be("researcher", "publish")


def _coming(session: Session, organisation: str) -> int:
    """Bytes that an organisation has announced and that are not taken in or thrown away yet."""
    statement = select(func.sum(UploadRow.size)).where(UploadRow.organisation == organisation)
    return int(session.scalar(statement) or 0)


def _id_of(request: UploadRequest, principal: Principal) -> str:
    text = f"{principal.actor}\n{request.model_dump_json()}"
    return "u-" + hashlib.sha256(text.encode()).hexdigest()[:32]


def _layout(row: UploadRow) -> dict[int, MissingPart]:
    """All parts of an upload by number."""
    starts = enumerate(range(0, row.size, row.part_size), start=1)
    return {
        number: MissingPart(number=number, offset=start, size=min(row.part_size, row.size - start))
        for number, start in starts
    }


def _incomplete(row: UploadRow) -> ConflictError:
    return ConflictError(
        f"not all parts of upload {row.upload_id} are here.",
        where="upload_id",
        remedy="Announce the file once more: the answer says which are missing.",
        code=INCOMPLETE,
    )
