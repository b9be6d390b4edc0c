"""Robots join: an operator hands out one-time tokens, a robot trades one for its identity.

From then on a robot proves itself by its key, see `hub.access.authenticator`; who has joined is read in
`hub.robots.roster`.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, hash_token, make_token
from hub.access.visibility import may_change
from hub.clock import Clock
from hub.organisations.quotas import check_robots, hold
from hub.organisations.registry import find_organisation
from hub.storage.database import Database
from hub.storage.record import note, record
from hub.storage.tables.halls import MembershipRow
from hub.storage.tables.robots import EnrolmentTokenRow, RobotRow
from hub.tuf.repository import Repository
from skills.errors import ConflictError, ForbiddenError, UnauthorizedError
from skills.halls import HALL, check_path, hall_id
from skills.messages.robots import Enrolled, EnrolmentRequest, EnrolmentToken, EnrolmentTokenRequest
from skills.signing import VerifyKey
from skills.targets import token_with_root

__all__ = ["Enrolment"]


class Enrolment:
    """Tokens and the robots that used them."""

    def __init__(
        self, database: Database, clock: Clock, hub_key: str, gate_key: str, roots: Repository
    ) -> None:
        self._database = database
        self._clock = clock
        self._hub_key = hub_key
        self._gate_key = gate_key
        self._roots = roots

    def create_tokens(self, request: EnrolmentTokenRequest, *, by: Principal) -> list[EnrolmentToken]:
        """New one-time tokens, shown once.

        Raises:
            ForbiddenError: Into another organisation than one's own.
            NotFoundError: An admin names an organisation that is none.
        """
        organisation = request.organisation or by.organisation
        if not may_change(by, organisation):
            raise ForbiddenError(
                f"{by.name} may let robots into {by.organisation} only.",
                where="organisation",
                remedy="Leave the organisation out.",
                code="not_yours",
            )
        now = self._clock()
        expires = now + timedelta(seconds=request.valid_seconds)
        root = self._roots.root_digest()
        tokens = [token_with_root(make_token("ze"), root) for _ in range(request.count)]
        with self._database.write() as session:
            find_organisation(session, organisation)
            session.add_all(
                EnrolmentTokenRow(
                    token_hash=hash_token(token),
                    organisation=organisation,
                    expires_at=expires,
                    hall_robots=request.hall_robots,
                    issued_by=by.actor,
                )
                for token in tokens
            )
            note(session, "tokens.issued", now, by=by.actor, subject=organisation, count=request.count)
        return [
            EnrolmentToken(token=token, organisation=organisation, expires_at=expires) for token in tokens
        ]

    def enrol(self, request: EnrolmentRequest) -> Enrolled:
        """Trade a token for an identity. Repeated with the same key, it gives the same answer.

        Raises:
            UnauthorizedError: The token is unknown, used by another key, or too old.
            SignatureError: Not a public key; whether the robot holds its private half shows with its first
                request.
            ConflictError: The key is enrolled already with another token.
            ForbiddenError: The organisation has as many robots as it may; or it is a hall that is above.
        """
        request = request.model_copy(update={"public_key": VerifyKey(request.public_key).canonical().text})
        name = hash_token(request.token)
        with self._database.read() as session:
            if session.get(EnrolmentTokenRow, name) is None:  # strangers wait for no one's turn to write
                raise _refusal("this enrolment token is unknown.")
        with self._database.write() as session:
            token = session.get(EnrolmentTokenRow, name, with_for_update=True)
            if token is None:  # taken back meanwhile
                raise _refusal("this enrolment token is unknown.")
            if token.robot_id is not None:
                return self._repeat(session, token.robot_id, request.public_key)
            if token.expires_at < self._clock():
                raise _refusal("this enrolment token is too old.")
            self._check_hall(session, request, token)
            robot = self._admit(session, request, token)
            token.robot_id = robot.robot_id
        return self._answer(robot)

    def _check_hall(self, session: Session, request: EnrolmentRequest, token: EnrolmentTokenRow) -> None:
        """Hold a hall to a hall's token, and refuse one that this hall is or is under."""
        if (request.embodiment == HALL) != (token.hall_robots is not None):
            raise _refusal(f"a token that is for a hall, and no other, lets a {HALL} join.")
        if request.embodiment == HALL:
            above = session.get(MembershipRow, 1)
            path = (hall_id(VerifyKey(self._hub_key)), *(above.path if above else ()))
            check_path(hall_id(VerifyKey(request.public_key)), path)

    def _admit(self, session: Session, request: EnrolmentRequest, token: EnrolmentTokenRow) -> RobotRow:
        organisation = token.organisation
        if session.scalar(select(RobotRow).where(RobotRow.public_key == request.public_key)) is not None:
            raise ConflictError(
                "this key is enrolled already.",
                where="public_key",
                remedy="Give each robot its own home folder and key.",
            )
        check_robots(session, hold(session, organisation)[organisation])
        robot = RobotRow(
            robot_id=f"r-{secrets.token_hex(6)}",
            name=request.name,
            organisation=organisation,
            embodiment=request.embodiment,
            public_key=request.public_key,
            enrolled_at=self._clock(),
            hall_robots=token.hall_robots,
        )
        session.add(robot)
        session.flush()
        record(
            session,
            "robot.enrolled",
            self._clock(),
            organisation=organisation,
            robot_id=robot.robot_id,
            embodiment=robot.embodiment,
        )
        note(
            session,
            "robot.enrolled",
            robot.enrolled_at,
            by=f"robot:{robot.robot_id}",
            subject=robot.robot_id,
            organisation=organisation,
        )
        return robot

    def _repeat(self, session: Session, robot_id: str, public_key: str) -> Enrolled:
        robot = session.get_one(RobotRow, robot_id)
        if robot.public_key != public_key:
            raise _refusal("this enrolment token was used before.")
        if robot.closed_at is not None:
            raise _refusal("the robot that used this enrolment token was withdrawn.")
        return self._answer(robot)

    def _answer(self, robot: RobotRow) -> Enrolled:
        return Enrolled(
            robot_id=robot.robot_id,
            organisation=robot.organisation,
            hub_key=self._hub_key,
            gate_key=self._gate_key,
        )


def _refusal(message: str) -> UnauthorizedError:
    return UnauthorizedError(
        message, where="token", remedy="Ask an operator for a new token.", code="bad_enrolment_token"
    )
