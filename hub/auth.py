"""Who asks: users by API token, robots by a signed request; and what a role may do.

Only SHA-256 digests of tokens are stored; tokens have 256 bits of entropy, so no slow hash is
needed. Sessions of browsers are `hub.sessions`; which route needs which role is said in `hub.api`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from hub.clock import Clock
from hub.database import Database
from hub.models import RobotRow, UserRow
from hub.nonces import Nonces
from skills.errors import ForbiddenError, UnauthorizedError
from skills.messages import Role
from skills.signing import RequestProof, VerifyKey

__all__ = [
    "INCLUDES",
    "Authenticator",
    "Claim",
    "Principal",
    "Viewer",
    "hash_token",
    "make_token",
    "principal_of",
]

INCLUDES: dict[Role, frozenset[Role]] = {
    "robot": frozenset({"robot"}),
    "researcher": frozenset({"researcher"}),
    "operator": frozenset({"operator", "researcher"}),
    "admin": frozenset({"admin", "operator", "researcher"}),
}
NONCE_LENGTH = range(8, 65)


@dataclass(frozen=True)
class Principal:
    """Who asks, once proven. `name` is the robot's id or the user's name."""

    name: str
    role: Role
    organisation: str

    @property
    def actor(self) -> str:
        """This one in the audit log."""
        return f"{'robot' if self.role == 'robot' else 'user'}:{self.name}"

    def may_act_as(self, role: Role) -> bool:
        """Whether this one's role includes another."""
        return role in INCLUDES[self.role]

    def must_be(self, role: Role) -> None:
        """Hold to a role.

        Raises:
            ForbiddenError: This one's role does not include it.
        """
        if not self.may_act_as(role):
            raise ForbiddenError(
                f"this needs the role {role}; {self.name} is a {self.role}.",
                remedy="Ask an operator of the hub, or use another token.",
            )


Viewer = Principal | None
"""Who looks; None: somebody whom the hub does not know."""


@dataclass(frozen=True)
class Claim:
    """A proof that is not verified yet, with the key to verify it by."""

    proof: RequestProof
    key: VerifyKey
    principal: Principal


def make_token(prefix: str) -> str:
    """A new secret with 256 bits of entropy."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """What the hub keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def principal_of(user: UserRow) -> Principal:
    """A user whose credentials hold.

    Raises:
        UnauthorizedError: The role is none of this program's.
    """
    return Principal(user.name, _role(user.role), user.organisation)


class Authenticator:
    """Turns credentials into a `Principal`, or refuses."""

    def __init__(self, database: Database, clock: Clock, skew_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._skew = timedelta(seconds=skew_seconds)
        self._nonces = Nonces(database, clock, 2 * self._skew)

    def user(self, token: str) -> Principal:
        """Whose API token this is.

        Raises:
            UnauthorizedError: Nobody's, or one that is no longer valid.
        """
        digest = hash_token(token)
        with self._database.read() as session:
            row = session.scalar(select(UserRow).where(UserRow.token_hash == digest))
        if row is None or not hmac.compare_digest(row.token_hash, digest):
            raise UnauthorizedError(
                "this token belongs to nobody.",
                where="Authorization",
                remedy="Send `Authorization: Bearer zt_...` with a token that is not revoked.",
            )
        if row.expires_at is not None and row.expires_at <= self._clock():
            raise UnauthorizedError(
                f"this token expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
                where="Authorization",
                remedy="Ask an admin to revoke it and to create a new one: zunft user create.",
                code="expired_token",
            )
        return principal_of(row)

    def claim(self, proof: RequestProof) -> Claim:
        """Who says to have sent a request; asked before its body is read, so that strangers' bodies are not.

        Raises:
            UnauthorizedError: Unknown robot, or a clock that is too far off.
        """
        self._check_fresh(proof, self._clock())
        with self._database.read() as session:
            robot = session.get(RobotRow, proof.robot_id)
        if robot is None:
            raise UnauthorizedError(
                f"no robot {proof.robot_id[:64]!r} is enrolled here.",
                where="Zunft-Robot",
                remedy="Join this hub first: zunft robot join.",
                code="unknown_robot",
            )
        principal = Principal(robot.robot_id, "robot", robot.organisation)
        return Claim(proof, VerifyKey(robot.public_key), principal)

    def robot(self, claim: Claim, *, method: str, target: str, body: bytes) -> Principal:
        """The robot that signed exactly this request, for the first time.

        Raises:
            SignatureError: Another request or another key.
            UnauthorizedError: The request was made before, or the robot has left meanwhile.
        """
        claim.proof.verify(claim.key, method=method, target=target, body=body)
        self._nonces.use(claim.proof.robot_id, claim.proof.nonce)
        return claim.principal

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


def _role(text: str) -> Role:
    for role in INCLUDES:
        if role == text:
            return role
    raise UnauthorizedError(f"unknown role {text!r}.", where="Authorization", remedy="Ask for a new token.")
