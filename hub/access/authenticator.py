"""Who asks: users by API token, robots by a signed request; and what a role and a token may do.

Only SHA-256 digests of tokens are stored; tokens have 256 bits of entropy, so no slow hash is
needed. Sessions of browsers are `hub.access.sessions`; which route needs which role and scope is said in
`hub.api`; whose things a principal may see and change, in `hub.access.visibility`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select

from hub.access.nonces import Nonces, withdrawn_robot
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.facts import Facts
from hub.storage.group_commit import Together
from hub.storage.tables import RobotRow, SessionRow, UserRow, UserTokenRow
from skills.errors import ForbiddenError, UnauthorizedError
from skills.messages import Role
from skills.messages.tokens import EVERY_SCOPE, Scope
from skills.signing import RequestProof, VerifyKey

__all__ = [
    "INCLUDES",
    "THE_HUB",
    "Authenticator",
    "Claim",
    "Principal",
    "Signed",
    "Viewer",
    "hash_token",
    "make_token",
    "principal_of",
    "scopes_of",
]

INCLUDES: dict[Role, frozenset[Role]] = {
    "robot": frozenset({"robot"}),
    "researcher": frozenset({"researcher"}),
    "operator": frozenset({"operator", "researcher"}),
    "admin": frozenset({"admin", "operator", "researcher"}),
}
NONCE_LENGTH = range(8, 65)
ROBOTS = 50_000
"""So many robots' keys are kept in memory, a third of a kB each."""
USED_PRECISION = timedelta(minutes=1)
"""How much later a token must be used again for that to be written down."""


@dataclass(frozen=True)
class Principal:
    """Who asks, once proven.

    Attributes:
        name: The robot's id or the user's name.
        role: What it may do.
        organisation: Whose it is.
        scopes: What its token is limited to; a robot, and a user who signed in at an issuer, have all.
        token: Name of the token that was shown, now or to open the session; empty where there is none.
        token_hash: What the hub keeps of it.
        session_hash: What the hub keeps of the session's secret; empty where there is no session.
        expires_at: When the proof ends; None: it does not. A session's moves on with its use.
    """

    name: str
    role: Role
    organisation: str
    scopes: frozenset[Scope] = frozenset(EVERY_SCOPE)
    token: str = ""
    token_hash: str = field(default="", repr=False)
    session_hash: str = field(default="", repr=False)
    expires_at: datetime | None = field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """This one in the audit log."""
        if self == THE_HUB:
            return self.name
        return f"{'robot' if self.role == 'robot' else 'user'}:{self.name}"

    def may_act_as(self, role: Role, scope: Scope) -> bool:
        """Whether this one's role includes another, and its proof is for that."""
        return role in INCLUDES[self.role] and scope in self.scopes

    def must_be(self, role: Role, scope: Scope) -> None:
        """Hold to a role and a scope.

        Raises:
            ForbiddenError: This one's role does not include it, or its token is not for that.
        """
        if role not in INCLUDES[self.role]:
            raise ForbiddenError(
                f"this needs the role {role}; {self.name} is a {self.role}.",
                remedy="Ask an operator of the hub, or use another token.",
            )
        self.must_have(scope)

    def must_have(self, scope: Scope) -> None:
        """Hold to a scope.

        Raises:
            ForbiddenError: This one's token is not for that.
        """
        if scope not in self.scopes:
            raise ForbiddenError(
                f"the token {self.token!r} of {self.name} is not for this: it lacks the scope {scope}.",
                where="Authorization",
                remedy="Use another token: zunft user token create.",
                code="token_scope",
            )


THE_HUB = Principal("hub", "admin", "")
"""Who acts and looks where nobody asked: the engine, a start of the hub, a command on its own machine."""

Viewer = Principal | None
"""Who looks; None is anybody, where the catalogue is public."""


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


def make_token(prefix: str) -> str:
    """A new secret with 256 bits of entropy."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """What the hub keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Authenticator:
    """Turns credentials into a `Principal`, or refuses."""

    def __init__(self, database: Database, clock: Clock, skew_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._skew = timedelta(seconds=skew_seconds)
        self.nonces = Nonces(database, clock, 2 * self._skew)
        self._robots = Facts[str, tuple[VerifyKey, Principal]](ROBOTS)
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
        """Who says to have sent a request; asked before its body is read, so that strangers' bodies are not.

        A robot that was here before is known by its key; that it was withdrawn since shows with its nonce.

        Raises:
            UnauthorizedError: Unknown robot, or a clock that is too far off.
        """
        self._check_fresh(proof, self._clock())
        found = self._robots.get(proof.robot_id) or await self._looks.ask(proof.robot_id)
        if isinstance(found, UnauthorizedError):
            raise found
        return Claim(proof, *found)

    def verify(self, claim: Claim, *, method: str, target: str, body_digest: str) -> Signed:
        """Hold a claim to its signature.

        Raises:
            SignatureError: Another request or another key.
        """
        claim.proof.verify(claim.key, method=method, target=target, body_digest=body_digest)
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
                where="Zunft-Robot",
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
                where="Zunft-Nonce",
                remedy="Send a new random nonce with each request.",
            )
        if abs(now.timestamp() - proof.timestamp) > self._skew.total_seconds():
            raise UnauthorizedError(
                f"the request is of {proof.timestamp}, the hub's clock says {int(now.timestamp())}.",
                where="Zunft-Timestamp",
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
