"""What is said when robots join, and of robots."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.manifest import Name
from skills.messages.base import Label, Message

__all__ = [
    "Contribution",
    "Enrolled",
    "EnrolmentRequest",
    "EnrolmentToken",
    "EnrolmentTokenRequest",
    "JoinToken",
    "QrRequest",
    "Refusal",
    "RefusalCode",
    "RobotCounts",
    "RobotState",
    "RobotView",
    "RootOfTrust",
]

RobotState = Literal["new", "online", "away", "lost"]
"""`new`: never heard of; `away`: not lately; `lost`: was at work, and is missed."""

RefusalCode = Literal["worse", "does_not_fit", "rolled_back", "expired", "not_what_was_signed"]


class EnrolmentTokenRequest(Message):
    """An operator asks for tokens that each enrol one robot, by default into the operator's organisation."""

    organisation: Label | None = None
    count: int = Field(default=1, ge=1, le=1000)
    valid_seconds: int = Field(default=86_400, ge=60, le=31_536_000)
    hall_robots: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="The tokens are for halls, whose deltas may count for so many robots at most.",
        exclude_if=lambda many: many is None,
    )


class EnrolmentToken(Message):
    """Shown once; the hub keeps only its hash. It ends with the digest of the root of trust."""

    token: str
    organisation: str
    expires_at: datetime


class JoinToken(Message):
    """A token that is still good, for one robot; what it is was shown once to who made it.

    Attributes:
        token_id: What it is called, by its hash.
        issued_by: As the audit log has it; empty: an older hub did not say.
        hall_robots: It is for a hall, for at most so many robots.
    """

    token_id: str
    organisation: str
    issued_by: str
    expires_at: datetime
    hall_robots: int | None = Field(default=None, exclude_if=lambda many: many is None)


class QrRequest(Message):
    """What a camera is to read; it is drawn and forgotten."""

    text: str = Field(min_length=1, max_length=1000)


class EnrolmentRequest(Message):
    """A robot joins with a one-time token and the public half of its own key."""

    token: str = Field(min_length=16, max_length=256)
    name: Label
    embodiment: Name
    public_key: str = Field(min_length=20, max_length=128)


class Enrolled(Message):
    """The hub's answer: the robot's name for all time, and the keys whose word counts from now on.

    Attributes:
        hub_key: Signs the guild's skills.
        gate_key: Signs what the gate found; empty: the hub is older than that.
    """

    robot_id: str
    organisation: str
    hub_key: str
    gate_key: str = ""


class RootOfTrust(Message):
    """The guild's first root, signed by the hub's key: for robots that joined before there was one."""

    root: str = Field(max_length=512_000)
    signature: str = Field(max_length=128)


class Refusal(Message):
    """What a robot would not take; `version` 0: of none in particular."""

    skill: Name
    version: int = Field(ge=0, le=1_000_000_000)
    code: RefusalCode
    reason: str = Field(max_length=300)


class RobotView(Message):
    """A robot as operators see it; `refusal` is the last thing that it would not take."""

    robot_id: str
    name: str
    organisation: str
    embodiment: str
    enrolled_at: datetime
    last_seen_at: datetime | None = None
    refusal: Refusal | None = None
    state: RobotState = "new"
    lost_at: datetime | None = None
    withdrawn: bool = False


class RobotCounts(Message):
    """How many robots stand where; one that refuses something stands somewhere, too."""

    robots: int = 0
    new: int = 0
    online: int = 0
    away: int = 0
    lost: int = 0
    refusing: int = 0


class Contribution(Message):
    """A delta that counted: in which round, from how many steps, and how many rounds late.

    `robot_seconds` is the processor time that the robot says its training took.
    """

    skill: str
    campaign_id: str
    round_id: str
    number: int
    samples: int
    size: int
    staleness: int = 0
    received_at: datetime
    robot_seconds: float | None = None
