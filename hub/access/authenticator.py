"""Who asks: users by API token, robots by a signed request; and what a role and a token may do.

Only SHA-256 digests of tokens are stored; tokens have 256 bits of entropy, so no slow hash is
needed. Sessions of browsers are `hub.access.sessions`; which route needs which role and scope is said in
`hub.api`; whose things a principal may see and change, in `hub.access.visibility`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select

from hub.access.nonces import Nonces, withdrawn_robot
from hub.access.principal import INCLUDES, Principal, hash_token
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.facts import KeptFacts
from hub.storage.group_commit import Together
from hub.storage.tables.people import SessionRow, UserRow, UserTokenRow
from hub.storage.tables.robots import RobotRow
from skills.errors import UnauthorizedError
from skills.messages.tokens import EVERY_SCOPE, Scope
from skills.messages.users import Role
from skills.proof import INPUT, RequestProof
from skills.signing import VerifyKey

__all__ = ["Authenticator", "Claim", "Signed", "principal_of", "scopes_of"]

NONCE_LENGTH = range(8, 65)
ROBOTS = 50_000
"""So many robots' keys are kept in memory, a third of a kB each."""
USED_PRECISION = timedelta(minutes=1)
"""How much later a token must be used again for that to be written down."""


@dataclass(frozen=True)
class Claim:
    """A proof that is not verified yet, with the key to verify it by."""

    proof: RequestProof
    key: VerifyKey
    principal: Principal


@dataclass(frozen=True)
class Signed:
    """A request that its robot has signed. Whether it was made before shows when its nonce is used up."""

    principal: Principal
    nonce: str


class Authenticator:
    """Turns credentials into a `Principal`, or refuses."""

    def __init__(self, database: Database, clock: Clock, skew_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._skew = timedelta(seconds=skew_seconds)
        self.nonces = Nonces(database, clock, 2 * self._skew)
        self._robots = KeptFacts[str, tuple[VerifyKey, Principal]](ROBOTS)
        self._looks = Together(self._look)

    def user(self, token: str) -> Principal:
        """Whose API token this is.

        Raises:
            UnauthorizedError: Nobody's, or one that is no longer valid.
        """
        digest, now = hash_token(token), self._clock()
        with self._database.read() as session:
            found = session.execute(_tokens().where(UserTokenRow.token_hash == digest)).one_or_none()
        if found is None or not hmac.compare_digest(found[1].token_hash, digest):
            raise UnauthorizedError(
                "this token belongs to nobody.",
                where="Authorization",
                remedy="Send `Authorization: Bearer zt_...` with a token that is not revoked.",
            )
        user, row = found
        if row.expires_at is not None and row.expires_at <= now:
            raise UnauthorizedError(
                f"this token expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
                where="Authorization",
                remedy="Use another token, or ask an admin for one: zunft user token create.",
                code="expired_token",
            )
        if row.last_used_at is None or now - row.last_used_at >= USED_PRECISION:
            self._mark_used(digest, now)
        return principal_of(user, row)

    def still_holds(self, principal: Principal) -> bool:
        """Whether this one would be let in now: asked while an answer lasts that has no end."""
        if principal.expires_at is not None and principal.expires_at <= self._clock():
            return False
        with self._database.read() as session:
            if principal.role == "robot":
                robot = session.get(RobotRow, principal.name)
                return robot is not None and robot.closed_at is None
            if principal.token_hash and session.get(UserTokenRow, principal.token_hash) is None:
                return False
            if principal.session_hash and session.get(SessionRow, principal.session_hash) is None:
                return False
            user = session.get(UserRow, principal.name)
            return user is not None and (user.role, user.organisation) == (
                principal.role,
                principal.organisation,
            )

    def _mark_used(self, digest: str, now: datetime) -> None:
        with self._database.write() as session:
            row = session.get(UserTokenRow, digest)
            if row is not None:
                row.last_used_at = now

    async def claim(self, proof: RequestProof) -> Claim:
        """Who says to have sent a request.

        A robot that was here before is known by its key; that it was withdrawn since shows with its nonce.

        Raises:
            UnauthorizedError: Unknown robot, or a clock that is too far off.
        """
        self._check_fresh(proof, self._clock())
        found = self._robots.get(proof.robot_id) or await self._looks.ask(proof.robot_id)
        if isinstance(found, UnauthorizedError):
            raise found
        return Claim(proof, *found)

    def verify(self, claim: Claim, *, method: str, target: str) -> Signed:
        """Hold a claim to its signature; done before the body is read, so that strangers' bodies are not.

        Raises:
            SignatureError: Another request or another key.
        """
        claim.proof.verify(claim.key, method=method, target=target)
        return Signed(claim.principal, claim.proof.nonce)

    async def use(self, signed: Signed) -> Principal:
        """The robot that signed a request, for the first time.

        Raises:
            UnauthorizedError: The request was made before, or the robot has left meanwhile.
        """
        await self.nonces.use_async(signed.principal.name, signed.nonce)
        return signed.principal

    def _look(self, robot_ids: Sequence[str]) -> list[tuple[VerifyKey, Principal] | UnauthorizedError]:
        wanted = select(RobotRow).where(RobotRow.robot_id.in_(set(robot_ids)))
        with self._database.read() as session:
            rows = {row.robot_id: row for row in session.scalars(wanted)}
        return [self._known(robot_id, rows.get(robot_id)) for robot_id in robot_ids]

    def _known(self, robot_id: str, row: RobotRow | None) -> tuple[VerifyKey, Principal] | UnauthorizedError:
        if row is None:
            return UnauthorizedError(
                f"no robot {robot_id[:64]!r} is enrolled here.",
                where=INPUT,
                remedy="Join this hub first: zunft robot join.",
                code="unknown_robot",
            )
        if row.closed_at is not None:
            return withdrawn_robot()
        principal = Principal(row.robot_id, "robot", row.organisation)
        return self._robots.keep(robot_id, (VerifyKey(row.public_key), principal))

    def _check_fresh(self, proof: RequestProof, now: datetime) -> None:
        if len(proof.nonce) not in NONCE_LENGTH:
            raise UnauthorizedError(
                "the nonce has not 8 to 64 characters.",
                where=INPUT,
                remedy="Send a new random nonce with each request.",
            )
        if abs(now.timestamp() - proof.created) > self._skew.total_seconds():
            raise UnauthorizedError(
                f"the request is of {proof.created}, the hub's clock says {int(now.timestamp())}.",
                where=INPUT,
                remedy=f"Set the robot's clock; {self._skew.total_seconds():g} s of difference are allowed.",
                code="stale_request",
            )


def principal_of(user: UserRow, token: UserTokenRow | None) -> Principal:
    """A user whose credentials hold, limited by the token that was shown.

    Raises:
        UnauthorizedError: The role is none of this program's.
    """
    who = Principal(user.name, _role(user.role), user.organisation)
    if token is None:
        return who
    return replace(
        who,
        scopes=scopes_of(token),
        token=token.name,
        token_hash=token.token_hash,
        expires_at=token.expires_at,
    )


def scopes_of(row: UserTokenRow) -> frozenset[Scope]:
    """What a token is for."""
    return frozenset(scope for scope in EVERY_SCOPE if scope in row.scopes)


def _tokens() -> Select[UserRow, UserTokenRow]:
    return select(UserRow, UserTokenRow).join(UserTokenRow, UserTokenRow.user_name == UserRow.name)


def _role(text: str) -> Role:
    for role in INCLUDES:
        if role == text:
            return role
    raise UnauthorizedError(f"unknown role {text!r}.", where="Authorization", remedy="Ask for a new token.")
